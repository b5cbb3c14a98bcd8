import { getRouteApi } from '@tanstack/react-router';
import { useCallback, useMemo, useState } from 'react';

import type { WorkerRow } from '~/api/client';
import { useLive, useTopic } from '~/api/live';
import { Button } from '~/components/Button';
import { type Choice, Controls } from '~/components/control/Controls';
import { useControl } from '~/components/control/useControl';
import { FilterChip } from '~/components/FilterChip';
import { Empty, Waiting } from '~/components/Notice';
import { Panel } from '~/components/Panel';
import { SearchField } from '~/components/SearchField';
import { Page } from '~/components/shell/Page';
import { Glyph } from '~/components/State';
import toolbar from '~/components/Toolbar.module.css';
import { useKeys } from '~/components/useKeys';
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
  const { chosen, choose, clear } = useChosen(rows, search.view !== 'grid');
  return (
    <Page title="Workers">
      <Filters search={search} onChange={go} />
      <Panel
        title={workers === null ? 'Workers' : shown(rows.length, workers.size)}
        note={workers === null ? undefined : busy(rows)}
        actions={
          <div className={styles.bulk}>
            {chosen.size > 0 && <Bulk chosen={[...chosen]} onClear={clear} />}
            <ViewToggle view={search.view ?? 'table'} onChange={(view) => go({ ...search, view })} />
          </div>
        }
      >
        <Body
          rows={rows}
          known={workers?.size ?? null}
          search={search}
          onChange={go}
          chosen={chosen}
          onChoose={choose}
        />
      </Panel>
    </Page>
  );
}

const BULK = ['ping', 'enable_events', 'disable_events', 'pool_restart', 'shutdown'] as const;

/** The rows that were chosen, as far as they are shown; `x` chooses the one under the hand. */
function useChosen(rows: readonly WorkerRow[], listed: boolean) {
  const { may } = useControl();
  const able = BULK.some((command) => may(command));
  const [all, setAll] = useState<ReadonlySet<string>>(new Set());
  const chosen = useMemo(
    () => new Set(listed ? rows.map(({ hostname }) => hostname).filter((name) => all.has(name)) : []),
    [rows, all, listed],
  );
  const choose = useCallback((hostname: string) => {
    setAll((before) => {
      const next = new Set(before);
      if (!next.delete(hostname)) next.add(hostname);
      return next;
    });
  }, []);
  const clear = () => setAll(new Set());
  useKeys('Workers', [
    {
      keys: 'x',
      does: 'Choose the worker under the pointer or the keyboard',
      when: able && listed,
      run: () => {
        const hostname = rowUnderHand();
        if (hostname !== null) choose(hostname);
      },
    },
    {
      keys: 'X',
      does: 'Choose all that are shown',
      when: able && listed,
      run: () => setAll(new Set(rows.map(({ hostname }) => hostname))),
    },
    { keys: 'Escape', does: 'Choose none', when: chosen.size > 0, run: clear },
  ]);
  return { chosen, choose: able ? choose : null, clear };
}

function rowUnderHand(): string | null {
  const row =
    document.activeElement?.closest<HTMLElement>('tr[data-worker]') ??
    document.querySelector<HTMLElement>('tr[data-worker]:hover');
  return row?.dataset.worker ?? null;
}

const LABELS: Record<(typeof BULK)[number], string> = {
  ping: 'Ping',
  enable_events: 'Events on',
  disable_events: 'Events off',
  pool_restart: 'Restart pool',
  shutdown: 'Shut down',
};

function Bulk({ chosen, onClear }: { chosen: readonly string[]; onClear: () => void }) {
  const subject = chosen.length === 1 ? (chosen[0] ?? '') : plural(chosen.length, 'worker');
  const choices: Choice[] = BULK.map((command) => ({ command, label: LABELS[command], workers: chosen, subject }));
  return (
    <>
      <span role="status">{count(chosen.length)} chosen</span>
      <Controls label="Steer the chosen workers" choices={choices} />
      <Button look="quiet" icon="close" onClick={onClear}>
        None
      </Button>
    </>
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
  chosen: ReadonlySet<string>;
  onChoose: ((hostname: string) => void) | null;
  rows: readonly WorkerRow[];
  known: number | null;
}

function Body({ rows, known, search, onChange, chosen, onChoose }: BodyProps) {
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
      chosen={chosen}
      onChoose={onChoose}
      sort={sort}
      onSort={(key) => onChange({ ...search, sort: nextWorkerSort(sort, key) })}
    />
  );
}
