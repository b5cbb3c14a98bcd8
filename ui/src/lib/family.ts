/** A family of tasks on an axis of time: which rows there are, what is drawn in each. Pure. */

import type { Family, FamilyGroup, FamilyTask } from '~/api/client';

import { count, duration } from './format';
import { order, stateWord } from './states';

export interface Bar {
  readonly kind: 'wait' | 'run' | 'pause'; // pause: between two attempts
  readonly start: number;
  readonly end: number;
  readonly open: boolean; // it goes on
  readonly state: string; // how the run ended
}

type Timed = Pick<FamilyTask, 'sent' | 'received' | 'started' | 'finished' | 'runs' | 'state'>;

/** What is drawn of one task: its waits, its runs, and the pauses between them. */
export function bars(task: Timed, now: number): Bar[] {
  const began = beganAt(task);
  if (began === null) return [];
  const found: Bar[] = [];
  let at = began;
  for (const { started, ended, state } of task.runs) {
    if (started > at) found.push({ kind: found.length === 0 ? 'wait' : 'pause', start: at, end: started, open: false, state });
    const end = Math.max(started, ended ?? task.finished ?? now);
    found.push({ kind: 'run', start: started, end, open: ended === null && task.finished === null, state });
    at = Math.max(at, end);
  }
  const last = found.at(-1);
  if (last?.open === true || (last !== undefined && task.finished !== null)) return found;
  // It waits: for its first run, or for the next; or it never ran at all.
  const state = task.state ?? 'PENDING';
  const end = Math.max(at, task.finished ?? now);
  found.push({ kind: last === undefined ? 'wait' : 'pause', start: at, end, open: task.finished === null, state });
  return found;
}

/** When the first was told of a task; null: nothing was. */
export function beganAt({ sent, received, started }: Pick<FamilyTask, 'sent' | 'received' | 'started'>): number | null {
  return sent ?? received ?? started;
}

// ---------------------------------------------------------------------------------- rows

export interface TaskLine {
  readonly kind: 'task';
  readonly task: FamilyTask;
  readonly depth: number;
  readonly group: FamilyGroup | null;
  readonly edge: 'first' | 'middle' | 'last' | null; // of its group's bracket
}

export interface GroupLine {
  readonly kind: 'group';
  readonly group: FamilyGroup;
  readonly tasks: readonly FamilyTask[];
  readonly depth: number;
  readonly open: boolean;
}

export type Line = TaskLine | GroupLine;

const LEAST_HEADED = 4; // fewer tasks need no line that sums them up
const MOST_OPEN = 12; // a larger group is closed until it is opened
const DEEPEST = 12; // no line is indented further

/** The groups that are open or closed otherwise than they are by themselves. */
export type Toggled = ReadonlySet<number>;

export function isOpen({ id, size }: Pick<FamilyGroup, 'id' | 'size'>, toggled: Toggled): boolean {
  return (size <= MOST_OPEN) !== toggled.has(id);
}

/**
 * The lines in the order of the tasks. Of a closed group there is one line, and those of its tasks
 * that are on the critical path or were asked for.
 */
export function lines({ tasks, groups, uuid }: Pick<Family, 'tasks' | 'groups' | 'uuid'>, toggled: Toggled): Line[] {
  const members = new Map<number, FamilyTask[]>();
  for (const task of tasks) {
    if (task.group === null) continue;
    const known = members.get(task.group);
    if (known) known.push(task);
    else members.set(task.group, [task]);
  }
  const byId = new Map(groups.map((group) => [group.id, group]));
  const headed = new Set<number>();
  const found: Line[] = [];
  let closed: { depth: number; id: number } | null = null;
  for (const task of tasks) {
    const group = task.group === null ? null : (byId.get(task.group) ?? null);
    const depth = Math.min(task.depth, DEEPEST);
    if (closed !== null && task.depth <= closed.depth && task.group !== closed.id) closed = null;
    if (closed === null && group !== null && !headed.has(group.id) && group.size >= LEAST_HEADED) {
      headed.add(group.id);
      const open = isOpen(group, toggled);
      found.push({ kind: 'group', group, tasks: members.get(group.id) ?? [], depth, open });
      if (!open) closed = { depth: task.depth, id: group.id };
    }
    if (closed !== null && !task.critical && task.uuid !== uuid) continue;
    found.push({ kind: 'task', task, depth, group, edge: group === null ? null : edgeOf(task, members.get(group.id)) });
  }
  return found;
}

function edgeOf(task: FamilyTask, members: readonly FamilyTask[] = []): TaskLine['edge'] {
  if (members[0]?.uuid === task.uuid) return 'first';
  return members.at(-1)?.uuid === task.uuid ? 'last' : 'middle';
}

// ---------------------------------------------------------------------------------- who sent whom

