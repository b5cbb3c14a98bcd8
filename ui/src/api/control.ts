/** Steering: the commands there are, sending one, and what became of it. `client.ts` fetches. */

import { useQuery } from '@tanstack/react-query';

import { client } from './queries';

const TABLE_MS = 60_000; // what one may do changes when the console is started anew

/** Every command there is, and which of them you may use. */
export function useCommands() {
  return useQuery({
    queryKey: ['commands'],
    queryFn: ({ signal }) => client.commands(signal),
    staleTime: TABLE_MS,
    refetchInterval: TABLE_MS,
  });
}
