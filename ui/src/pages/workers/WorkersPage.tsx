import { getRouteApi } from '@tanstack/react-router';
import { useMemo } from 'react';

import type { WorkerRow } from '~/api/client';
import { useLive, useTopic } from '~/api/live';
import { FilterChip } from '~/components/FilterChip';
import { Empty, Waiting } from '~/components/Notice';
import { Panel } from '~/components/Panel';
import { SearchField } from '~/components/SearchField';
import { Page } from '~/components/shell/Page';
import { Glyph } from '~/components/State';
import toolbar from '~/components/Toolbar.module.css';
import { count, plural } from '~/lib/format';
import {
  DEFAULT_WORKER_SORT,
  STATUSES,
  type Status,
  type WorkerSearch,
  nextWorkerSort,
  selectWorkers,
  strippedWorkers,
} from '~/lib/worker-query';

import { ViewToggle } from './ViewToggle';
import { Grid } from './Grid';
import { Rows } from './Rows';

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
        note={workers === null ? undefined : busy(rows)}
        actions={
          <ViewToggle view={search.view ?? 'table'} onChange={(view) => go({ ...search, view })} />
        }
      >
        <Body
          rows={rows}
          known={workers?.size ?? null}
          search={search}
          onChange={go}
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

function busy(rows: readonly WorkerRow[]): string {
  let running = 0;
  let processes = 0;
  for (const row of rows) {
    running += row.active ?? row.running;
    processes += row.concurrency ?? 0;
  }
  return processes > 0
    ? `${count(running)} of ${plural(processes, 'process', 'processes')} busy`
    : `${count(running)} running`;
}

interface ChangeProps {
  search: WorkerSearch;
  onChange: (search: WorkerSearch) => void;
}

function Filters({ search, onChange }: ChangeProps) {
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

interface BodyProps extends ChangeProps {
  rows: readonly WorkerRow[];
  known: number | null;
}

function Body({ rows, known, search, onChange }: BodyProps) {
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
  if (search.view === 'grid') return <Grid rows={rows} />;
  const sort = search.sort ?? DEFAULT_WORKER_SORT;
  return (
    <Rows
      rows={rows}
      sort={sort}
      onSort={(key) => onChange({ ...search, sort: nextWorkerSort(sort, key) })}
    />
  );
}