export interface Join {
  readonly from: number; // a line
  readonly to: number;
  readonly start: number; // where in time it leaves
  readonly end: number; // where it arrives
  readonly critical: boolean;
}

/** What leads to each line's task: its parent, or for a chord's body the ends it waited for. */
export function joins(drawn: readonly Line[], tasks: readonly FamilyTask[]): Join[] {
  const at = new Map<string, number>();
  const byId = new Map(tasks.map((task) => [task.uuid, task]));
  drawn.forEach((line, index) => {
    if (line.kind === 'group') for (const { uuid } of line.tasks) if (!at.has(uuid)) at.set(uuid, index);
    if (line.kind === 'task') at.set(line.task.uuid, index);
  });
  const found: Join[] = [];
  const met = new Set<number>(); // groups that a line leads to: their bracket tells the rest
  drawn.forEach((line, to) => {
    const { task, critical } = line.kind === 'task' ? { task: line.task, critical: line.task.critical } : { task: line.tasks[0], critical: false };
    if (task === undefined) return;
    const end = line.kind === 'task' ? beganAt(task) : earliest(line.tasks);
    if (end === null) return;
    const again = task.group !== null && met.has(task.group);
    if (task.group !== null) met.add(task.group);
    if (again && !critical) return;
    if (line.kind === 'task' && task.after.length > 0) {
      const seen = new Set<number>();
      for (const uuid of task.after) {
        const before = byId.get(uuid);
        const from = before && lineOf(before, at, byId);
        if (from === undefined || from === to) continue;
        const lit = critical && before?.critical === true;
        if (seen.has(from) && !lit) continue; // a closed group has one line
        seen.add(from);
        found.push({ from, to, start: Math.min(before?.finished ?? end, end), end, critical: lit });
      }
      return;
    }
    const parent = task.parent === null ? undefined : byId.get(task.parent);
    const from = parent && lineOf(parent, at, byId);
    if (from === undefined || from === to) return;
    found.push({ from, to, start: end, end, critical: critical && parent?.critical === true });
  });
  return found;
}

/** The line that stands for a task: its own, or the nearest above it. */
function lineOf(task: FamilyTask, at: ReadonlyMap<string, number>, byId: ReadonlyMap<string, FamilyTask>): number | undefined {
  let above: FamilyTask | undefined = task;
  for (let steps = 0; above !== undefined && steps < byId.size; steps += 1) {
    const found = at.get(above.uuid);
    if (found !== undefined) return found;
    above = above.parent === null ? undefined : byId.get(above.parent);
  }
  return undefined;
}

function earliest(tasks: readonly FamilyTask[]): number | null {
  return tasks.reduce<number | null>((least, task) => {
    const at = beganAt(task);
    return at === null || (least !== null && least <= at) ? least : at;
  }, null);
}

// ---------------------------------------------------------------------------------- a closed group

export interface Bin {
  readonly start: number;
  readonly end: number;
  readonly running: number; // how many ran then, as a share of the most that ran and waited at once
  readonly waiting: number;
  readonly failed: boolean; // one of these failed
}

/** How many of a group waited and ran, in even steps from its first to its last moment. */
export function bins(tasks: readonly FamilyTask[], now: number, steps = 48): Bin[] {
  const drawn = tasks.map((task) => ({ task, all: bars(task, now) }));
  const edges = drawn.flatMap(({ all }) => all.flatMap(({ start, end }) => [start, end]));
  if (edges.length === 0) return [];
  const from = edges.reduce((a, b) => Math.min(a, b));
  const width = (edges.reduce((a, b) => Math.max(a, b)) - from) / steps;
  const found = Array.from({ length: steps }, () => ({ running: 0, waiting: 0, failed: false }));
  const place = (at: number) => Math.min(steps - 1, Math.max(0, width > 0 ? Math.floor((at - from) / width) : 0));
  for (const { task, all } of drawn) {
    for (const { kind, start, end } of all) {
      for (let index = place(start); index <= place(end); index += 1) {
        const bin = found[index];
        if (bin === undefined) continue;
        const share = width > 0 ? (Math.min(end, from + (index + 1) * width) - Math.max(start, from + index * width)) / width : 1;
        if (kind === 'run') bin.running += Math.max(0, share);
        else bin.waiting += Math.max(0, share);
      }
    }
    const bin = task.state === 'FAILURE' && task.finished !== null ? found[place(task.finished)] : undefined;
    if (bin !== undefined) bin.failed = true;
  }
  // A group that never runs all at once is to be seen, too.
  const most = found.reduce((a, { running, waiting }) => Math.max(a, running + waiting), 0) || 1;
  return found.map(({ running, waiting, failed }, index) => ({
    start: from + index * width,
    end: from + (index + 1) * width,
    running: running / most,
    waiting: waiting / most,
    failed,
  }));
}

