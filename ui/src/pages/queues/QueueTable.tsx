import type { QueueRow } from '~/api/client';
import { DoorLink } from '~/components/DoorLink';
import { Line } from '~/components/Plain';
import { Depth, Drain, Growth, HeldByWorkers, QueueSpark, Readers, Within } from '~/components/queue/Figures';
import { SortHead } from '~/components/SortHead';
import table from '~/components/Table.module.css';
import { tasks } from '~/lib/doors';
import { NONE, count, rate } from '~/lib/format';
import {
  DEFAULT_QUEUE_SORT,
  type QueueSearch,
  type QueueSort,
  type QueueSortKey,
  nextQueueSort,
  queueTrouble,
} from '~/lib/queues';

import styles from './queues.module.css';

interface Column {
  key: QueueSortKey;
  label: string;
  width?: string;
  className?: string;
  title?: string;
}

const COLUMNS: readonly Column[] = [
  { key: 'name', label: 'Queue' },
  { key: 'messages', label: 'Length', width: '5.5rem', title: 'Messages that wait in the broker' },
  { key: 'in', label: 'In', width: '5rem', className: styles.middle, title: 'Tasks sent to it, a second' },
  { key: 'out', label: 'Out', width: '5rem', className: styles.middle, title: 'Tasks that workers took from it, a second' },
  { key: 'growth', label: 'Growth', width: '5.5rem', title: 'Of its length, over the last minute' },
  { key: 'drain', label: 'Drains in', width: '6.5rem', className: styles.late, title: 'Time until it is empty, as it goes now' },
];

interface QueueTableProps {
  rows: readonly QueueRow[];
  search: QueueSearch;
  onSort: (sort: QueueSort) => void;
}

export function QueueTable({ rows, search, onSort }: QueueTableProps) {
  const sort = search.sort ?? DEFAULT_QUEUE_SORT;
  const direction = (key: QueueSortKey) =>
    sort === key ? 'ascending' : sort === `-${key}` ? 'descending' : 'none';
  return (
    <table className={table.table} data-testid="queues">
      <thead>
        <tr>
          {COLUMNS.map(({ key, label, width, className = '', title }) => (
            <th
              key={key}
              className={key === 'name' ? className : `${table.number} ${className}`}
              style={{ width }}
              title={title}
              aria-sort={direction(key)}
            >
              <SortHead
                label={label}
                direction={direction(key)}
                end={key !== 'name'}
                onSort={() => onSort(nextQueueSort(sort, key))}
              />
            </th>
          ))}
          <th className={`${table.number} ${styles.late}`} style={{ width: '4.5rem' }} title="Messages that workers hold, unacknowledged">
            Held
          </th>
          <th className={`${table.number} ${styles.late}`} style={{ width: '6.5rem' }}>
            Readers
          </th>
          <th className={styles.early} style={{ width: '22%' }}>
            Last 10 minutes
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr
            key={row.name}
            data-queue={row.name}
            data-messages={row.messages}
            data-trouble={queueTrouble(row)}
            aria-current={row.name === search.queue || undefined}
          >
            <td>
              <DoorLink className={table.link} door={{ to: '/queues', queue: row.name }}>
                <Line text={row.name} />
              </DoorLink>
            </td>
            <td className={table.number}>
              <Depth queue={row} />
            </td>
            <td className={`${table.number} ${styles.middle}`} title={`${count(row.sent)} since the console started`}>
              <DoorLink className={table.link} door={tasks({ queue: row.name, since: '5m' })}>
                {pace(row.in_per_second)}
              </DoorLink>
            </td>
            <td className={`${table.number} ${styles.middle}`} title={`${count(row.taken)} since the console started`}>
              <DoorLink className={table.link} door={tasks({ queue: row.name, state: 'STARTED' })}>
                {pace(row.out_per_second)}
              </DoorLink>
            </td>
            <td className={table.number}>
              <Within queue={row}>
                <Growth queue={row} />
              </Within>
            </td>
            <td className={`${table.number} ${styles.late}`}>
              <Within queue={row}>
                <Drain queue={row} />
              </Within>
            </td>
            <td className={`${table.number} ${styles.late}`}>
              <Within queue={row}>
                <HeldByWorkers queue={row} />
              </Within>
            </td>
            <td className={`${table.number} ${styles.late}`}>
              <Within queue={row}>
                <Readers queue={row} />
              </Within>
            </td>
            <td className={styles.early}>
              <QueueSpark row={row} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function pace(value: number | null): string {
  return value === null ? NONE : `${rate(value)}/s`;
}
