/** Schedules: which entries are shown, and what is said of their next run. Pure. */

import type { ScheduleEntry } from '~/api/client';

import { age } from './format';
import { one } from './url';

export interface ScheduleSearch {
  search?: string;
}

export function readScheduleSearch(search: Record<string, unknown>): ScheduleSearch {
  return strippedSchedules({ search: one(search.search) });
}

export function strippedSchedules({ search }: ScheduleSearch): ScheduleSearch {
  return search ? { search } : {};
}

type Named = Pick<ScheduleEntry, 'name' | 'task' | 'schedule' | 'source' | 'enabled' | 'overdue'>;

const RANK = { yes: 0, no: 1, unknown: 1 } as const;

/** The entries that a search means: overdue ones first, disabled ones last, else as they came. */
export function selectEntries<E extends Named>(entries: readonly E[], { search = '' }: ScheduleSearch): E[] {
  const words = search.toLowerCase();
  const found = entries.filter((entry) =>
    [entry.name, entry.task, entry.schedule, entry.source].some((text) => text.toLowerCase().includes(words)),
  );
  const rank = (entry: E) => (entry.enabled ? RANK[entry.overdue] : 2);
  return found.sort((a, b) => rank(a) - rank(b));
}

type Upcoming = Pick<ScheduleEntry, 'enabled' | 'next_run' | 'overdue' | 'note'>;

/** What stands in place of a moment for the next run; null: the moment itself. */
export function instead({ enabled, next_run }: Upcoming, now: number): string | null {
  if (!enabled) return 'Disabled';
  if (next_run === null) return 'not known';
  return next_run <= now ? 'due' : null;
}

/** `Overdue by 3 m 20 s`; null when it is not. */
export function overdueWords({ overdue, overdue_seconds }: Pick<ScheduleEntry, 'overdue' | 'overdue_seconds'>): string | null {
  if (overdue !== 'yes') return null;
  return overdue_seconds === null ? 'Overdue' : `Overdue by ${age(overdue_seconds)}`;
}
