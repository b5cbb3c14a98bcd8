import { Link, getRouteApi } from '@tanstack/react-router';

import { useTask } from '~/api/queries';
import { TaskName } from '~/components/Plain';
import { Page } from '~/components/shell/Page';
import { clip, splitName, visible } from '~/lib/text';

import { TaskView } from './TaskView';

const route = getRouteApi('/tasks/$uuid');

export function TaskPage() {
  const { uuid } = route.useParams();
  const { data: task } = useTask(uuid);
  const name = task?.name ?? null;
  const title = name === null ? 'Task' : visible(splitName(clip(name, 120).text).leaf);
  return (
    <Page
      title={title}
      parent={<Link to="/tasks">Tasks</Link>}
      heading={task ? <TaskName name={name} /> : 'Task'}
    >
      <TaskView uuid={uuid} />
    </Page>
  );
}
