/**
 * Is the cluster well? From what the console knows to ordered findings, each with its door.
 *
 * Calm on purpose: what is judged is judged over a minute or more, a finding has to hold for some
 * seconds before it is said and to be gone for longer before it is taken back, and the line to
 * take it back lies below the one to raise it. Pure.
 */

import type { Cell, Overview, Queue } from '~/api/client';

import { type Door, tasks } from './doors';
import { age, bytes, count, duration, percent, plural, rate } from './format';
import { queueTrouble } from './queues';

export type Level = 'bad' | 'warn' | 'note';

/** Words of ours, and names from the cluster, which are shown as such. */
export type Part = string | { readonly name: string };

export interface Finding {
  readonly id: string;
  readonly level: Level;
  readonly say: readonly Part[];
  readonly door: Door | null;
}

export interface Seen {
  readonly overview: Overview | null;
  readonly cells: ReadonlyMap<string, Cell> | null; // the workers, for their names
  readonly link: 'live' | 'polling' | 'connecting' | 'stale' | 'gone';
  readonly now: number;
}

export interface Verdict {
  readonly level: Level | 'good' | 'unknown';
  readonly findings: readonly Finding[]; // the worst first
  readonly grounds: readonly string[]; // what speaks for "all well"
}

interface Held {
  readonly finding: Finding;
  readonly since: number; // when it was first true
  readonly last: number; // when it was last true
}

/** What has been found, and since when. */
export interface Standing {
  readonly at: number;
  readonly server: number; // when the console started: another one begins anew
  readonly held: ReadonlyMap<string, Held>;
  readonly lost: { readonly count: number; readonly at: number | null }; // when it last grew
}

const RISE_SECONDS = 5;
const FALL_SECONDS = 30;
const RECENT_SECONDS = 60;
const LOST_SECONDS = 300;
const GAP_SECONDS = 300;

/** The connections are what they are: said at once, and taken back at once. */
const AT_ONCE: ReadonlySet<string> = new Set(['link', 'broker', 'workers-none']);

/** Goes on from what stood before. */
export function settle(before: Standing | null, seen: Seen): Standing {
  const { overview, now } = seen;
  const server = overview?.started_at ?? before?.server ?? 0;
  const known = before && before.server === server && now >= before.at - RISE_SECONDS ? before : null;
  const lost = losses(known, overview, now);
  const said = new Set(known ? standing(known).map(({ id }) => id) : []);
  const held = new Map<string, Held>();
  for (const finding of look(seen, said, lost)) {
    const earlier = known?.held.get(finding.id);
    // On the first look there is nothing to be calm about.
    const since = earlier?.since ?? (known ? now : now - RISE_SECONDS);
    held.set(finding.id, { finding, since, last: now });
  }
  for (const [id, earlier] of known?.held ?? []) {
    const kept = said.has(id) && !AT_ONCE.has(id) && now - earlier.last < FALL_SECONDS;
    if (!held.has(id) && kept) held.set(id, earlier);
  }
  return { at: now, server, held, lost };
}

/** The findings that are said. */
function standing({ held, at }: Standing): Finding[] {
  return [...held.values()]
    .filter(({ finding, since }) => AT_ONCE.has(finding.id) || at - since >= RISE_SECONDS)
    .map(({ finding }) => finding);
}

const WEIGHT: Record<Level, number> = { bad: 0, warn: 1, note: 2 };

/** In one word and in full. */
export function verdict(now: Standing | null, { overview }: Pick<Seen, 'overview'>): Verdict {
  // A stable sort: findings of one level stay in the order in which they are looked for.
  const findings = now
    ? standing(now).sort((a, b) => ORDER.indexOf(a.id) - ORDER.indexOf(b.id)).sort((a, b) => WEIGHT[a.level] - WEIGHT[b.level])
    : [];
  const level = findings[0]?.level ?? (overview ? 'good' : 'unknown');
  return { level, findings, grounds: overview && now ? grounds(overview, now, findings) : [] };
}

