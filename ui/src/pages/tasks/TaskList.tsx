/** The list of tasks: virtual, newest first, still while someone reads in it. */

import { type ReactNode, type RefObject, memo, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';

import { ApiError, NoAnswer } from '~/api/client';
import { useLive } from '~/api/live';
import { Button } from '~/components/Button';
import { Empty, Trouble, Waiting } from '~/components/Notice';
import { SortHead } from '~/components/SortHead';
import { useKeys } from '~/components/useKeys';
import { compact, count, plural } from '~/lib/format';
import { MOST_ROWS } from '~/lib/live-state';
import type { Problem } from '~/lib/query-language';
import { isSelected } from '~/lib/selection';
import { type Column, type ColumnId, fitting, template } from '~/lib/task-columns';
import { type Sort, direction, historySort, nextSort } from '~/lib/task-query';
import { visible } from '~/lib/text';
import { dayOf } from '~/lib/time';

import { End, Hollow, GapRow } from './Lines';
import { Row } from './Row';
import { type Items, nextTask } from './items';
import styles from './tasks.module.css';
import type { Hold, Holding } from './useHolding';
import type { Selecting } from './useSelection';
import type { TaskRows } from './useTaskRows';
import { useWindow } from './useWindow';

const ROW_PX = 34;
const HEAD_PX = 30;
const GAP_PX = 12;
const EDGES_PX = 32; // left and right of a row
const CHECK_PX = 18; // the box that selects it
const SAMPLED = 160; // changes a second; of more the stream tells the newest only

interface TaskListProps {
  list: RefObject<HTMLDivElement | null>;
  answer: TaskRows;
  holding: Holding;
  query: string | null;
  problem: Problem | null;
  sort: Sort;
  begins: string; // another one: another list, that is read from its top
  kept: boolean | null; // whether there is a history; null: not known yet
  columns: readonly ColumnId[];
  chosen: string | null; // by keys, or shown in the drawer
  selecting: Selecting;
  bar: ReactNode; // over the end of the list: what is selected
  tools: ReactNode;
  onSort: (sort: Sort) => void;
  onOpen: (uuid: string) => void;
  onEverything: () => void;
}

export function TaskList(props: TaskListProps) {
  const { list, answer, holding, query, problem, sort, begins, kept, columns, chosen, selecting, tools, onSort, onOpen } = props;
  const { items, total, inMemory, settling, paging } = answer;
  const error = answer.error ?? (items === null ? (paging?.error ?? null) : null);
  const { possible } = selecting;
  const shown = useFitting(list, columns, possible);

  // Another question starts at the top of its answer.
  useEffect(() => {
    list.current?.scrollTo({ top: 0 });
  }, [list, begins]);

  return (
    <section className={styles.panel} aria-label="Tasks" data-testid="tasks" data-total={total ?? undefined}>
      <div className={styles.status}>
        <h2>{title(answer, kept === true, sort)}</h2>
        <Pace pace={answer.pace} shown={items?.head ?? 0} />
        <div className={styles.right}>
          <Held hold={holding.hold} newer={answer.newer} onFollow={holding.follow} />
          {tools}
          <Button
            aria-pressed={holding.hold === 'frozen'}
            icon={holding.hold === null || holding.hold === 'pointing' ? 'pause' : 'play'}
            onClick={holding.hold === null || holding.hold === 'pointing' ? holding.freeze : holding.follow}
            data-testid="freeze"
          >
            {holding.hold === null || holding.hold === 'pointing' ? 'Freeze' : 'Follow'}
          </Button>
        </div>
      </div>
      <div
        className={styles.list}
        ref={list}
        onScroll={holding.onScroll}
        role="table"
        aria-label="Tasks"
        aria-rowcount={total ?? -1}
        aria-colcount={shown.length + (possible ? 1 : 0)}
        data-bar={props.bar ? true : undefined}
        aria-busy={settling}
        tabIndex={0}
        style={{ '--columns': possible ? `${CHECK_PX}px ${template(shown)}` : template(shown) }}
      >
        <Head columns={shown} sort={sort} selecting={selecting} onSort={onSort} />
        {problem && !items ? (
          <Refused problem={problem} onEverything={props.onEverything} />
        ) : error && !(error instanceof NoAnswer && items) ? (
          <Failed error={error} onEverything={props.onEverything} />
        ) : items === null || (items.count === 0 && paging?.asking) ? (
          <Waiting what="the tasks" />
        ) : items.count === 0 && !paging?.pages.cut && !paging?.error ? (
          <Nothing filtered={query !== null && query !== ''} inMemory={inMemory} kept={kept === true} onEverything={props.onEverything} />
        ) : (
          <Rows items={items} begins={begins} list={list} columns={shown} chosen={chosen} selecting={selecting} onOpen={onOpen} onRange={paging?.onRange ?? null}>
            <End items={items} paging={paging} kept={kept} held={holding.hold !== null} inMemory={inMemory} />
          </Rows>
        )}
      </div>
      {props.bar}
    </section>
  );
}

function title({ items, total, whole, counting, inMemory }: TaskRows, kept: boolean, sort: Sort): string {
  if (!items || total === null) return 'Tasks';
  if (kept && historySort(sort) === null) return `The ${plural(inMemory ?? 0, 'task')} in memory`;
  if (kept && !whole) return `More than ${plural(total, 'task')}`;
  if (kept) return counting ? `At least ${plural(total, 'task')}` : plural(total, 'task');
  if (inMemory === null || inMemory <= total) return plural(total, 'task');
  return `${count(total)} of ${plural(inMemory, 'task')}`;
}

/** How fast it goes; and, when more goes by than is shown, that what one sees is a sample. */
function Pace({ pace, shown }: { pace: number | null; shown: number }) {
  const told =
    pace === null || pace < 0.5
      ? ''
      : pace > SAMPLED
        ? `showing ${count(Math.min(shown, MOST_ROWS))} of ${compact(Math.round(pace))}/s`
        : `${plural(Math.round(pace), 'change')}/s`;
  return (
    <span className={styles.pace} data-testid="pace" data-value={pace ?? undefined}>
      {told}
    </span>
  );
}

const REASONS: Record<Hold, string> = {
  frozen: 'Frozen',
  scrolled: 'Held while you scroll',
  selecting: 'Held while you select',
  chosen: 'Held while you read',
  pointing: '',
  placed: 'From a time on',
};

function Held({ hold, newer, onFollow }: { hold: Hold | null; newer: number; onFollow: () => void }) {
  if (hold === null) return null;
  return (
    <>
      {newer > 0 && (
        <button type="button" className={styles.newer} onClick={onFollow} data-testid="newer" data-count={newer}>
          {compact(newer)} newer
        </button>
      )}
      {hold !== 'pointing' && (
        <span className={styles.held} role="status" data-testid="held" data-value={hold}>
          {REASONS[hold]}
        </span>
      )}
    </>
  );
}

/** The columns that fit into the list as wide as it is now. */
function useFitting(list: RefObject<HTMLElement | null>, columns: readonly ColumnId[], boxes: boolean): readonly Column[] {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const area = list.current;
    if (!area) return;
    const observer = new ResizeObserver(() => setWidth(area.clientWidth));
    observer.observe(area);
    return () => observer.disconnect();
  }, [list]);
  const room = width - EDGES_PX + GAP_PX - (boxes ? CHECK_PX + GAP_PX : 0);
  return useMemo(() => fitting(columns, room, GAP_PX), [columns, room]);
}

