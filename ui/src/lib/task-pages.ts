/**
 * A list of tasks that is longer than what may be held: parts in a row, of which those near what
 * one sees have their items. Parts that were let go are asked for again. Pure.
 *
 *     above? | part | part | part (let go) | … | part | below?
 *
 * A part is asked for by the cursor of the part beside it, so that rows which come or go elsewhere
 * do not move those that one reads.
 */

import type { HistoryGap, HistoryPage, TaskRow } from '~/api/client';

export const PART_ROWS = 200;
const KEPT_PARTS = 4; // with items, on either side of what one sees
const NEAR_ITEMS = 120; // so far before the end of what is known the next part is asked for
export const MOST_ITEMS = 500_000; // an element of more pixels than a browser can draw is cut

export type Item =
  | { readonly kind: 'task'; readonly task: TaskRow }
  | { readonly kind: 'gaps'; readonly gaps: readonly HistoryGap[] };

interface Part {
  readonly before: string | null; // cursor of its first row
  readonly after: string | null; // cursor of its last row
  readonly rows: number; // asked for again: as many as it had
  readonly count: number; // of items
  readonly items: readonly Item[] | null; // null: let go
}

export interface Pages {
  readonly parts: readonly Part[];
  readonly offsets: readonly number[]; // where each part begins; one more for the end
  readonly above: boolean; // there are rows before the first
  readonly below: boolean; // and after the last
  readonly cut: boolean; // the search gave up before it found the next one
  readonly shifted: number; // items that came above those that were there, all in all
}

/** What to ask for next. */
export type Wanted =
  | { readonly kind: 'below'; readonly after: string | null; readonly limit: number }
  | { readonly kind: 'above'; readonly before: string; readonly limit: number }
  | { readonly kind: 'part'; readonly index: number; readonly after: string | null; readonly before: string | null; readonly limit: number };

export const UNKNOWN: Pages = { parts: [], offsets: [0], above: false, below: true, cut: false, shifted: 0 };

/** How a list is made of rows. */
export interface Making {
  readonly order: 'newest' | 'oldest' | null; // null: not by time, so that no gap has a place
  readonly known: ReadonlySet<string>; // ids of rows that stand above the list, as they are now
  readonly above: boolean; // the list begins in the middle: there may be rows before it
}

export function countOf(pages: Pages): number {
  return pages.offsets.at(-1) ?? 0;
}

/** The part that has an item. */
function partAt({ offsets }: Pages, index: number): number {
  let [low, high] = [0, offsets.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((offsets[middle] ?? 0) <= index) low = middle;
    else high = middle;
  }
  return low;
}

/** Null: let go, or not there. */
export function itemAt(pages: Pages, index: number): Item | null {
  const at = partAt(pages, index);
  return pages.parts[at]?.items?.[index - (pages.offsets[at] ?? 0)] ?? null;
}

/** Where a task stands, if its part has its items; else -1. */
export function placeOf(pages: Pages, uuid: string): number {
  for (const [at, { items }] of pages.parts.entries()) {
    const index = items?.findIndex((item) => item.kind === 'task' && item.task.uuid === uuid) ?? -1;
    if (index >= 0) return (pages.offsets[at] ?? 0) + index;
  }
  return -1;
}

/** The rows that there are now, in their order. */
export function rowsOf(pages: Pages): TaskRow[] {
  return pages.parts.flatMap(({ items }) => tasksOf(items ?? []));
}

/** What is needed to see the items from `first` to `last`. */
export function wanted(pages: Pages, first: number, last: number, making: Making): Wanted | null {
  const { parts, above, below, cut } = pages;
  const [one] = parts;
  if (!one) return below ? { kind: 'below', after: null, limit: PART_ROWS } : null;
  const total = countOf(pages);
  for (let at = partAt(pages, Math.max(0, first)); at < parts.length; at += 1) {
    const part = parts[at];
    if (!part || (pages.offsets[at] ?? 0) > last) break;
    if (part.items === null) return refill(pages, at);
  }
  if (first < NEAR_ITEMS && above && making.above && one.before !== null && total < MOST_ITEMS) {
    return { kind: 'above', before: one.before, limit: PART_ROWS };
  }
  const end = parts.findLast(({ after }) => after !== null)?.after ?? null;
  const room = total < MOST_ITEMS && !cut;
  return last >= total - NEAR_ITEMS && below && room && end !== null ? { kind: 'below', after: end, limit: PART_ROWS } : null;
}

function refill({ parts }: Pages, index: number): Wanted {
  const limit = Math.max(1, parts[index]?.rows ?? PART_ROWS);
  const after = index > 0 ? (parts[index - 1]?.after ?? null) : null;
  const before = index === 0 ? (parts[1]?.before ?? null) : null;
  return { kind: 'part', index, after, before, limit };
}

/** With the answer to what was wanted. */
export function added(pages: Pages, asked: Wanted, answer: HistoryPage, making: Making): Pages {
  switch (asked.kind) {
    case 'below':
      return addedBelow(pages, answer, making);
    case 'above':
      return addedAbove(pages, answer, making);
    case 'part':
      return refilled(pages, asked.index, answer, making);
  }
}

function addedBelow(pages: Pages, answer: HistoryPage, making: Making): Pages {
  const { parts, fresh } = renewed(pages.parts, answer.tasks);
  const rows = fresh.filter(({ uuid }) => !making.known.has(uuid));
  const part = made(answer, rows, making, gapKeys(pages, parts.length - 1));
  const stuck = answer.more && answer.after === null; // no cursor leads on
  return {
    ...pages,
    ...laid([...parts, part]),
    above: pages.parts.length === 0 ? making.above : pages.above,
    below: answer.more && !stuck,
    cut: stuck || (!answer.whole && !answer.more),
  };
}

