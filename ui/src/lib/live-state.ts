/** What the live stream has told so far: a fold of its messages. Pure. */

import type { Frame, Hello, Overview, TaskRow, WorkerRow } from '~/api/client';

export type Topic = 'overview' | 'workers' | 'tasks';

export interface RecentTasks {
  rows: TaskRow[]; // the newest that changed, newest first
  changed: number; // tasks that changed since the frame before
  total: number; // tasks in memory
  at: number; // server time of the frame
  frames: number; // how many frames carried tasks, so that an equal one is still news
  changed_per_second: number | null;
}

export interface LiveState {
  server: string | null; // the server process that told this
  version: string | null;
  now: number | null; // its clock, as of the last message
  overview: Overview | null;
  workers: ReadonlyMap<string, WorkerRow> | null;
  tasks: RecentTasks | null;
  // Topics whose next part carries everything: what it does not name is gone.
  fresh: ReadonlySet<Topic>;
}

export const EMPTY: LiveState = {
  server: null,
  version: null,
  now: null,
  overview: null,
  workers: null,
  tasks: null,
  fresh: new Set<Topic>(['overview', 'workers', 'tasks']),
};

/** A stream began. Another server process knows nothing of what the last one told. */
export function greet(state: LiveState, hello: Hello): LiveState {
  const kept = state.server === hello.server ? state : EMPTY;
  return {
    ...kept,
    server: hello.server,
    version: hello.version,
    now: hello.now,
    fresh: EMPTY.fresh,
  };
}

/** Fields that did not change keep their identity, so that what shows them is not drawn again. */
export function apply(state: LiveState, frame: Frame): LiveState {
  const next: LiveState = { ...state, now: frame.now };
  const fresh = new Set(state.fresh);
  if (frame.overview) {
    const before = fresh.delete('overview') ? null : state.overview;
    // The first part of a stream is whole: the stream's contract says so.
    next.overview = { ...before, ...frame.overview, now: frame.now } as Overview;
  }
  if (frame.workers) {
    next.workers = mergeWorkers(fresh.delete('workers') ? null : state.workers, frame.workers);
  }
  if (frame.tasks) {
    const before = fresh.delete('tasks') ? null : state.tasks;
    next.tasks = recent(before, frame.tasks, frame.now);
  }
  next.fresh = fresh;
  return next;
}

function mergeWorkers(
  before: ReadonlyMap<string, WorkerRow> | null,
  { set, gone }: NonNullable<Frame['workers']>,
): ReadonlyMap<string, WorkerRow> {
  if (before && set.length === 0 && gone.length === 0) return before;
  const rows = new Map(before);
  for (const row of set) rows.set(row.hostname, row);
  for (const hostname of gone) rows.delete(hostname);
  return rows;
}

function recent(
  before: RecentTasks | null,
  part: NonNullable<Frame['tasks']>,
  now: number,
): RecentTasks {
  const seconds = before ? now - before.at : 0;
  return {
    ...part,
    at: now,
    frames: (before?.frames ?? 0) + 1,
    changed_per_second: seconds > 0 ? part.changed / seconds : null,
  };
}
