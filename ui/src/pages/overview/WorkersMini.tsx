import { Link } from '@tanstack/react-router';
import { useMemo } from 'react';

import { useLive } from '~/api/live';
import type { WorkerRow } from '~/api/client';
import { Meter } from '~/components/Meter';
import { Since } from '~/components/Moment';
import { Empty, Waiting } from '~/components/Notice';
import { Panel } from '~/components/Panel';
import { Host } from '~/components/Plain';
import { WorkerStatus, toneClass } from '~/components/State';
import table from '~/components/Table.module.css';
import { count } from '~/lib/format';
import { selectWorkers } from '~/lib/worker-query';

import styles from './overview.module.css';

const SHOWN = 12;

export function WorkersMini() {
  const workers = useLive((state) => state.workers);
  const broker = useLive((state) => state.overview?.broker.state ?? null);
  const rows = useMemo(
    () => selectWorkers(workers?.values() ?? [], { sort: 'status' }),
    [workers],
  );
  return (
    <Panel title="Workers" note={rows.length > 0 ? 'running of their processes' : undefined}>
      {workers === null ? (
        <Waiting what="the workers" />
      ) : rows.length > 0 ? (
        <>
          <Rows rows={rows.slice(0, SHOWN)} />
          {rows.length > SHOWN && (
            <Link to="/workers" className={styles.more}>
              All {count(rows.length)} workers
            </Link>
          )}
        </>
      ) : broker === 'connected' ? (
        <Empty title="No worker has been heard of">
          Workers say so every few seconds when they are started with <code>-E</code>, or after{' '}
          <code>celery control enable_events</code>.
        </Empty>
      ) : (
        <Empty title="Unknown">The broker has not been reached.</Empty>
      )}
    </Panel>
  );
}

function Rows({ rows }: { rows: readonly WorkerRow[] }) {
  return (
    <table className={table.table}>
      <thead>
        <tr>
          <th>Worker</th>
          <th style={{ width: '34%' }} className={styles.optional2}>
            Running
          </th>
          <th className={table.number} style={{ width: '5.5rem' }}>
            Heartbeat
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.hostname} data-worker={row.hostname} data-status={row.status}>
            <td>
              <span className={styles.workerCell}>
                <WorkerStatus status={row.status} brief />
                <Link
                  className={table.link}
                  to="/workers/$hostname"
                  params={{ hostname: row.hostname }}
                >
                  <Host hostname={row.hostname} />
                </Link>
              </span>
            </td>
            <td className={styles.optional2}>
              <span className={styles.meterCell}>
                <Meter
                  value={row.running}
                  max={row.concurrency ?? Math.max(1, row.running)}
                  tone={toneClass('running')}
                />
                <span className={table.number}>
                  {row.running}
                  {row.concurrency !== null && (
                    <span className={table.dim}>/{row.concurrency}</span>
                  )}
                </span>
              </span>
            </td>
            <td className={table.number}>
              <Since at={row.last_heartbeat} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
