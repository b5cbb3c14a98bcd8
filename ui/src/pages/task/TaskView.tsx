/** Everything that is known of one task. */

import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';

import type { TaskDetail } from '~/api/client';
import { CopyButton } from '~/components/CopyButton';
import { type Fact, Facts } from '~/components/Facts';
import { Long, ShortOrLong } from '~/components/Long';
import { Clock } from '~/components/Moment';
import { Empty } from '~/components/Notice';
import { Panel } from '~/components/Panel';
import { Host, Line, Plain, TaskName } from '~/components/Plain';
import { StatePill } from '~/components/State';
import { count, duration } from '~/lib/format';

import { Life } from './Life';
import styles from './task.module.css';
import { Timeline } from './Timeline';

export function TaskView({ task }: { task: TaskDetail }) {
  return (
    <>
      <Summary task={task} />
      <div className={styles.columns}>
        <div className={styles.stack}>
          {(task.exception !== null || task.traceback !== null) && <Failed task={task} />}
          <Texts task={task} />
          <Panel title="All fields" padded>
            <Facts facts={fields(task)} wide />
          </Panel>
        </div>
        <div className={styles.stack}>
          <Panel title="Timeline" note="each moment by its sender’s clock" padded>
            <Timeline events={task.timeline} />
          </Panel>
          <Family task={task} />
        </div>
      </div>
    </>
  );
}

function Summary({ task }: { task: TaskDetail }) {
  const numbers: [string, ReactNode][] = [
    ['Wait', duration(task.wait)],
    ['Runtime', duration(task.runtime)],
    ['Retries', count(task.retries)],
    ['Queue', task.queue === null ? '–' : <QueueLink queue={task.queue} />],
    ['Worker', task.worker === null ? '–' : <WorkerLink hostname={task.worker} />],
  ];
  return (
    <section
      className={styles.summary}
      aria-label="Summary"
      data-testid="task"
      data-uuid={task.uuid}
      data-state={task.state}
    >
      <div className={styles.identity}>
        <div>
          <StatePill state={task.state} />
          {remarks(task)}
        </div>
        <div>
          <Line text={task.uuid} mono />
          <CopyButton text={task.uuid} what="the id" />
        </div>
      </div>
      <dl className={styles.numbers}>
        {numbers.map(([name, value]) => (
          <div key={name} className={styles.number}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <Life task={task} />
    </section>
  );
}

function remarks({ expired, terminated, signum }: TaskDetail): ReactNode {
  if (expired) return 'because it came too late';
  if (!terminated) return null;
  return (
    <span>
      while it ran{signum !== null && <>, by signal <Plain text={signum} /></>}
    </span>
  );
}

function Failed({ task }: { task: TaskDetail }) {
  return (
    <Panel title={task.state === 'RETRY' ? 'Last failure' : 'Failure'} padded>
      {task.exception !== null && (
        <div className={styles.exception} data-testid="exception">
          <ShortOrLong text={task.exception} label="Exception" />
        </div>
      )}
      {task.traceback !== null && <Long text={task.traceback} label="Traceback" />}
    </Panel>
  );
}

function Texts({ task }: { task: TaskDetail }) {
  const blocks: [string, string | null][] = [
    ['Arguments', task.args],
    ['Keyword arguments', task.kwargs],
    ['Result', task.result],
  ];
  const told = blocks.flatMap(([label, text]) => (text === null ? [] : [{ label, text }]));
  return (
    <Panel title="Arguments and result" note="as the worker wrote them" padded>
      {told.length === 0 && <p className={styles.host}>No event told them.</p>}
      {told.map(({ label, text }) => (
        <div key={label} className={styles.block}>
          <h3>{label}</h3>
          <Long text={text} label={label} />
        </div>
      ))}
      {task.truncated && (
        <p className={styles.note}>Some text was longer than the console keeps, and was cut.</p>
      )}
    </Panel>
  );
}

function Family({ task }: { task: TaskDetail }) {
  const { uuid, root_id: root, parent_id: parent, children } = task;
  const alone = (root === null || root === uuid) && parent === null && children.length === 0;
  return (
    <Panel title="Family" note={alone ? undefined : 'chains, groups, chords'} padded={!alone}>
      {alone ? (
        <Empty title="On its own">No task called it, and it has called none.</Empty>
      ) : (
        <div className={styles.family} tabIndex={0} role="region" aria-label="Related tasks">
        <ul>
          {root !== null && root !== uuid && <Relative role="Root" uuid={root} />}
          {parent !== null && <Relative role="Parent" uuid={parent} />}
          {children.map((child) => (
            <Relative key={child.uuid} role="Child" {...child} />
          ))}
          {children.length < task.children_total && (
            <li className={styles.relative}>
              <span />
              <span>and {count(task.children_total - children.length)} more</span>
            </li>
          )}
        </ul>
        </div>
      )}
    </Panel>
  );
}

interface RelativeProps {
  role: 'Root' | 'Parent' | 'Child';
  uuid: string;
  name?: string | null;
  state?: string;
}

function Relative({ role, uuid, name, state }: RelativeProps) {
  return (
    <li className={styles.relative} data-uuid={uuid}>
      <span>{role}</span>
      <Link to="/tasks/$uuid" params={{ uuid }}>
        {name ? <TaskName name={name} /> : <Line text={uuid} mono />}
      </Link>
      {state !== undefined ? <StatePill state={state} /> : <span />}
    </li>
  );
}

function WorkerLink({ hostname }: { hostname: string }) {
  return (
    <Link to="/workers/$hostname" params={{ hostname }}>
      <Host hostname={hostname} />
    </Link>
  );
}

function QueueLink({ queue }: { queue: string }) {
  return (
    <Link to="/tasks" search={{ queue }}>
      <Line text={queue} />
    </Link>
  );
}

function fields(task: TaskDetail): Fact[] {
  const moments = ['sent', 'received', 'started', 'succeeded', 'failed', 'retried', 'revoked', 'rejected'] as const;
  const texts = ['name', 'client', 'eta', 'expires', 'exchange', 'routing_key', 'root_id', 'parent_id'] as const;
  return [
    ...moments
      .filter((key) => task[key] !== null)
      .map((key) => ({ name: capital(key), value: <Clock at={task[key]} /> })),
    ...texts
      .filter((key) => task[key] !== null && task[key] !== '')
      .map((key) => ({
        name: capital(key),
        value: <ShortOrLong text={task[key] ?? ''} label={capital(key)} />,
      })),
    ...(task.clock === null ? [] : [{ name: 'Logical clock', value: count(task.clock) }]),
  ];
}

function capital(key: string): string {
  const words = key.replace('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
