/** What the Insight pages ask for. A time up to now is asked for again every half minute. */

import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';

import * as api from '~/api/insight';
import { live } from '~/api/live';
import { client } from '~/api/queries';
import { windowOf } from '~/lib/insight';
import type { InsightSearch } from '~/lib/insight-search';
import { gapsWithin } from '~/lib/series';

const AGAIN_MS = 30_000;
const CALENDAR_SECONDS = 28 * 86_400;
const CALENDAR_MOST_SECONDS = 92 * 86_400;
const MOST_LONGEST = 10;
export const MOST_NAMES = 100;

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

function useAsked<T>(search: InsightSearch, key: readonly unknown[], ask: (window: ReturnType<typeof windowOf>, signal: AbortSignal) => Promise<T>) {
  const asked = windowOf(search, live.now());
  return useQuery({
    queryKey: ['insight', asked.key, ...key],
    queryFn: ({ signal }) => ask(windowOf(search, live.now()), signal),
    placeholderData: keepPreviousData,
    staleTime: AGAIN_MS / 2,
    refetchInterval: asked.until === null ? AGAIN_MS : false,
  });
}

export function useInsight(search: InsightSearch) {
  const asked = { sort: search.sort ?? 'took', text: search.text ?? '', limit: MOST_NAMES } as const;
  return useAsked(search, ['names', asked], (window, signal) => api.insight(window_(window), asked, signal));
}

export function useInsightName(search: InsightSearch, name: string) {
  return useAsked(search, ['name', name], (window, signal) => api.insightName(name, window_(window), signal));
}

export function useExceptions(search: InsightSearch, name = '') {
  return useAsked(search, ['exceptions', name], (window, signal) => api.insightExceptions(window_(window), name, signal));
}

/** Four weeks, or the whole time where it is longer. */
export function useCalendar(search: InsightSearch, name = '') {
  return useAsked(search, ['calendar', name], (window, signal) => {
    const until = window.until ?? live.now();
    const length = Math.min(Math.max(window.seconds, CALENDAR_SECONDS), CALENDAR_MOST_SECONDS);
    return api.insightCalendar({ since: until - length, until: window.until }, zone, name, signal);
  });
}

export function useLongest(search: InsightSearch, sort: 'longest' | 'waited') {
  return useAsked(search, [sort], (window, signal) =>
    client.historyTasks({ query: `${window.query} state:finished,lost`, sort, limit: MOST_LONGEST }, signal),
  );
}

/** Tasks that wait at this moment, as far as they are in memory: the longest first. */
export function useWaitingNow() {
  return useQuery({
    queryKey: ['insight', 'waiting now'],
    queryFn: ({ signal }) => client.tasks({ query: 'state:pending,received', sort: 'seen', limit: MOST_LONGEST }, signal),
    refetchInterval: AGAIN_MS / 6,
  });
}

/** When nothing was heard, for charts over a time. */
export function useGaps(search: InsightSearch, from: number | undefined, to: number | undefined) {
  const { data } = useAsked(search, ['gaps'], (window, signal) =>
    client.gaps(window.since, window.until ?? live.now(), signal),
  );
  return useMemo(
    () => (data === undefined || from === undefined || to === undefined ? [] : gapsWithin(data.gaps, from, to)),
    [data, from, to],
  );
}

function window_({ since, until }: ReturnType<typeof windowOf>) {
  return { since, until };
}
