/** The columns of the task list: which there are, which are shown, which fit. Pure. */

import type { SortKey } from './task-query';

export type ColumnId =
  | 'state' | 'name' | 'uuid' | 'worker' | 'queue' | 'received' | 'started' | 'finished' | 'wait'
  | 'runtime' | 'retries' | 'args' | 'client' | 'outcome';

export interface Column {
  readonly id: ColumnId;
  readonly label: string;
  readonly sort?: SortKey;
  readonly end?: boolean; // numbers, that end where their head ends
  readonly least: number; // px: narrower it says nothing
  readonly share: number; // of the room that is left; 0: as wide as `least`
  readonly keep: number; // the higher, the later it gives way when the list gets narrow
}

export const COLUMNS: readonly Column[] = [
  { id: 'state', label: 'State', sort: 'state', least: 104, share: 0, keep: 100 },
  { id: 'name', label: 'Task', sort: 'name', least: 180, share: 3, keep: 99 },
  { id: 'uuid', label: 'Id', least: 110, share: 0.9, keep: 10 },
  { id: 'worker', label: 'Worker', least: 128, share: 1, keep: 60 },
  { id: 'queue', label: 'Queue', least: 80, share: 0.6, keep: 45 },
  { id: 'received', label: 'Received', sort: 'received', end: true, least: 100, share: 0, keep: 70 },
  { id: 'started', label: 'Started', sort: 'started', end: true, least: 100, share: 0, keep: 30 },
  { id: 'finished', label: 'Finished', sort: 'finished', end: true, least: 100, share: 0, keep: 25 },
  { id: 'wait', label: 'Wait', sort: 'wait', end: true, least: 72, share: 0, keep: 65 },
  { id: 'runtime', label: 'Runtime', sort: 'runtime', end: true, least: 78, share: 0, keep: 90 },
  { id: 'retries', label: 'Retries', sort: 'retries', end: true, least: 64, share: 0, keep: 40 },
  { id: 'args', label: 'Arguments', least: 110, share: 1.2, keep: 35 },
  { id: 'client', label: 'Sent by', least: 100, share: 0.8, keep: 20 },
  { id: 'outcome', label: 'Outcome', least: 120, share: 1.6, keep: 50 },
];

export const DEFAULT_COLUMNS: readonly ColumnId[] = [
  'state', 'name', 'uuid', 'worker', 'queue', 'received', 'wait', 'runtime', 'retries', 'outcome',
];

/** Without these a row says nothing. */
export const FIXED: ReadonlySet<ColumnId> = new Set(['state', 'name']);

/** `state,name,runtime` → columns in their order; what it does not know it leaves out. */
export function readColumns(text: string): ColumnId[] | null {
  const words = new Set(text.split(','));
  const known = COLUMNS.map(({ id }) => id).filter((id) => words.has(id) || FIXED.has(id));
  return known.length > FIXED.size ? known : null;
}

export function writeColumns(columns: readonly ColumnId[]): string {
  return columns.join(',');
}

export function sameColumns(one: readonly ColumnId[], other: readonly ColumnId[]): boolean {
  return writeColumns(one) === writeColumns(other);
}

export function toggleColumn(columns: readonly ColumnId[], id: ColumnId): ColumnId[] {
  const chosen = new Set(columns);
  if (!chosen.delete(id)) chosen.add(id);
  return COLUMNS.map((column) => column.id).filter((one) => chosen.has(one) || FIXED.has(one));
}

/** Of the chosen, those that fit; what is least missed gives way first. */
export function fitting(chosen: readonly ColumnId[], width: number, gap: number): readonly Column[] {
  const columns = COLUMNS.filter(({ id }) => chosen.includes(id));
  const needs = () => columns.reduce((sum, { least }) => sum + least + gap, 0);
  while (columns.length > FIXED.size + 1 && needs() > width) {
    const least = Math.min(...columns.map(({ keep }) => keep));
    columns.splice(columns.findIndex(({ keep }) => keep === least), 1);
  }
  return columns;
}

/** As `grid-template-columns`. */
export function template(columns: readonly Column[]): string {
  return columns
    .map(({ id, least, share }) => {
      // A long name is cut rather than the rest of a narrow row.
      if (id === 'name') return `minmax(0, ${share}fr)`;
      return share > 0 ? `minmax(${least}px, ${share}fr)` : `${least}px`;
    })
    .join(' ');
}
