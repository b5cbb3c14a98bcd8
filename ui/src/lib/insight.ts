/** What the Insight pages say of figures: which time, what changed, how bad an hour was. Pure. */

import type { InsightCalendar, InsightFigures, InsightTime } from '~/api/insight';

import { instant } from './doors';
import { NONE, duration, percent, plural } from './format';
import { type InsightSearch, SPANS, USUAL } from './insight-search';

export interface Window extends InsightTime {
  key: string; // the same as long as the same is asked for
  seconds: number;
  query: string; // the same time in the query language
  words: string; // `the last 24 hours`
}

const WORDS = { '1h': 'the last hour', '24h': 'the last 24 hours', '7d': 'the last 7 days', '30d': 'the last 30 days' } as const;

/** The time that an address asks for, at this moment. */
export function windowOf({ span, since, until }: InsightSearch, now: number): Window {
  if (since !== undefined && until !== undefined) {
    const [from, to] = [new Date(since).getTime() / 1000, new Date(until).getTime() / 1000];
    return {
      key: `${from} ${to}`, since: from, until: to, seconds: to - from,
      query: `since:${instant(from)} until:${instant(to)}`,
      words: `${since.replace('T', ' ')} to ${until.replace('T', ' ')}`,
    };
  }
  const chosen = span ?? USUAL;
  const seconds = SPANS[chosen];
  return { key: chosen, since: now - seconds, until: null, seconds, query: `since:${chosen}`, words: WORDS[chosen] };
}

/** A moment as a field for dates takes it, in local time. */
export function fieldOf(at: number): string {
  const date = new Date(at * 1000);
  const local = new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 16);
}

// ---------------------------------------------------------------------------------- change

/** How a figure differs from that of the time before. */
export interface Change {
  words: string; // `+12 %`, `−3.1 points`, `new`
  direction: 'up' | 'down' | 'same';
  sure: boolean; // more than chance alone would do
}

const SURE = 2.6; // standard deviations: one of a hundred is so by chance
const ENOUGH = 50; // durations, for a percentile to mean something
const MUCH = 0.1; // of a percentile, which is told within 5 %

/** Of how many there were. */
export function countChange(now: number, before: number): Change {
  const sure = Math.abs(now - before) > SURE * Math.sqrt(now + before);
  return { words: part(now, before), direction: towards(now - before), sure };
}

/** Of a part of a whole, in points of a hundred. */
export function shareChange(part: number, whole: number, partBefore: number, wholeBefore: number): Change | null {
  if (whole === 0 || wholeBefore === 0) return null;
  const points = 100 * (part / whole - partBefore / wholeBefore);
  const all = (part + partBefore) / (whole + wholeBefore);
  const spread = Math.sqrt(all * (1 - all) * (1 / whole + 1 / wholeBefore));
  const sure = spread > 0 && Math.abs(points) / 100 > SURE * spread && part + partBefore >= 5;
  const size = Math.abs(points);
  const words = size < 0.05 ? '±0' : `${points < 0 ? '−' : '+'}${percent(size)}`;
  return { words, direction: size < 0.05 ? 'same' : towards(points), sure };
}

/** Of a percentile, of so many durations. */
export function timeChange(now: number | null, before: number | null, many: number, manyBefore: number): Change | null {
  if (now === null || before === null || before <= 0) return null;
  const grown = Math.abs(now / before - 1);
  const sure = Math.min(many, manyBefore) >= ENOUGH && grown > MUCH;
  return { words: part(now, before), direction: grown < 0.005 ? 'same' : towards(now - before), sure };
}

function part(now: number, before: number): string {
  if (before === 0) return now === 0 ? '±0' : 'new';
  const times = now / before;
  if (times >= 10) return `×${times >= 100 ? '100+' : times.toFixed(0)}`;
  const grown = Math.round(100 * (times - 1));
  return grown === 0 ? '±0' : `${grown < 0 ? '−' : '+'}${Math.abs(grown)} %`;
}

