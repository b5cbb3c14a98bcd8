/** Counts a step, as the server keeps them, to what a chart draws. Pure. */

import type { Activity, Gap } from '~/api/client';

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
): { start: number; end: number }[] {
  return gaps
    .map(({ start, end }) => ({ start: Math.max(start, from), end: Math.min(end ?? to, to) }))
    .filter(({ start, end }) => end > start);
}