interface HeadProps {
  columns: readonly Column[];
  sort: Sort;
  selecting: Selecting;
  onSort: (sort: Sort) => void;
}

function Head({ columns, sort, selecting, onSort }: HeadProps) {
  return (
    <div className={`${styles.row} ${styles.head}`} role="row" aria-rowindex={1}>
      {selecting.possible && (
        <div className={styles.cell} role="columnheader">
          <input
            type="checkbox"
            className={styles.check}
            aria-label="Select all that match"
            title="Select all that match (A)"
            checked={selecting.selection.kind === 'all'}
            onChange={selecting.selection.kind === 'all' ? selecting.clear : selecting.all}
            data-testid="select-all"
          />
        </div>
      )}
      {columns.map(({ id, label, sort: key, end }) => (
        <div
          key={id}
          className={end ? `${styles.cell} ${styles.end}` : styles.cell}
          role="columnheader"
          aria-sort={key && direction(sort, key)}
        >
          {key ? (
            <SortHead label={label} direction={direction(sort, key)} end={end} onSort={() => onSort(nextSort(sort, key))} />
          ) : (
            label
          )}
        </div>
      ))}
    </div>
  );
}

interface RowsProps {
  items: Items;
  begins: string;
  list: RefObject<HTMLDivElement | null>;
  columns: readonly Column[];
  chosen: string | null;
  selecting: Selecting;
  onOpen: (uuid: string) => void;
  onRange: ((first: number, last: number) => void) | null; // of those below the head, that are seen
  children: ReactNode; // behind the last line
}

