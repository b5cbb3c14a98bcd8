/** A few tasks, for the pages of what they belong to. */

import { Link } from '@tanstack/react-router';

import type { TaskRow } from '~/api/client';

import { Since } from './Moment';
import { Line, TaskName } from './Plain';
import { StatePill } from './State';
import table from './Table.module.css';

export function RunningTasks({ tasks }: { tasks: readonly TaskRow[] }) {
  return (
    <div className={table.tall} tabIndex={0} role="region" aria-label="All running tasks">
    <table className={table.table} data-testid="running-tasks">
      <thead>
        <tr>
          <th style={{ width: '7.5rem' }}>State</th>
          <th>Task</th>
          <th className={table.optional}>Id</th>
          <th className={table.number} style={{ width: '6.5rem' }}>
            Running for
          </th>
        </tr>
      </thead>
      <tbody>
        {tasks.map((task) => (
          <tr key={task.uuid} data-uuid={task.uuid}>
            <td>
              <StatePill state={task.state} />
            </td>
            <td>
              <Link className={table.link} to="/tasks/$uuid" params={{ uuid: task.uuid }}>
                <TaskName name={task.name} />
              </Link>
            </td>
            <td className={`${table.dim} ${table.optional}`}>
              <Line text={task.uuid} mono />
            </td>
            <td className={table.number}>
              <Since at={task.started} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
    </div>
  );
}
