/** Times in which the console could not see, or not all: in words. Pure. */

import type { HistoryGap } from '~/api/client';

import { count, plural } from './format';
import { dayOf, secondOf } from './time';

const WHAT: Readonly<Record<string, string>> = {
  disconnected: 'No events: the broker could not be reached',
  stopped: 'No events: the console was not running',
  lost: 'Events lost on the way',
  dropped: 'Events dropped here: there was no room',
};

/** What is missing, in a line. */
export function whatIsMissing({ kind, events, worker }: Pick<HistoryGap, 'kind' | 'events' | 'worker'>): string {
  const known = Object.hasOwn(WHAT, kind) ? WHAT[kind] : undefined;
  if (events === null || (kind !== 'lost' && kind !== 'dropped')) return known ?? `No events: ${kind}`;
  const many = plural(events, 'event');
  if (kind === 'dropped') return `${many} dropped here: there was no room`;
  return `${many} lost on the way${worker ? ` from ${worker}` : ''}`;
}

/** `12:03:07 – 12:05:01`, with the day where it is another one than `now`'s. */
export function when({ start, end }: Pick<HistoryGap, 'start' | 'end'>, now: number): string {
  const from = moment(start, now);
  if (end === null) return `since ${from}`;
  return `${from} – ${dayOf(start) === dayOf(end) ? secondOf(end) : moment(end, now)}`;
}

function moment(at: number, now: number): string {
  return dayOf(at) === dayOf(now) ? secondOf(at) : `${dayOf(at)} ${secondOf(at)}`;
}

/** Several at one place: what they are together. */
export function together(gaps: readonly HistoryGap[]): string {
  const [first] = gaps;
  if (!first) return '';
  if (gaps.length === 1) return whatIsMissing(first);
  const kinds = new Set(gaps.map(({ kind }) => kind));
  const events = gaps.reduce((sum, gap) => sum + (gap.events ?? 0), 0);
  if (kinds.size === 1 && events > 0) return `${whatIsMissing({ kind: first.kind, events, worker: null })}, in ${count(gaps.length)} pieces`;
  return kinds.size === 1 ? `${whatIsMissing(first)}, ${count(gaps.length)} times` : `${count(gaps.length)} gaps: ${[...kinds].join(', ')}`;
}

/** The span that all of them lie in. */
export function spanOf(gaps: readonly HistoryGap[]): Pick<HistoryGap, 'start' | 'end'> {
  const ends = gaps.map(({ end }) => end);
  return {
    start: Math.min(...gaps.map(({ start }) => start)),
    end: ends.includes(null) ? null : Math.max(...ends.map((end) => end ?? 0)),
  };
}

/** Those that lie, at least in part, between two moments. */
export function within<G extends Pick<HistoryGap, 'start' | 'end'>>(gaps: readonly G[], start: number, end: number): G[] {
  return gaps.filter((gap) => gap.start < end && (gap.end ?? Infinity) > start);
}
