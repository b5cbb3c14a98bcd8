import { Link } from '@tanstack/react-router';

import type { ScheduleEntry } from '~/api/client';
import { useNow } from '~/api/live';
import { Button } from '~/components/Button';
import { useControl } from '~/components/control/useControl';
import { DoorLink } from '~/components/DoorLink';
import { Icon } from '~/components/Icon';
import { Ago } from '~/components/Moment';
import { Empty } from '~/components/Notice';
import { Line, TaskName } from '~/components/Plain';
import { Glyph, toneClass } from '~/components/State';
import table from '~/components/Table.module.css';
import { tasks } from '~/lib/doors';
import { NONE, plural } from '~/lib/format';
import { instead, overdueWords } from '~/lib/schedules';
import { look, stateWord } from '~/lib/states';
import { visible } from '~/lib/text';

import styles from './schedules.module.css';

const MOST_ROWS = 500; // more is found by searching

export function ScheduleTable({ rows }: { rows: readonly ScheduleEntry[] }) {
  const { may, ask } = useControl();
  const runs = may('run_entry');
  const run = ({ id, name }: ScheduleEntry) =>
    ask({ command: 'run_entry', arguments: { entry: id }, subject: name });
  return (
    <>
      <table className={`${table.table} ${styles.table}`} data-testid="schedules">
        <thead>
          <tr>
            <th>Entry</th>
            <th>Schedule</th>
            <th className={styles.late}>Task</th>
            <th style={{ width: '9rem' }}>Last run</th>
            <th style={{ width: '11rem' }}>Next run</th>
            {runs && (
              <th style={{ width: '7.75rem' }}>
                <span className="sr">Run it now</span>
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, MOST_ROWS).map((row) => (
            <tr
              key={row.id}
              data-entry={row.id}
              data-enabled={row.enabled}
              data-overdue={row.overdue}
              className={row.enabled ? undefined : styles.disabled}
            >
              <td>
                <Link to="/schedules/$entry" params={{ entry: row.id }} className={table.link} title="What it started">
                  <Line text={row.name} />
                </Link>
                <span className={styles.below}>
                  <Line text={row.note === '' ? row.source : `${row.source} · ${row.note}`} />
                </span>
              </td>
              <td>
                <Line text={row.schedule} />
                <span className={styles.below}>
                  <Line text={row.timezone === null ? row.raw : `${row.raw} · ${row.timezone}`} mono />
                </span>
              </td>
              <td className={styles.late}>
                <DoorLink className={table.link} door={tasks({ name: row.task })}>
                  <TaskName name={row.task} />
                </DoorLink>
                <span className={styles.below}>
                  <Line text={`${row.args} ${row.kwargs}`} mono />
                </span>
              </td>
              <td>
                <LastRun row={row} />
              </td>
              <td>
                <NextRun row={row} />
              </td>
              {runs && (
                <td>
                  <Button icon="play" aria-label={`Run ${visible(row.name)} now`} onClick={() => run(row)} data-testid="run-entry">
                    Run now
                  </Button>
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > MOST_ROWS && (
        <Empty title={`${plural(rows.length - MOST_ROWS, 'more entry', 'more entries')}: search for what you need.`} />
      )}
    </>
  );
}

/** When it was sent, and what became of the task. */
function LastRun({ row }: { row: ScheduleEntry }) {
  const { last_run, last_run_from, last_task, last_state } = row;
  const at = last_run === null ? NONE : <Ago at={last_run} />;
  return (
    <>
      {last_task !== null && last_state !== null ? (
        <Link
          to="/tasks/$uuid"
          params={{ uuid: last_task }}
          className={`${table.link} ${styles.outcome}`}
          title={stateWord(last_state)}
          data-state={last_state}
        >
          <span className={toneClass(look(last_state).tone)}>
            <Glyph name={look(last_state).glyph} />
          </span>
          <span className="sr">
            <Line text={stateWord(last_state)} />
          </span>
          {last_run === null ? 'its last task' : at}
        </Link>
      ) : (
        at
      )}
      <span className={styles.below}>{last_run_from === 'events' ? 'as events tell' : ''}</span>
    </>
  );
}

function NextRun({ row }: { row: ScheduleEntry }) {
  const now = useNow();
  const late = overdueWords(row);
  const words = instead(row, now);
  return (
    <>
      {late === null ? (
        (words ?? <Ago at={row.next_run} />)
      ) : (
        <span className={`${table.warn} ${styles.outcome}`} data-testid="overdue">
          <Icon name="warning" size={14} />
          {late}
        </span>
      )}
      <span className={styles.below}>{row.one_off ? 'once' : ''}</span>
    </>
  );
}
