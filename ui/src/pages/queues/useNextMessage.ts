import { useQuery } from '@tanstack/react-query';

import { client } from '~/api/queries';

const EVERY_MS = 10_000;

/** The message that a worker takes next; an error where one cannot look without disturbing. */
export function useNextMessage(queue: string, enabled: boolean) {
  return useQuery({
    queryKey: ['messages', queue, 'next'],
    queryFn: ({ signal }) => client.messages(queue, 0, 1, signal),
    // A broker that refuses to be looked at goes on refusing.
    refetchInterval: ({ state }) => (state.error ? false : EVERY_MS),
    enabled,
  });
}
