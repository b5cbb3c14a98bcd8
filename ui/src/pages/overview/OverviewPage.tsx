import { type ReactNode, useEffect, useState } from 'react';

import { useLive, useTopic } from '~/api/live';
import { Empty } from '~/components/Notice';
import { Panel } from '~/components/Panel';
import { Page } from '~/components/shell/Page';
import { cellSize } from '~/lib/worker-grid';

import type * as parts from './lower';
import styles from './overview.module.css';
import { Queues } from './Queues';
import { Strip } from './Strip';
import { Throughput } from './Throughput';
import { Verdict } from './Verdict';

type Lower = typeof parts;
let loaded: Lower | null = null;

async function load(): Promise<Lower> {
  loaded ??= await import('./lower');
  return loaded;
}

/**
 * What comes after the first figures. Not by `lazy`: what that waits for is drawn with the least
 * haste, and here figures come four times a second.
 */
function useLower(): Lower | 'failed' | null {
  const [lower, setLower] = useState<Lower | 'failed' | null>(loaded);
  useEffect(() => {
    if (lower === null) load().then(setLower, () => setLower('failed'));
  }, [lower]);
  return lower;
}

/** Is it healthy, what fails, what is slow, what piles up: answered without a click. */
export function OverviewPage() {
  useTopic('grid');
  const lower = useLower();
  const many = useLive(({ overview }) => {
    const { online = 0, offline = 0, unknown = 0 } = overview?.workers ?? {};
    return cellSize(online + offline + unknown) === 'small';
  });
  return (
    <Page title="Overview" grafana={{ board: 'overview' }}>
      <Verdict />
      <Strip />
      <div className={styles.grid} data-many={many || undefined}>
        <div className={styles.throughput}>
          <Throughput />
        </div>
        <div className={styles.queues}>
          <Queues />
        </div>
        {PARTS.map(([area, part]) => (
          <div key={area} className={styles[area]}>
            {lower === null ? <div className={styles.coming} /> : lower === 'failed' ? <NotLoaded /> : part(lower)}
          </div>
        ))}
      </div>
    </Page>
  );
}

type Area = 'failing' | 'slowest' | 'wait' | 'runtime' | 'workers' | 'accounting';

const PARTS: readonly [Area, (lower: Lower) => ReactNode][] = [
  ['failing', ({ Failing }) => <Failing />],
  ['slowest', ({ Slowest }) => <Slowest />],
  ['wait', ({ Latency }) => <Latency kind="wait" />],
  ['runtime', ({ Latency }) => <Latency kind="runtime" />],
  ['workers', ({ WorkerGrid }) => <WorkerGrid />],
  ['accounting', ({ Accounting }) => <Accounting />],
];

function NotLoaded() {
  return (
    <Panel title="Not loaded">
      <Empty title="This part of the page did not load.">Loading the page anew may help.</Empty>
    </Panel>
  );
}
