/** What runs now, the longest first, beside how long such tasks usually take. */

import { Link } from '@tanstack/react-router';

import type { RunningTask, WorkerDetail } from '~/api/client';
import { useNow } from '~/api/live';
import { DoorLink } from '~/components/DoorLink';
import { Meter } from '~/components/Meter';
import { Empty } from '~/components/Notice';
import { Panel } from '~/components/Panel';
import { Line, TaskName } from '~/components/Plain';
import { toneClass } from '~/components/State';
import table from '~/components/Table.module.css';
import { tasks } from '~/lib/doors';
import { NONE, age, count } from '~/lib/format';
import { compared } from '~/lib/usual';

import styles from './worker.module.css';

export function Running({ worker }: { worker: WorkerDetail }) {
  const { running_tasks: list, running, hostname, status } = worker;
  return (
    <Panel
      title="Running tasks"
      note={list.length > 0 ? note(list.length, running) : undefined}
      actions={
        <DoorLink className={styles.door} door={tasks({ worker: hostname, state: 'STARTED' })}>
          As a list
        </DoorLink>
      }
    >
      <div className={styles.running}>
        {list.length === 0 ? (
          <Empty title="Nothing is running on this worker">
            {status === 'online' ? undefined : 'As far as its last events told.'}
          </Empty>
        ) : (
          <div className={table.tall} tabIndex={0} role="region" aria-label="All running tasks">
            <table className={table.table} data-testid="running-tasks">
              <thead>
                <tr>
                  <th>Task</th>
                  <th className={table.optional}>Id</th>
                  <th className={`${table.number} ${styles.elapsed}`}>For</th>
                  <th className={styles.usual}>Usually</th>
                </tr>
              </thead>
              <tbody>
                {list.map((task) => (
                  <Row key={task.uuid} task={task} />
                ))}
              </tbody>
            </table>
          </div>
        )}
      </div>
    </Panel>
  );
}

/** The list is as of the last request, the figure as of the last frame: the list is what counts. */
function note(listed: number, running: number): string {
  return running > 2 * listed ? `the longest ${count(listed)} of ${count(running)}` : count(listed);
}

function Row({ task }: { task: RunningTask }) {
  const now = useNow();
  const elapsed = task.started === null ? null : Math.max(0, now - task.started);
  const found = elapsed === null ? null : compared(elapsed, task.usual_p50, task.usual_p95);
  return (
    <tr data-uuid={task.uuid} data-over={found?.over || undefined}>
      <td>
        <Link className={table.link} to="/tasks/$uuid" params={{ uuid: task.uuid }}>
          <TaskName name={task.name} />
        </Link>
      </td>
      <td className={`${table.dim} ${table.optional}`}>
        <Line text={task.uuid} mono />
      </td>
      <td className={table.number}>{age(elapsed)}</td>
      <td>
        {found === null ? (
          <span className={table.dim}>{NONE}</span>
        ) : (
          <span className={styles.compared}>
            <Meter value={found.share} max={1} tone={toneClass(found.over ? 'retry' : 'running')} />
            <span className={found.over ? table.warn : table.dim}>
              {found.over ? `overdue: ${found.words}` : found.words.replace('usually ', '')}
            </span>
          </span>
        )}
      </td>
    </tr>
  );
}
