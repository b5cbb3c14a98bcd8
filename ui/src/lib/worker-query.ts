/** What the Workers page shows, as its address says it. */

import type { WorkerRow } from '~/api/client';

import { many, one } from './url';

export const WORKER_SORT_KEYS = [
  'hostname',
  'status',
  'heartbeat',
  'active',
  'processed',
  'load',
  'lost',
] as const;
export type WorkerSortKey = (typeof WORKER_SORT_KEYS)[number];
export type WorkerSort = WorkerSortKey | `-${WorkerSortKey}`;
export type Status = WorkerRow['status'];

export const STATUSES: readonly Status[] = ['online', 'offline', 'unknown'];
export const DEFAULT_WORKER_SORT: WorkerSort = 'hostname';

export const VIEWS = ['table', 'grid'] as const;
export type WorkerView = (typeof VIEWS)[number];

export interface WorkerSearch {
  status?: Status[];
  search?: string;
  sort?: WorkerSort;
  view?: WorkerView;
}

export function readWorkerSearch(search: Record<string, unknown>): WorkerSearch {
  const statuses = many(search.status);
  const sort = one(search.sort);
  const known = (WORKER_SORT_KEYS as readonly string[]).includes(sort.replace(/^-/, ''));
  return strippedWorkers({
    status: STATUSES.filter((status) => statuses.includes(status)),
    search: one(search.search),
    sort: known ? (sort as WorkerSort) : DEFAULT_WORKER_SORT,
    view: one(search.view) === 'grid' ? 'grid' : 'table',
  });
}

export function strippedWorkers(search: WorkerSearch): WorkerSearch {
  const kept: WorkerSearch = {};
  if (search.status?.length) kept.status = search.status;
  if (search.search) kept.search = search.search;
  if (search.sort && search.sort !== DEFAULT_WORKER_SORT) kept.sort = search.sort;
  if (search.view === 'grid') kept.view = 'grid';
  return kept;
}

const collator = new Intl.Collator('en', { numeric: true });

// What needs a look comes first.
const RANK: Record<Status, number> = { offline: 0, unknown: 1, online: 2 };

const COMPARE: Record<WorkerSortKey, (a: WorkerRow, b: WorkerRow) => number> = {
  hostname: (a, b) => collator.compare(a.hostname, b.hostname),
  status: (a, b) => RANK[a.status] - RANK[b.status],
  heartbeat: (a, b) => (a.last_heartbeat ?? 0) - (b.last_heartbeat ?? 0),
  active: (a, b) => (a.active ?? a.running) - (b.active ?? b.running),
  processed: (a, b) => (a.processed ?? 0) - (b.processed ?? 0),
  load: (a, b) => (a.loadavg?.[0] ?? 0) - (b.loadavg?.[0] ?? 0),
  lost: (a, b) => a.lost - b.lost,
};

/** The rows that a search means, in its order; equal ones by name, so that none change places. */
export function selectWorkers(rows: Iterable<WorkerRow>, search: WorkerSearch): WorkerRow[] {
  const sort = search.sort ?? DEFAULT_WORKER_SORT;
  const key = sort.replace(/^-/, '') as WorkerSortKey;
  const sign = sort.startsWith('-') ? -1 : 1;
  const words = (search.search ?? '').toLowerCase();
  return [...rows]
    .filter(({ status }) => !search.status?.length || search.status.includes(status))
    .filter(({ hostname, queues }) =>
      [hostname, ...queues].some((text) => text.toLowerCase().includes(words)),
    )
    .sort((a, b) => sign * COMPARE[key](a, b) || COMPARE.hostname(a, b));
}

export function nextWorkerSort(current: WorkerSort, key: WorkerSortKey): WorkerSort {
  const first: WorkerSort = key === 'hostname' || key === 'status' ? key : `-${key}`;
  const second: WorkerSort = first === key ? `-${key}` : key;
  if (current === first) return second;
  return current === second ? DEFAULT_WORKER_SORT : first;
}