function addedAbove(pages: Pages, answer: HistoryPage, making: Making): Pages {
  const { parts, fresh } = renewed(pages.parts, answer.tasks);
  if (answer.tasks.length === 0) return { ...pages, above: false };
  const part = made(answer, fresh, making, gapKeys(pages, 0));
  return {
    ...pages,
    ...laid([part, ...parts]),
    above: answer.more && answer.before !== null,
    shifted: pages.shifted + part.count,
  };
}

/** A part that was let go, as it is now; no row of the parts beside it comes a second time. */
function refilled(pages: Pages, index: number, answer: HistoryPage, making: Making): Pages {
  const part = pages.parts[index];
  if (!part) return pages;
  const elsewhere = new Set(making.known);
  for (const [at, { items }] of pages.parts.entries()) {
    if (at !== index) for (const { uuid } of tasksOf(items ?? [])) elsewhere.add(uuid);
  }
  const rows = answer.tasks.filter(({ uuid }) => !elsewhere.has(uuid));
  const keys = new Set([...gapKeys(pages, index - 1), ...gapKeys(pages, index + 1)]);
  const again = made(answer, rows, making, keys);
  const next = pages.parts.with(index, { ...again, before: answer.before ?? part.before, after: answer.after ?? part.after });
  return { ...pages, ...laid(next) };
}

/** How many items more, or less, there are before `first` when a part came back with others. */
export function movedBy(before: Pages, after: Pages, asked: Wanted, first: number): number {
  if (asked.kind !== 'part') return 0;
  const end = before.offsets[asked.index + 1] ?? Infinity;
  const by = (after.offsets[asked.index + 1] ?? 0) - (before.offsets[asked.index + 1] ?? 0);
  return end <= first ? by : 0;
}

/** Lets go of the items of parts that are far from those from `first` to `last`. */
export function letGo(pages: Pages, first: number, last: number): Pages {
  const [from, to] = [partAt(pages, first) - KEPT_PARTS, partAt(pages, last) + KEPT_PARTS];
  const far = (at: number) => at < from || at > to;
  if (!pages.parts.some(({ items }, at) => items !== null && far(at))) return pages;
  return { ...pages, parts: pages.parts.map((part, at) => (far(at) && part.items !== null ? { ...part, items: null } : part)) };
}

function laid(parts: readonly Part[]): Pick<Pages, 'parts' | 'offsets'> {
  const offsets = [0];
  for (const { count } of parts) offsets.push((offsets.at(-1) ?? 0) + count);
  return { parts, offsets };
}

function made({ tasks, before, after, gaps }: HistoryPage, rows: readonly TaskRow[], making: Making, shown: ReadonlySet<string>): Part {
  const fresh = gaps.filter((gap) => !shown.has(keyOf(gap)));
  const items = withGaps(rows, fresh, making.order);
  return { before, after, rows: tasks.length, count: items.length, items };
}

/** No task stands twice: of one that is there already, what is newer takes its place. */
function renewed(parts: readonly Part[], rows: readonly TaskRow[]): { parts: readonly Part[]; fresh: TaskRow[] } {
  const told = new Map(rows.map((row) => [row.uuid, row]));
  const twice = new Set<string>();
  const next = parts.map((part) => {
    if (!part.items?.some((item) => item.kind === 'task' && told.has(item.task.uuid))) return part;
    const items = part.items.map((item): Item => {
      const other = item.kind === 'task' ? told.get(item.task.uuid) : undefined;
      if (item.kind !== 'task' || !other) return item;
      twice.add(other.uuid);
      return { kind: 'task', task: newer(item.task, other) };
    });
    return { ...part, items };
  });
  return { parts: twice.size === 0 ? parts : next, fresh: rows.filter(({ uuid }) => !twice.has(uuid)) };
}

/** Of two tellings of one task that which knows more of its end. */
export function newer(one: TaskRow, other: TaskRow): TaskRow {
  return other.state_at > one.state_at ? other : one;
}

function tasksOf(items: readonly Item[]): TaskRow[] {
  return items.flatMap((item) => (item.kind === 'task' ? [item.task] : []));
}

// ------------------------------------------------------------------ gaps between tasks

function keyOf({ kind, worker, start }: HistoryGap): string {
  return `${kind} ${start} ${worker ?? ''}`;
}

function gapKeys({ parts }: Pages, at: number): Set<string> {
  const items = parts[at]?.items ?? [];
  return new Set(items.flatMap((item) => (item.kind === 'gaps' ? item.gaps.map(keyOf) : [])));
}

/**
 * The rows with the gaps where they lie: between the tasks whose last events came before and
 * after. A gap that no task of the list came after has nothing that it separates; one that goes
 * on stands at the newest end.
 */
export function withGaps(rows: readonly TaskRow[], gaps: readonly HistoryGap[], order: Making['order']): Item[] {
  const items: Item[] = [];
  const open = order === null ? [] : [...gaps];
  const newest = order === 'newest';
  open.sort((a, b) => (newest ? placed(b) - placed(a) : placed(a) - placed(b)));
  for (const task of rows) {
    const here: HistoryGap[] = [];
    for (let [gap] = open; gap && passed(gap, task.state_at, newest); [gap] = open) {
      here.push(gap);
      open.shift();
    }
    if (here.length > 0) items.push({ kind: 'gaps', gaps: here });
    items.push({ kind: 'task', task });
  }
  return items;
}

/** A gap stands in front of the first task of after it ended; from the newest on, of before. */
function placed({ end }: HistoryGap): number {
  return end ?? Infinity;
}

function passed(gap: HistoryGap, at: number, newest: boolean): boolean {
  return newest ? placed(gap) > at : placed(gap) <= at;
}
