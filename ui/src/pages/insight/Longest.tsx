import { Link } from '@tanstack/react-router';
import { useState } from 'react';

import type { TaskRow } from '~/api/client';
import { DoorLink } from '~/components/DoorLink';
import { Ago, Since } from '~/components/Moment';
import { Empty, Trouble, Waiting } from '~/components/Notice';
import { Panel } from '~/components/Panel';
import { TaskName } from '~/components/Plain';
import { StatePill } from '~/components/State';
import table from '~/components/Table.module.css';
import { duration } from '~/lib/format';
import { windowOf } from '~/lib/insight';
import type { InsightSearch } from '~/lib/insight-search';

import styles from './insight.module.css';
import { useLongest, useWaitingNow } from './useInsight';

/** The tasks that ran longest in a time. */
export function Slowest({ search }: { search: InsightSearch }) {
  const { data, error } = useLongest(search, 'longest');
  const rows = data?.tasks.filter((task) => ranOf(task) !== null);
  return (
    <Panel title="Ran longest" note={whole(data?.whole)} actions={<All search={search} query="state:finished" />}>
      {rows === undefined ? error ? <Trouble error={error} /> : <Waiting what="tasks" /> : <TaskTable rows={rows} head="Run time" value={(task) => duration(ranOf(task))} />}
    </Panel>
  );
}

/** Those that waited longest: in the time shown, or at this moment. */
export function Waited({ search }: { search: InsightSearch }) {
  const [now, setNow] = useState(false);
  return (
    <Panel
      title="Waited longest"
      actions={
        <div className={styles.spans} role="group" aria-label="Which tasks">
          <button type="button" aria-pressed={!now} onClick={() => setNow(false)}>
            Ended
          </button>
          <button type="button" aria-pressed={now} onClick={() => setNow(true)}>
            Wait now
          </button>
        </div>
      }
    >
      {now ? <WaitNow /> : <DidWait search={search} />}
    </Panel>
  );
}

function DidWait({ search }: { search: InsightSearch }) {
  const { data, error } = useLongest(search, 'waited');
  if (data === undefined) return error ? <Trouble error={error} /> : <Waiting what="tasks" />;
  const rows = data.tasks.filter(({ wait }) => wait !== null);
  if (rows.length === 0) {
    return (
      <Empty title="Of no task is it known how long it waited">
        Waits are known of tasks whose sending was seen (<code>task_send_sent_event</code>).
      </Empty>
    );
  }
  return <TaskTable rows={rows} head="Wait" value={({ wait }) => duration(wait)} />;
}

function WaitNow() {
  const { data, error } = useWaitingNow();
  if (data === undefined) return error ? <Trouble error={error} /> : <Waiting what="tasks" />;
  if (data.tasks.length === 0) return <Empty title="No task waits now">as far as events tell.</Empty>;
  return <TaskTable rows={data.tasks} head="Waits for" value={({ sent, received }) => <Since at={sent ?? received} />} />;
}

export function TaskTable({ rows, head, value }: { rows: readonly TaskRow[]; head: string; value: (task: TaskRow) => React.ReactNode }) {
  if (rows.length === 0) return <Empty title="No such task in this time" />;
  return (
    <table className={table.table}>
      <thead>
        <tr>
          <th>Task</th>
          <th className={styles.stateHead}>State</th>
          <th className={styles.agoHead} data-optional="1">Last event</th>
          <th className={`${table.number} ${styles.valueHead}`}>{head}</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((task) => (
          <tr key={task.uuid}>
            <td>
              <Link className={table.link} to="/tasks/$uuid" params={{ uuid: task.uuid }}>
                <TaskName name={task.name} />
              </Link>
            </td>
            <td>
              <StatePill state={task.state} />
            </td>
            <td className={table.dim} data-optional="1">
              <Ago at={task.state_at} />
            </td>
            <td className={table.number}>{value(task)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function All({ search, query }: { search: InsightSearch; query: string }) {
  const window = windowOf(search, 0);
  return (
    <DoorLink className={styles.all} door={{ to: '/tasks', query: `${window.query} ${query}` }}>
      All tasks
    </DoorLink>
  );
}

export function ranOf({ runtime, started, state, state_at: at }: TaskRow): number | null {
  if (runtime !== null) return runtime;
  return started !== null && ['FAILURE', 'REVOKED', 'RETRY'].includes(state) ? Math.max(0, at - started) : null;
}

function whole(is: boolean | undefined): string | undefined {
  return is === false ? 'of those that could be looked at in time' : undefined;
}