const Rows = memo(function Rows({ items, begins, list, columns, chosen, selecting, onOpen, onRange, children }: RowsProps) {
  const { count: lines, head, shifted } = items;
  const seen = useWindow(list, { count: lines, linePx: ROW_PX, headPx: HEAD_PX });
  useShifting(list, shifted, begins);
  const { first, last } = seen;
  useEffect(() => onRange?.(first - head, last - head), [onRange, first, last, head]);
  const today = useLive(({ now }) => (now === null ? '' : dayOf(now)));
  const at = chosen === null ? -1 : items.indexOf(chosen);
  useEffect(() => {
    const area = list.current;
    // What is in sight already must not move: scrolling would hold the list for nothing.
    if (at < 0 || !area) return;
    const [top, bottom] = [at * ROW_PX, (at + 1) * ROW_PX + HEAD_PX - area.clientHeight];
    if (area.scrollTop > top) area.scrollTo({ top });
    else if (area.scrollTop < bottom) area.scrollTo({ top: bottom });
    // eslint-disable-next-line react-hooks/exhaustive-deps -- only another choice scrolls
  }, [chosen]);
  return (
    <>
      <div role="rowgroup" style={{ position: 'relative', height: lines * ROW_PX }}>
        {indexes(seen.from, seen.to).map((index) => {
          const item = items.at(index);
          const top = index * ROW_PX;
          if (item === null) return <Hollow key={`hollow ${index}`} index={index} top={top} />;
          if (item.kind === 'gaps') return <GapRow key={`gap ${item.gaps[0]?.start} ${index}`} gaps={item.gaps} index={index} top={top} />;
          const { task } = item;
          return (
            <Row
              // A row keeps its element while others come above it.
              key={index < head ? task.uuid : `kept ${task.uuid}`}
              task={task}
              index={index}
              top={top}
              columns={columns}
              today={today}
              chosen={index === at}
              selected={isSelected(selecting.selection, task.uuid)}
              locked={selecting.selection.kind === 'all'}
              onSelect={selecting.possible ? selecting.onSelect : null}
              onOpen={onOpen}
            />
          );
        })}
      </div>
      {children}
    </>
  );
});

function indexes(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, step) => from + step);
}

/** What comes above what one reads does not move it. */
function useShifting(list: RefObject<HTMLElement | null>, shifted: number, begins: string): void {
  const was = useRef({ shifted, begins });
  useLayoutEffect(() => {
    const by = was.current.begins === begins && shifted !== 0 ? shifted - was.current.shifted : shifted;
    was.current = { shifted, begins };
    if (by !== 0) list.current?.scrollBy({ top: by * ROW_PX, behavior: 'instant' });
  }, [list, shifted, begins]);
}

