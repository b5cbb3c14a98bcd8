import { Link } from '@tanstack/react-router';
import { memo } from 'react';

import type { WorkerRow } from '~/api/client';
import { useNow } from '~/api/live';
import { DoorLink } from '~/components/DoorLink';
import { Meter } from '~/components/Meter';
import { Since } from '~/components/Moment';
import { Host, Line } from '~/components/Plain';
import { SortHead } from '~/components/SortHead';
import { WorkerStatus, toneClass } from '~/components/State';
import table from '~/components/Table.module.css';
import { tasks } from '~/lib/doors';
import { NONE, compact, count } from '~/lib/format';
import { clip, visible } from '~/lib/text';
import type { WorkerSort, WorkerSortKey } from '~/lib/worker-query';

import styles from './workers.module.css';

interface RowsProps {
  chosen: ReadonlySet<string>; // hostnames
  onChoose: ((hostname: string) => void) | null; // null: nothing could be done to them
  rows: readonly WorkerRow[];
  sort: WorkerSort;
  onSort: (key: WorkerSortKey) => void;
}

export function Rows({ rows, chosen, onChoose, sort, onSort }: RowsProps) {
  const number = table.number ?? '';
  const head = (key: WorkerSortKey, label: string, className: string) => {
    const direction =
      sort === key ? 'ascending' : sort === `-${key}` ? 'descending' : 'none';
    return (
      <th className={className} aria-sort={direction}>
        <SortHead
          label={label}
          direction={direction}
          end={className.startsWith(number)}
          onSort={() => onSort(key)}
        />
      </th>
    );
  };
  return (
    <table className={`${table.table} ${styles.table}`} data-testid="workers">
      <thead>
        <tr>
          {head('hostname', 'Worker', '')}
          {head('status', 'Status', `${styles.status} ${styles.long}`)}
          {head('heartbeat', 'Heartbeat', `${number} ${styles.small}`)}
          {head('active', 'Active', `${number} ${styles.active}`)}
          {head('processed', 'Processed', `${number} ${styles.small} ${styles.first}`)}
          {head('load', 'Load', `${number} ${styles.load} ${styles.second}`)}
          <th className={`${styles.tiny} ${styles.second}`}>Version</th>
          <th className={`${styles.medium} ${styles.third}`}>Pool</th>
          <th className={`${styles.queues} ${styles.third}`}>Queues</th>
          {head('lost', 'Lost', `${number} ${styles.tiny} ${styles.first}`)}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <Row key={row.hostname} row={row} chosen={chosen.has(row.hostname)} onChoose={onChoose} />
        ))}
      </tbody>
    </table>
  );
}

/** Drawn anew only when the worker said something new. */
interface RowProps {
  row: WorkerRow;
  chosen: boolean;
  onChoose: RowsProps['onChoose'];
}

const Row = memo(function Row({ row, chosen, onChoose }: RowProps) {
  const { hostname, status, active, running, concurrency, processed, lost } = row;
  const busy = active ?? running;
  return (
    <tr data-worker={hostname} data-status={status} data-chosen={chosen || undefined}>
      <td>
        <span className={styles.name}>
          {onChoose && (
            <input
              type="checkbox"
              className={styles.choose}
              aria-label={`Choose ${visible(clip(hostname, 120).text)}`}
              checked={chosen}
              onChange={() => onChoose(hostname)}
            />
          )}
          <span className={styles.brief}>
            <WorkerStatus status={status} brief />
          </span>
          <Link className={table.link} to="/workers/$hostname" params={{ hostname }}>
            <Host hostname={hostname} />
          </Link>
        </span>
      </td>
      <td className={styles.long}>
        <WorkerStatus status={status} />
      </td>
      <td className={table.number}>
        <Heartbeat row={row} />
      </td>
      <td className={table.number} data-field="active" data-value={active ?? undefined}>
        <span className={styles.meter}>
          {concurrency !== null && <Meter value={busy} max={concurrency} tone={toneClass('running')} />}
          <DoorLink className={table.link} door={tasks({ worker: hostname, state: 'STARTED' })}>
            {count(busy)}
            {concurrency !== null && <span className={table.dim}> / {count(concurrency)}</span>}
          </DoorLink>
        </span>
      </td>
      <td
        className={`${table.number} ${styles.first}`}
        data-field="processed"
        data-value={processed ?? undefined}
      >
        <DoorLink className={table.link} door={tasks({ worker: hostname })}>
          {compact(processed)}
        </DoorLink>
      </td>
      <td className={`${table.number} ${styles.second}`}>{load(row.loadavg)}</td>
      <td className={styles.second}>
        <Line text={row.version} />
      </td>
      <td className={styles.third}>
        <Line text={pool(row)} />
      </td>
      <td className={styles.third}>
        <Line text={row.queues.join(', ')} />
      </td>
      <td
        className={`${table.number} ${styles.first} ${lost > 0 ? (table.bad ?? '') : (table.dim ?? '')}`}
        data-field="lost"
        data-value={lost}
      >
        <DoorLink className={table.link} door={{ to: '/', hash: 'accounting' }}>
          {count(lost)}
        </DoorLink>
      </td>
    </tr>
  );
});

/** Late when two beats are missing: before the worker counts as offline. */
function Heartbeat({ row }: { row: WorkerRow }) {
  const now = useNow();
  const late =
    row.last_heartbeat !== null && now - row.last_heartbeat > 2.5 * row.heartbeat_interval;
  return (
    <span className={late ? table.warn : undefined}>
      <Since at={row.last_heartbeat} />
    </span>
  );
}

function load(averages: number[] | null): string {
  return averages ? averages.map((average) => average.toFixed(2)).join('  ') : NONE;
}

/** `prefork × 8`, or its words without what an inspect has not told yet. */
export function pool({ pool, concurrency }: Pick<WorkerRow, 'pool' | 'concurrency'>): string {
  const parts = [
    ...(pool !== null ? [pool] : []),
    ...(concurrency !== null ? [`× ${concurrency}`] : []),
  ];
  return parts.join(' ');
}
