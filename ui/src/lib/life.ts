/**
 * A task's life in attempts, and each attempt in parts: where its time went. Pure.
 *
 * Events come from several hosts whose clocks differ, some may be missing, and a retry is sent and
 * received before the attempt that asked for it is said to have ended. So events are not read as a
 * sequence: the second `received` belongs to the second attempt, and so on.
 */

import type { TaskDetail } from '~/api/client';

import { eventState, isOver } from './states';

export type Kind = 'queue' | 'eta' | 'pause' | 'worker' | 'running';

export interface Part {
  readonly kind: Kind;
  readonly start: number;
  readonly end: number;
  readonly open: boolean; // still going on
}

export interface Attempt {
  readonly number: number; // the first is 1
  readonly parts: readonly Part[];
  readonly state: string | null; // what it ended in; null while it has not
  readonly at: number | null; // when it ended
  readonly host: string | null; // where it ran or waits
}

export interface Life {
  readonly attempts: readonly Attempt[];
  readonly start: number;
  readonly end: number;
  readonly skewed: boolean; // some event is well before the one that must come first
}

export const LABELS: Readonly<Record<Kind, string>> = {
  queue: 'In the queue',
  eta: 'Held until its time',
  pause: 'Pause before the retry',
  worker: 'At the worker',
  running: 'Running',
};

type Facts = Pick<TaskDetail, 'state' | 'state_at' | 'retries' | 'eta' | 'timeline'>;
type Moment = TaskDetail['timeline'][number];

interface Run {
  sent?: Moment;
  received?: Moment;
  started?: Moment;
  end?: Moment;
}

/** What has not ended goes on until `now`; a finished task, whose end no event told, does not. */
export function life(task: Facts, now: number): Life | null {
  const runs = assign(task.timeline);
  const [first] = runs;
  if (!first) return null;
  const until = isOver(task.state) ? task.state_at : now;
  const missing = Math.max(0, task.retries + 1 - runs.length); // before the first we know of
  const attempts = runs.map((run, index): Attempt => {
    const last = index === runs.length - 1;
    const again = index > 0 ? runs[index - 1]?.end?.type === 'task-retried' : missing > 0;
    const eta = last ? moment(task.eta) : null;
    const closed = run.end?.at ?? (last ? null : (runs[index + 1]?.received ?? runs[index + 1]?.started)?.at);
    const end = closed ?? (isOver(task.state) ? until : null);
    return {
      number: missing + index + 1,
      parts: parts(run, again, eta, end, until),
      state: run.end ? eventState(run.end.type) : null,
      at: run.end?.at ?? null,
      host: (run.started ?? run.received ?? run.end)?.host ?? null,
    };
  });
  const edges = attempts.flatMap(({ parts }) => parts.flatMap(({ start, end }) => [start, end]));
  if (edges.length === 0) return null;
  return {
    attempts,
    start: edges.reduce((a, b) => Math.min(a, b)),
    end: edges.reduce((a, b) => Math.max(a, b)),
    skewed: runs.some(isSkewed),
  };
}

const ENDS: ReadonlySet<string> = new Set([
  'task-succeeded', 'task-failed', 'task-retried', 'task-revoked', 'task-rejected',
]);

function assign(timeline: readonly Moment[]): Run[] {
  const of = (type: string) => timeline.filter((told) => told.type === type);
  const [sent, received, started] = [of('task-sent'), of('task-received'), of('task-started')];
  const ends = timeline.filter(({ type }) => ENDS.has(type));
  const runs = Array.from(
    { length: Math.max(sent.length, received.length, started.length, Math.min(1, ends.length)) },
    (): Run => ({}),
  );
  received.forEach((told, index) => put(runs[index], 'received', told));
  // The first attempts all start; what waits is the last.
  started.forEach((told, index) => put(runs[index], 'started', told));
  sent.forEach((told, index) => put(runs[whose(told, index, sent, received)], 'sent', told));
  for (const told of ends) {
    const begun = runs.filter(({ started }) => started && started.at <= told.at);
    // `failed` and `rejected` may both be told of one attempt: the first says how it ended.
    const run = begun.findLast(({ end }) => !end) ?? runs.findLast(({ end, started }) => !end && !started);
    put(run, 'end', told);
  }
  return runs;
}

function put(run: Run | undefined, key: keyof Run, told: Moment): void {
  if (run && !run[key]) run[key] = told;
}

/** Where not every sending was seen: the attempt that was received next. */
function whose(
  told: Moment, index: number, sent: readonly Moment[], received: readonly Moment[],
): number {
  if (sent.length >= received.length) return index;
  const next = received.findIndex(({ at }) => at >= told.at);
  return next < 0 ? received.length - 1 : Math.max(next, index);
}

