/** Everything that is known of one task, for its page and, compact, beside a list. */

import { Suspense, lazy } from 'react';

import type { TaskDetail } from '~/api/client';
import { useTask } from '~/api/queries';
import { Waiting } from '~/components/Notice';
import { Panel } from '~/components/Panel';

import { Details } from './Details';
import { Events } from './Events';
import { Failure } from './Failure';
import { Family } from './Family';
import { Head } from './Head';
import { Life } from './Life';
import { Lost } from './Lost';
import { LetGo, Missing } from './Missing';
import styles from './task.module.css';
import { Values } from './Values';

// Neither is needed at first: most tasks run once, and nobody does anything to them.
const Attempts = lazy(() => import('./Attempts'));
const Done = lazy(() => import('./Done'));

interface TaskViewProps {
  uuid: string;
  compact?: boolean; // in a narrow place beside something else
}

export function TaskView({ uuid, compact = false }: TaskViewProps) {
  const { data: task, error } = useTask(uuid);
  if (task) {
    return (
      <div className={styles.view} data-compact={compact || undefined}>
        {error && <LetGo error={error} />}
        <Known task={task} compact={compact} />
      </div>
    );
  }
  if (error) return <Missing uuid={uuid} error={error} />;
  return (
    <Panel title="Task">
      <Waiting what="the task" />
    </Panel>
  );
}

function Known({ task, compact }: { task: TaskDetail; compact: boolean }) {
  const failed = task.exception !== null || task.traceback !== null;
  const head = (
    <>
      <Head task={task} compact={compact} />
      <Lost task={task} />
    </>
  );
  const life = <Life task={task} />;
  const main = (
    <>
      {failed && <Failure task={task} />}
      {task.attempts.length > 1 && (
        <Suspense>
          <Attempts task={task} />
        </Suspense>
      )}
      <Values task={task} compact={compact} />
      {!compact && <Details task={task} />}
    </>
  );
  const side = (
    <>
      <Family task={task} />
      <Events task={task} />
      <Suspense>
        <Done uuid={task.uuid} />
      </Suspense>
      {compact && <Details task={task} />}
    </>
  );
  if (compact) return <>{head}{life}{main}{side}</>;
  return (
    <>
      {head}
      {life}
      <div className={styles.columns}>
        <div className={styles.stack}>{main}</div>
        <div className={styles.stack}>{side}</div>
      </div>
    </>
  );
}
