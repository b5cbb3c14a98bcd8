/** What is said of a task that the console does not have, or has no more. */

import { Link } from '@tanstack/react-router';

import { ApiError } from '~/api/client';
import { useLive } from '~/api/live';
import { DoorLink } from '~/components/DoorLink';
import { useHistoryStatus } from '~/api/queries';
import { Ago, Since } from '~/components/Moment';
import { Empty, Trouble } from '~/components/Notice';
import { Panel } from '~/components/Panel';
import { Plain } from '~/components/Plain';
import { tasks } from '~/lib/doors';
import { count } from '~/lib/format';
import { clip } from '~/lib/text';

import styles from './task.module.css';

function isUnknown(error: Error): boolean {
  return error instanceof ApiError && error.status === 404;
}

export function Missing({ uuid, error }: { uuid: string; error: Error }) {
  if (!isUnknown(error)) {
    return (
      <Panel title="The task cannot be shown">
        <Trouble error={error}>It is asked for again every second.</Trouble>
      </Panel>
    );
  }
  return (
    <Panel title="No such task">
      <Empty title="The console does not know a task with this id">
        <code className={styles.unknown}>
          <Plain text={clip(uuid, 400).text} />
        </code>
        <Why />
      </Empty>
      <ul className={styles.advice}>
        <Older />
        <li>
          A client tells of a task when <code>task_send_sent_event</code> is on, a worker when it
          runs with <code>-E</code>.
        </li>
        <li>
          An id may be cut: <DoorLink door={tasks({ text: uuid.slice(0, 64) })}>search for it</DoorLink>,
          or look at <Link to="/tasks">all tasks</Link>.
        </li>
      </ul>
    </Panel>
  );
}

function Older() {
  const { data } = useHistoryStatus();
  if (!data?.kept) {
    return (
      <li>
        No history is kept: older finished tasks are let go first. Keep more with <code>--max-tasks</code>, or all with a{' '}
        <code>--data-dir</code>.
      </li>
    );
  }
  return (
    <li>
      The history has {data.oldest === null ? 'no task yet' : <>tasks since <Ago at={data.oldest} /></>}: older ones were removed, as <code>--history-max-age</code> and
      its like say, or never seen.
    </li>
  );
}

function Why() {
  const started = useLive((state) => state.overview?.started_at ?? null);
  const ingest = useLive((state) => state.overview?.ingest ?? null);
  if (ingest === null) return null;
  const gone = ingest.tasks_forgotten + ingest.tasks_forgotten_live;
  return (
    <>
      <br />
      It has looked for <Since at={started} />, has {count(ingest.tasks_in_memory)} tasks, keeps up to{' '}
      {count(ingest.tasks_limit)}, and has let go of {count(gone)}.
    </>
  );
}

/** Over what is still shown. */
export function LetGo({ error }: { error: Error }) {
  return (
    <p className={styles.letGo} role="status">
      {isUnknown(error)
        ? 'The console has let this task go for room. This is the last that was known of it.'
        : 'The console does not answer. This is the last that was known; it is asked again.'}
    </p>
  );
}