const ORDER = [
  'link', 'broker', 'workers-none', 'workers-offline', 'failing', 'queue-unread', 'queue-growing',
  'lost', 'gap', 'buffer', 'lag', 'queue-unknown', 'queue-slow', 'workers-unknown', 'forgotten',
];

function look(seen: Seen, said: ReadonlySet<string>, lost: Standing['lost']): Finding[] {
  const { overview, link, now } = seen;
  const line = linkFinding(link, overview, now);
  if (!overview) return line;
  // Without events, rates and statuses say nothing about the cluster.
  if (overview.broker.state !== 'connected') return [...line, ...brokerFinding(overview, now)];
  return [
    ...line,
    ...workerFindings(overview, seen.cells),
    ...failingFinding(overview, said.has('failing')),
    ...queueFindings(overview.queues, said.has('queue-growing')),
    ...lossFinding(overview, lost, now),
    ...gapFinding(overview, now),
    ...ingestFindings(overview, said),
  ];
}

function linkFinding(link: Seen['link'], overview: Overview | null, now: number): Finding[] {
  const old = overview ? `; the figures are ${age(now - overview.now)} old` : '';
  if (link === 'gone') return [bad('link', [`The console does not answer${old}`])];
  return link === 'stale' ? [warn('link', [`Nothing has come from the console for a while${old}`])] : [];
}

function brokerFinding({ broker }: Overview, now: number): Finding[] {
  const since = age(now - broker.since);
  return broker.state === 'disconnected'
    ? [bad('broker', [`The broker cannot be reached for ${since}: no events arrive`])]
    : [warn('broker', ['Connecting to the broker: no events arrive yet'])];
}

function workerFindings({ workers }: Overview, cells: Seen['cells']): Finding[] {
  const { online, offline, unknown } = workers;
  const total = online + offline + unknown;
  if (total === 0) return [warn('workers-none', ['No worker has been heard of'], { to: '/workers' })];
  if (online === 0 && offline > 0) {
    const all = offline === 1 ? 'the only worker is' : `all ${count(offline)} are`;
    return [bad('workers-none', [`No worker is online: ${all} offline`], { to: '/workers' })];
  }
  const found: Finding[] = [];
  if (offline > 0) {
    const door: Door = { to: '/workers', status: 'offline' };
    const name = offline === 1 ? nameOf(cells, 'offline') : null;
    const are = offline === 1 ? 'is' : 'are';
    const say = name === null ? [`${count(offline)} of ${plural(total, 'worker')} ${are} offline`] : [{ name }, ' is offline'];
    found.push({ id: 'workers-offline', level: offline * 2 >= total ? 'bad' : 'warn', say, door });
  }
  if (unknown > 0) {
    const say = `${plural(unknown, 'worker')} ${unknown === 1 ? 'has' : 'have'} not been heard of lately`;
    found.push(note('workers-unknown', [say], { to: '/workers', status: 'unknown' }));
  }
  return found;
}

function nameOf(cells: Seen['cells'], wanted: Cell[1]): string | null {
  for (const [hostname, status] of cells?.values() ?? []) if (status === wanted) return hostname;
  return null;
}

const FEW = 5; // fewer failures than this are no share of anything
const ENOUGH = 20;

