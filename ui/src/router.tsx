/** The route table. Every address is a page that can be shared. */

import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
} from '@tanstack/react-router';

import { Empty, Trouble } from './components/Notice';
import { Page } from './components/shell/Page';
import { Shell } from './components/shell/Shell';
import { readAuditSearch } from './lib/audit-search';
import type { InsightSearch } from './lib/insight-search';
import { readQueueSearch } from './lib/queues';
import { readScheduleSearch } from './lib/schedules';
import { readTaskSearch, translated } from './lib/task-query';
import { parseSearch, stringifySearch } from './lib/url';
import { readWorkerSearch } from './lib/worker-query';

// Each page is a file of its own: whichever one begins with, it loads no other. The rest follow in
// an idle moment, so that a click on them does not wait.
const OverviewPage = lazyRouteComponent(() => import('./pages/overview/OverviewPage'), 'OverviewPage');
const WorkersPage = lazyRouteComponent(() => import('./pages/workers/WorkersPage'), 'WorkersPage');
const WorkerPage = lazyRouteComponent(() => import('./pages/worker/WorkerPage'), 'WorkerPage');
const QueuesPage = lazyRouteComponent(() => import('./pages/queues/QueuesPage'), 'QueuesPage');
const SchedulesPage = lazyRouteComponent(() => import('./pages/schedules/SchedulesPage'), 'SchedulesPage');
const StartedPage = lazyRouteComponent(() => import('./pages/schedules/StartedPage'), 'StartedPage');
const FamilyPage = lazyRouteComponent(() => import('./pages/family/FamilyPage'), 'FamilyPage');
const InsightPage = lazyRouteComponent(() => import('./pages/insight/InsightPage'), 'InsightPage');
const NamePage = lazyRouteComponent(() => import('./pages/insight/NamePage'), 'NamePage');
const AccessPage = lazyRouteComponent(() => import('./pages/access/AccessPage'), 'AccessPage');
const AuditPage = lazyRouteComponent(() => import('./pages/audit/AuditPage'), 'AuditPage');
const TasksPage = lazyRouteComponent(() => import('./pages/tasks/TasksPage'), 'TasksPage');
const TaskPage = lazyRouteComponent(() => import('./pages/task/TaskPage'), 'TaskPage');

const AT_A_CLICK: readonly (() => Promise<unknown>)[] = [
  () => import('./components/palette/Palette'),
  () => import('./components/control/ControlDialog'),
  () => import('./components/control/Tray'),
  () => import('./components/shell/WhoMenu'),
  () => import('./pages/tasks/Drawer'),
];

export function loadAllPages(): void {
  for (const page of [OverviewPage, WorkersPage, TasksPage, TaskPage, WorkerPage, QueuesPage, SchedulesPage]) {
    // A page that does not load now is asked for again when someone goes there.
    page.preload?.()?.catch(() => undefined);
  }
  // What opens at a key must be there before the next key.
  for (const load of AT_A_CLICK) load().catch(() => undefined);
}

const root = createRootRoute({
  component: Shell,
  notFoundComponent: () => (
    <Page title="No such page">
      <Empty title="There is no page at this address.">The pages are in the menu.</Empty>
    </Page>
  ),
  errorComponent: ({ error }) => (
    <Page title="Trouble">
      <Trouble error={error instanceof Error ? error : new Error(String(error))}>This is a fault of the page. Reloading it may help.</Trouble>
    </Page>
  ),
});

const overview = createRoute({ getParentRoute: () => root, path: '/', component: OverviewPage });

const workers = createRoute({
  getParentRoute: () => root,
  path: '/workers',
  validateSearch: readWorkerSearch,
  component: WorkersPage,
});

const worker = createRoute({
  getParentRoute: () => root,
  path: '/workers/$hostname',
  component: WorkerPage,
});

const queues = createRoute({
  getParentRoute: () => root,
  path: '/queues',
  validateSearch: readQueueSearch,
  component: QueuesPage,
});

const schedules = createRoute({
  getParentRoute: () => root,
  path: '/schedules',
  validateSearch: readScheduleSearch,
  component: SchedulesPage,
});

const tasks = createRoute({
  getParentRoute: () => root,
  path: '/tasks',
  validateSearch: readTaskSearch,
  // Links in old alerts and wikis arrive, Flower's too.
  beforeLoad: ({ location }) => {
    const search = translated(location.search);
    if (search) redirect({ to: '/tasks', search, replace: true, throw: true });
  },
  component: TasksPage,
});

const task = createRoute({
  getParentRoute: () => root,
  path: '/tasks/$uuid',
  component: TaskPage,
});

const started = createRoute({ getParentRoute: () => root, path: '/schedules/$entry', component: StartedPage });

const family = createRoute({ getParentRoute: () => root, path: '/families/$uuid', component: FamilyPage });

/** The page reads its address itself: what does that need not be there at first. */
function unread(search: InsightSearch): InsightSearch {
  return search;
}

const insight = createRoute({
  getParentRoute: () => root,
  path: '/insight',
  validateSearch: unread,
  component: InsightPage,
});

const insightName = createRoute({
  getParentRoute: () => root,
  path: '/insight/$name',
  validateSearch: unread,
  component: NamePage,
});

const access = createRoute({ getParentRoute: () => root, path: '/access', component: AccessPage });

const audit = createRoute({
  getParentRoute: () => root,
  path: '/audit',
  validateSearch: readAuditSearch,
  component: AuditPage,
});

// Flower's addresses, so that links in old alerts and wikis arrive.
const flowerWorker = createRoute({
  getParentRoute: () => root,
  path: '/worker/$hostname',
  beforeLoad: ({ params }) => redirect({ to: '/workers/$hostname', params, replace: true, throw: true }),
});
const flowerTask = createRoute({
  getParentRoute: () => root,
  path: '/task/$uuid',
  beforeLoad: ({ params }) => redirect({ to: '/tasks/$uuid', params, replace: true, throw: true }),
});

export const router = createRouter({
  routeTree: root.addChildren([overview, workers, worker, queues, schedules, started, tasks, task, family, insight, insightName, access, audit, flowerWorker, flowerTask]),
  basepath: new URL(document.baseURI).pathname,
  parseSearch,
  stringifySearch,
  scrollRestoration: true,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
