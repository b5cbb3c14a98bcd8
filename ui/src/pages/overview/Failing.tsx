import { Link } from '@tanstack/react-router';

import { useLive } from '~/api/live';
import { Empty, Waiting } from '~/components/Notice';
import { Panel } from '~/components/Panel';
import { Line, TaskName } from '~/components/Plain';
import table from '~/components/Table.module.css';
import { count, percent, share } from '~/lib/format';

import styles from './overview.module.css';

export function Failing() {
  const rows = useLive((state) => state.overview?.failing ?? null);
  return (
    <Panel title="Failing tasks" note={rows?.length ? 'since the console started' : undefined}>
      {rows === null ? (
        <Waiting what="the first figures" />
      ) : rows.length === 0 ? (
        <Empty title="No task has failed">since the console started.</Empty>
      ) : (
        <table className={table.table}>
          <thead>
            <tr>
              <th style={{ width: '36%' }}>Task</th>
              <th className={table.number} style={{ width: '4.75rem' }}>
                Failed
              </th>
              <th className={table.number} style={{ width: '4.25rem' }}>
                Share
              </th>
              <th className={styles.optional}>Last exception</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.name} data-name={row.name}>
                <td>
                  <Link className={table.link} to="/tasks" search={{ name: row.name }}>
                    <TaskName name={row.name} />
                  </Link>
                </td>
                <td className={table.number}>
                  <Link
                    className={`${table.link} ${table.bad}`}
                    to="/tasks"
                    search={{ name: row.name, state: ['FAILURE'] }}
                    data-value={row.failed}
                  >
                    {count(row.failed)}
                  </Link>
                </td>
                <td className={table.number}>
                  {percent(share(row.failed, row.failed + row.succeeded))} %
                </td>
                <td className={styles.optional}>
                  <Line text={row.last_exception} mono />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}
