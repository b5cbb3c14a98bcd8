/** Queues: which are in trouble, and in what order they are shown. Pure. */

import type { Queue } from '~/api/client';

import { readOffset } from './messages';
import { one } from './url';

/** The worst thing to be said of a queue; `fine` when there is nothing. */
export type QueueTrouble = 'unread' | 'growing' | 'unknown' | 'slow' | 'fine';

const SLOW_SECONDS = 3600;
const SECONDS = 60; // what the server measures growth over

// What is said is taken back later than it is raised: a queue at the edge does not flap.
const RAISED = { least: 50, gained: 30, part: 0.1 };
const HELD = { least: 20, gained: 10, part: 0.03 };

type Depths = Pick<Queue, 'messages' | 'consumers' | 'growth_per_second' | 'drain_seconds'>;

/** What is wrong with a queue, if anything; `held` when it has been said to grow already. */
export function queueTrouble(queue: Depths, held = false): QueueTrouble {
  if (queue.messages === null) return 'unknown';
  if (queue.consumers === 0 && queue.messages > 0) return 'unread';
  if (grows(queue, held)) return 'growing';
  return (queue.drain_seconds ?? 0) > SLOW_SECONDS ? 'slow' : 'fine';
}

function grows({ messages, growth_per_second, drain_seconds }: Depths, held: boolean): boolean {
  if (messages === null || growth_per_second === null || drain_seconds !== null) return false;
  const { least, gained, part } = held ? HELD : RAISED;
  return messages >= least && growth_per_second * SECONDS >= Math.max(gained, part * messages);
}

const RANK: Record<QueueTrouble, number> = { unread: 0, growing: 1, unknown: 2, slow: 3, fine: 4 };

/**
 * The queues to look at first. By orders of magnitude, not by messages: rows change places when
 * something happened, not with every reading.
 */
export function byTrouble<Q extends Depths & { name: string }>(queues: readonly Q[]): Q[] {
  const size = ({ messages }: Depths) => Math.floor(Math.log10(Math.max(1, messages ?? 0)));
  return [...queues].sort(
    (a, b) =>
      RANK[queueTrouble(a)] - RANK[queueTrouble(b)] ||
      size(b) - size(a) ||
      collator.compare(a.name, b.name),
  );
}

export const QUEUE_SORT_KEYS = ['name', 'messages', 'in', 'out', 'growth', 'drain'] as const;
export type QueueSortKey = (typeof QUEUE_SORT_KEYS)[number];
export type QueueSort = 'trouble' | QueueSortKey | `-${QueueSortKey}`;
export const DEFAULT_QUEUE_SORT: QueueSort = 'trouble';

export interface QueueSearch {
  queue?: string; // the one that is looked at
  search?: string;
  sort?: QueueSort;
  look?: string; // into its messages, from this one on
}

const collator = new Intl.Collator('en', { numeric: true });

type Row = Depths & Pick<Queue, 'name' | 'in_per_second' | 'out_per_second'>;

const VALUE: Record<Exclude<QueueSortKey, 'name'>, (row: Row) => number | null> = {
  messages: ({ messages }) => messages,
  in: ({ in_per_second }) => in_per_second,
  out: ({ out_per_second }) => out_per_second,
  growth: ({ growth_per_second }) => growth_per_second,
  // With messages and no end in sight, it takes longest.
  drain: ({ messages, drain_seconds }) => drain_seconds ?? (messages ? Infinity : messages),
};

/** The rows that a search means, in its order. What is not known comes last, either way. */
export function selectQueues<Q extends Row>(queues: readonly Q[], { search = '', sort }: QueueSearch): Q[] {
  const words = search.toLowerCase();
  const found = queues.filter(({ name }) => name.toLowerCase().includes(words));
  const key = keyOf(sort ?? DEFAULT_QUEUE_SORT);
  if (key === null) return byTrouble(found);
  const sign = sort?.startsWith('-') ? -1 : 1;
  return found.sort((a, b) => {
    const names = collator.compare(a.name, b.name);
    if (key === 'name') return sign * names;
    const [x, y] = [VALUE[key](a), VALUE[key](b)];
    if (x === y) return names;
    if (x === null) return 1;
    return y === null ? -1 : sign * (x < y ? -1 : 1);
  });
}

function keyOf(sort: string): QueueSortKey | null {
  return QUEUE_SORT_KEYS.find((key) => key === sort.replace(/^-/, '')) ?? null;
}

/** The first click sorts by what one looks for, the second the other way, the third not at all. */
export function nextQueueSort(current: QueueSort, key: QueueSortKey): QueueSort {
  const first: QueueSort = key === 'name' ? key : `-${key}`;
  const second: QueueSort = key === 'name' ? `-${key}` : key;
  if (current === first) return second;
  return current === second ? DEFAULT_QUEUE_SORT : first;
}

export function readQueueSearch(search: Record<string, unknown>): QueueSearch {
  const key = keyOf(one(search.sort));
  const sort = key === null ? undefined : one(search.sort).startsWith('-') ? (`-${key}` as const) : key;
  return strippedQueues({ queue: one(search.queue), search: one(search.search), sort, look: one(search.look) });
}

export function strippedQueues(search: QueueSearch): QueueSearch {
  const kept: QueueSearch = {};
  if (search.queue) kept.queue = search.queue;
  if (search.search) kept.search = search.search;
  if (search.sort && search.sort !== DEFAULT_QUEUE_SORT) kept.sort = search.sort;
  if (search.queue && search.look && readOffset(search.look) !== null) kept.look = search.look;
  return kept;
}

/** How a queue moves, for the eye: messages a minute decide, so that noise is no arrow. */
export function direction(growth: number | null): 'up' | 'down' | 'level' | 'unknown' {
  if (growth === null) return 'unknown';
  if (Math.abs(growth) * SECONDS < 1) return 'level';
  return growth > 0 ? 'up' : 'down';
}
