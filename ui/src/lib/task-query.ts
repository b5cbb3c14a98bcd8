/** What the Tasks page shows, as its address says it. Defaults are left out of the address. */

import { many, one } from './url';

export const SORT_KEYS = ['seen', 'received', 'started', 'runtime', 'name', 'state'] as const;
export type SortKey = (typeof SORT_KEYS)[number];
export type Sort = SortKey | `-${SortKey}`;

export const DEFAULT_SORT: Sort = '-seen';

export interface TaskSearch {
  state?: string[];
  name?: string;
  worker?: string;
  queue?: string;
  search?: string;
  sort?: Sort;
}

/** Reads an address; what it does not understand it leaves out. */
export function readTaskSearch(search: Record<string, unknown>): TaskSearch {
  return stripped({
    state: many(search.state).map((state) => state.toUpperCase()),
    name: one(search.name),
    worker: one(search.worker),
    queue: one(search.queue),
    search: one(search.search),
    sort: readSort(one(search.sort)),
  });
}

function readSort(value: string): Sort {
  const key = value.replace(/^-/, '');
  return (SORT_KEYS as readonly string[]).includes(key) ? (value as Sort) : DEFAULT_SORT;
}

/** Without empty fields and defaults, so that equal views have equal addresses. */
export function stripped(search: TaskSearch): TaskSearch {
  const kept: TaskSearch = {};
  if (search.state?.length) kept.state = search.state;
  if (search.name) kept.name = search.name;
  if (search.worker) kept.worker = search.worker;
  if (search.queue) kept.queue = search.queue;
  if (search.search) kept.search = search.search;
  if (search.sort && search.sort !== DEFAULT_SORT) kept.sort = search.sort;
  return kept;
}

export function isFiltered(search: TaskSearch): boolean {
  return Object.keys(stripped({ ...search, sort: DEFAULT_SORT })).length > 0;
}

/** Adds a state to the filter, or takes it out. */
export function toggleState(search: TaskSearch, states: readonly string[]): TaskSearch {
  const chosen = new Set(search.state ?? []);
  const all = states.every((state) => chosen.has(state));
  for (const state of states) {
    if (all) chosen.delete(state);
    else chosen.add(state);
  }
  return stripped({ ...search, state: [...chosen] });
}

/** What a click on a column's head does: descending, ascending, back to the default. */
export function nextSort(current: Sort, key: SortKey): Sort {
  if (current === `-${key}`) return key;
  if (current === key) return DEFAULT_SORT;
  return `-${key}`;
}

export function direction(sort: Sort, key: SortKey): 'ascending' | 'descending' | 'none' {
  if (sort === key) return 'ascending';
  return sort === `-${key}` ? 'descending' : 'none';
}
