/** The tasks: one query, its counts, the list, and one of them beside it. */

import { getRouteApi, useRouter } from '@tanstack/react-router';
import { Suspense, lazy, useCallback, useEffect, useMemo, useRef, useState } from 'react';

import { Button, IconButton } from '~/components/Button';
import { copy } from '~/components/CopyButton';
import { Page } from '~/components/shell/Page';
import { count } from '~/lib/format';
import { isEmpty } from '~/lib/selection';
import { EVERYTHING, type Query, analyse, show } from '~/lib/query-language';
import { store, stored } from '~/lib/stored';
import { DEFAULT_COLUMNS, sameColumns, writeColumns } from '~/lib/task-columns';
import { DEFAULT_SORT, type TaskSearch, stripped } from '~/lib/task-query';

import { ColumnChooser, useColumns } from './Columns';
import { Facets } from './Facets';
import { QueryBar, type Step } from './QueryBar';
import { StateChips } from './StateChips';
import { TaskList, useListKeys } from './TaskList';
import { FacetsContext } from './TasksContext';
import styles from './tasks.module.css';
import { useHolding } from './useHolding';
import { useMedia } from './useMedia';
import { useSelection } from './useSelection';
import { useTaskRows } from './useTaskRows';

const route = getRouteApi('/tasks');
const RAIL = 'task-facets';
const BulkBar = lazy(() => import('./BulkBar'));
const Drawer = lazy(() => import('./Drawer'));

export function TasksPage() {
  const search = route.useSearch();
  const go = useGo(search);
  const text = search.query ?? '';
  const analysis = useMemo(() => analyse(text), [text]);
  // What was last asked for and could be: its answer stays while the next question is written.
  const [asked, setAsked] = useState<Query | null>(analysis.query);
  useEffect(() => {
    if (analysis.query) setAsked(analysis.query);
  }, [analysis]);
  const tree = analysis.query ?? asked;
  const query = tree && show(tree);
  const sort = search.sort ?? DEFAULT_SORT;

  const list = useRef<HTMLDivElement>(null);
  const drawer = useDrawer(search, go);
  const [marked, setMarked] = useState<string | null>(null); // by keys
  const chosen = drawer.uuid ?? marked;
  const holding = useHolding(list, chosen);
  const answer = useTaskRows(query, sort, holding.hold !== null, holding.deep || holding.hold === 'scrolled');
  const columns = useColumns(search.columns, useCallback(() => go({ columns: undefined }, 'replace'), [go]));
  const over = !useMedia('(min-width: 1100px)');
  const wide = useMedia('(min-width: 1000px)');
  const change = useCallback((next: Query) => go({ query: show(next) }, 'push'), [go]);
  const apply = useCallback((next: string, how: Step) => go({ query: next }, how), [go]);

  const { rows } = answer;
  const selecting = useSelection({ rows, query, at: chosen });
  const some = !isEmpty(selecting.selection);
  const at = rows && drawer.uuid !== null ? rows.findIndex(({ uuid }) => uuid === drawer.uuid) : -1;
  const step = (by: number) => {
    const next = at < 0 ? undefined : rows?.[at + by];
    return next ? () => drawer.show(next.uuid) : null;
  };
  const open = drawer.open;
  const onOpen = useCallback((uuid: string) => {
    setMarked(uuid);
    open(uuid);
  }, [open]);
  const router = useRouter();
  useListKeys({
    rows,
    chosen,
    frozen: holding.hold !== null,
    onChoose: (uuid) => {
      setMarked(uuid);
      if (drawer.uuid !== null) drawer.show(uuid);
    },
    onOpen,
    onClear: () => {
      if (drawer.uuid === null) setMarked(null);
      else {
        setMarked(drawer.uuid);
        drawer.close();
      }
    },
    onWhole: (uuid) => void router.navigate({ to: '/tasks/$uuid', params: { uuid } }),
    onCopy: (uuid) => void copy(uuid),
    onFreeze: holding.hold === null || holding.hold === 'pointing' ? holding.freeze : holding.follow,
  });

  const wanted = tree ?? EVERYTHING;
  const facets = <Facets query={wanted} onChange={change} />;
  return (
    <Page title="Tasks">
      <FacetsContext value={answer.facets}>
        <div className={styles.fill}>
          <QueryBar query={text} refused={analysis.problem} onApply={apply} />
          <div className={styles.filters}>
            {!wide && <FacetSheet>{facets}</FacetSheet>}
            <StateChips query={wanted} onChange={change} />
          </div>
          <div className={styles.body} data-drawer={drawer.uuid !== null || undefined}>
            {wide && <Rail>{facets}</Rail>}
            <TaskList
              list={list}
              answer={answer}
              holding={holding}
              query={query}
              problem={analysis.problem}
              sort={sort}
              columns={columns.columns}
              chosen={chosen}
              selecting={selecting}
              bar={
                some && (
                  <Suspense>
                    <BulkBar selection={selecting.selection} total={answer.total} onAll={selecting.all} onClear={selecting.clear} />
                  </Suspense>
                )
              }
              tools={
                <>
                  <CopyLink search={search} columns={sameColumns(columns.columns, DEFAULT_COLUMNS) ? undefined : writeColumns(columns.columns)} />
                  <ColumnChooser {...columns} />
                </>
              }
              onSort={(next) => go({ sort: next }, 'push')}
              onOpen={onOpen}
              onEverything={() => change(EVERYTHING)}
            />
            {drawer.uuid !== null && (
              <Suspense>
                <Drawer
                  uuid={drawer.uuid}
                  over={over}
                  place={rows && (at < 0 ? 'not among those listed' : `${count(at + 1)} of ${count(answer.total ?? rows.length)}`)}
                  onBefore={step(-1)}
                  onNext={step(1)}
                  onClose={() => {
                    setMarked(null);
                    drawer.close();
                    list.current?.focus({ preventScroll: true });
                  }}
                />
              </Suspense>
            )}
          </div>
        </div>
      </FacetsContext>
    </Page>
  );
}

