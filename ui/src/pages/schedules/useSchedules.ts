import { useQuery } from '@tanstack/react-query';

import { client } from '~/api/queries';

const SCHEDULES_MS = 5_000; // what ran last comes from events, between two readings of the sources

export function useSchedules() {
  return useQuery({
    queryKey: ['schedules'],
    queryFn: ({ signal }) => client.schedules(signal),
    refetchInterval: SCHEDULES_MS,
  });
}
