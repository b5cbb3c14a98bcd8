import { useLive } from '~/api/live';
import { DoorLink } from '~/components/DoorLink';
import { Meter } from '~/components/Meter';
import { Empty, Waiting } from '~/components/Notice';
import { Panel } from '~/components/Panel';
import { TaskName } from '~/components/Plain';
import { toneClass } from '~/components/State';
import table from '~/components/Table.module.css';
import { type Door, tasks } from '~/lib/doors';
import { age, duration } from '~/lib/format';

import styles from './overview.module.css';

export function Slowest() {
  const rows = useLive((state) => state.overview?.slowest ?? null);
  const most = Math.max(0, ...(rows ?? []).map(({ runtime_total }) => runtime_total));
  return (
    <Panel title="Slowest tasks" note={rows?.length ? 'by run time, of those that succeeded' : undefined}>
      {rows === null ? (
        <Waiting what="the first figures" />
      ) : rows.length === 0 ? (
        <Empty title="No task has succeeded yet">Run times are known of those that did.</Empty>
      ) : (
        <table className={table.table} data-testid="slowest">
          <thead>
            <tr>
              <th>Task</th>
              <th className={`${table.number} ${styles.optional2}`} style={{ width: '4.5rem' }}>
                p50
              </th>
              <th className={table.number} style={{ width: '4.5rem' }}>
                p95
              </th>
              <th className={`${table.number} ${styles.totalHead}`} title="Time that all its runs took together">
                In total
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.name} data-slow={row.name}>
                <td>
                  <DoorLink className={table.link} door={slow(row.name)}>
                    <TaskName name={row.name} />
                  </DoorLink>
                </td>
                <td className={`${table.number} ${table.dim} ${styles.optional2}`}>{duration(row.runtime_p50)}</td>
                <td className={table.number} data-value={row.runtime_p95}>
                  <DoorLink className={table.link} door={slow(row.name, row.runtime_p95)}>
                    {duration(row.runtime_p95)}
                  </DoorLink>
                </td>
                <td>
                  <span className={styles.total} title={`${duration(row.runtime_total)} in all`}>
                    <Meter value={row.runtime_total} max={most} tone={toneClass('running')} />
                    <span className={table.number}>{brief(row.runtime_total)}</span>
                  </span>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}

/** The list of its runs, the longest first; those above a time, where one is given. */
function slow(name: string, above: number | null = null): Door {
  const parts = above === null ? { name } : { name, runtime: `>=${milliseconds(above)}` };
  const door = tasks({ state: 'SUCCESS', ...parts });
  return door.to === '/tasks' ? { ...door, sort: '-runtime' } : door;
}

function milliseconds(seconds: number): string {
  return seconds < 0.001 ? `${Math.floor(seconds * 1e6)}us` : `${Math.floor(seconds * 1000)}ms`;
}

/** Without what does not matter beside a bar: `12.4 s`, `3 m`, `2 h 10 m`. */
function brief(seconds: number): string {
  return seconds < 60 ? duration(seconds) : age(seconds).replace(/ \d+ s$/, '');
}
