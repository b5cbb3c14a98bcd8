/** The time that all charts of the Overview show, so that one looks down a line of them. */

import { useMemo } from 'react';

import { live, useLive } from '~/api/live';
import { gapsWithin } from '~/lib/series';

export const CROSSHAIR = 'overview';
const WINDOW_SECONDS = 300;

export function useWindow() {
  const activity = useLive((state) => state.overview?.activity ?? null);
  const gaps = useLive((state) => state.overview?.gaps ?? null);
  return useMemo(() => {
    if (!activity || !gaps) return null;
    const to = activity.times.at(-1) ?? live.now();
    const window = [to - WINDOW_SECONDS, to] as const;
    return { window, gaps: gapsWithin(gaps, ...window) };
  }, [activity, gaps]);
}
