/** The rows of the task list: following the cluster, or held still. */

import { useCallback, useEffect, useMemo, useRef, useState } from 'react';

import { useLink, useLive } from '~/api/live';
import type { TaskFilter, TaskRow } from '~/api/client';
import { useTasks, useTasksOnce } from '~/api/queries';
import { extend } from '~/lib/held';
import { DEFAULT_SORT, type TaskSearch } from '~/lib/task-query';

const FOLLOWED = 100; // rows kept fresh
const HELD = 1_000; // rows to scroll through; the server gives no more at once
const REFRESH_MS = 1_000;
const WITHOUT_STREAM_MS = 2_000;

export interface TaskRows {
  rows: readonly TaskRow[] | null;
  total: number | null;
  inMemory: number | null;
  changed: number; // while held
  error: Error | null;
  settling: boolean; // shows the answer to another question until this one is answered
}

interface Held {
  rows: readonly TaskRow[];
  total: number;
}

/** `more` asks for the rows below those followed; it counts only while `held`. */
export function useTaskRows(search: TaskSearch, held: boolean, more: boolean): TaskRows {
  const filter = useMemo(() => filterOf(search, FOLLOWED), [search]);
  const query = useTasks(filter);
  const { refetch } = query;
  const follow = useCallback(() => void refetch({ cancelRefetch: false }), [refetch]);
  const changed = useFollowing(held, follow);

  const [still, setStill] = useState<Held | null>(null);
  useEffect(() => {
    setStill(null);
  }, [filter, held]);
  const longer = useLonger(search, held && more);
  const data = query.data;
  useEffect(() => {
    if (!held || !data) return;
    setStill((now) => now ?? { rows: data.tasks, total: data.total });
  }, [held, data]);
  const rows = useMemo(() => {
    if (!held || !still) return data?.tasks ?? null;
    return longer ? extend(still.rows, longer) : still.rows;
  }, [held, still, longer, data]);

  return {
    rows,
    total: (held ? still?.total : null) ?? data?.total ?? null,
    inMemory: data?.in_memory ?? null,
    changed,
    error: query.error,
    settling: query.isPlaceholderData,
  };
}

function filterOf(search: TaskSearch, limit: number): TaskFilter {
  return {
    state: search.state ?? [],
    name: search.name ?? '',
    worker: search.worker ?? '',
    queue: search.queue ?? '',
    search: search.search ?? '',
    sort: search.sort ?? DEFAULT_SORT,
    limit,
  };
}

/** Asks again when tasks changed, at most once a second; counts the changes while held. */
function useFollowing(held: boolean, follow: () => void): number {
  const link = useLink();
  const tasks = useLive((state) => state.tasks);
  const last = useRef(0);
  const [changed, setChanged] = useState(0);
  useEffect(() => {
    if (!held) setChanged(0);
  }, [held]);
  useEffect(() => {
    if (!tasks || tasks.changed === 0) return;
    if (held) {
      setChanged((sum) => sum + tasks.changed);
      return;
    }
    if (document.hidden) return;
    const run = () => {
      last.current = performance.now();
      follow();
    };
    const wait = last.current + REFRESH_MS - performance.now();
    if (wait <= 0) return run();
    const timer = window.setTimeout(run, wait);
    return () => window.clearTimeout(timer);
  }, [tasks, held, follow]);
  useEffect(() => {
    if (held || link === 'live') return;
    const timer = window.setInterval(follow, WITHOUT_STREAM_MS);
    return () => window.clearInterval(timer);
  }, [held, link, follow]);
  return changed;
}

/** The long answer, asked once each time it is wanted. */
function useLonger(search: TaskSearch, wanted: boolean): readonly TaskRow[] | null {
  const [asking, setAsking] = useState(0);
  useEffect(() => {
    setAsking(wanted ? performance.now() : 0);
  }, [wanted, search]);
  const filter = useMemo(() => filterOf(search, HELD), [search]);
  const { data } = useTasksOnce(filter, asking);
  return data?.tasks ?? null;
}