function parts(run: Run, again: boolean, eta: number | null, end: number | null, now: number): Part[] {
  const { sent, received, started } = run;
  const found: Part[] = [];
  const add = (kind: Kind, start: number, until: number | null) => {
    found.push({ kind, start, end: Math.max(start, until ?? now), open: until === null });
  };
  const held: Kind = again ? 'pause' : 'eta';
  if (sent) add('queue', sent.at, received?.at ?? started?.at ?? end);
  if (received) {
    const until = started?.at ?? end;
    const left = until ?? now;
    if (eta !== null && eta > received.at) {
      add(held, received.at, until === null && eta > now ? null : Math.min(eta, left));
      if (left > eta) add('worker', eta, until);
    } else {
      // A worker that gets a retry holds it; how long it was asked to, only the last one tells.
      add(again && eta === null ? 'pause' : 'worker', received.at, until);
    }
  }
  if (started) add('running', started.at, end);
  if (found.length === 0 && end !== null) add('worker', end, end);
  return found;
}

// Events are told a moment after what they tell of; only more than that is a clock's fault.
const SKEW_SECONDS = 0.1;

function isSkewed({ sent, received, started, end }: Run): boolean {
  const order = [sent, received, started, end].flatMap((told) => (told ? [told.at] : []));
  return order.some((at, index) => index > 0 && at < (order[index - 1] ?? at) - SKEW_SECONDS);
}

function moment(text: string | null): number | null {
  if (text === null) return null;
  // Celery writes ISO; without a zone it means UTC.
  const zoned = /(?:Z|[-+]\d\d:?\d\d)$/.test(text) ? text : `${text}Z`;
  const at = Date.parse(zoned) / 1000;
  return Number.isFinite(at) ? at : null;
}

/** Seconds in each kind, all attempts together, in the order of a life. */
export function sums(attempts: readonly Attempt[]): { kind: Kind; seconds: number; open: boolean }[] {
  const kinds: readonly Kind[] = ['queue', 'eta', 'worker', 'pause', 'running'];
  return kinds.flatMap((kind) => {
    const all = attempts.flatMap(({ parts }) => parts.filter((part) => part.kind === kind));
    if (all.length === 0) return [];
    const seconds = all.reduce((sum, { start, end }) => sum + end - start, 0);
    return [{ kind, seconds, open: all.some(({ open }) => open) }];
  });
}

// ---------------------------------------------------------------------------------- to scale

const LEAST_SHARE = 0.03; // of the width, for a part that took any time at all
const MOST_STRETCH = 1.5; // up to here a part looks as long as it was

export interface Scale {
  /** Where a moment lies, from 0 to 1. */
  readonly place: (at: number) => number;
  readonly marks: readonly number[]; // moments that something began or ended at
  readonly stretched: boolean; // short parts are drawn longer than they were
}

/**
 * An axis on which a millisecond beside an hour can still be seen: between two marks it is even,
 * and no stretch between two marks is narrower than a least width.
 */
export function scale({ attempts, start, end }: Life): Scale {
  const marks = [
    ...new Set([start, end, ...attempts.flatMap(({ parts }) => parts.flatMap((p) => [p.start, p.end]))]),
  ].sort((a, b) => a - b);
  const spans = marks.slice(1).map((at, index) => at - (marks[index] ?? at));
  const whole = end - start;
  const least = Math.min(LEAST_SHARE, 0.5 / Math.max(1, spans.length));
  const shares = spans.map((span) => Math.max(least, whole > 0 ? span / whole : least));
  const sum = shares.reduce((a, b) => a + b, 0);
  const edges = [0];
  for (const share of shares) edges.push((edges.at(-1) ?? 0) + share / sum);
  const place = (at: number): number => {
    if (at <= start) return 0;
    if (at >= end) return 1;
    const index = marks.findLastIndex((mark) => mark <= at);
    const [left = 0, right = 1] = edges.slice(index, index + 2);
    const span = spans[index] ?? 0;
    return span > 0 ? left + ((right - left) * (at - (marks[index] ?? at))) / span : left;
  };
  const stretched = spans.some(
    (span, index) => whole > 0 && (shares[index] ?? 0) / sum > MOST_STRETCH * (span / whole),
  );
  return { place, marks, stretched };
}

/** Of marks on an axis those that have room for a label, the ends first. */
export function labelled(scale: Scale, room: number): number[] {
  const [first, ...rest] = scale.marks;
  const last = rest.at(-1);
  if (first === undefined) return [];
  if (last === undefined) return [first];
  const kept = [first];
  for (const mark of rest.slice(0, -1)) {
    const free = scale.place(mark) - scale.place(kept.at(-1) ?? first) >= room;
    if (free && scale.place(last) - scale.place(mark) >= room) kept.push(mark);
  }
  return [...kept, last];
}
