import { useLive } from '~/api/live';
import { DoorLink } from '~/components/DoorLink';
import { Empty, Waiting } from '~/components/Notice';
import { Panel } from '~/components/Panel';
import { Line, TaskName } from '~/components/Plain';
import table from '~/components/Table.module.css';
import { tasks } from '~/lib/doors';
import { NONE, compact, count, percent, share } from '~/lib/format';

import styles from './overview.module.css';

export function Failing() {
  const rows = useLive((state) => state.overview?.failing ?? null);
  return (
    <Panel title="Failing tasks" note={rows?.length ? 'those of the last 5 minutes first' : undefined}>
      {rows === null ? (
        <Waiting what="the first figures" />
      ) : rows.length === 0 ? (
        <Empty title="No task has failed">since the console started.</Empty>
      ) : (
        <table className={table.table} data-testid="failing">
          <thead>
            <tr>
              <th className={styles.taskHead}>Task</th>
              <th className={table.number} style={{ width: '4.25rem' }}>
                5 min
              </th>
              <th className={`${table.number} ${styles.optional2}`} style={{ width: '4.25rem' }} title="Part of those done in 5 minutes">
                Share
              </th>
              <th className={table.number} style={{ width: '4.25rem' }}>
                All
              </th>
              <th className={styles.optional}>Last exception</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.name} data-name={row.name}>
                <td>
                  <DoorLink className={table.link} door={tasks({ state: 'FAILURE', name: row.name })}>
                    <TaskName name={row.name} />
                  </DoorLink>
                </td>
                <td className={table.number}>
                  <DoorLink
                    className={`${table.link} ${row.recent_failed > 0 ? table.bad : table.dim}`}
                    door={tasks({ state: 'FAILURE', name: row.name, since: '5m' })}
                    data-recent={row.recent_failed}
                  >
                    {compact(row.recent_failed)}
                  </DoorLink>
                </td>
                <td className={`${table.number} ${styles.optional2} ${row.recent_failed > 0 ? '' : table.dim}`}>
                  {part(row.recent_failed, row.recent_succeeded)}
                </td>
                <td className={table.number}>
                  <DoorLink
                    className={table.link}
                    door={tasks({ state: 'FAILURE', name: row.name })}
                    data-value={row.failed}
                    title={`${count(row.failed)} since the console started, ${part(row.failed, row.succeeded)} of those done`}
                  >
                    {compact(row.failed)}
                  </DoorLink>
                </td>
                <td className={styles.optional}>
                  <LastFailure name={row.name} uuid={row.last_failed} exception={row.last_exception} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}

function part(failed: number, succeeded: number): string {
  const found = share(failed, failed + succeeded);
  return found === null ? NONE : `${percent(found)} %`;
}

interface LastFailureProps {
  name: string;
  uuid: string | null;
  exception: string | null;
}

/** The exception, and a door to the task that it stopped. */
function LastFailure({ name, uuid, exception }: LastFailureProps) {
  const text = <Line text={exception} mono />;
  if (uuid === null) return text;
  const list = tasks({ state: 'FAILURE', name });
  const door = list.to === '/tasks' ? { ...list, task: uuid } : list;
  return (
    <DoorLink className={table.link} door={door} data-task={uuid}>
      {text}
    </DoorLink>
  );
}
