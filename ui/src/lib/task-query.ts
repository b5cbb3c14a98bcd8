/** What the Tasks page shows, as its address says it. Defaults are left out of the address. */

import type { HistorySort } from '~/api/client';

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
  at?: string; // the place in a list by time: its first task's last event is before that instant
}

/** Reads an address; what it does not understand it leaves out. */
export function readTaskSearch(search: Record<string, unknown>): TaskSearch {
  return stripped({
    query: one(search.query).trim(),
    sort: readSort(one(search.sort)),
    task: one(search.task),
    columns: one(search.columns),
    at: readPlace(one(search.at)),
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

// ------------------------------------------------------------------ orders

/** What the history can put in order, by the sort of the address; all else is of the memory alone. */
const KEPT: Partial<Record<Sort, HistorySort>> = {
  '-seen': 'newest', seen: 'oldest', '-runtime': 'longest', '-wait': 'waited', '-retries': 'retried',
};

export function historySort(sort: Sort): HistorySort | null {
  return KEPT[sort] ?? null;
}

/** The sort of the address for an order of the history. */
export function sortOf(order: string): Sort {
  const found = Object.entries(KEPT).find(([, name]) => name === order);
  return found ? (found[0] as Sort) : DEFAULT_SORT;
}

export const SORTS: readonly { sort: Sort; label: string }[] = [
  { sort: '-seen', label: 'Newest first' },
  { sort: 'seen', label: 'Oldest first' },
  { sort: '-runtime', label: 'Longest run first' },
  { sort: '-wait', label: 'Longest wait first' },
  { sort: '-retries', label: 'Most retries first' },
];

// ------------------------------------------------------------------ places

/** An instant (epoch seconds) as an address says it, to the millisecond. */
export function writePlace(at: number): string {
  const date = new Date(Math.round(at * 1000));
  return Number.isNaN(date.getTime()) ? '' : date.toISOString();
}

/** Epoch seconds; null when it is no instant. */
export function placeTime(text: string | undefined): number | null {
  const at = text === undefined ? NaN : Date.parse(text);
  return Number.isNaN(at) ? null : at / 1000;
}

function readPlace(text: string): string {
  const at = placeTime(text);
  return at === null ? '' : writePlace(at);
}

/** Without empty fields and defaults, so that equal views have equal addresses. */
export function stripped(search: TaskSearch): TaskSearch {
  const kept: TaskSearch = {};
  if (search.query) kept.query = search.query;
  if (search.sort && search.sort !== DEFAULT_SORT) kept.sort = search.sort;
  if (search.task) kept.task = search.task;
  if (search.columns) kept.columns = search.columns;
  if (search.at) kept.at = search.at;
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
