/** Where a number leads: the list behind it. Pure; `components/DoorLink` makes a link of it. */

import { queryOf } from './query';

export type Door =
  | { to: '/tasks'; query: string; sort?: '-runtime'; task?: string }
  | { to: '/workers'; status?: 'online' | 'offline' | 'unknown' }
  | { to: '/queues'; queue?: string }
  | { to: '/'; hash: 'accounting' };

export function tasks(parts: Parameters<typeof queryOf>[0]): Door {
  return { to: '/tasks', query: queryOf(parts) };
}

/** An instant as the query language takes it: to the second, UTC when no zone stands there. */
export function instant(at: number): string {
  return new Date(Math.round(at) * 1000).toISOString().slice(0, 19);
}

/** The tasks whose last event lies in a span of time. */
export function span(from: number, to: number, state?: string): Door {
  return tasks({ state: state ?? [], since: instant(Math.floor(from)), until: instant(Math.ceil(to)) });
}
