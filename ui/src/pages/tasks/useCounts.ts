/** How many tasks of the history match, asked when a query rests, and again now and then. */

import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';

import type { HistoryCount } from '~/api/client';
import { client } from '~/api/queries';

const REST_MS = 400; // of what is written
const OFTEN_MS = 5_000;
const SELDOM_MS = 30_000;
const SHARE = 20; // an answer is asked for again after so many times what it took

interface Counted extends HistoryCount {
  tookMs: number;
}

export interface Counts {
  count: HistoryCount | null;
  counting: boolean; // what is told is of the query before, or not there yet
}

export function useCounts(query: string | null, kept: boolean): Counts {
  const rested = useRested(query);
  const { data, isPlaceholderData } = useQuery({
    queryKey: ['history-count', rested],
    queryFn: async ({ signal }): Promise<Counted> => {
      const began = performance.now();
      const count = await client.historyCount(rested ?? '', signal);
      return { ...count, tookMs: performance.now() - began };
    },
    enabled: kept && rested !== null,
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) => Math.min(Math.max((state.data?.tookMs ?? 0) * SHARE, OFTEN_MS), SELDOM_MS),
  });
  const current = kept && data !== undefined && !isPlaceholderData && rested === query;
  return { count: current ? data : null, counting: kept && !current };
}

/** At once for the first question, later when no other one came for a moment. */
function useRested(query: string | null): string | null {
  const [rested, setRested] = useState(query);
  useEffect(() => {
    const timer = window.setTimeout(() => setRested(query), REST_MS);
    return () => window.clearTimeout(timer);
  }, [query]);
  return rested;
}
