import { type MouseEvent, type ReactNode, memo } from 'react';

import type { TaskRow } from '~/api/client';
import { DayClock } from '~/components/Moment';
import { Host, Line, TaskName } from '~/components/Plain';
import { StatePill } from '~/components/State';
import { count, duration } from '~/lib/format';
import type { Column, ColumnId } from '~/lib/task-columns';

import styles from './tasks.module.css';

const CELLS: Record<ColumnId, (task: TaskRow, today: string) => ReactNode> = {
  state: ({ state }) => <StatePill state={state} />,
  name: ({ name }) => <TaskName name={name} />,
  uuid: ({ uuid }) => <Line text={uuid} mono />,
  worker: ({ worker }) => <Host hostname={worker} />,
  queue: ({ queue }) => <Line text={queue} />,
  received: ({ received, sent }, today) => <DayClock at={received ?? sent} today={today} />,
  started: ({ started }, today) => <DayClock at={started} today={today} />,
  finished: ({ finished }, today) => <DayClock at={finished} today={today} />,
  wait: ({ wait }) => duration(wait),
  runtime: ({ runtime }) => duration(runtime),
  retries: ({ retries }) => count(retries),
  args: ({ args }) => <Line text={args} mono />,
  client: ({ client }) => <Line text={client} />,
  outcome: ({ exception, result }) => <Line text={exception ?? result} mono />,
};

const LOOKS: Partial<Record<ColumnId, (task: TaskRow) => string | undefined>> = {
  name: () => styles.name,
  uuid: () => styles.dim,
  received: () => styles.when,
  started: () => styles.when,
  finished: () => styles.when,
  retries: ({ retries }) => (retries > 0 ? styles.warn : styles.dim),
  outcome: ({ exception }) => (exception === null ? styles.dim : styles.bad),
  args: () => styles.dim,
};

interface RowProps {
  task: TaskRow;
  index: number;
  top: number;
  columns: readonly Column[];
  today: string; // as `2026-11-23`
  chosen: boolean;
  selected: boolean;
  locked: boolean; // selected with all others
  onSelect: ((uuid: string, range: boolean) => void) | null; // null: nothing can be selected
  onOpen: (uuid: string) => void;
}

/** Drawn again only when its task, its place or the columns change. */
export const Row = memo(function Row({ task, index, top, columns, today, chosen, selected, locked, onSelect, onOpen }: RowProps) {
  const open = () => {
    if (document.getSelection()?.isCollapsed === false) return; // someone copies text
    onOpen(task.uuid);
  };
  const openHere = (event: MouseEvent) => {
    event.stopPropagation();
    // With a key, or by another button, it is the browser's link to the whole page.
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    onOpen(task.uuid);
  };
  return (
    <div
      className={`${styles.row} ${styles.task}`}
      style={{ transform: `translateY(${top}px)` }}
      role="row"
      aria-rowindex={index + 2}
      data-uuid={task.uuid}
      data-state={task.state}
      data-worker={task.worker ?? undefined}
      data-queue={task.queue ?? undefined}
      data-name={task.name ?? undefined}
      data-chosen={chosen || undefined}
      data-selected={selected || undefined}
      onClick={open}
    >
      {onSelect && (
        <div className={styles.cell} role="cell" onClick={(event) => event.stopPropagation()}>
          <input
            type="checkbox"
            className={styles.check}
            aria-label="Select this task"
            checked={selected}
            disabled={locked}
            // The change says nothing of Shift; the click that makes it does.
            onClick={({ shiftKey }) => onSelect(task.uuid, shiftKey)}
            onChange={nothing}
          />
        </div>
      )}
      {columns.map(({ id, end }) => (
        <div key={id} className={cellClass(LOOKS[id]?.(task), end)} role="cell">
          {id === 'name' ? (
            <a href={`tasks/${encodeURIComponent(task.uuid)}`} onClick={openHere}>
              {CELLS.name(task, today)}
            </a>
          ) : (
            CELLS[id](task, today)
          )}
        </div>
      ))}
    </div>
  );
});

function nothing(): void {
  // A click has said it.
}

function cellClass(look: string | undefined, end = false): string {
  return [styles.cell, look, end && styles.end].filter(Boolean).join(' ');
}
