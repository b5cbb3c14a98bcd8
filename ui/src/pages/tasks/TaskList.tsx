/** The list of tasks: virtual, newest first, still while someone reads in it. */

import { Button } from '@mantine/core';
import { Link, useNavigate } from '@tanstack/react-router';
import { useVirtualizer } from '@tanstack/react-virtual';
import { type ReactNode, memo, useEffect, useRef, useState } from 'react';

import { ApiError, type TaskRow } from '~/api/client';
import { useLive } from '~/api/live';
import { Icon } from '~/components/Icon';
import { Clock } from '~/components/Moment';
import { Empty, Trouble, Waiting } from '~/components/Notice';
import { Host, Line, TaskName } from '~/components/Plain';
import { SortHead } from '~/components/SortHead';
import { StatePill } from '~/components/State';
import { compact, count, duration } from '~/lib/format';
import {
  DEFAULT_SORT,
  type SortKey,
  type TaskSearch,
  direction,
  isFiltered,
  nextSort,
} from '~/lib/task-query';
import { visible } from '~/lib/text';

import styles from './tasks.module.css';
import { useTaskRows } from './useTaskRows';

const ROW_PX = 34;
const HEAD_PX = 30;
const OVERSCAN = 12;

interface TaskListProps {
  search: TaskSearch;
  onChange: (search: TaskSearch) => void;
}

export function TaskList({ search, onChange }: TaskListProps) {
  const list = useRef<HTMLDivElement>(null);
  const [frozen, setFrozen] = useState(false);
  const [scrolled, setScrolled] = useState(false);
  const [deep, setDeep] = useState(false);
  const selecting = useSelecting(list);
  const held = frozen || scrolled || selecting;
  const { rows, total, inMemory, changed, error, settling } = useTaskRows(search, held, deep);

  // Another question starts at the top of its answer.
  useEffect(() => {
    list.current?.scrollTo({ top: 0 });
  }, [search]);

  const onScroll = () => {
    const { scrollTop, clientHeight, scrollHeight } = list.current ?? document.body;
    setScrolled(scrollTop > 0);
    setDeep((was) => scrollTop > 0 && (was || scrollTop > (scrollHeight - clientHeight) / 2));
  };
  const follow = () => {
    setFrozen(false);
    window.getSelection()?.removeAllRanges();
    list.current?.scrollTo({ top: 0 });
  };

  return (
    <section className={styles.panel} aria-label="Tasks" data-testid="tasks" data-total={total ?? undefined}>
      <div className={styles.status}>
        <h2>{rows && total !== null ? `Showing ${count(rows.length)} of ${count(total)}` : 'Tasks'}</h2>
        <Pace />
        <div className={styles.right}>
          {held && (
            <span className={styles.held} role="status" data-testid="held">
              Held still{changed > 0 && ` · ${compact(changed)} changed since`}
            </span>
          )}
          <Button
            aria-pressed={held}
            leftSection={<Icon name={held ? 'play' : 'pause'} size={13} />}
            onClick={() => (held ? follow() : setFrozen(true))}
            data-testid="freeze"
          >
            {held ? 'Follow' : 'Freeze'}
          </Button>
        </div>
      </div>
      <div
        className={styles.list}
        ref={list}
        onScroll={onScroll}
        role="table"
        aria-label="Tasks"
        aria-rowcount={total ?? -1}
        aria-busy={settling}
        tabIndex={0}
      >
        <Head search={search} onChange={onChange} />
        {error ? (
          <Refused error={error} />
        ) : rows === null ? (
          <Waiting what="the tasks" />
        ) : rows.length === 0 ? (
          <Nothing search={search} inMemory={inMemory} />
        ) : (
          <Rows rows={rows} list={list} />
        )}
      </div>
    </section>
  );
}

/** Whether text in the list is selected: it must not move under the pointer. */
function useSelecting(list: React.RefObject<HTMLElement | null>): boolean {
  const [selecting, setSelecting] = useState(false);
  useEffect(() => {
    const look = () => {
      const selection = document.getSelection();
      setSelecting(
        selection !== null &&
          !selection.isCollapsed &&
          (list.current?.contains(selection.anchorNode) ?? false),
      );
    };
    document.addEventListener('selectionchange', look);
    return () => document.removeEventListener('selectionchange', look);
  }, [list]);
  return selecting;
}

function Pace() {
  const pace = useLive((state) => state.tasks?.changed_per_second ?? null);
  return (
    <span className={styles.pace}>{pace !== null && pace > 0 && `${compact(Math.round(pace))} changes/s`}</span>
  );
}

