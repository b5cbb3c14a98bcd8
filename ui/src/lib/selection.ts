/** Tasks chosen in the list, to do something to all of them at once. Pure. */

import { valueText } from './query';
import { FINISHED } from './states';

/** By hand: what fits into one query. More are chosen by a query of their own. */
export const MOST_BY_HAND = 50;
const MOST_CHARS = 2_000; // of a query, as the server takes it

export interface Task {
  readonly uuid: string;
  readonly state: string;
}

export type Selection =
  | { readonly kind: 'rows'; readonly rows: ReadonlyMap<string, string>; readonly anchor: string | null } // id → state
  | { readonly kind: 'all'; readonly query: string }; // every task that matches it, whenever it is asked

export const NOTHING: Selection = { kind: 'rows', rows: new Map(), anchor: null };

export function isSelected(selection: Selection, uuid: string): boolean {
  return selection.kind === 'all' || selection.rows.has(uuid);
}

export function isEmpty(selection: Selection): boolean {
  return selection.kind === 'rows' && selection.rows.size === 0;
}

/** With one task more, or less. Of all that match none can be taken out by hand. */
export function toggled(selection: Selection, task: Task): Selection {
  if (selection.kind === 'all') return selection;
  const rows = new Map(selection.rows);
  if (!rows.delete(task.uuid)) return added(rows, [task], task.uuid);
  return { kind: 'rows', rows, anchor: task.uuid };
}

/** With all from the task that was toggled last to this one, as they stand in the list. */
export function ranged(selection: Selection, list: readonly Task[], uuid: string): Selection {
  if (selection.kind === 'all') return selection;
  const to = list.findIndex((task) => task.uuid === uuid);
  if (to < 0) return selection;
  const from = list.findIndex((task) => task.uuid === selection.anchor);
  const [first, last] = from < 0 ? [to, to] : [Math.min(from, to), Math.max(from, to)];
  const between = list.slice(first, last + 1);
  // Those next to the anchor count first when not all of them may be chosen.
  return added(new Map(selection.rows), from > to ? between.reverse() : between, uuid);
}

function added(rows: Map<string, string>, tasks: readonly Task[], anchor: string): Selection {
  for (const { uuid, state } of tasks) {
    if (rows.size < MOST_BY_HAND || rows.has(uuid)) rows.set(uuid, state);
  }
  return { kind: 'rows', rows, anchor };
}

/** With the states that the list tells now; the same object when none is another. */
export function refreshed(selection: Selection, list: readonly Task[]): Selection {
  if (selection.kind === 'all') return selection;
  const changed = list.filter(({ uuid, state }) => selection.rows.has(uuid) && selection.rows.get(uuid) !== state);
  if (changed.length === 0) return selection;
  const rows = new Map(selection.rows);
  for (const { uuid, state } of changed) rows.set(uuid, state);
  return { ...selection, rows };
}

/** Whether no more can be chosen by hand. */
export function isFull(selection: Selection): boolean {
  return selection.kind === 'rows' && selection.rows.size >= MOST_BY_HAND;
}

/** The query for exactly the chosen ones; null when it would be too long. */
export function queryFor(selection: Selection): string | null {
  if (selection.kind === 'all') return selection.query;
  const query = `uuid:${[...selection.rows.keys()].map(valueText).join(',')}`;
  return query.length <= MOST_CHARS ? query : null;
}

// ------------------------------------------------------------------ what can be done to them

const running = (state: string) => !FINISHED.has(state) && state !== 'PENDING' && state !== 'RECEIVED';

/** Commands for many tasks, and the states in which one does anything. */
const FITS: readonly (readonly [command: string, fits: (state: string) => boolean])[] = [
  ['retry', (state) => FINISHED.has(state)],
  ['revoke', (state) => !FINISHED.has(state)],
  ['terminate', running],
  ['abort', running],
  ['forget', (state) => FINISHED.has(state)],
];

export const BULK: readonly string[] = FITS.map(([command]) => command);

/** The commands that do something to at least one of them; to all that match, any may. */
export function fitting(selection: Selection): string[] {
  const states = selection.kind === 'all' ? null : [...new Set(selection.rows.values())];
  return FITS.filter(([, fits]) => states === null || states.some(fits)).map(([command]) => command);
}
