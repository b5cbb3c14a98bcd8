import { useMemo } from 'react';

import { useLive } from '~/api/live';
import type { Queue } from '~/api/client';
import { useQueues } from '~/api/queries';
import { DoorLink } from '~/components/DoorLink';
import { Empty, Waiting } from '~/components/Notice';
import { Panel } from '~/components/Panel';
import { Line } from '~/components/Plain';
import { Depth, Drain, Growth, QueueSpark, Within } from '~/components/queue/Figures';
import table from '~/components/Table.module.css';
import { count } from '~/lib/format';
import { byTrouble } from '~/lib/queues';

import styles from './overview.module.css';

const SHOWN = 8;

export function Queues() {
  const queues = useLive((state) => state.overview?.queues ?? null);
  const broker = useLive((state) => state.overview?.broker.state ?? null);
  const rows = useMemo(() => byTrouble(queues ?? []), [queues]);
  return (
    <Panel title="Queues" note={rows.length > 0 ? 'messages waiting in the broker' : undefined}>
      {queues === null ? (
        <Waiting what="the queues" />
      ) : rows.length > 0 ? (
        <>
          <Rows queues={rows.slice(0, SHOWN)} />
          {rows.length > SHOWN && (
            <DoorLink door={{ to: '/queues' }} className={styles.more}>
              All {count(rows.length)} queues
            </DoorLink>
          )}
        </>
      ) : broker === 'connected' ? (
        <Empty title="No queue is known yet">Queues are learned from the workers that read them.</Empty>
      ) : (
        <Empty title="Unknown">The broker has not been reached.</Empty>
      )}
    </Panel>
  );
}

function Rows({ queues }: { queues: readonly Queue[] }) {
  const { data } = useQueues();
  const histories = useMemo(
    () => new Map(data?.queues.map((row) => [row.name, row])),
    [data],
  );
  return (
    <table className={table.table} data-testid="queues">
      <thead>
        <tr>
          <th>Queue</th>
          <th className={styles.spark} style={{ width: '5rem' }}>
            10 min
          </th>
          <th className={table.number} style={{ width: '4.5rem' }}>
            Length
          </th>
          <th className={table.number} style={{ width: '4.75rem' }}>
            Growth
          </th>
          <th className={`${table.number} ${styles.optional}`} style={{ width: '6rem' }}>
            Drains in
          </th>
        </tr>
      </thead>
      <tbody>
        {queues.map((queue) => (
          <tr key={queue.name} data-queue={queue.name} data-messages={queue.messages}>
            <td>
              <DoorLink className={table.link} door={{ to: '/queues', queue: queue.name }}>
                <Line text={queue.name} />
              </DoorLink>
            </td>
            <td className={styles.spark}>
              <QueueSpark row={histories.get(queue.name)} />
            </td>
            <td className={table.number}>
              <Depth queue={queue} />
            </td>
            <td className={table.number}>
              <Within queue={queue}>
                <Growth queue={queue} />
              </Within>
            </td>
            <td className={`${table.number} ${styles.optional}`}>
              <Within queue={queue}>
                <Drain queue={queue} />
              </Within>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
