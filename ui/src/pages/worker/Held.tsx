/** What it holds and does not run: fetched ahead, or waiting for its time. */

import { Link } from '@tanstack/react-router';

import type { WorkerDetail } from '~/api/client';
import { useNow } from '~/api/live';
import { Ago } from '~/components/Moment';
import { Panel } from '~/components/Panel';
import { Line, TaskName } from '~/components/Plain';
import table from '~/components/Table.module.css';
import { age, count } from '~/lib/format';
import { type Held as Task, held } from '~/lib/inspect';

import styles from './worker.module.css';

const MOST = 200;

export function Held({ worker: { inspect } }: { worker: WorkerDetail }) {
  const reserved = inspect?.reserved ?? null;
  const scheduled = inspect?.scheduled ?? null;
  return (
    <Panel
      title="Reserved and scheduled"
      note={reserved === null ? 'asked while you look' : <>answered within seconds; statistics <Ago at={inspect?.at} /></>}
      padded
    >
      <div className={styles.held} data-testid="reserved">
        <Group title="Reserved" note="fetched, waiting for a process" list={reserved} />
        <Group title="Scheduled" note="held until their time" list={scheduled} />
      </div>
    </Panel>
  );
}

function Group({ title, note, list }: { title: string; note: string; list: readonly unknown[] | null }) {
  const tasks = held(list);
  return (
    <section className={styles.group} data-count={list === null ? undefined : tasks.length}>
      <h3>
        {title} <strong>{list === null ? '…' : count(tasks.length)}</strong> <span>{note}</span>
      </h3>
      {tasks.length > 0 && (
        <div className={styles.scrolled} tabIndex={0} role="region" aria-label={title}>
          <table className={table.table}>
            <tbody>
              {tasks.slice(0, MOST).map((task, index) => (
                <Row key={`${task.uuid} ${index}`} task={task} />
              ))}
            </tbody>
          </table>
          {tasks.length > MOST && <p className={styles.dim}>and {count(tasks.length - MOST)} more</p>}
        </div>
      )}
    </section>
  );
}

function Row({ task: { uuid, name, eta } }: { task: Task }) {
  return (
    <tr data-uuid={uuid}>
      <td>
        <Link className={table.link} to="/tasks/$uuid" params={{ uuid }}>
          <TaskName name={name} />
        </Link>
      </td>
      <td className={`${table.dim} ${table.optional}`}>
        <Line text={uuid} mono />
      </td>
      {eta !== '' && (
        <td className={`${table.number} ${styles.due}`} title={eta.slice(0, 100)}>
          <Due eta={eta} />
        </td>
      )}
    </tr>
  );
}

function Due({ eta }: { eta: string }) {
  const now = useNow();
  const left = Date.parse(eta) / 1000 - now;
  if (!Number.isFinite(left)) return <Line text={eta} />;
  return left > 0 ? `in ${age(left)}` : 'now';
}
