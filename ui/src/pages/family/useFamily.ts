import { useQuery } from '@tanstack/react-query';

import type { Family } from '~/api/client';
import { client } from '~/api/queries';

const GOES_ON_MS = 2_000;
const OVER_MS = 15_000; // something may still come
const MS_A_TASK = 5; // a large family is a large answer
const OLD_SECONDS = 3_600; // what goes on for so long changes seldom

/** A task's whole family. Asked for again, more often while it goes on. */
export function useFamily(uuid: string) {
  return useQuery({
    queryKey: ['family', uuid],
    queryFn: ({ signal }) => client.family(uuid, signal),
    refetchInterval: ({ state }) => pause(state.data),
  });
}

function pause(family: Family | undefined): number {
  if (family === undefined || family.ended !== null) return OVER_MS;
  if (family.began !== null && family.now - family.began > OLD_SECONDS) return OVER_MS;
  return Math.max(GOES_ON_MS, MS_A_TASK * family.tasks.length);
}
