import { useQuery } from '@tanstack/react-query';

import { client } from '~/api/queries';

const ROWS = 50;
const EVERY_MS = 15_000;

/** What an entry of a schedule started. */
export function useStarted(entry: string) {
  return useQuery({
    queryKey: ['started', entry],
    queryFn: ({ signal }) => client.started(entry, ROWS, signal),
    refetchInterval: EVERY_MS,
  });
}
