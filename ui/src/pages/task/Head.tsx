/** What one wants to know of a task first. */

import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';

import type { TaskDetail } from '~/api/client';
import { useNow } from '~/api/live';
import { Controls } from '~/components/control/Controls';
import { CopyButton } from '~/components/CopyButton';
import { DoorLink } from '~/components/DoorLink';
import { GrafanaLink } from '~/components/GrafanaLink';
import { Ago } from '~/components/Moment';
import { Host, Line, TaskName } from '~/components/Plain';
import { StatePill } from '~/components/State';
import { taskCommands } from '~/lib/control';
import { tasks } from '~/lib/doors';
import { NONE, count, duration } from '~/lib/format';
import { queryOf } from '~/lib/query';
import { compared } from '~/lib/usual';

import styles from './task.module.css';

export function Head({ task, compact }: { task: TaskDetail; compact: boolean }) {
  const { uuid, name, state, queue, worker, retries } = task;
  return (
    <section
      className={styles.summary}
      aria-label="Summary"
      data-testid="task"
      data-uuid={uuid}
      data-state={state}
    >
      <div className={styles.identity}>
        <div>
          <StatePill state={state} />
          <Remarks task={task} />
          <span className={styles.when}>
            <Ago at={task.state_at} />
          </span>
          {task.source === 'history' && (
            <span className={styles.fetched} title="It is no longer among the tasks in memory." data-testid="of-history">
              from the history
            </span>
          )}
          {name !== null && <GrafanaLink of={{ board: 'task', task: name }} />}
        </div>
        {compact && (
          <div className={styles.called}>
            <TaskName name={name} />
          </div>
        )}
        <div className={styles.id}>
          <Line text={uuid} mono />
          <CopyButton text={uuid} what="the id" />
          <CopyButton text={address(uuid)} what="the link" icon="link" />
        </div>
        <Steer task={task} />
      </div>
      <dl className={styles.numbers}>
        <Fact name="Queue">
          {queue === null ? NONE : <DoorLink door={tasks({ queue })}><Line text={queue} /></DoorLink>}
        </Fact>
        <Fact name="Worker">
          {worker === null ? (
            NONE
          ) : (
            <Link to="/workers/$hostname" params={{ hostname: worker }}>
              <Host hostname={worker} />
            </Link>
          )}
        </Fact>
        <Fact name="Retries">
          {name !== null && retries > 0 ? (
            <DoorLink door={tasks({ name, retries: '>0' })}>{count(retries)}</DoorLink>
          ) : (
            count(retries)
          )}
        </Fact>
        <Fact name="Wait" note={task.usual?.wait_p95 != null && `95 % within ${duration(task.usual.wait_p95)}`}>
          {duration(task.wait)}
        </Fact>
        <RunTime task={task} />
      </dl>
    </section>
  );
}

function RunTime({ task }: { task: TaskDetail }) {
  const now = useNow();
  const { name, usual, started, runtime, state } = task;
  const runs = state === 'STARTED' && started !== null;
  const took = runs ? Math.max(0, now - started) : runtime;
  const found = took === null ? null : compared(took, usual?.runtime_p50, usual?.runtime_p95);
  return (
    <Fact
      name={runs ? 'Running for' : 'Run time'}
      testId="runtime"
      note={
        found && name !== null ? (
          <DoorLink door={{ to: '/tasks', query: queryOf({ name }), sort: '-runtime' }} data-over={found.over || undefined}>
            {found.words}
          </DoorLink>
        ) : runs ? (
          'usual time not known yet'
        ) : undefined
      }
    >
      {runs ? duration(Math.round(took ?? 0)) : duration(took)}
    </Fact>
  );
}

const WORDS: Record<string, string> = {
  revoke: 'Revoke',
  terminate: 'Terminate',
  abort: 'Abort',
  retry: 'Run again',
  forget: 'Forget the result',
};

/** What can be done to it in this state. */
function Steer({ task: { uuid, name, state } }: { task: TaskDetail }) {
  const choices = taskCommands(state).map((command) => ({
    command,
    label: WORDS[command] ?? command,
    arguments: { ids: [uuid] },
    subject: name ?? uuid,
  }));
  return <Controls label="Steer the task" choices={choices} />;
}

interface FactProps {
  name: string;
  note?: ReactNode;
  testId?: string;
  children: ReactNode;
}

function Fact({ name, note, testId, children }: FactProps) {
  return (
    <div className={styles.number} data-testid={testId}>
      <dt>{name}</dt>
      <dd>{children}</dd>
      {note !== undefined && note !== false && <dd className={styles.beside}>{note}</dd>}
    </div>
  );
}

function Remarks({ task: { expired, terminated, signum, fetched } }: { task: TaskDetail }) {
  if (fetched) {
    return (
      <span className={styles.fetched} title="No event told how it ended: the result backend did when it was asked." data-testid="fetched">
        fetched from the result backend
      </span>
    );
  }
  if (expired) return <span>because it came too late</span>;
  if (!terminated) return null;
  return (
    <span className={styles.remarks}>
      while it ran{signum !== null && <>, by signal <Line text={signum} /></>}
    </span>
  );
}

/** Where this task's page is, for someone else. */
function address(uuid: string): string {
  return new URL(`tasks/${encodeURIComponent(uuid)}`, document.baseURI).href;
}