function towards(difference: number): Change['direction'] {
  return difference === 0 ? 'same' : difference > 0 ? 'up' : 'down';
}

/** How many tasks have a run time: those that succeeded, failed or were stopped, at most. */
export function ran({ succeeded, failed, revoked }: InsightFigures): number {
  return succeeded + failed + revoked;
}

// ---------------------------------------------------------------------------------- calendar

export interface Hour {
  tasks: number;
  failed: number;
  level: 0 | 1 | 2 | 3 | 4; // how dark: 0 nothing failed
  since: number; // epoch seconds
  words: string;
}

export interface CalendarDay {
  date: string;
  day: string; // `Mon`
  hours: Hour[];
}

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const;
const LEVELS = [0.01, 0.05, 0.2] as const; // shares of failures that a level ends at

/** The days of a calendar, the newest first, without holes. */
export function calendarDays({ days }: Pick<InsightCalendar, 'days'>): CalendarDay[] {
  const known = new Map(days.map((day) => [day.date, day]));
  const [first, last] = [days[0]?.date, days.at(-1)?.date];
  const found: CalendarDay[] = [];
  if (first === undefined || last === undefined) return found;
  // At noon no change of the clock is near.
  for (let at = new Date(`${last}T12:00:00`); found.length < 400; at.setDate(at.getDate() - 1)) {
    const date = fieldOf(at.getTime() / 1000).slice(0, 10);
    if (date < first) break;
    const told = known.get(date);
    found.push({
      date,
      day: DAYS[at.getDay()] ?? '',
      hours: Array.from({ length: 24 }, (_, hour) => hourOf(date, hour, told?.tasks[hour] ?? 0, told?.failed[hour] ?? 0)),
    });
  }
  return found;
}

function hourOf(date: string, hour: number, tasks: number, failed: number): Hour {
  const clock = `${String(hour).padStart(2, '0')}:00`;
  return {
    tasks,
    failed,
    level: levelOf(tasks, failed),
    since: new Date(`${date}T${clock}:00`).getTime() / 1000,
    words: tasks === 0 ? 'no task ended' : `${failed} of ${plural(tasks, 'task')} failed (${percent((100 * failed) / tasks)} %)`,
  };
}

function levelOf(tasks: number, failed: number): Hour['level'] {
  if (failed === 0) return 0;
  const share = failed / tasks;
  return share < LEVELS[0] ? 1 : share < LEVELS[1] ? 2 : share < LEVELS[2] ? 3 : 4;
}

/** The hours with the greatest shares of failures, of those with enough tasks to speak of. */
export function worstHours(days: readonly CalendarDay[], most = 3): { date: string; hour: number; words: string; since: number }[] {
  return days
    .flatMap(({ date, hours }) => hours.map((told, hour) => ({ date, hour, ...told })))
    .filter(({ tasks, failed }) => failed >= 3 && tasks >= 5)
    .sort((a, b) => b.failed / b.tasks - a.failed / a.tasks || b.failed - a.failed)
    .slice(0, most)
    .map(({ date, hour, words, since }) => ({ date, hour, words, since }));
}

// ---------------------------------------------------------------------------------- exceptions

/** `OutOfStock` of `shop.errors.OutOfStock`. */
export function typeWord(type: string): string {
  return type === '' ? 'unknown type' : (type.split('.').at(-1) ?? type);
}

/** `shop/mail.py in send`; empty where no place is known. */
export function placeWords(file: string, functionName: string): string {
  if (file === '') return '';
  return functionName === '' ? file : `${file} in ${functionName}`;
}

/** A mark at a logarithmic scale of durations. */
export function mark(seconds: number): string {
  if (seconds < 0.0009) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 0.9) return `${Math.round(seconds * 1000)} ms`;
  return seconds < 9_999 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 3600)} h`;
}

export function seconds(value: number | null): string {
  return value === null ? NONE : duration(value);
}
