import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';

import type { AuditPage } from '~/api/client';
import { live } from '~/api/live';
import { client } from '~/api/queries';
import { auditFilter } from '~/lib/audit';
import type { AuditSearch } from '~/lib/audit-search';

const PAGE = 100;
const NEWS_MS = 5_000;

/** The entries that are asked for, page by page; they stand still until one asks for news. */
export function useTrail(search: AuditSearch) {
  return useInfiniteQuery({
    queryKey: ['audit', search],
    queryFn: ({ pageParam, signal }) =>
      client.audit(auditFilter(search, live.now()), { before: pageParam, limit: PAGE }, signal),
    initialPageParam: null as number | null,
    getNextPageParam: ({ next }) => next,
    // Anew when one comes to the page, and not while one reads.
    staleTime: Infinity,
    gcTime: 0,
  });
}

export type Trail = ReturnType<typeof useTrail>;

/** Whether there is something newer than `first`, and how the trail is now. */
export function useNews(search: AuditSearch, first: AuditPage | null) {
  const queries = useQueryClient();
  const { data } = useQuery({
    queryKey: ['audit-news', search, first?.now],
    queryFn: ({ signal }) => {
      const filter = auditFilter(search, live.now());
      return client.audit({ ...filter, since: Math.max(filter.since ?? 0, first?.now ?? 0) }, { before: null, limit: 1 }, signal);
    },
    enabled: first !== null,
    refetchInterval: NEWS_MS,
    gcTime: 0,
  });
  const newest = first?.entries[0]?.seq ?? 0;
  return {
    state: data ?? null,
    there: data?.entries.some(({ seq }) => seq > newest) ?? false,
    show: () => {
      window.scrollTo({ top: 0 });
      void queries.resetQueries({ queryKey: ['audit', search] });
    },
  };
}
