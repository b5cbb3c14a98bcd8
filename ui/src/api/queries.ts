/** What the pages ask for by request, beside the live stream. */

import { QueryClient, keepPreviousData, useQuery } from '@tanstack/react-query';

import { isOver } from '~/lib/states';

import { ApiError, type TaskFilter, createClient } from './client';
import { goToLogin } from './login';

export const client = createClient(document.baseURI, goToLogin);

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      // An answer like "no such task" is final; only silence is worth another try.
      retry: (failures, error) => !(error instanceof ApiError) && failures < 2,
      networkMode: 'always',
      staleTime: 1_000,
    },
  },
});

export function useTasks(filter: TaskFilter, enabled = true) {
  return useQuery({
    queryKey: ['tasks', filter],
    queryFn: ({ signal }) => client.tasks(filter, signal),
    placeholderData: keepPreviousData,
    enabled,
  });
}

/** One long answer that stays as it is; another `asking` asks anew. */
export function useTasksOnce(filter: TaskFilter, asking: number) {
  return useQuery({
    queryKey: ['tasks-once', filter, asking],
    queryFn: ({ signal }) => client.tasks(filter, signal),
    enabled: asking > 0,
    staleTime: Infinity,
    gcTime: 0,
  });
}

const ME_MS = 60_000; // a role may be changed meanwhile

/** Who looks at this page, and what they may do. */
export function useMe() {
  return useQuery({
    queryKey: ['me'],
    queryFn: ({ signal }) => client.me(signal),
    staleTime: ME_MS,
    refetchInterval: ME_MS,
  });
}

const UNFINISHED_MS = 1_000;
const FINISHED_MS = 15_000; // children may still come

export function useTask(uuid: string) {
  return useQuery({
    queryKey: ['task', uuid],
    queryFn: ({ signal }) => client.task(uuid, signal),
    refetchInterval: ({ state }) =>
      state.data && isOver(state.data.state) ? FINISHED_MS : UNFINISHED_MS,
  });
}

export function useWorker(hostname: string) {
  return useQuery({
    queryKey: ['worker', hostname],
    queryFn: ({ signal }) => client.worker(hostname, signal),
    refetchInterval: 2_000,
  });
}

const QUEUES_MS = 5_000; // the broker is asked no oftener

export function useQueues(enabled = true) {
  return useQuery({
    queryKey: ['queues'],
    queryFn: ({ signal }) => client.queues(signal),
    refetchInterval: QUEUES_MS,
    enabled,
  });
}

const GAPS_MS = 30_000;

/** Times in which something was missed, between two moments (epoch seconds). */
export function useGaps(since: number, until: number, enabled = true) {
  return useQuery({
    queryKey: ['gaps', since, until],
    queryFn: ({ signal }) => client.gaps(since, until, signal),
    staleTime: GAPS_MS,
    placeholderData: keepPreviousData,
    enabled,
  });
}

const STATUS_MS = 10_000; // a history in trouble is told soon

/** Whether a history is kept, and how it fares. */
export function useHistoryStatus() {
  return useQuery({
    queryKey: ['history'],
    queryFn: ({ signal }) => client.history(signal),
    staleTime: STATUS_MS,
    refetchInterval: STATUS_MS,
  });
}

/** Searches that were saved under a name: one's own, and those that others share. */
export function useSavedSearches(enabled = true) {
  return useQuery({
    queryKey: ['searches'],
    queryFn: ({ signal }) => client.searches(signal),
    staleTime: 30_000,
    enabled,
  });
}

/** The names of tasks that were seen, for suggestions. */
export function useNames(enabled: boolean) {
  return useQuery({
    queryKey: ['names'],
    queryFn: ({ signal }) => client.names(signal),
    staleTime: 30_000,
    enabled,
  });
}
