import { Button } from '@mantine/core';
import { useMemo, useState } from 'react';

import { live, useLive } from '~/api/live';
import { type Line, TimeChart } from '~/charts/TimeChart';
import { Icon } from '~/components/Icon';
import { Waiting } from '~/components/Notice';
import { Panel } from '~/components/Panel';
import { rate } from '~/lib/format';
import { gapsWithin, rates } from '~/lib/series';

import styles from './Throughput.module.css';

const LINES: readonly Line[] = [
  { key: 'received', label: 'Received', colour: '--chart-waiting' },
  { key: 'succeeded', label: 'Succeeded', colour: '--chart-success', filled: true },
  { key: 'failed', label: 'Failed', colour: '--chart-failure', filled: true },
  { key: 'retried', label: 'Retried', colour: '--chart-retry' },
];

const WINDOW_SECONDS = 300;

export function Throughput() {
  const [view, setView] = useState<'chart' | 'table'>('chart');
  return (
    <Panel
      title="Throughput"
      note="tasks a second, last 5 minutes"
      padded
      actions={
        <Button
          variant="subtle"
          color="gray"
          leftSection={<Icon name="table" size={14} />}
          aria-pressed={view === 'table'}
          onClick={() => setView(view === 'table' ? 'chart' : 'table')}
        >
          Table
        </Button>
      }
    >
      <Drawn view={view} />
    </Panel>
  );
}

function Drawn({ view }: { view: 'chart' | 'table' }) {
  const activity = useLive((state) => state.overview?.activity ?? null);
  const gaps = useLive((state) => state.overview?.gaps ?? null);
  const drawn = useMemo(() => {
    if (!activity) return null;
    const to = activity.times.at(-1) ?? live.now();
    return { ...rates(activity), window: [to - WINDOW_SECONDS, to] as const };
  }, [activity]);
  const shaded = useMemo(
    () => (drawn && gaps ? gapsWithin(gaps, ...drawn.window) : []),
    [drawn, gaps],
  );
  if (!drawn) return <div className={styles.place}><Waiting what="the first figures" /></div>;
  return (
    <TimeChart
      label="Tasks a second over the last five minutes, by what became of them"
      lines={LINES}
      times={drawn.times}
      values={drawn.values}
      window={drawn.window}
      gaps={shaded}
      format={rate}
      view={view}
      height={236}
    />
  );
}
