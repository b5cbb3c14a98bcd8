/** What the live stream has told so far: a fold of its messages. Pure. */

import type {
  Activity,
  Cell,
  Facets,
  Frame,
  Hello,
  Latency,
  Overview,
  TaskRow,
  WorkerRow,
} from '~/api/client';

export const TOPICS = ['overview', 'workers', 'grid'] as const;
export type Topic = (typeof TOPICS)[number];

export const MOST_ROWS = 40; // of a view, as on the server
const SPAN_SECONDS = 300; // of what is told in steps
const PACE_SECONDS = 2; // a rate forgets what is this old
const STILL = 0.05; // changes a second below which nothing moves

/** The tasks that a query matches, as far as the stream tells of them. */
export interface View {
  rows: readonly TaskRow[]; // the newest change first, at most MOST_ROWS
  total: number | null; // tasks in memory that match; null: not counted yet
  inMemory: number;
  facets: Facets | null;
  changed: number; // changes in the last frame that told of any
  changes: number; // all changes since the view was opened
  changed_per_second: number | null;
  at: number; // server time of the frame
  frames: number; // how many frames told of it, so that an equal one is still news
}

export interface LiveState {
  server: string | null; // the server process that told this
  version: string | null;
  grafana: string | null; // the Grafana that has our dashboards, if there is one
  now: number | null; // its clock, as of the last message
  overview: Overview | null;
  workers: ReadonlyMap<string, WorkerRow> | null;
  grid: ReadonlyMap<string, Cell> | null;
  views: ReadonlyMap<string, View>; // by query text
  // Parts that begin anew: what their next frame does not name is gone.
  fresh: { topics: ReadonlySet<Topic>; views: ReadonlySet<string> };
}

export const EMPTY: LiveState = {
  server: null,
  version: null,
  grafana: null,
  now: null,
  overview: null,
  workers: null,
  grid: null,
  views: new Map<string, View>(),
  fresh: { topics: new Set<Topic>(TOPICS), views: new Set<string>() },
};

/** A stream began. Another server process knows nothing of what the last one told. */
export function greet(state: LiveState, hello: Hello): LiveState {
  const kept = state.server === hello.server ? state : EMPTY;
  const [topics, views] = [new Set(hello.topics), new Set(hello.views)];
  return {
    ...kept,
    server: hello.server,
    version: hello.version,
    grafana: hello.grafana_url,
    now: hello.now,
    fresh: {
      // One that had not come whole yet cannot go on.
      topics: new Set(TOPICS.filter((topic) => !topics.has(topic) || kept.fresh.topics.has(topic))),
      views: new Set(
        [...kept.views.keys()].filter((view) => !views.has(view) || kept.fresh.views.has(view)),
      ),
    },
  };
}

/** Fields that did not change keep their identity, so that what shows them is not drawn again. */
export function apply(state: LiveState, frame: Frame): LiveState {
  const next: LiveState = { ...state, now: frame.now };
  const fresh = new Set(state.fresh.topics);
  if (frame.overview) {
    next.overview = mergeOverview(fresh.delete('overview') ? null : state.overview, frame);
  }
  if (frame.workers) {
    const before = fresh.delete('workers') ? null : state.workers;
    next.workers = merge(before, frame.workers, ({ hostname }) => hostname);
  }
  if (frame.grid) {
    const before = fresh.delete('grid') ? null : state.grid;
    next.grid = merge(before, frame.grid, ([hostname]) => hostname);
  }
  if (fresh.size < state.fresh.topics.size) next.fresh = { ...next.fresh, topics: fresh };
  return mergeViews(next, frame);
}

/** The part of the state that a tab asked for; of the views, those that are known. */
export function restrict(
  state: LiveState,
  topics: readonly Topic[],
  views: readonly string[],
): LiveState {
  return {
    ...state,
    overview: topics.includes('overview') ? state.overview : null,
    workers: topics.includes('workers') ? state.workers : null,
    grid: topics.includes('grid') ? state.grid : null,
    views: new Map([...state.views].filter(([query]) => views.includes(query))),
  };
}

