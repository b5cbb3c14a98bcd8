/** What the list shows, line by line: the head that follows the cluster, and what the history tells below. */

import type { TaskRow } from '~/api/client';
import { type Item, type Pages, UNKNOWN, countOf, itemAt, placeOf, rowsOf } from '~/lib/task-pages';

export interface Items {
  readonly count: number;
  readonly head: number; // how many of them are the head
  readonly shifted: number; // came above those that one reads
  readonly rows: readonly TaskRow[]; // of those that are here now
  at: (index: number) => Item | null; // null: not here now
  indexOf: (uuid: string) => number;
}

export function itemsOf(head: readonly Item[], pages: Pages = UNKNOWN): Items {
  const tasks = head.flatMap((item) => (item.kind === 'task' ? [item.task] : []));
  return {
    count: head.length + countOf(pages),
    head: head.length,
    shifted: pages.shifted,
    rows: pages.parts.length === 0 ? tasks : [...tasks, ...rowsOf(pages)],
    at: (index) => (index < head.length ? (head[index] ?? null) : itemAt(pages, index - head.length)),
    indexOf: (uuid) => {
      const at = head.findIndex((item) => item.kind === 'task' && item.task.uuid === uuid);
      if (at >= 0) return at;
      const below = placeOf(pages, uuid);
      return below < 0 ? -1 : head.length + below;
    },
  };
}

/** The next task from there on, in that direction; gaps are passed over. */
export function nextTask(items: Items, from: number, by: 1 | -1): TaskRow | null {
  for (let at = from + by; at >= 0 && at < items.count; at += by) {
    const item = items.at(at);
    if (item === null) return null;
    if (item.kind === 'task') return item.task;
  }
  return null;
}
