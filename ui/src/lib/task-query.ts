/** What the Tasks page shows, as its address says it. Defaults are left out of the address. */

import { queryOf, wordText } from './query';
import { many, one } from './url';

export const SORT_KEYS = [
  'seen', 'received', 'started', 'finished', 'wait', 'runtime', 'retries', 'name', 'state',
] as const;
export type SortKey = (typeof SORT_KEYS)[number];
export type Sort = SortKey | `-${SortKey}`;

export const DEFAULT_SORT: Sort = '-seen';

export interface TaskSearch {
  query?: string; // which tasks, in the query language
  sort?: Sort;
  task?: string; // the one in the drawer
  columns?: string; // those shown, when they are not this browser's own choice
}

/** Reads an address; what it does not understand it leaves out. */
export function readTaskSearch(search: Record<string, unknown>): TaskSearch {
  return stripped({
    query: one(search.query).trim(),
    sort: readSort(one(search.sort)),
    task: one(search.task),
    columns: one(search.columns),
  });
}

/**
 * Addresses with one parameter a field (`?state=FAILURE&name=…`: Flower's, and ours of old), as
 * what they stand for; null for an address of today.
 */
export function translated(search: Record<string, unknown>): TaskSearch | null {
  const fields = queryOf({
    state: many(search.state),
    name: [...many(search.name), ...many(search.taskname)],
    worker: [...many(search.worker), ...many(search.workername)],
    queue: many(search.queue),
  });
  const old = [fields, searched(one(search.search).trim())].filter((part) => part !== '');
  if (old.length === 0) return null;
  return stripped({ query: old.join(' '), ...readTaskSearch(search) });
}

/** Flower's search has a language too, close to ours; what is none of it is text to find. */
function searched(text: string): string {
  if (text === '') return '';
  if (/\bOR\b/.test(text)) return `(${text})`;
  return /^\w+:|[\s(]\w+:|\bAND\b/.test(text) ? text : wordText(text);
}

function readSort(value: string): Sort {
  const key = value.replace(/^-/, '');
  return (SORT_KEYS as readonly string[]).includes(key) ? (value as Sort) : DEFAULT_SORT;
}

/** Without empty fields and defaults, so that equal views have equal addresses. */
export function stripped(search: TaskSearch): TaskSearch {
  const kept: TaskSearch = {};
  if (search.query) kept.query = search.query;
  if (search.sort && search.sort !== DEFAULT_SORT) kept.sort = search.sort;
  if (search.task) kept.task = search.task;
  if (search.columns) kept.columns = search.columns;
  return kept;
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