function failingFinding(overview: Overview, held: boolean): Finding[] {
  const to = overview.activity.times.at(-1);
  if (to === undefined) return [];
  const recent = done(overview, to - RECENT_SECONDS, to);
  const before = done(overview, -Infinity, to - RECENT_SECONDS);
  if (recent.failed < FEW) return [];
  const part = recent.failed / recent.done;
  const usual = before.done >= ENOUGH ? before.failed / before.done : null;
  const high = part >= (held ? 0.15 : 0.2);
  const higher = usual !== null && part >= (held ? 0.05 : 0.08) && part >= usual * (held ? 1.4 : 2);
  if (!high && !higher) return [];
  const most = overview.failing.reduce<Overview['failing'][number] | null>(
    (top, row) => (row.recent_failed > (top?.recent_failed ?? 0) ? row : top),
    null,
  );
  const what =
    recent.failed === recent.done
      ? `Nothing succeeds: all ${plural(recent.done, 'task')} done in the last minute failed`
      : `${percent(100 * part)} % of the tasks done in the last minute failed`;
  const than = usual === null || !higher ? '' : `, before it was ${percent(100 * usual)} %`;
  const name: Part[] = most ? ['; most of all ', { name: most.name }] : [];
  const door = tasks({ state: 'FAILURE', since: '5m' });
  return [{ id: 'failing', level: part >= 0.5 ? 'bad' : 'warn', say: [what + than, ...name], door }];
}

/** What was done in a span of the activity that is kept. */
function done({ activity }: Overview, from: number, to: number): { done: number; failed: number } {
  const sum = (key: 'failed' | 'succeeded') =>
    activity.times.reduce(
      (total, at, index) => total + (at > from && at <= to ? (activity.series[key][index] ?? 0) : 0),
      0,
    );
  const failed = sum('failed');
  return { done: failed + sum('succeeded'), failed };
}

function queueFindings(queues: readonly Queue[], held: boolean): Finding[] {
  const by = (kind: ReturnType<typeof queueTrouble>) =>
    queues
      .filter((queue) => queueTrouble(queue, held) === kind)
      .sort((a, b) => (b.messages ?? 0) - (a.messages ?? 0));
  const found: Finding[] = [];
  const told = (
    id: string,
    level: (queue: Queue) => Level,
    troubled: Queue[],
    say: (queue: Queue) => [before: string, after: string],
  ) => {
    const [first, ...rest] = troubled;
    if (!first) return;
    const [before, after] = say(first);
    const others = rest.length > 0 ? `; likewise ${plural(rest.length, 'other')}` : '';
    const door: Door = rest.length > 0 ? { to: '/queues' } : { to: '/queues', queue: first.name };
    found.push({ id, level: level(first), say: [before, { name: first.name }, after + others], door });
  };
  told('queue-unread', () => 'bad', by('unread'), ({ messages }) => [
    'Queue ',
    ` holds ${plural(messages ?? 0, 'message')} that no worker reads`,
  ]);
  told('queue-growing', ({ out_per_second }) => (out_per_second === 0 ? 'bad' : 'warn'), by('growing'), (queue) => [
    'Queue ',
    ` grows by ${rate(queue.growth_per_second)}/s and holds ${count(queue.messages)}${queue.out_per_second === 0 ? '; nothing is taken from it' : ''}`,
  ]);
  told('queue-unknown', () => 'note', by('unknown'), () => ['The length of queue ', ' cannot be read']);
  told('queue-slow', () => 'note', by('slow'), ({ drain_seconds }) => [
    'Queue ',
    ` needs ${age(drain_seconds)} to drain`,
  ]);
  return found;
}

function losses(before: Standing | null, overview: Overview | null, now: number): Standing['lost'] {
  const known = before?.lost ?? null;
  if (!overview) return known ?? { count: 0, at: null };
  const total = overview.ingest.lost + overview.ingest.dropped_messages;
  if (known && total > known.count) return { count: total, at: now };
  return { count: total, at: known?.at ?? null };
}

function lossFinding({ ingest }: Overview, { count: lost, at }: Standing['lost'], now: number): Finding[] {
  if (lost === 0) return [];
  const fresh = at !== null && now - at < LOST_SECONDS;
  const serious = lost > 0.01 * (lost + ingest.events);
  const say = `${plural(lost, 'event')} never arrived${fresh ? ', some of them just now' : ''}: figures are too low`;
  return [{ id: 'lost', level: fresh || serious ? 'warn' : 'note', say: [say], door: ACCOUNTS }];
}

const ACCOUNTS: Door = { to: '/', hash: 'accounting' };

