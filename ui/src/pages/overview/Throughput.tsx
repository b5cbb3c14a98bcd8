import { useMemo } from 'react';

import { useLive } from '~/api/live';
import { ChartPanel } from '~/charts/ChartPanel';
import type { Line } from '~/charts/TimeChart';
import { Waiting } from '~/components/Notice';
import { rate } from '~/lib/format';
import { holed, rates } from '~/lib/series';

import { CROSSHAIR, useWindow } from './window';
import { useSpan } from './useSpan';

const LINES: readonly Line[] = [
  { key: 'received', label: 'Received', colour: '--chart-waiting' },
  { key: 'succeeded', label: 'Succeeded', colour: '--chart-success', filled: true },
  { key: 'failed', label: 'Failed', colour: '--chart-failure', filled: true },
  { key: 'retried', label: 'Retried', colour: '--chart-retry' },
];
const STATES = { succeeded: 'SUCCESS', failed: 'FAILURE', retried: 'RETRY' };

export function Throughput() {
  const activity = useLive((state) => state.overview?.activity ?? null);
  const drawn = useMemo(() => activity && rates(activity), [activity]);
  const shown = useWindow();
  const onSpan = useSpan(STATES);
  return (
    <ChartPanel
      title="Throughput"
      note="a second, last 5 minutes"
      testId="throughput"
      height={284}
      chart={
        drawn && shown && {
          ...shown,
          times: drawn.times,
          values: holed(drawn, shown.gaps),
          label: 'Tasks a second over the last five minutes, by what became of them',
          lines: LINES,
          format: rate,
          unit: '/s',
          crosshair: CROSSHAIR,
          onSpan,
        }
      }
      instead={<Waiting what="the first figures" />}
    />
  );
}
