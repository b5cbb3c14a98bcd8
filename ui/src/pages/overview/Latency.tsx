import { useMemo } from 'react';

import { useLive } from '~/api/live';
import type { Latency as Told } from '~/api/client';
import { ChartPanel } from '~/charts/ChartPanel';
import type { Line } from '~/charts/TimeChart';
import { Empty, Waiting } from '~/components/Notice';
import { duration } from '~/lib/format';

import { useSpan } from './useSpan';
import { CROSSHAIR, useWindow } from './window';

// One colour and three lines: they are one thing. The dashes tell them apart.
const LINES: readonly Line[] = [
  { key: 'p99', label: 'p99', colour: '--chart-p99', dash: [2, 3] },
  { key: 'p95', label: 'p95', colour: '--chart-p95', dash: [6, 3] },
  { key: 'p50', label: 'p50', colour: '--chart-p50' },
];

const KINDS = {
  wait: {
    title: 'Wait',
    note: 'from sent to started',
    label: 'Seconds from sent (or eta) to started over the last five minutes: median, 95 % and 99 %',
    nothing: 'Nothing was started',
    states: {},
  },
  runtime: {
    title: 'Run time',
    note: 'of those that succeeded',
    label: 'Seconds that successful tasks ran over the last five minutes: median, 95 % and 99 %',
    nothing: 'Nothing has succeeded',
    states: { p50: 'SUCCESS', p95: 'SUCCESS', p99: 'SUCCESS' },
  },
} as const;

export function Latency({ kind }: { kind: keyof typeof KINDS }) {
  const { title, note, label, nothing, states } = KINDS[kind];
  const latency = useLive((state) => state.overview?.latency ?? null);
  const shown = useWindow();
  const drawn = useMemo(() => latency && lines(latency, kind), [latency, kind]);
  const onSpan = useSpan(states);
  return (
    <ChartPanel
      title={title}
      note={note}
      testId={`latency-${kind}`}
      height={284}
      chart={
        drawn?.any && shown ? {
          ...shown,
          times: drawn.times,
          values: drawn.values,
          label,
          lines: LINES,
          scale: 'log' as const,
          format: duration,
          mark,
          crosshair: CROSSHAIR,
          onSpan,
        } : null
      }
      instead={
        latency === null ? (
          <Waiting what="the first figures" />
        ) : (
          <Empty title={`${nothing} in the last 5 minutes`}>
            {kind === 'wait' && <>Waits are known of tasks whose sending was seen (<code>task_send_sent_event</code>).</>}
          </Empty>
        )
      }
    />
  );
}

/** A mark at the scale is a power of ten: `10 ms`, not `10.0 ms`. */
function mark(seconds: number): string {
  if (seconds < 0.0009) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 0.9) return `${Math.round(seconds * 1000)} ms`;
  return seconds < 9_999 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 3600)} h`;
}

function lines(latency: Told, kind: 'wait' | 'runtime') {
  const { times } = latency;
  const { p50, p95, p99 } = latency[kind];
  return { times, values: { p50, p95, p99 }, any: p50.some((value) => value !== null) };
}