function gapFinding({ gaps }: Overview, now: number): Finding[] {
  const recent = gaps.filter(({ end }) => end !== null && now - end < GAP_SECONDS);
  const [first] = recent;
  if (!first || first.end === null) return [];
  const seconds = recent.reduce((sum, { start, end }) => sum + ((end ?? start) - start), 0);
  const say = `Nothing was heard for ${duration(seconds)}, ${age(now - first.end)} ago: what happened then is missing`;
  return [warn('gap', [say], ACCOUNTS)];
}

function ingestFindings({ ingest }: Overview, said: ReadonlySet<string>): Finding[] {
  const found: Finding[] = [];
  const filled = ingest.buffer_limit_bytes > 0 ? ingest.buffer_bytes / ingest.buffer_limit_bytes : 0;
  if (filled > (said.has('buffer') ? 0.25 : 0.5)) {
    const say = `Events come faster than they are read: ${bytes(ingest.buffer_bytes)} wait in the buffer`;
    found.push({ id: 'buffer', level: filled > 0.9 ? 'bad' : 'warn', say: [say], door: ACCOUNTS });
  }
  if (ingest.lag_seconds > (said.has('lag') ? 5 : 10)) {
    found.push(warn('lag', [`Events arrive ${age(ingest.lag_seconds)} late`], ACCOUNTS));
  }
  if (ingest.tasks_forgotten_live > 0) {
    const say = `${plural(ingest.tasks_forgotten_live, 'unfinished task')} had to be forgotten for want of room`;
    found.push(note('forgotten', [say], ACCOUNTS));
  }
  return found;
}

const YOUNG_SECONDS = 60;

/**
 * On what grounds all is well, or the rest of it: what a finding speaks of is left to that. Over a
 * minute: these words are read, not watched.
 */
function grounds(overview: Overview, { at }: Standing, findings: readonly Finding[]): string[] {
  const found = (...kinds: string[]) => findings.some(({ id }) => kinds.some((kind) => id.startsWith(kind)));
  if (found('link', 'broker')) return ['The figures are from before.'];
  const { workers, activity, gaps, queues, started_at } = overview;
  const to = activity.times.at(-1) ?? at;
  const { done: finished, failed } = done(overview, to - RECENT_SECONDS, to);
  const gap = gaps[0];
  return [
    ...(at - started_at < YOUNG_SECONDS ? [`listening for ${age(at - started_at)}`] : []),
    ...(found('workers') ? [] : [`${plural(workers.online, 'worker')} online`]),
    ...(found('failing') ? [] : [finished === 0
      ? 'no task done in the last minute'
      : `${plural(finished, 'task')} done in the last minute, ${failed === 0 ? 'none' : `${percent((100 * failed) / finished)} %`} failed`]),
    ...(found('lost', 'gap')
      ? []
      : [gap ? `nothing lost that we know, last gap ${age(at - (gap.end ?? at))} ago` : 'nothing lost']),
    ...(queues.length > 0 && !found('queue') ? [queuesGround(queues)] : []),
  ];
}

function queuesGround(queues: readonly Queue[]): string {
  const waiting = queues.reduce((sum, { messages }) => sum + (messages ?? 0), 0);
  return waiting === 0 ? 'queues empty' : `${plural(waiting, 'message')} in ${plural(queues.length, 'queue')}, none piling up`;
}

/** A finding as one line of text. */
export function sentence({ say }: Pick<Finding, 'say'>): string {
  return say.map((part) => (typeof part === 'string' ? part : part.name)).join('');
}

function bad(id: string, say: readonly Part[], door: Door | null = null): Finding {
  return { id, level: 'bad', say, door };
}

function warn(id: string, say: readonly Part[], door: Door | null = null): Finding {
  return { id, level: 'warn', say, door };
}

function note(id: string, say: readonly Part[], door: Door | null = null): Finding {
  return { id, level: 'note', say, door };
}
