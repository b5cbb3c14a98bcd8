import { Link, getRouteApi } from '@tanstack/react-router';
import { memo, useMemo } from 'react';

import { useLive, useNow, useTopic } from '~/api/live';
import type { WorkerRow } from '~/api/client';
import { FilterChip } from '~/components/FilterChip';
import { Since } from '~/components/Moment';
import { Empty, Waiting } from '~/components/Notice';
import { Panel } from '~/components/Panel';
import { Host, Line } from '~/components/Plain';
import { SearchField } from '~/components/SearchField';
import { Page } from '~/components/shell/Page';
import { SortHead } from '~/components/SortHead';
import { Glyph, WorkerStatus } from '~/components/State';
import table from '~/components/Table.module.css';
import toolbar from '~/components/Toolbar.module.css';
import { NONE, compact, count, plural } from '~/lib/format';
import {
  DEFAULT_WORKER_SORT,
  STATUSES,
  type Status,
  type WorkerSearch,
  type WorkerSortKey,
  nextWorkerSort,
  selectWorkers,
  strippedWorkers,
} from '~/lib/worker-query';

import styles from './workers.module.css';

const route = getRouteApi('/workers');

const LOOKS = {
  online: { label: 'Online', tone: 'success', glyph: 'dot' },
  offline: { label: 'Offline', tone: 'failure', glyph: 'cross' },
  unknown: { label: 'Unknown', tone: 'waiting', glyph: 'ring' },
} as const;

export function WorkersPage() {
  useTopic('workers');
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const workers = useLive((state) => state.workers);
  const rows = useMemo(() => selectWorkers(workers?.values() ?? [], search), [workers, search]);
  const go = (next: WorkerSearch) =>
    void navigate({ search: strippedWorkers(next), replace: true });
  return (
    <Page title="Workers">
      <Filters search={search} onChange={go} />
      <Panel
        title={workers === null ? 'Workers' : shown(rows.length, workers.size)}
      >
        <Body
          rows={rows}
          known={workers?.size ?? null}
          search={search}
          onSort={(key) =>
            go({ ...search, sort: nextWorkerSort(search.sort ?? DEFAULT_WORKER_SORT, key) })
          }
        />
      </Panel>
    </Page>
  );
}

function shown(shown: number, known: number): string {
  return shown === known
    ? plural(known, 'worker')
    : `${count(shown)} of ${plural(known, 'worker')}`;
}

interface FiltersProps {
  search: WorkerSearch;
  onChange: (search: WorkerSearch) => void;
}

function Filters({ search, onChange }: FiltersProps) {
  const counts = useLive((state) => state.overview?.workers ?? null);
  const toggle = (status: Status) => {
    const chosen = search.status ?? [];
    const next = chosen.includes(status)
      ? chosen.filter((other) => other !== status)
      : [...chosen, status];
    onChange({ ...search, status: next });
  };
  return (
    <div className={toolbar.toolbar}>
      <SearchField
        label="Search names and queues"
        value={search.search ?? ''}
        onSearch={(text) => onChange({ ...search, search: text })}
      />
      <div className={toolbar.chips} role="group" aria-label="Status">
        {STATUSES.map((status) => (
          <FilterChip
            key={status}
            label={LOOKS[status].label}
            tone={LOOKS[status].tone}
            glyph={<Glyph name={LOOKS[status].glyph} />}
            count={counts?.[status] ?? null}
            on={search.status?.includes(status) ?? false}
            onToggle={() => toggle(status)}
            testId={`filter-${status}`}
          />
        ))}
      </div>
    </div>
  );
}

interface BodyProps {
  rows: readonly WorkerRow[];
  known: number | null;
  search: WorkerSearch;
  onSort: (key: WorkerSortKey) => void;
}

function Body({ rows, known, search, onSort }: BodyProps) {
  const broker = useLive((state) => state.overview?.broker.state ?? null);
  if (known === null) return <Waiting what="the workers" />;
  if (known === 0 && broker !== 'connected') {
    return <Empty title="Unknown">The broker has not been reached.</Empty>;
  }
  if (known === 0) {
    return (
      <Empty title="No worker has been heard of">
        Workers send events when they are started with <code>-E</code>, or after{' '}
        <code>celery control enable_events</code>.
      </Empty>
    );
  }
  if (rows.length === 0) {
    return <Empty title="No worker fits these filters">{count(known)} are known.</Empty>;
  }
  const number = table.number ?? '';
  const head = (key: WorkerSortKey, label: string, className: string) => {
    const sort = search.sort ?? DEFAULT_WORKER_SORT;
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
          {head('active', 'Active', `${number} ${styles.tiny}`)}
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
          <Row key={row.hostname} row={row} />
        ))}
      </tbody>
    </table>
  );
}

const Row = memo(function Row({ row }: { row: WorkerRow }) {
  return (
    <tr data-worker={row.hostname} data-status={row.status}>
      <td>
        <span className={styles.name}>
          <span className={styles.brief}>
            <WorkerStatus status={row.status} brief />
          </span>
          <Link
            className={table.link}
            to="/workers/$hostname"
            params={{ hostname: row.hostname }}
          >
            <Host hostname={row.hostname} />
          </Link>
        </span>
      </td>
      <td className={styles.long}>
        <WorkerStatus status={row.status} />
      </td>
      <td className={table.number}>
        <Heartbeat row={row} />
      </td>
      <td className={table.number} data-field="active" data-value={row.active ?? undefined}>
        {count(row.active)}
        {row.concurrency !== null && <span className={table.dim}> / {count(row.concurrency)}</span>}
      </td>
      <td
        className={`${table.number} ${styles.first}`}
        data-field="processed"
        data-value={row.processed ?? undefined}
      >
        {compact(row.processed)}
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
        className={`${table.number} ${styles.first} ${row.lost > 0 ? (table.bad ?? '') : (table.dim ?? '')}`}
        data-field="lost"
        data-value={row.lost}
      >
        {count(row.lost)}
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