/** The keys of the list. `move` is told by how many rows; 0 opens the one that is chosen. */
export function useListKeys(options: {
  items: Items | null;
  chosen: string | null;
  frozen: boolean;
  onChoose: (uuid: string) => void;
  onOpen: (uuid: string) => void;
  onClear: () => void;
  onWhole: (uuid: string) => void;
  onCopy: (uuid: string) => void;
  onFreeze: () => void;
}): void {
  const { items, chosen, frozen, onChoose, onOpen, onClear, onWhole, onCopy, onFreeze } = options;
  const move = useCallback(
    (by: 1 | -1) => {
      if (!items) return;
      const at = chosen === null ? -1 : items.indexOf(chosen);
      const next = nextTask(items, at < 0 ? -1 : at, at < 0 ? 1 : by);
      if (next) onChoose(next.uuid);
    },
    [items, chosen, onChoose],
  );
  const some = chosen !== null;
  const on = (run: (uuid: string) => void) => () => {
    if (chosen !== null) run(chosen);
  };
  useKeys('Tasks', [
    { keys: 'j', does: 'Next task', run: () => move(1) },
    { keys: 'k', does: 'Task before', run: () => move(-1) },
    { keys: 'ArrowDown', does: 'Next task', run: () => move(1) },
    { keys: 'ArrowUp', does: 'Task before', run: () => move(-1) },
    { keys: 'Enter', does: 'Open it beside the list', run: on(onOpen), when: some },
    { keys: 'o', does: 'Open its page', run: on(onWhole), when: some },
    { keys: 'c', does: 'Copy its id', run: on(onCopy), when: some },
    { keys: 'Escape', does: 'Close it, then let go of it', run: onClear, when: some },
    { keys: 'f', does: frozen ? 'Follow the cluster' : 'Freeze the list', run: onFreeze },
  ]);
}

function Refused({ problem, onEverything }: { problem: Problem; onEverything: () => void }) {
  return (
    <Empty title={`This is no query: ${visible(problem.message)}`}>
      {visible(problem.hint)} <All onEverything={onEverything} />
    </Empty>
  );
}

function Failed({ error, onEverything }: { error: Error; onEverything: () => void }) {
  if (!(error instanceof ApiError) || error.status !== 400) return <Trouble error={error} />;
  return (
    <Empty title={visible(error.message)}>
      {error.hint !== null && visible(error.hint)} <All onEverything={onEverything} />
    </Empty>
  );
}

interface NothingProps {
  filtered: boolean;
  inMemory: number | null;
  kept: boolean;
  onEverything: () => void;
}

function Nothing({ filtered, inMemory, kept, onEverything }: NothingProps) {
  const broker = useLive((state) => state.overview?.broker.state ?? null);
  if (filtered && kept) {
    return (
      <Empty title="No task fits this query">
        None in memory, and none in the history. <All onEverything={onEverything} />
      </Empty>
    );
  }
  if (filtered && inMemory !== null && inMemory > 0) {
    return (
      <Empty title="No task fits this query">
        {plural(inMemory, 'task is', 'tasks are')} in memory. <All onEverything={onEverything} />
      </Empty>
    );
  }
  if (broker !== null && broker !== 'connected') {
    return (
      <Empty title="Unknown">
        The broker has not been reached, so no task could be seen. The banner says what is wrong.
      </Empty>
    );
  }
  return (
    <Empty title="No task has been seen yet">
      Tasks appear here as workers tell of them. When none come: workers need to send events, with
      the -E option or worker_send_task_events.
    </Empty>
  );
}

function All({ onEverything }: { onEverything: () => void }) {
  return (
    <button type="button" className={styles.all} onClick={onEverything}>
      Show all tasks
    </button>
  );
}
