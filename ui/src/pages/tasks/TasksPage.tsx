import { getRouteApi } from '@tanstack/react-router';

import { useTopic } from '~/api/live';
import { Page } from '~/components/shell/Page';
import { type TaskSearch, stripped } from '~/lib/task-query';

import { Filters } from './Filters';
import { TaskList } from './TaskList';
import styles from './tasks.module.css';

const route = getRouteApi('/tasks');

export function TasksPage() {
  useTopic('tasks');
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const go = (next: TaskSearch) => void navigate({ search: stripped(next), replace: true });
  return (
    <Page title="Tasks">
      <div className={styles.fill}>
        <Filters search={search} onChange={go} />
        <TaskList search={search} onChange={go} />
      </div>
    </Page>
  );
}
