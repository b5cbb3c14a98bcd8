import { Link } from '@tanstack/react-router';

import { useLive } from '~/api/live';
import type { Queue } from '~/api/client';
import { Meter } from '~/components/Meter';
import { Empty, Waiting } from '~/components/Notice';
import { Panel } from '~/components/Panel';
import { Line } from '~/components/Plain';
import { toneClass } from '~/components/State';
import table from '~/components/Table.module.css';
import { count } from '~/lib/format';
import { visible } from '~/lib/text';

import styles from './overview.module.css';

export function Queues() {
  const queues = useLive((state) => state.overview?.queues ?? null);
  const broker = useLive((state) => state.overview?.broker.state ?? null);
  return (
    <Panel title="Queues" note={queues?.length ? 'messages waiting in the broker' : undefined}>
      {queues === null ? (
        <Waiting what="the queues" />
      ) : queues.length > 0 ? (
        <QueueTable queues={queues} />
      ) : broker === 'connected' ? (
        <Empty title="No queue is known yet">
          Queues are learned from the workers that read them.
        </Empty>
      ) : (
        <Empty title="Unknown">The broker has not been reached.</Empty>
      )}
    </Panel>
  );
}

function QueueTable({ queues }: { queues: readonly Queue[] }) {
  // Redis, for one, does not tell how many read a queue.
  const told = queues.some(({ consumers }) => consumers !== null);
  const most = Math.max(1, ...queues.map(({ messages }) => messages ?? 0));
  return (
    <div className={styles.list} tabIndex={0} role="region" aria-label="All queues">
      <table className={table.table}>
        <thead>
          <tr>
            <th>Queue</th>
            <th style={{ width: '46%' }}>Messages</th>
            {told && (
              <th className={`${table.number} ${styles.optional2}`} style={{ width: '5.5rem' }}>
                Consumers
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {queues.map((queue) => (
            <tr key={queue.name} data-queue={queue.name}>
              <td>
                <Link className={table.link} to="/tasks" search={{ queue: queue.name }}>
                  <Line text={queue.name} />
                </Link>
              </td>
              <td>
                {queue.messages === null ? (
                  <span className={table.warn} title={visible(queue.error ?? '')}>
                    unknown
                  </span>
                ) : (
                  <span className={styles.meterCell} data-value={queue.messages}>
                    <Meter value={queue.messages} max={most} tone={toneClass('waiting')} />
                    <span className={table.number}>{count(queue.messages)}</span>
                  </span>
                )}
              </td>
              {told && (
                <td className={`${table.number} ${styles.optional2}`}>
                  {queue.consumers === 0 && queue.messages !== 0 ? (
                    <span className={table.bad}>none</span>
                  ) : (
                    count(queue.consumers)
                  )}
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
