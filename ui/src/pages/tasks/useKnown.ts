/** What the query bar knows of the values of the keys. */

import { useMemo } from 'react';

import { useLive } from '~/api/live';
import { useNames } from '~/api/queries';
import type { Known } from '~/lib/suggest';

import { useFacets } from './TasksContext';

/** Asked for when someone is about to write. Values with counts come before those without. */
export function useKnown(writing: boolean, recent: readonly string[]): Known {
  const facets = useFacets();
  const names = useNames(writing).data;
  const queues = useLive((state) => state.overview?.queues ?? null);
  return useMemo(() => {
    const more = (key: 'name' | 'worker' | 'queue' | 'state', others: readonly string[]) => {
      const counted = (facets?.[key] ?? []).filter(({ value }) => value !== '');
      const known = new Set(counted.map(({ value }) => value));
      const rest = [...new Set(others)].filter((value) => value !== '' && !known.has(value)).sort();
      return [...counted, ...rest.map((value) => ({ value, count: null }))];
    };
    return {
      recent,
      values: {
        state: more('state', CELERY_STATES),
        name: more('name', (names ?? []).map(({ name }) => name)),
        worker: more('worker', []),
        queue: more('queue', (queues ?? []).map(({ name }) => name)),
      },
    };
  }, [facets, names, queues, recent]);
}

const CELERY_STATES = ['PENDING', 'RECEIVED', 'STARTED', 'RETRY', 'SUCCESS', 'FAILURE', 'REVOKED', 'REJECTED', 'LOST'];
