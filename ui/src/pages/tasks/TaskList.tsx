/** The list of tasks: virtual, newest first, still while someone reads in it. */

import { useVirtualizer } from '@tanstack/react-virtual';
import { type ReactNode, type RefObject, memo, useCallback, useEffect, useMemo, useState } from 'react';

import { ApiError, NoAnswer, type TaskRow } from '~/api/client';
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
import { type Sort, direction, nextSort } from '~/lib/task-query';
import { visible } from '~/lib/text';

import { Row } from './Row';
import styles from './tasks.module.css';
import type { Hold, Holding } from './useHolding';
import type { Selecting } from './useSelection';
import type { TaskRows } from './useTaskRows';

const ROW_PX = 34;
const HEAD_PX = 30;
const GAP_PX = 12;
const EDGES_PX = 32; // left and right of a row
const CHECK_PX = 18; // the box that selects it
const OVERSCAN = 10;
const SAMPLED = 160; // changes a second; of more the stream tells the newest only

interface TaskListProps {
  list: RefObject<HTMLDivElement | null>;
  answer: TaskRows;
  holding: Holding;
  query: string | null;
  problem: Problem | null;
  sort: Sort;
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
  const { list, answer, holding, query, problem, sort, columns, chosen, selecting, tools, onSort, onOpen } = props;
  const { rows, total, inMemory, error, settling } = answer;
  const { possible } = selecting;
  const shown = useFitting(list, columns, possible);

  // Another question starts at the top of its answer.
  useEffect(() => {
    list.current?.scrollTo({ top: 0 });
  }, [list, query, sort]);

  return (
    <section className={styles.panel} aria-label="Tasks" data-testid="tasks" data-total={total ?? undefined}>
      <div className={styles.status}>
        <h2>{title(rows, total, inMemory)}</h2>
        <Pace pace={answer.pace} shown={rows?.length ?? 0} />
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
        {problem && !rows ? (
          <Refused problem={problem} onEverything={props.onEverything} />
        ) : error && !(error instanceof NoAnswer && rows) ? (
          <Failed error={error} onEverything={props.onEverything} />
        ) : rows === null ? (
          <Waiting what="the tasks" />
        ) : rows.length === 0 ? (
          <Nothing filtered={query !== null && query !== ''} inMemory={inMemory} onEverything={props.onEverything} />
        ) : (
          <Rows rows={rows} list={list} columns={shown} chosen={chosen} selecting={selecting} onOpen={onOpen} />
        )}
      </div>
      {props.bar}
    </section>
  );
}

function title(rows: readonly TaskRow[] | null, total: number | null, inMemory: number | null): string {
  if (!rows || total === null) return 'Tasks';
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
  rows: readonly TaskRow[];
  list: RefObject<HTMLDivElement | null>;
  columns: readonly Column[];
  chosen: string | null;
  selecting: Selecting;
  onOpen: (uuid: string) => void;
}

const Rows = memo(function Rows({ rows, list, columns, chosen, selecting, onOpen }: RowsProps) {
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => list.current,
    estimateSize: () => ROW_PX,
    overscan: OVERSCAN,
    scrollMargin: HEAD_PX,
    scrollPaddingStart: HEAD_PX,
    // Rows keep their elements while others come above them.
    getItemKey: (index) => rows[index]?.uuid ?? index,
  });
  const at = chosen === null ? -1 : rows.findIndex(({ uuid }) => uuid === chosen);
  useEffect(() => {
    // Index 0 is in sight when the list begins there; scrolling would hold it for nothing.
    if (at >= 0) virtual.scrollToIndex(at, { align: 'auto' });
    // eslint-disable-next-line react-hooks/exhaustive-deps -- only another choice scrolls
  }, [chosen]);
  return (
    <div role="rowgroup" style={{ position: 'relative', height: virtual.getTotalSize() }}>
      {virtual.getVirtualItems().map(({ key, index, start }) => {
        const task = rows[index];
        return (
          task && (
            <Row
              key={key}
              task={task}
              index={index}
              top={start - HEAD_PX}
              columns={columns}
              chosen={index === at}
              selected={isSelected(selecting.selection, task.uuid)}
              locked={selecting.selection.kind === 'all'}
              onSelect={selecting.possible ? selecting.onSelect : null}
              onOpen={onOpen}
            />
          )
        );
      })}
    </div>
  );
});

/** The keys of the list. `move` is told by how many rows; 0 opens the one that is chosen. */
export function useListKeys(options: {
  rows: readonly TaskRow[] | null;
  chosen: string | null;
  frozen: boolean;
  onChoose: (uuid: string) => void;
  onOpen: (uuid: string) => void;
  onClear: () => void;
  onWhole: (uuid: string) => void;
  onCopy: (uuid: string) => void;
  onFreeze: () => void;
}): void {
  const { rows, chosen, frozen, onChoose, onOpen, onClear, onWhole, onCopy, onFreeze } = options;
  const move = useCallback(
    (by: number) => {
      if (!rows || rows.length === 0) return;
      const at = rows.findIndex(({ uuid }) => uuid === chosen);
      const next = rows[at < 0 ? 0 : Math.min(Math.max(at + by, 0), rows.length - 1)];
      if (next) onChoose(next.uuid);
    },
    [rows, chosen, onChoose],
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
  onEverything: () => void;
}

function Nothing({ filtered, inMemory, onEverything }: NothingProps) {
  const broker = useLive((state) => state.overview?.broker.state ?? null);
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
