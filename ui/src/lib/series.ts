/** Counts a step, as the server keeps them, to what a chart draws. Pure. */

import type { Activity, Gap } from '~/api/client';

import { clip, visible } from './text';

const REASON_LIMIT = 300; // of a title

export interface Rates {
  times: number[]; // the end of each step
  values: Record<string, number[]>; // a second
}

/** Rates a second. A step that took longer than it should is divided by what it took. */
export function rates({ step_seconds: step, times, series }: Activity): Rates {
  const took = times.map((end, index) => Math.max(step / 2, end - (times[index - 1] ?? end - step)));
  const values: Record<string, number[]> = {};
  for (const [key, counts] of Object.entries(series)) {
    values[key] = counts.map((counted, index) => counted / (took[index] ?? step));
  }
  return { times, values };
}

/** The parts of gaps that lie in a window; an open gap reaches to its end. */
export function gapsWithin(
  gaps: readonly Gap[],
  from: number,
  to: number,
): { start: number; end: number; reason: string }[] {
  return gaps
    .map(({ start, end, reason }) => ({
      start: Math.max(start, from),
      end: Math.min(end ?? to, to),
      reason: visible(clip(reason, REASON_LIMIT).text),
    }))
    .filter(({ start, end }) => end > start);
}

/** A step that lies within a gap was not counted: a hole, where nought would be a lie. */
export function holed(
  { times, values }: { times: readonly number[]; values: Readonly<Record<string, readonly number[]>> },
  gaps: readonly { start: number; end: number }[],
): Record<string, readonly (number | null)[]> {
  if (gaps.length === 0) return values;
  const deaf = times.map((end, index) => {
    const start = times[index - 1] ?? end;
    return gaps.some((gap) => gap.start <= start && gap.end >= end);
  });
  if (!deaf.includes(true)) return values;
  return Object.fromEntries(
    Object.entries(values).map(([key, line]) => [
      key,
      line.map((value, index) => (deaf[index] === true ? null : value)),
    ]),
  );
}