// ---------------------------------------------------------------------------------- the axis

export interface Span {
  readonly from: number;
  readonly to: number;
}

const MARGIN = 0.015; // behind the last moment

/** From the first to the last moment that is drawn, and a little more. */
export function whole({ began, tasks }: Pick<Family, 'began' | 'tasks'>, now: number): Span {
  const from = began ?? now;
  let to = from;
  for (const task of tasks) for (const { end } of bars(task, now)) to = Math.max(to, end);
  return { from, to: to > from ? to + MARGIN * (to - from) : from + 0.001 };
}

const LEAST_SPAN = 1e-4; // seconds: no clock tells less
const MOST_ZOOM = 1e6;

/** Shows less (`factor` < 1) or more of the time; the moment `at` stays where it is. */
export function zoomed({ from, to }: Span, factor: number, at: number, all: Span): Span {
  const full = all.to - all.from;
  const least = Math.min(full, Math.max(LEAST_SPAN, full / MOST_ZOOM));
  const width = Math.min(full, Math.max(least, (to - from) * factor));
  const left = at - ((at - from) / (to - from)) * width;
  return within({ from: left, to: left + width }, all);
}

/** Goes to an earlier or later time, by a part of what is shown; no further than there is any. */
export function panned({ from, to }: Span, by: number, all: Span): Span {
  const step = (to - from) * by;
  return within({ from: from + step, to: to + step }, all);
}

function within({ from, to }: Span, all: Span): Span {
  const width = to - from;
  if (width >= all.to - all.from) return all;
  if (from < all.from) return { from: all.from, to: all.from + width };
  return to > all.to ? { from: all.to - width, to: all.to } : { from, to };
}

/** Round moments on the axis, after `start`, at most so many. */
export function ticks({ from, to }: Span, start: number, most: number): number[] {
  const rough = (to - from) / Math.max(1, most);
  const step = roundStep(rough);
  const first = Math.ceil((from - start) / step - 1e-9);
  const found: number[] = [];
  for (let index = first; found.length <= most; index += 1) {
    const at = start + index * step;
    if (at > to) break;
    found.push(at);
  }
  return found;
}

const LONG_STEPS = [60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];

function roundStep(rough: number): number {
  if (rough > 30) {
    const long = LONG_STEPS.find((step) => step >= rough);
    return long ?? Math.ceil(rough / 86_400) * 86_400;
  }
  const power = 10 ** Math.floor(Math.log10(Math.max(rough, 1e-9)));
  for (const factor of [1, 2, 5]) if (factor * power >= rough) return factor * power;
  return 10 * power;
}

// ---------------------------------------------------------------------------------- in words

/** `45 succeeded, 2 failed`: the states of tasks, in the order of a life. */
export function stateWords(states: Readonly<Record<string, number>>): string {
  return order(Object.keys(states))
    .filter((state) => (states[state] ?? 0) > 0)
    .map((state) => `${count(states[state])} ${SAID[state] ?? stateWord(state)}`)
    .join(', ');
}

const SAID: Readonly<Record<string, string>> = {
  PENDING: 'waiting',
  RECEIVED: 'received',
  STARTED: 'running',
  RETRY: 'to be retried',
  SUCCESS: 'succeeded',
  FAILURE: 'failed',
  REVOKED: 'revoked',
  REJECTED: 'rejected',
  LOST: 'lost',
};

const KINDS: Readonly<Record<FamilyTask['kind'], string>> = {
  root: 'the root',
  next: 'sent when its parent was done',
  sub: 'sent while its parent ran',
  body: 'a chord’s body',
  unknown: '',
};

export function kindWords({ kind, group }: Pick<FamilyTask, 'kind' | 'group'>, groups: readonly FamilyGroup[]): string {
  const of = group === null ? undefined : groups.find(({ id }) => id === group);
  if (of === undefined) return KINDS[kind];
  return of.kind === 'chord' ? `one of ${count(of.size)} in a chord’s header` : `one of ${count(of.size)} sent together`;
}

/** `waited 12 ms, ran 1.24 s`, for one task. */
export function timeWords(task: Timed, now: number): string {
  const all = bars(task, now);
  const sum = (kind: Bar['kind']) => all.filter((bar) => bar.kind === kind).reduce((total, { start, end }) => total + end - start, 0);
  const going = all.some(({ open }) => open) ? ' so far' : '';
  const runs = all.filter(({ kind }) => kind === 'run').length;
  const parts = [
    all.some(({ kind }) => kind === 'wait') && `waited ${duration(sum('wait'))}`,
    runs > 0 && `ran ${duration(sum('run'))}`,
    runs > 1 && `in ${count(runs)} attempts`,
  ].filter((part) => part !== false);
  return parts.join(', ') + (parts.length > 0 ? going : '');
}