type Go = (change: TaskSearch, step: Step) => void;

/** To the same page with some of its address changed. */
function useGo(search: TaskSearch): Go {
  const navigate = route.useNavigate();
  const current = useRef(search);
  useEffect(() => {
    current.current = search;
  }, [search]);
  return useCallback<Go>(
    (change, step) => {
      const next = stripped({ ...current.current, ...change });
      current.current = next;
      void navigate({ search: next, replace: step === 'replace', resetScroll: false });
    },
    [navigate],
  );
}

/** Which task is in the drawer. One step back closes it, through however many tasks one went. */
function useDrawer(search: TaskSearch, go: Go) {
  const router = useRouter();
  const uuid = search.task ?? null;
  const pushed = useRef(false);
  const { query, sort } = search;
  useEffect(() => {
    // Another question came between: the step back would undo that.
    pushed.current = false;
  }, [query, sort]);
  useEffect(() => {
    if (uuid === null) pushed.current = false;
  }, [uuid]);
  const open = useCallback(
    (next: string) => {
      const step = uuid === null ? 'push' : 'replace';
      go({ task: next }, step);
      if (step === 'push') pushed.current = true;
    },
    [go, uuid],
  );
  return {
    uuid,
    open,
    show: (next: string) => go({ task: next }, 'replace'),
    close: () => {
      if (pushed.current) router.history.back();
      else go({ task: undefined }, 'replace');
    },
  };
}

/** The facets beside the list; folded away, they stay so. */
function Rail({ children }: { children: React.ReactNode }) {
  const [folded, setFolded] = useState(() => stored(RAIL) === 'folded');
  const fold = (next: boolean) => {
    setFolded(next);
    store(RAIL, next ? 'folded' : 'open');
  };
  return (
    <aside className={styles.rail} aria-label="Counts that filter" data-folded={folded || undefined} data-testid="rail">
      <IconButton
        icon={folded ? 'filter' : 'left'}
        label={folded ? 'Show the counts by task, worker and queue' : 'Hide the counts'}
        size="sm"
        className={styles.fold}
        aria-expanded={!folded}
        onClick={() => fold(!folded)}
      />
      {!folded && (
        <div className={styles.railInner} tabIndex={0} role="region" aria-label="Counts by task, worker and queue">
          {children}
        </div>
      )}
    </aside>
  );
}

/** The same where there is no room beside the list. */
function FacetSheet({ children }: { children: React.ReactNode }) {
  const dialog = useRef<HTMLDialogElement>(null);
  return (
    <>
      <Button icon="filter" className={styles.sheetButton} onClick={() => dialog.current?.showModal()} data-testid="filters">
        Filters
      </Button>
      <dialog
        ref={dialog}
        className={styles.sheet}
        aria-label="Filters"
        onClick={({ target }) => target === dialog.current && dialog.current.close()}
      >
        <div className={styles.sheetInner}>
          <header>
            <h2>Filters</h2>
            <IconButton icon="close" label="Close" onClick={() => dialog.current?.close()} />
          </header>
          {children}
        </div>
      </dialog>
    </>
  );
}

const SAID_MS = 1_500;

/** The address of what one sees, columns included. */
function CopyLink({ search, columns }: { search: TaskSearch; columns: string | undefined }) {
  const router = useRouter();
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = window.setTimeout(() => setCopied(false), SAID_MS);
    return () => window.clearTimeout(timer);
  }, [copied]);
  const address = () => {
    const { href } = router.buildLocation({ to: '/tasks', search: stripped({ ...search, columns }) });
    return new URL(href, location.origin).href;
  };
  return (
    <IconButton
      icon={copied ? 'check' : 'link'}
      label={copied ? 'Copied the link' : 'Copy a link to this view'}
      onClick={() => void copy(address()).then(setCopied)}
      data-testid="copy-link"
    />
  );
}
