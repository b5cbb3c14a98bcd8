import { type ReactNode, useState } from 'react';

import { Button } from '~/components/Button';
import { Panel } from '~/components/Panel';

import styles from './ChartPanel.module.css';
import { TimeChart, type TimeChartProps } from './TimeChart';

interface ChartPanelProps {
  title: string;
  note?: string;
  testId: string;
  chart: Omit<TimeChartProps, 'view'> | null; // null: `instead` stands in its place
  instead: ReactNode;
  height: number;
}

/** A chart in a panel of its own, with its table a button away. */
export function ChartPanel({ title, note, testId, chart, instead, height }: ChartPanelProps) {
  const [view, setView] = useState<'chart' | 'table'>('chart');
  return (
    <Panel
      title={title}
      note={note}
      padded
      actions={
        <Button
          icon="table"
          look="quiet"
          aria-pressed={view === 'table'}
          onClick={() => setView(view === 'table' ? 'chart' : 'table')}
        >
          Table
        </Button>
      }
    >
      <div data-testid={testId} className={styles.place} data-drawn={chart !== null || undefined} style={{ minHeight: `calc(${height}px + 2.25rem)` }}>
        {chart ? <TimeChart {...chart} view={view} height={height} /> : instead}
      </div>
    </Panel>
  );
}
