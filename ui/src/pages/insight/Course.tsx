import { useNavigate } from '@tanstack/react-router';
import { useMemo } from 'react';

import type { InsightSeries } from '~/api/insight';
import { ChartPanel } from '~/charts/ChartPanel';
import type { Line } from '~/charts/TimeChart';
import { Empty } from '~/components/Notice';
import { span } from '~/lib/doors';
import { age, compact, duration } from '~/lib/format';
import { mark } from '~/lib/insight';
import type { InsightSearch } from '~/lib/insight-search';
import { queryOf } from '~/lib/query';

import { useGaps } from './useInsight';

const COUNTS: readonly Line[] = [
  { key: 'tasks', label: 'Ended', colour: '--chart-waiting', filled: true },
  { key: 'retried', label: 'Retried', colour: '--chart-retry', dash: [6, 3] },
  { key: 'failed', label: 'Failed', colour: '--chart-failure', filled: true },
];
const TIMES: readonly Line[] = [
  { key: 'wait_p95', label: 'Wait p95', colour: '--chart-retry', dash: [2, 3] },
  { key: 'run_p95', label: 'Run p95', colour: '--chart-p95', dash: [6, 3] },
  { key: 'run_p50', label: 'Run p50', colour: '--chart-p50' },
];
const HEIGHT = 220;

interface CourseProps {
  series: InsightSeries;
  begins: number | null; // epoch seconds: nothing is known of what was before
  now: number;
  search: InsightSearch;
  name?: string;
}

/** How many ended and how long they took, step by step. Drawing over a chart opens those tasks. */
export function Course({ series: { step_seconds: step, points: every }, begins, now, search, name }: CourseProps) {
  // A step that goes on has less than it will have: its end would look like a fall. It is drawn where
  // nothing was before it.
  const points = useMemo(() => {
    const over = every.filter(({ at }) => at + step <= now);
    return over.some(({ tasks }) => tasks > 0) ? over : every;
  }, [every, step, now]);
  const navigate = useNavigate();
  const from = points[0]?.at;
  const to = (points.at(-1)?.at ?? 0) + step;
  const gaps = useGaps(search, from, to);
  const drawn = useMemo(() => {
    const known = ({ at }: { at: number }) => begins !== null && at + step > begins;
    const pick = (key: keyof (typeof points)[number]) => points.map((point) => (known(point) ? point[key] : null));
    return {
      times: points.map(({ at }) => at + step),
      counts: { tasks: pick('tasks'), failed: pick('failed'), retried: pick('retried') },
      durations: { run_p50: pick('run_p50'), run_p95: pick('run_p95'), wait_p95: pick('wait_p95') },
    };
  }, [points, step, begins]);
  const shared = {
    times: drawn.times,
    window: [from ?? 0, to] as const,
    gaps,
    fresh: 2 * step,
    crosshair: 'insight',
    onSpan: (start: number, end: number) => {
      const door = span(start, end);
      const query = door.to === '/tasks' ? door.query : '';
      void navigate({ to: '/tasks', search: { query: name === undefined ? query : `${queryOf({ name })} ${query}` } });
    },
  };
  const nothing = <Empty title="No task ended in this time" />;
  const any = points.some(({ tasks }) => tasks > 0);
  const steps = `in steps of ${age(step).replace(/ 00 [sm]$/, '')}`;
  return (
    <>
      <ChartPanel
        title="Tasks that ended"
        note={steps}
        testId="insight-tasks"
        height={HEIGHT}
        chart={any ? { ...shared, label: `Tasks that ended, failed and were retried, ${steps}`, lines: COUNTS, values: drawn.counts, format: compact, least: 1 } : null}
        instead={nothing}
      />
      <ChartPanel
        title="Run time and wait"
        note={steps}
        testId="insight-durations"
        height={HEIGHT}
        chart={
          points.some(({ run_p95, wait_p95 }) => run_p95 !== null || wait_p95 !== null)
            ? { ...shared, label: `How long tasks ran and waited, ${steps}`, lines: TIMES, values: drawn.durations, scale: 'log', format: duration, mark }
            : null
        }
        instead={any ? <Empty title="No task of this time told how long it ran" /> : nothing}
      />
    </>
  );
}
