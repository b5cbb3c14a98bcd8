/** The tasks: one query, its counts, the list, and one of them beside it. */

import { getRouteApi, useRouter } from '@tanstack/react-router';
import { Suspense, lazy, useCallback, useEffect, useMemo, useRef, useState } from 'react';

import { Button, IconButton } from '~/components/Button';
import { copy } from '~/components/CopyButton';
import { Flyout } from '~/components/Flyout';
import { Waiting } from '~/components/Notice';
import { Page } from '~/components/shell/Page';
import { useKeys } from '~/components/useKeys';
import { useHistoryStatus } from '~/api/queries';
import { count } from '~/lib/format';
import { isEmpty } from '~/lib/selection';
import { EVERYTHING, type Query, analyse, show } from '~/lib/query-language';
import { store, stored } from '~/lib/stored';
import { DEFAULT_COLUMNS, sameColumns, writeColumns } from '~/lib/task-columns';
import { DEFAULT_SORT, type TaskSearch, historySort, sortOf, stripped } from '~/lib/task-query';

import { ColumnChooser, useColumns } from './Columns';
import { Facets } from './Facets';
import { QueryBar, type Step } from './QueryBar';
import { StateChips } from './StateChips';
import { TaskList, useListKeys } from './TaskList';
import { FacetsContext, FacetsWholeContext } from './TasksContext';
import { nextTask } from './items';
import styles from './tasks.module.css';
import { useHolding } from './useHolding';
import { useMedia } from './useMedia';
import { usePlace } from './usePlace';
import { useSelection } from './useSelection';
import { type TaskRows, useTaskRows } from './useTaskRows';

const route = getRouteApi('/tasks');
const RAIL = 'task-facets';
const BulkBar = lazy(() => import('./BulkBar'));
const Drawer = lazy(() => import('./Drawer'));
const SortMenu = lazy(() => import('./SortMenu'));
const Export = lazy(() => import('./Export'));
const GoTo = lazy(() => import('./GoTo'));

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
  const status = useHistoryStatus();
  // A console that says nothing of a history has none.
  const kept = status.data?.kept ?? (status.error ? false : null);
  const place = usePlace({ search, go, list });
  const held = useHolding(list, chosen);
  const holding = useMemo(() => {
    if (place.at === null || kept === false) return held;
    // A list that begins somewhere does not follow the cluster.
    return { ...held, hold: held.hold === null || held.hold === 'pointing' ? ('placed' as const) : held.hold, follow: () => { place.leave(); held.follow(); } };
  }, [held, place, kept]);
  const answer = useTaskRows({
    tree,
    sort,
    place: kept === false || historySort(sort) === null ? null : place.at,
    kept: kept === true,
    stored: status.data?.tasks ?? null,
    held: holding.hold !== null,
    more: holding.deep || holding.hold === 'scrolled',
  });
  const { watch } = place;
  useEffect(() => watch(answer.items, sort), [watch, answer.items, sort]);
  const columns = useColumns(search.columns, useCallback(() => go({ columns: undefined }, 'replace'), [go]));
  const over = !useMedia('(min-width: 1100px)');
  const wide = useMedia('(min-width: 1000px)');
  const change = useCallback((next: Query) => go({ query: show(next), at: undefined }, 'push'), [go]);
  const apply = useCallback((next: string, how: Step) => go({ query: next, at: undefined }, how), [go]);
  const [going, setGoing] = useState(false); // to a time
  useKeys('Tasks', [{ keys: 't', does: 'Go to a time', run: () => setGoing(true), when: kept === true }]);

  const { items } = answer;
  const rows = items?.rows ?? null;
  const selecting = useSelection({ rows, query, at: chosen });
  const some = !isEmpty(selecting.selection);
  const at = items && drawer.uuid !== null ? items.indexOf(drawer.uuid) : -1;
  const step = (by: 1 | -1) => {
    const next = items && at >= 0 ? nextTask(items, at, by) : null;
    return next ? () => drawer.show(next.uuid) : null;
  };
  const open = drawer.open;
  const onOpen = useCallback((uuid: string) => {
    setMarked(uuid);
    open(uuid);
  }, [open]);
  const router = useRouter();
  useListKeys({
    items,
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

  const onSaved = useCallback((saved: { query: string; sort: string }) => go({ query: saved.query, sort: sortOf(saved.sort), at: undefined }, 'push'), [go]);
  const wanted = tree ?? EVERYTHING;
  const facets = <Facets query={wanted} onChange={change} />;
  return (
    <Page title="Tasks">
      <FacetsContext value={answer.facets}>
        <FacetsWholeContext value={answer.facetsWhole}>
          <div className={styles.fill}>
            <QueryBar query={text} refused={analysis.problem} sort={historySort(sort) ?? 'newest'} onApply={apply} onSaved={onSaved} />
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
                begins={`${query} ${sort} ${place.at}`}
                kept={kept}
                columns={columns.columns}
                chosen={chosen}
                selecting={selecting}
                bar={
                  some && (
                    <Suspense>
                      <BulkBar selection={selecting.selection} total={answer.total} whole={answer.whole && !answer.counting} onAll={selecting.all} onClear={selecting.clear} />
                    </Suspense>
                  )
                }
                tools={
                  <>
                    {kept === true && (
                      <>
                        <Flyout icon="sort" label="Order" brief testId="order">
                          <Suspense fallback={<Waiting what="the orders" />}>
                            <SortMenu sort={sort} onSort={(next) => go({ sort: next, at: undefined }, 'push')} />
                          </Suspense>
                        </Flyout>
                        <IconButton icon="clock" label="Go to a time (t)" aria-haspopup="dialog" onClick={() => setGoing(true)} data-testid="go-to-open" />
                        <Flyout icon="download" label="Export" brief testId="export">
                          <Suspense fallback={<Waiting what="the formats" />}>
                            <Export query={query} total={answer.total} whole={answer.whole && !answer.counting} />
                          </Suspense>
                        </Flyout>
                      </>
                    )}
                    <CopyLink search={search} columns={sameColumns(columns.columns, DEFAULT_COLUMNS) ? undefined : writeColumns(columns.columns)} />
                    <ColumnChooser {...columns} />
                  </>
                }
                onSort={(next) => go({ sort: next, at: undefined }, 'push')}
                onOpen={onOpen}
                onEverything={() => change(EVERYTHING)}
              />
              {drawer.uuid !== null && (
                <Suspense>
                  <Drawer
                    uuid={drawer.uuid}
                    over={over}
                    place={items && placeWords(at, place.at === null, answer)}
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
          {going && (
            <Suspense>
              <GoTo place={place.at} onGo={place.go} onClose={() => setGoing(false)} />
            </Suspense>
          )}
        </FacetsWholeContext>
      </FacetsContext>
    </Page>
  );
}

/** Where a task stands in the list, as far as that is known. */
function placeWords(at: number, fromTop: boolean, { total, whole, items }: TaskRows): string | null {
  if (at < 0) return 'not among those listed';
  if (!fromTop) return null;
  return `${count(at + 1)} of ${whole ? '' : 'more than '}${count(total ?? items?.count)}`;
}

export type Go = (change: TaskSearch, step: Step) => void;

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
      className={styles.spare}
      onClick={() => void copy(address()).then(setCopied)}
      data-testid="copy-link"
    />
  );
}
