/** Moments. Times are epoch seconds, as on the wire. */

import { age } from './format';

/** How long ago, coarse and calm: `just now`, `12 s ago`, `in 3 m 00 s`. */
export function relative(at: number, now: number): string {
  const gone = now - at;
  if (Math.abs(gone) < 1) return 'just now';
  return gone > 0 ? `${age(gone)} ago` : `in ${age(-gone)}`;
}

/** The whole moment in local time, with milliseconds and the zone: for titles. */
export function absolute(at: number): string {
  const date = new Date(at * 1000);
  if (Number.isNaN(date.getTime())) return 'no such time';
  return `${day(date)} ${clock(date)} ${zone(date)}`;
}

/** Hours to milliseconds in local time: `14:03:07.250`. */
export function timeOfDay(at: number): string {
  const date = new Date(at * 1000);
  return Number.isNaN(date.getTime()) ? 'no such time' : clock(date);
}

/** The day in local time: `2026-11-23`. */
export function dayOf(at: number): string {
  const date = new Date(at * 1000);
  return Number.isNaN(date.getTime()) ? 'no such time' : day(date);
}

/** Hours to seconds in local time: `14:03:07`. */
export function secondOf(at: number): string {
  return timeOfDay(at).split('.')[0] ?? '';
}

/** Hours to milliseconds; of another day than `today` (`2026-11-23`) the day and hours to seconds. */
export function timeOrDay(at: number, today: string): string {
  const there = dayOf(at);
  return there === today || Number.isNaN(at) ? timeOfDay(at) : `${there.slice(5)} ${secondOf(at)}`;
}

/** For the `datetime` attribute; empty when the time is none. */
export function machine(at: number): string {
  const date = new Date(at * 1000);
  return Number.isNaN(date.getTime()) ? '' : date.toISOString();
}

function day(date: Date): string {
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

function clock(date: Date): string {
  const milliseconds = String(date.getMilliseconds()).padStart(3, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${milliseconds}`;
}

function zone(date: Date): string {
  const minutes = -date.getTimezoneOffset();
  if (minutes === 0) return 'UTC';
  const size = Math.abs(minutes);
  return `UTC${minutes < 0 ? '−' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
