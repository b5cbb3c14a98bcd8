/** A time beside what is usual for tasks of the name. Pure. */

import { duration } from './format';

export interface Usual {
  readonly words: string; // `3.2× its usual 240 ms`
  readonly over: boolean; // longer than nearly all of its name
  readonly share: number; // of the longest usual time, for a bar; may be above 1
}

const OVER = 1.5; // times the median: below, no one minds

/** Null when nothing is known of the name. */
export function compared(
  seconds: number,
  p50: number | null | undefined,
  p95: number | null | undefined,
): Usual | null {
  if (typeof p50 !== 'number' || !(p50 > 0) || !Number.isFinite(seconds)) return null;
  const longest = Math.max(p95 ?? 0, p50);
  const times = seconds / p50;
  const over = seconds > longest && times > OVER;
  const usual = duration(p50);
  return {
    words: over ? `${times >= 9.95 ? times.toFixed(0) : times.toFixed(1)}× its usual ${usual}` : `usually ${usual}`,
    over,
    share: seconds / longest,
  };
}
