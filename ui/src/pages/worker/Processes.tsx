/** The processes of its pool: which one runs what. */

import { Link } from '@tanstack/react-router';

import type { RunningTask, WorkerDetail } from '~/api/client';
import { Controls } from '~/components/control/Controls';
import { Since } from '~/components/Moment';
import { Panel } from '~/components/Panel';
import { TaskName } from '~/components/Plain';
import { count, plural } from '~/lib/format';
import { pool } from '~/lib/inspect';

import styles from './worker.module.css';

export function Processes({ worker }: { worker: WorkerDetail }) {
  const { inspect, running_tasks: running, concurrency } = worker;
  const tasks = new Map(running.map((task) => [task.uuid, task]));
  const { processes, asked } = pool(inspect, new Set(tasks.keys()));
  if (processes.length === 0) return <Slots worker={worker} />;
  const busy = processes.filter(({ uuid }) => uuid !== null).length;
  // What began after the worker was asked runs in one of the others.
  const sure = asked && running.length <= busy;
  return (
    <Panel
      title="Pool"
      note={asked ? `${plural(processes.length, 'process', 'processes')}, and what each ran when it was asked` : 'asking which process runs what'}
      actions={<PoolControls hostname={worker.hostname} />}
      padded
    >
      <ul className={styles.processes} data-testid="processes" data-concurrency={concurrency}>
        {processes.map(({ pid, uuid }) => (
          <Process key={pid} pid={pid} task={uuid === null ? null : (tasks.get(uuid) ?? null)} sure={sure} />
        ))}
      </ul>
    </Panel>
  );
}

function PoolControls({ hostname }: { hostname: string }) {
  const of = { workers: [hostname], subject: hostname };
  return (
    <Controls
      label="Change the pool"
      choices={[
        { command: 'pool_grow', label: 'Grow', ...of },
        { command: 'pool_shrink', label: 'Shrink', ...of },
        { command: 'autoscale', label: 'Autoscale', ...of },
        { command: 'pool_restart', label: 'Restart', ...of },
      ]}
    />
  );
}

interface ProcessProps {
  pid: number;
  task: RunningTask | null;
  sure: boolean; // what is not said to run, does not
}

function Process({ pid, task, sure }: ProcessProps) {
  return (
    <li className={styles.process} data-pid={pid} data-busy={task !== null}>
      <span className={styles.pid}>{pid}</span>
      {task === null ? (
        <span className={styles.idle}>{sure ? 'idle' : 'idle, or just begun'}</span>
      ) : (
        <>
          <Link className={styles.runs} to="/tasks/$uuid" params={{ uuid: task.uuid }}>
            <TaskName name={task.name} />
          </Link>
          <span className={styles.since}>
            <Since at={task.started} />
          </span>
        </>
      )}
    </li>
  );
}

const MOST_SLOTS = 400;

/** Threads and green threads have no process of their own: only how many of them are busy. */
function Slots({ worker: { hostname, concurrency, active, running, pool: kind } }: { worker: WorkerDetail }) {
  const busy = active ?? running;
  return (
    <Panel
      title="Pool"
      note={concurrency === null ? 'its size is not known yet' : `${count(busy)} of ${plural(concurrency, 'slot')} busy`}
      actions={<PoolControls hostname={hostname} />}
      padded
    >
      <div className={styles.slots} data-testid="processes" aria-hidden="true">
        {Array.from({ length: Math.min(MOST_SLOTS, concurrency ?? busy) }, (_, index) => (
          <span key={index} className={styles.slot} data-busy={index < busy} />
        ))}
      </div>
      {kind !== null && concurrency !== null && (
        <p className={styles.dim}>Its slots are not processes: none can be told from another.</p>
      )}
    </Panel>
  );
}
