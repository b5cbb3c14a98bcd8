/** What a worker's own answer to `inspect` holds, read without trusting its shape. Pure. */

import type { Inspection } from '~/api/client';

export interface Held {
  uuid: string;
  name: string;
  eta: string;
}

/** Reserved and scheduled tasks; the latter are wrapped in `request`. */
export function held(list: readonly unknown[] | null): Held[] {
  return (list ?? []).map((item) => {
    const outer = isRecord(item) ? item : {};
    const request = isRecord(outer.request) ? outer.request : outer;
    return { uuid: text(request.id), name: text(request.name ?? request.type), eta: text(outer.eta) };
  });
}

export interface ActiveQueue {
  name: string;
  exchange: string;
  routing_key: string;
}

export function activeQueues(inspection: Inspection): ActiveQueue[] {
  const answered: readonly unknown[] = inspection.active_queues ?? [];
  return answered.filter(isRecord).map((queue) => ({
    name: text(queue.name),
    exchange: isRecord(queue.exchange) ? text(queue.exchange.name) : text(queue.exchange),
    routing_key: text(queue.routing_key),
  }));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

// ---------------------------------------------------------------------------------- processes

export interface Process {
  readonly pid: number;
  readonly uuid: string | null; // what it runs, as far as is known
}

export interface Pool {
  readonly processes: readonly Process[]; // empty: this pool has none of its own
  readonly asked: boolean; // whether the worker has said which process runs what
}

/**
 * Which process runs what. `running` are the tasks that run by their events, which are newer than
 * the answer: what has ended since is left out.
 */
export function pool(inspection: Inspection | null, running: ReadonlySet<string>): Pool {
  const stats: Readonly<Record<string, unknown>> = inspection?.stats ?? {};
  const told = isRecord(stats.pool) ? stats.pool.processes : null;
  const pids = Array.isArray(told) ? told.filter((pid) => typeof pid === 'number') : [];
  const active: readonly unknown[] = inspection?.active ?? [];
  const runs = new Map<number, string>();
  for (const item of active) {
    if (!isRecord(item) || typeof item.worker_pid !== 'number') continue;
    const uuid = text(item.id);
    if (running.has(uuid)) runs.set(item.worker_pid, uuid);
  }
  return {
    processes: [...new Set(pids)].map((pid) => ({ pid, uuid: runs.get(pid) ?? null })),
    asked: Array.isArray(inspection?.active),
  };
}

export interface Prefetch {
  readonly count: number | null; // messages the broker may hand out before the first is acknowledged
  readonly multiplier: number | null; // of the processes
}

export function prefetch(inspection: Inspection | null): Prefetch {
  return {
    count: number(inspection?.stats?.prefetch_count),
    multiplier: number(inspection?.conf?.worker_prefetch_multiplier),
  };
}

// ---------------------------------------------------------------------------------- statistics

export type Unit = 'count' | 'seconds' | 'kibibytes' | 'text';

export interface Figure {
  readonly name: string;
  readonly value: number | string;
  readonly unit: Unit;
}

export interface Statistics {
  readonly groups: readonly { readonly title: string; readonly figures: readonly Figure[] }[];
  readonly totals: readonly (readonly [name: string, accepted: number])[]; // most first
  readonly rest: Readonly<Record<string, unknown>>; // what no group has a place for
}

type Row = readonly [path: string, name: string, unit: Unit];

const GROUPS: readonly (readonly [title: string, rows: readonly Row[]])[] = [
  ['Process', [
    ['uptime', 'Up for', 'seconds'],
    ['rusage.utime', 'CPU time', 'seconds'],
    ['rusage.stime', 'CPU time in the system', 'seconds'],
    ['rusage.maxrss', 'Most memory', 'kibibytes'],
    ['rusage.majflt', 'Page faults from disk', 'count'],
    ['rusage.nvcsw', 'Switches while waiting', 'count'],
    ['rusage.nivcsw', 'Switches forced', 'count'],
    ['clock', 'Logical clock', 'count'],
  ]],
  ['Pool', [
    ['pool.implementation', 'Implementation', 'text'],
    ['pool.max-concurrency', 'Processes', 'count'],
    ['pool.max-tasks-per-child', 'Tasks before a process is replaced', 'text'],
    ['pool.timeouts.0', 'Soft time limit', 'seconds'],
    ['pool.timeouts.1', 'Time limit', 'seconds'],
    ['pool.put-guarded-by-semaphore', 'Waits for a free process', 'text'],
    ['pool.writes.strategy', 'Hands out tasks', 'text'],
    ['pool.writes.total', 'Handed out', 'count'],
    ['pool.writes.all', 'Share of each process', 'text'],
    ['pool.writes.inqueues.active', 'Pipes in use', 'count'],
  ]],
  ['Broker', [
    ['broker.transport', 'Transport', 'text'],
    ['broker.hostname', 'Host', 'text'],
    ['broker.port', 'Port', 'text'],
    ['broker.virtual_host', 'Virtual host', 'text'],
    ['broker.userid', 'User', 'text'],
    ['broker.ssl', 'TLS', 'text'],
    ['broker.heartbeat', 'Heartbeat', 'seconds'],
    ['broker.connect_timeout', 'Connect timeout', 'seconds'],
    ['broker.failover_strategy', 'Failover', 'text'],
    ['prefetch_count', 'Prefetch', 'count'],
  ]],
];

/** The statistics in groups of what belongs together; nothing the worker said gets lost. */
export function statistics(stats: Readonly<Record<string, unknown>>): Statistics {
  const taken = new Set<string>(['total', 'pid']); // the pid stands with the worker's name
  const groups = GROUPS.map(([title, rows]) => ({
    title,
    figures: rows.flatMap(([path, name, unit]): Figure[] => {
      const found = at(stats, path.split('.'));
      if (found === undefined) return [];
      taken.add(path);
      return told(found, name, unit);
    }),
  })).filter(({ figures }) => figures.length > 0);
  const totals = Object.entries(isRecord(stats.total) ? stats.total : {})
    .flatMap(([name, accepted]) => (typeof accepted === 'number' ? [[name, accepted] as const] : []))
    .sort(([a, x], [b, y]) => y - x || a.localeCompare(b));
  return { groups, totals, rest: without(stats, taken) };
}

/** No time limit is a zero; what is null was not set. */
function told(value: unknown, name: string, unit: Unit): Figure[] {
  if (value === null) return [];
  const figure = number(value);
  if (unit === 'seconds' && figure === 0) return [{ name, value: 'none', unit: 'text' }];
  if (unit !== 'text' && figure !== null) return [{ name, value: figure, unit }];
  const words = typeof value === 'boolean' ? (value ? 'yes' : 'no') : text(value);
  return [{ name, value: words === '' ? JSON.stringify(value) : words, unit: 'text' }];
}

function at(value: unknown, path: readonly string[]): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  if (Array.isArray(value)) return at((value as readonly unknown[])[Number(key)], rest);
  return isRecord(value) && Object.hasOwn(value, key) ? at(value[key], rest) : undefined;
}

