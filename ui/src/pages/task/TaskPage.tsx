import { Link, getRouteApi } from '@tanstack/react-router';

import { ApiError } from '~/api/client';
import { useTask } from '~/api/queries';
import { Trouble, Waiting } from '~/components/Notice';
import { Panel } from '~/components/Panel';
import { TaskName } from '~/components/Plain';
import { Page } from '~/components/shell/Page';
import { clip, splitName, visible } from '~/lib/text';

import { TaskView } from './TaskView';

const route = getRouteApi('/tasks/$uuid');

export function TaskPage() {
  const { uuid } = route.useParams();
  const { data: task, error } = useTask(uuid);
  const name = task?.name ?? null;
  const title = name === null ? 'Task' : visible(splitName(clip(name, 120).text).leaf);
  return (
    <Page
      title={title}
      parent={<Link to="/tasks">Tasks</Link>}
      heading={task ? <TaskName name={name} /> : 'Task'}
    >
      {error && !task ? (
        <Panel title={error instanceof ApiError && error.status === 404 ? 'No such task' : 'Trouble'}>
          <Trouble error={error}>
            The console remembers the tasks it has seen since it started, up to a limit; older
            finished ones are let go.
          </Trouble>
        </Panel>
      ) : task ? (
        <TaskView task={task} />
      ) : (
        <Panel title="Task">
          <Waiting what="the task" />
        </Panel>
      )}
    </Page>
  );
}
