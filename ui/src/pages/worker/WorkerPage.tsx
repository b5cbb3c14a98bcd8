import { Link, getRouteApi } from '@tanstack/react-router';

import type { WorkerDetail } from '~/api/client';
import { useLive, useTopic } from '~/api/live';
import { useWorker } from '~/api/queries';
import { type Fact, Facts } from '~/components/Facts';
import { Ago, Since } from '~/components/Moment';
import { Empty, Trouble, Waiting } from '~/components/Notice';
import { Panel } from '~/components/Panel';
import { Host, Line } from '~/components/Plain';
import { Page } from '~/components/shell/Page';
import { WorkerStatus } from '~/components/State';
import { RunningTasks } from '~/components/TaskTable';
import { NONE, compact, count, duration, plural } from '~/lib/format';
import { eventState } from '~/lib/states';
import { clip, visible } from '~/lib/text';

import { Inspected } from './Inspected';
import styles from './worker.module.css';

const route = getRouteApi('/workers/$hostname');

export function WorkerPage() {
  useTopic('workers');
  const { hostname } = route.useParams();
  const { data, error } = useWorker(hostname);
  // The stream knows of a change before the next request does.
  const row = useLive((state) => state.workers?.get(hostname));
  const worker = data && row ? { ...data, ...row } : data;
  const title = visible(clip(hostname, 120).text);
  return (
    <Page
      title={title}
      parent={<Link to="/workers">Workers</Link>}
      heading={
        <span className={styles.title}>
          <Host hostname={hostname} />
          {worker && <WorkerStatus status={worker.status} pill />}
        </span>
      }
    >
      {error && !worker ? (
        <Panel title="No such worker">
          <Trouble error={error}>
            <Link to="/workers">All workers</Link>
          </Trouble>
        </Panel>
      ) : worker ? (
        <Detail worker={worker} />
      ) : (
        <Panel title="Worker">
          <Waiting what="the worker" />
        </Panel>
      )}
    </Page>
  );
}

function Detail({ worker }: { worker: WorkerDetail }) {
  const running = worker.running_tasks;
  return (
    <>
      <div className={styles.columns}>
        <Panel title="Now" note="as its events tell" padded>
          <Facts facts={now(worker)} />
        </Panel>
        <Panel title="Events" note="that reached the console, by kind" padded>
          <Facts facts={events(worker)} />
        </Panel>
      </div>
      <Panel title="Running tasks" note={running.length > 0 ? runningNote(worker) : undefined}>
        {running.length > 0 ? (
          <RunningTasks tasks={running} />
        ) : (
          <Empty title="Nothing is running on this worker" />
        )}
      </Panel>
      <Inspected inspect={worker.inspect} error={worker.inspect_error} />
    </>
  );
}

/** The list is as of the last request, the figure as of the last frame: the list is what counts. */
function runningNote({ running, running_tasks: { length } }: WorkerDetail): string {
  return running > 2 * length ? `the longest ${count(length)} of ${count(running)}` : count(length);
}

function now(worker: WorkerDetail): Fact[] {
  return [
    { name: 'Heartbeat', value: <Ago at={worker.last_heartbeat} /> },
    { name: 'Every', value: duration(worker.heartbeat_interval) },
    { name: 'Active', value: active(worker) },
    { name: 'Processed', value: count(worker.processed) },
    { name: 'Load', value: worker.loadavg?.map((load) => load.toFixed(2)).join('  ') ?? NONE },
    { name: 'Version', value: <Line text={software(worker)} /> },
    { name: 'Pool', value: <Line text={worker.pool} /> },
    { name: 'Process id', value: worker.pid ?? NONE },
    { name: 'Known for', value: <Since at={worker.first_seen} /> },
    { name: 'Restarts seen', value: count(worker.restarts) },
    { name: 'Clock', value: clock(worker.skew_seconds) },
    { name: 'Lost events', value: <span data-testid="worker-lost" data-value={worker.lost}>{count(worker.lost)}</span> },
    { name: 'Queues', value: <Queues queues={worker.queues} /> },
  ];
}

function active({ active, concurrency, running }: WorkerDetail): string {
  const figure = active ?? running;
  return concurrency === null
    ? count(figure)
    : `${count(figure)} of ${plural(concurrency, 'process', 'processes')}`;
}

function software({ software, version }: WorkerDetail): string {
  return [software, version].filter((part) => part !== null).join(' ');
}

const NOTICEABLE_SKEW_SECONDS = 1;

function clock(skew: number): string {
  if (Math.abs(skew) < NOTICEABLE_SKEW_SECONDS) return 'agrees with ours';
  return `${duration(Math.abs(skew))} ${skew > 0 ? 'ahead of' : 'behind'} ours`;
}

function Queues({ queues }: { queues: readonly string[] }) {
  if (queues.length === 0) return NONE;
  return (
    <span className={styles.tags}>
      {queues.map((queue) => (
        <Link key={queue} className={styles.tag} to="/tasks" search={{ queue }}>
          <Line text={queue} />
        </Link>
      ))}
    </span>
  );
}

function events({ hostname, counts }: WorkerDetail): Fact[] {
  return Object.entries(counts)
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([type, counted]) => ({
      name: clip(type, 60).text,
      value: type.startsWith('task-') ? (
        <Link
          className={styles.tag}
          to="/tasks"
          search={{ worker: hostname, state: [eventState(type)] }}
        >
          {compact(counted)}
        </Link>
      ) : (
        compact(counted)
      ),
    }));
}