function without(
  value: Readonly<Record<string, unknown>>, taken: ReadonlySet<string>, path = '',
): Record<string, unknown> {
  const left: [string, unknown][] = [];
  for (const [key, inner] of Object.entries(value)) {
    const here = `${path}${key}`;
    if (taken.has(here) || taken.has(`${here}.0`)) continue;
    if (!isRecord(inner)) left.push([here, inner]);
    else left.push(...Object.entries(without(inner, taken, `${here}.`)));
  }
  return Object.fromEntries(left.filter(([, inner]) => !isNothing(inner)));
}

function isNothing(value: unknown): boolean {
  return value === null || value === 0 || value === false ||
    (Array.isArray(value) && value.length === 0);
}

function number(value: unknown): number | null {
  const read = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof read === 'number' && Number.isFinite(read) ? read : null;
}

// ---------------------------------------------------------------------------------- registered

export interface Registered {
  readonly name: string;
  readonly options: string; // `rate_limit=10/m`
}

/** An answer may carry options after the name: `proj.add [rate_limit=10/m]`. */
export function registered(list: readonly string[] | null): Registered[] {
  return (list ?? []).map((entry) => {
    const [, name = entry, options = ''] = /^(.*?) \[(.*)\]$/.exec(entry) ?? [];
    return { name, options };
  });
}

// ---------------------------------------------------------------------------------- heartbeats

const KEPT_EVERY_SECONDS = 5; // at most one in this time is kept

/** When a worker was silent: no heartbeat for longer than two should take. */
export function silences(
  times: readonly number[], interval: number, now: number,
): { start: number; end: number }[] {
  const usual = Math.max(interval, KEPT_EVERY_SECONDS) + interval;
  return [...times, now].flatMap((end, index) => {
    const start = times[index - 1];
    return start !== undefined && end - start > 1.5 * usual ? [{ start, end }] : [];
  });
}
