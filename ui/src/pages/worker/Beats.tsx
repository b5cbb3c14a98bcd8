/** Its heartbeats of the last minutes: how busy it said it was, and when it was silent. */

import { useMemo } from 'react';

import type { WorkerDetail } from '~/api/client';
import { useNow } from '~/api/live';
import { ChartPanel } from '~/charts/ChartPanel';
import type { Line } from '~/charts/TimeChart';
import { Empty } from '~/components/Notice';
import { tick } from '~/lib/format';
import { silences } from '~/lib/inspect';

const SPAN_SECONDS = 600;
const STEP_SECONDS = 5; // the axis moves on so often, not each second
const LINES: readonly Line[] = [
  { key: 'active', label: 'Busy', colour: '--running', filled: true },
  { key: 'load', label: 'Load', colour: '--chart-waiting', dash: [5, 3] },
];

export function Beats({ worker: { heartbeats, heartbeat_interval: every } }: { worker: WorkerDetail }) {
  const now = Math.ceil(useNow() / STEP_SECONDS) * STEP_SECONDS;
  const drawn = useMemo(() => {
    const holes = silences(heartbeats.times, every, now);
    const line = holed(heartbeats, holes);
    return {
      ...line,
      window: [now - SPAN_SECONDS, now] as const,
      gaps: holes.map((hole) => ({ ...hole, reason: 'no heartbeat came' })),
    };
  }, [heartbeats, every, now]);
  return (
    <ChartPanel
      title="Heartbeats"
      note="busy processes, load of one minute"
      testId="heartbeats"
      height={150}
      chart={
        heartbeats.times.length > 1
          ? {
              ...drawn,
              label: 'Busy processes and load as its heartbeats told over the last ten minutes',
              lines: LINES,
              format: tick,
            }
          : null
      }
      instead={<Empty title="No two heartbeats yet">Each one adds to the chart.</Empty>}
    />
  );
}

/** A moment without values within each silence: the line does not run across it. */
function holed(
  { times, active, load }: WorkerDetail['heartbeats'],
  holes: readonly { start: number; end: number }[],
) {
  const at: number[] = [];
  const values: Record<'active' | 'load', (number | null)[]> = { active: [], load: [] };
  times.forEach((time, index) => {
    at.push(time);
    values.active.push(active[index] ?? null);
    values.load.push(load[index] ?? null);
    const hole = holes.find(({ start, end }) => start === time && end !== time && times[index + 1] !== undefined);
    if (hole) {
      at.push((hole.start + hole.end) / 2);
      values.active.push(null);
      values.load.push(null);
    }
  });
  return { times: at, values };
}