/** A search that is not finished yet is no trouble. */
function Refused({ error }: { error: Error }) {
  if (!(error instanceof ApiError) || error.status !== 400) return <Trouble error={error} />;
  return <Empty title={visible(error.message)}>{error.hint !== null && visible(error.hint)}</Empty>;
}

function Nothing({ search, inMemory }: { search: TaskSearch; inMemory: number | null }) {
  const broker = useLive((state) => state.overview?.broker.state ?? null);
  if (isFiltered(search) && inMemory !== null && inMemory > 0) {
    return <Empty title="No task fits these filters">{count(inMemory)} are in memory.</Empty>;
  }
  if (broker !== null && broker !== 'connected') {
    return <Empty title="Unknown">The broker has not been reached.</Empty>;
  }
  return <Empty title="No task has been seen yet">Tasks appear here as workers tell of them.</Empty>;
}

const COLUMNS: readonly { label: string; key?: SortKey; className: string; end?: boolean }[] = [
  { label: 'State', key: 'state', className: '' },
  { label: 'Task', key: 'name', className: '' },
  { label: 'Id', className: styles.uuid ?? '' },
  { label: 'Worker', className: styles.worker ?? '' },
  { label: 'Queue', className: styles.queue ?? '' },
  { label: 'Received', key: 'received', className: `${styles.when} ${styles.end}`, end: true },
  { label: 'Wait', className: `${styles.wait} ${styles.end}` },
  { label: 'Runtime', key: 'runtime', className: styles.end ?? '', end: true },
  { label: 'Retries', className: `${styles.retries} ${styles.end}` },
  { label: 'Outcome', className: styles.outcome ?? '' },
];

function Head({ search, onChange }: TaskListProps) {
  const sort = search.sort ?? DEFAULT_SORT;
  return (
    <div className={`${styles.row} ${styles.head}`} role="row">
      {COLUMNS.map(({ label, key, className, end }) => (
        <div
          key={label}
          className={`${styles.cell} ${className}`}
          role="columnheader"
          aria-sort={key && direction(sort, key)}
        >
          {key ? (
            <SortHead
              label={label}
              direction={direction(sort, key)}
              end={end}
              onSort={() => onChange({ ...search, sort: nextSort(sort, key) })}
            />
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
  list: React.RefObject<HTMLDivElement | null>;
}

function Rows({ rows, list }: RowsProps) {
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => list.current,
    estimateSize: () => ROW_PX,
    overscan: OVERSCAN,
    scrollMargin: HEAD_PX,
    // Rows keep their elements while others come above them.
    getItemKey: (index) => rows[index]?.uuid ?? index,
  });
  return (
    <div role="rowgroup" style={{ position: 'relative', height: virtual.getTotalSize() }}>
      {virtual.getVirtualItems().map(({ key, index, start }) => {
        const task = rows[index];
        return task && <Row key={key} task={task} index={index} top={start - HEAD_PX} />;
      })}
    </div>
  );
}

const Row = memo(function Row({ task, index, top }: { task: TaskRow; index: number; top: number }) {
  const navigate = useNavigate();
  const open = () => {
    if (document.getSelection()?.isCollapsed === false) return; // someone copies text
    void navigate({ to: '/tasks/$uuid', params: { uuid: task.uuid } });
  };
  const cell = (className: string | undefined, content: ReactNode) => (
    <div className={`${styles.cell} ${className ?? ''}`} role="cell">
      {content}
    </div>
  );
  const failed = task.exception !== null;
  return (
    <div
      className={`${styles.row} ${styles.task}`}
      style={{ transform: `translateY(${top}px)` }}
      role="row"
      aria-rowindex={index + 2}
      data-uuid={task.uuid}
      data-state={task.state}
      onClick={open}
    >
      {cell('', <StatePill state={task.state} />)}
      {cell(
        styles.name,
        <Link
          to="/tasks/$uuid"
          params={{ uuid: task.uuid }}
          onClick={(event) => event.stopPropagation()}
        >
          <TaskName name={task.name} />
        </Link>,
      )}
      {cell(`${styles.uuid} ${styles.dim}`, <Line text={task.uuid} mono />)}
      {cell(styles.worker, <Host hostname={task.worker} />)}
      {cell(styles.queue, <Line text={task.queue} />)}
      {cell(`${styles.when} ${styles.end}`, <Clock at={task.received ?? task.sent} />)}
      {cell(`${styles.wait} ${styles.end}`, duration(task.wait))}
      {cell(styles.end, duration(task.runtime))}
      {cell(`${styles.retries} ${styles.end} ${task.retries > 0 ? '' : styles.dim}`, count(task.retries))}
      {cell(
        `${styles.outcome} ${failed ? styles.bad : styles.dim}`,
        <Line text={task.exception ?? task.result} mono />,
      )}
    </div>
  );
});
