/** The rows of the task list: following the cluster, or held still. */

import { useCallback, useEffect, useMemo, useRef, useState } from 'react';

import { type View, useLink, useLive, useView } from '~/api/live';
import type { Facets, HistoryGap, TaskFilter, TaskRow } from '~/api/client';
import { useGaps, useTasks, useTasksOnce } from '~/api/queries';
import { extend, merged } from '~/lib/held';
import { EVERYTHING, type Query, allOf, show } from '~/lib/query-language';
import { told } from '~/lib/task-counts';
import { type Making, placeOf, withGaps } from '~/lib/task-pages';
import { DEFAULT_SORT, type Sort, historySort } from '~/lib/task-query';

import { type Items, itemsOf } from './items';
import { useCounts } from './useCounts';
import { type AskedPages, type Paging, usePages } from './usePages';

const FOLLOWED = 100; // rows kept fresh
const HELD = 1_000; // rows of the memory to scroll through; the server gives no more at once
const REFRESH_MS = 1_000; // of an order that the stream does not tell
const TAIL_MS = 5_000; // of the rows below those that the stream tells
const ORDERED_MS = 5_000; // of an order over the whole history
const WITHOUT_STREAM_MS = 2_000;
const BUSY = 40; // changes a second; above it the rows change once a second, not four times
const BUSY_MS = 1_000;
const JITTER_ROWS = 20; // events of so many rows may have come in another order than they happened

export interface TaskRows {
  items: Items | null; // null: nothing is known yet
  total: number | null;
  whole: boolean; // of the total: there are no more
  inMemory: number | null;
  facets: Facets | null;
  facetsWhole: boolean;
  counting: boolean;
  newer: number; // changes while held
  pace: number | null; // changes a second
  error: Error | null;
  settling: boolean; // shows the answer to another question until this one is answered
  paging: Paging | null; // of what the history tells; null: nothing is asked of it
}

export interface AskedRows {
  tree: Query | null; // null: no question that can be asked
  sort: Sort;
  place: number | null; // epoch seconds: the list begins there
  kept: boolean; // there is a history
  stored: number | null; // tasks in it, about
  held: boolean;
  more: boolean; // the rows below those followed are wanted; counts only while `held`
}

export function useTaskRows({ tree, sort, place, kept, stored, held, more }: AskedRows): TaskRows {
  const query = useMemo(() => tree && show(tree), [tree]);
  const order = kept ? historySort(sort) : null;
  const follows = order === null || (order === 'newest' && place === null);
  const view = useView(query);
  const streamed = sort === DEFAULT_SORT; // the stream's order
  const filter = useMemo(() => filterOf(query, sort, FOLLOWED), [query, sort]);
  const { data, error, isPlaceholderData, refetch } = useTasks(filter, query !== null && follows);
  const follow = useCallback(() => void refetch({ cancelRefetch: false }), [refetch]);
  useFollowing(view, held || !follows, streamed ? TAIL_MS : REFRESH_MS, follow);

  const calm = useCalm(streamed && follows ? view : null, query);
  const fetched = isPlaceholderData && calm ? null : (data?.tasks ?? null);
  const fresh = useMemo(
    () => (calm ? merged(calm.rows, fetched ?? [], Math.min(calm.total ?? FOLLOWED, FOLLOWED)) : fetched),
    [calm, fetched],
  );
  const rows = useHeld(fresh, query, sort, held, held && more && order === null);
  const head = follows ? rows : null;
  const settling = follows && isPlaceholderData && !calm;

  const paging = useHistory({ tree, query, place, order, held, more, head: settling ? null : head });
  const changes = view?.changes ?? 0;
  const newer = useNewer(changes, held, query);
  const gaps = useLive((state) => state.overview?.gaps ?? null);
  const missed = useMissed(kept && streamed && follows, head);
  const headItems = useMemo(() => {
    const live = (gaps ?? []).map(disconnected).filter(({ start }) => !missed.some((gap) => Math.abs(gap.start - start) < 1));
    return head && withGaps(head, streamed ? [...live, ...missed] : [], streamed ? 'newest' : null);
  }, [head, gaps, missed, streamed]);
  const pages = paging?.pages;
  const items = useMemo(() => {
    if (follows) return headItems && itemsOf(headItems, pages);
    return pages && pages.parts.length > 0 ? itemsOf([], pages) : null;
  }, [follows, headItems, pages]);

  const { count, counting } = useCounts(query, kept);
  const ofMemory = view?.total ?? (isPlaceholderData ? null : (data?.total ?? null));
  const inMemory = view?.inMemory ?? data?.in_memory ?? null;
  const { total, whole, beyond } = told({ everything: query === '', ofMemory, inMemory, stored, count });
  return {
    items,
    total,
    whole,
    inMemory,
    facets: beyond && count ? count.facets : (view?.facets ?? data?.facets ?? null),
    facetsWhole: !beyond || count?.facets_whole === true,
    counting,
    newer,
    pace: view?.changed_per_second ?? null,
    error: query === null || !follows ? null : error,
    settling,
    paging,
  };
}

