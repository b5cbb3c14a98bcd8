/** The rows of the task list: following the cluster, or held still. */

import { useCallback, useEffect, useMemo, useRef, useState } from 'react';

import { type View, useLink, useView } from '~/api/live';
import type { Facets, TaskFilter, TaskRow } from '~/api/client';
import { useTasks, useTasksOnce } from '~/api/queries';
import { extend, merged } from '~/lib/held';
import { DEFAULT_SORT, type Sort } from '~/lib/task-query';

const FOLLOWED = 100; // rows kept fresh
const HELD = 1_000; // rows to scroll through; the server gives no more at once
const REFRESH_MS = 1_000; // of an order that the stream does not tell
const TAIL_MS = 5_000; // of the rows below those that the stream tells
const WITHOUT_STREAM_MS = 2_000;
const BUSY = 40; // changes a second; above it the rows change once a second, not four times
const BUSY_MS = 1_000;

export interface TaskRows {
  rows: readonly TaskRow[] | null;
  total: number | null;
  inMemory: number | null;
  facets: Facets | null;
  newer: number; // changes while held
  pace: number | null; // changes a second
  error: Error | null;
  settling: boolean; // shows the answer to another question until this one is answered
}

/** `more` asks for the rows below those followed; it counts only while `held`. */
export function useTaskRows(query: string | null, sort: Sort, held: boolean, more: boolean): TaskRows {
  const view = useView(query);
  const told = sort === DEFAULT_SORT; // the stream's order
  const filter = useMemo(() => filterOf(query, sort, FOLLOWED), [query, sort]);
  const { data, error, isPlaceholderData, refetch } = useTasks(filter, query !== null);
  const follow = useCallback(() => void refetch({ cancelRefetch: false }), [refetch]);
  useFollowing(view, held, told ? TAIL_MS : REFRESH_MS, follow);

  const calm = useCalm(told ? view : null, query);
  const fetched = isPlaceholderData && calm ? null : (data?.tasks ?? null);
  const fresh = useMemo(
    () => (calm ? merged(calm.rows, fetched ?? [], Math.min(calm.total ?? FOLLOWED, FOLLOWED)) : fetched),
    [calm, fetched],
  );
  const rows = useHeld(fresh, query, sort, held, held && more);
  const changes = view?.changes ?? 0;
  const newer = useNewer(changes, held, query);

  return {
    rows,
    total: view?.total ?? (isPlaceholderData ? null : (data?.total ?? null)),
    inMemory: view?.inMemory ?? data?.in_memory ?? null,
    facets: view?.facets ?? data?.facets ?? null,
    newer,
    pace: view?.changed_per_second ?? null,
    error: query === null ? null : error,
    settling: isPlaceholderData && !calm,
  };
}

function filterOf(query: string | null, sort: Sort, limit: number): TaskFilter {
  return { query: query ?? '', sort, limit, facets: limit === FOLLOWED };
}

/** Rows that all change four times a second cannot be read: then once a second is enough. */
function useCalm(view: View | null, query: string | null): View | null {
  const [shown, setShown] = useState<{ query: string | null; view: View } | null>(null);
  const last = useRef(0);
  const newest = useRef(view);
  const waiting = useRef(0);
  useEffect(() => {
    newest.current = view;
    if (!view) return setShown(null);
    const show = () => {
      waiting.current = 0;
      last.current = performance.now();
      if (newest.current) setShown({ query, view: newest.current });
    };
    const busy = (view.changed_per_second ?? 0) > BUSY;
    const wait = busy ? last.current + BUSY_MS - performance.now() : 0;
    window.clearTimeout(waiting.current);
    if (wait <= 0) show();
    else waiting.current = window.setTimeout(show, wait);
  }, [view, query]);
  useEffect(() => () => window.clearTimeout(waiting.current), []);
  return shown?.query === query ? shown.view : null;
}

/** Asks again when something changed, at most so often. */
function useFollowing(view: View | null, held: boolean, everyMs: number, follow: () => void): void {
  const link = useLink();
  const last = useRef(0);
  const changes = view?.changes ?? 0;
  useEffect(() => {
    if (changes === 0 || held || document.hidden) return;
    const run = () => {
      last.current = performance.now();
      follow();
    };
    const wait = last.current + everyMs - performance.now();
    if (wait <= 0) return run();
    const timer = window.setTimeout(run, wait);
    return () => window.clearTimeout(timer);
  }, [changes, held, everyMs, follow]);
  useEffect(() => {
    if (held || link === 'live') return;
    const timer = window.setInterval(follow, WITHOUT_STREAM_MS);
    return () => window.clearInterval(timer);
  }, [held, link, follow]);
}

function useNewer(changes: number, held: boolean, query: string | null): number {
  const [since, setSince] = useState<number | null>(null);
  const now = useRef(changes);
  useEffect(() => {
    now.current = changes;
  });
  useEffect(() => {
    setSince(held ? now.current : null);
  }, [held, query]);
  return since === null ? 0 : Math.max(0, changes - since);
}

/** While held the rows stay what they were; what lies below them is asked for when it is wanted. */
function useHeld(
  fresh: readonly TaskRow[] | null,
  query: string | null,
  sort: Sort,
  held: boolean,
  more: boolean,
): readonly TaskRow[] | null {
  const [still, setStill] = useState<readonly TaskRow[] | null>(null);
  useEffect(() => {
    setStill(null);
  }, [query, sort, held]);
  useEffect(() => {
    if (held && fresh) setStill((now) => now ?? fresh);
  }, [held, fresh]);
  const longer = useLonger(query, sort, more);
  return useMemo(() => {
    if (!held || !still) return fresh;
    return longer ? extend(still, longer) : still;
  }, [held, still, longer, fresh]);
}

/** The long answer, asked once each time it is wanted. */
function useLonger(query: string | null, sort: Sort, wanted: boolean): readonly TaskRow[] | null {
  const [asking, setAsking] = useState(0);
  useEffect(() => {
    setAsking(wanted && query !== null ? performance.now() : 0);
  }, [wanted, query, sort]);
  const filter = useMemo(() => filterOf(query, sort, HELD), [query, sort]);
  const { data } = useTasksOnce(filter, asking);
  return data?.tasks ?? null;
}