function mergeOverview(before: Overview | null, { overview, now }: Frame): Overview {
  // The first part of a stream is whole: the stream's contract says so.
  const next = { ...before, ...overview, now } as Overview;
  if (before && overview?.activity) next.activity = addActivity(before.activity, overview.activity);
  if (before && overview?.latency) next.latency = addLatency(before.latency, overview.latency);
  return next;
}

function addActivity(before: Activity, part: Activity): Activity {
  const add = adder(before.times, part.times);
  const { received, succeeded, failed, retried } = before.series;
  return {
    ...part,
    times: add(before.times, part.times),
    series: {
      received: add(received, part.series.received),
      succeeded: add(succeeded, part.series.succeeded),
      failed: add(failed, part.series.failed),
      retried: add(retried, part.series.retried),
    },
  };
}

function addLatency(before: Latency, part: Latency): Latency {
  const add = adder(before.times, part.times);
  const quantiles = (old: Latency['wait'], late: Latency['wait']): Latency['wait'] => ({
    p50: add(old.p50, late.p50),
    p95: add(old.p95, late.p95),
    p99: add(old.p99, late.p99),
  });
  return {
    ...part,
    times: add(before.times, part.times),
    wait: quantiles(before.wait, part.wait),
    runtime: quantiles(before.runtime, part.runtime),
  };
}

/** How to put a part of a series behind what is known: from its first step on it is what holds. */
function adder(times: readonly number[], late: readonly number[]) {
  const first = late[0] ?? Infinity;
  const oldest = (late.at(-1) ?? times.at(-1) ?? 0) - SPAN_SECONDS;
  const kept = times.map((time) => time < first && time >= oldest);
  return <T>(before: readonly T[], part: readonly T[]): T[] => [
    ...before.filter((_, index) => kept[index]),
    ...part,
  ];
}

function merge<T>(
  before: ReadonlyMap<string, T> | null,
  { set, gone }: { set: readonly T[]; gone: readonly string[] },
  key: (value: T) => string,
): ReadonlyMap<string, T> {
  if (before && set.length === 0 && gone.length === 0) return before;
  const after = new Map(before);
  for (const value of set) after.set(key(value), value);
  for (const hostname of gone) after.delete(hostname);
  return after;
}

function mergeViews(state: LiveState, frame: Frame): LiveState {
  const parts = frame.views ?? {};
  const fresh = new Set(state.fresh.views);
  const views = new Map(state.views);
  let moved = false;
  for (const [query, part] of Object.entries(parts)) {
    const before = state.views.get(query) ?? null;
    views.set(query, mergeView(before, part, frame.now, fresh.delete(query)));
    moved = true;
  }
  for (const [query, view] of state.views) {
    if (Object.hasOwn(parts, query) || !view.changed_per_second) continue;
    const changed_per_second = pace(view, 0, frame.now);
    views.set(query, { ...view, changed: 0, changed_per_second, at: frame.now });
    moved = true;
  }
  if (!moved) return state;
  return { ...state, views, fresh: { ...state.fresh, views: fresh } };
}

function mergeView(
  before: View | null,
  part: NonNullable<Frame['views']>[string],
  now: number,
  whole: boolean,
): View {
  const known = new Set([...part.rows.map(({ uuid }) => uuid), ...part.gone]);
  const older = whole ? [] : (before?.rows ?? []);
  const same = known.size === 0 && !whole;
  return {
    rows: same
      ? older
      : [...part.rows, ...older.filter(({ uuid }) => !known.has(uuid))].slice(0, MOST_ROWS),
    // Counts that are a moment old are better than none.
    total: part.total ?? before?.total ?? null,
    inMemory: part.in_memory,
    facets: part.facets ?? before?.facets ?? null,
    changed: part.changed,
    changes: (before?.changes ?? 0) + part.changed,
    changed_per_second: before && pace(before, part.changed, now),
    at: now,
    frames: (before?.frames ?? 0) + 1,
  };
}

/** The mean of the last seconds: four readings a second would jump. */
function pace({ changed_per_second, at }: View, changed: number, now: number): number | null {
  const seconds = now - at;
  if (seconds <= 0) return changed_per_second;
  const rate = changed / seconds;
  const weight = 1 - Math.exp(-seconds / PACE_SECONDS);
  const mean = changed_per_second === null ? rate : changed_per_second + weight * (rate - changed_per_second);
  return mean < STILL ? 0 : mean;
}