const NONE: readonly HistoryGap[] = [];
const STEP_SECONDS = 300; // so that it is not asked anew with each second

/** What the history knows to be missing in the time of the head. */
function useMissed(on: boolean, head: readonly TaskRow[] | null): readonly HistoryGap[] {
  const until = useLive(({ now }) => Math.ceil((now ?? 0) / STEP_SECONDS) * STEP_SECONDS);
  const since = Math.floor((head?.at(-1)?.state_at ?? until) / STEP_SECONDS) * STEP_SECONDS;
  const { data } = useGaps(since, until, on && until > 0 && since < until);
  return (on && data?.gaps) || NONE;
}

function disconnected({ start, end, reason }: { start: number; end: number | null; reason: string }): HistoryGap {
  return { kind: 'disconnected', start, end, worker: null, events: null, reason };
}

interface HistoryOptions extends Omit<AskedRows, 'kept' | 'stored' | 'sort'> {
  query: string | null;
  order: ReturnType<typeof historySort>;
  head: readonly TaskRow[] | null;
}

/** What the history tells: all of the list, or what lies below the head that follows the cluster. */
function useHistory({ tree, query, place, order, held, more, head }: HistoryOptions): Paging | null {
  const whole = useMemo((): AskedPages | null => {
    if (tree === null || query === null || order === null || (order === 'newest' && place === null)) return null;
    const known = new Set<string>();
    const list = `${order} ${place ?? ''} ${query}`;
    if (order !== 'newest' && order !== 'oldest') return { list, query, start: query, sort: order, making: { order: null, known, above: false } };
    const start = place === null ? tree : allOf([tree, { kind: 'at', key: order === 'newest' ? 'until' : 'since', time: place }]);
    return { list, query, start: show(start), sort: order, making: { order, known, above: place !== null } };
  }, [tree, query, order, place]);

  const [below, setBelow] = useState<AskedPages | null>(null);
  const short = head !== null && head.length < FOLLOWED; // it does not fill the list
  const wantsBelow = order === 'newest' && place === null && query !== null && head !== null && (short || (held && more));
  const list = `below ${query}`;
  const current = below?.list === list ? below : null;
  const paging = usePages(whole ?? (wantsBelow ? current : null));
  // What is in the head now, too, or was there, is asked for anew; what one reads stays.
  const moved = !held && current !== null && head !== null && head.some(({ uuid }) => !current.making.known.has(uuid) && placeOf(paging.pages, uuid) >= 0);
  const turn = useTurn(wantsBelow && !held);
  useEffect(() => {
    if (!wantsBelow) return setBelow(null);
    setBelow({ list, query, start: show(allOf([tree ?? EVERYTHING, ...before(head)])), sort: 'newest', making: madeOf(head) });
    // eslint-disable-next-line react-hooks/exhaustive-deps -- the head changes all the time; where the rest began does not
  }, [wantsBelow, list, moved, turn]);
  useRenewed(paging, order !== null && order !== 'newest' && !held);
  return order === null ? null : paging;
}

/** A number that changes now and then, while it is on and somebody looks. */
function useTurn(on: boolean): number {
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (!on) return;
    const timer = window.setInterval(() => document.hidden || setTurn((now) => now + 1), ORDERED_MS);
    return () => window.clearInterval(timer);
  }, [on]);
  return turn;
}

function madeOf(head: readonly TaskRow[]): Making {
  return { order: 'newest', known: new Set(head.map(({ uuid }) => uuid)), above: false };
}

/** Below the last of the head; a little above it where the events came in another order. */
function before(head: readonly TaskRow[]): Query[] {
  if (head.length === 0) return [];
  const at = Math.max(...head.slice(-JITTER_ROWS).map(({ state_at }) => state_at));
  return [{ kind: 'at', key: 'until', time: Math.ceil(at * 1000 + 1) / 1000 }];
}

/** An order over all of the history is looked at anew now and then, while nobody reads in it. */
function useRenewed({ renew, asking, error, pages }: Paging, on: boolean): void {
  const calm = on && !asking && error === null;
  useEffect(() => {
    if (!calm) return;
    const timer = window.setTimeout(() => document.hidden || renew(), ORDERED_MS);
    return () => window.clearTimeout(timer);
  }, [calm, renew, pages]);
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
