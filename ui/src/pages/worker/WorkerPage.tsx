import { Link, getRouteApi } from '@tanstack/react-router';

import { ApiError, type WorkerDetail } from '~/api/client';
import { useLive, useTopic } from '~/api/live';
import { useWorker } from '~/api/queries';
import { Trouble, Waiting } from '~/components/Notice';
import { Panel } from '~/components/Panel';
import { Host } from '~/components/Plain';
import { Page } from '~/components/shell/Page';
import { WorkerStatus } from '~/components/State';
import { clip, visible } from '~/lib/text';

import { About } from './About';
import { Beats } from './Beats';
import { Counts } from './Counts';
import { Held } from './Held';
import { Processes } from './Processes';
import { Queues } from './Queues';
import { Registered } from './Registered';
import { Running } from './Running';
import { Settings } from './Settings';
import { Statistics } from './Statistics';
import { Status } from './Status';
import { Strip } from './Strip';
import styles from './worker.module.css';

const route = getRouteApi('/workers/$hostname');

export function WorkerPage() {
  useTopic('workers');
  const { hostname } = route.useParams();
  const { data, error } = useWorker(hostname);
  // The stream knows of a change before the next request does.
  const row = useLive((state) => state.workers?.get(hostname));
  const worker = data && row ? { ...data, ...row } : data;
  return (
    <Page
      title={visible(clip(hostname, 120).text)}
      parent={<Link to="/workers">Workers</Link>}
      grafana={{ board: 'workers', worker: hostname }}
      heading={
        <span className={styles.title}>
          <Host hostname={hostname} />
          {worker && <WorkerStatus status={worker.status} pill />}
        </span>
      }
    >
      {worker ? (
        <Known worker={worker} />
      ) : error ? (
        <Missing error={error} />
      ) : (
        <Panel title="Worker">
          <Waiting what="the worker" />
        </Panel>
      )}
    </Page>
  );
}

function Missing({ error }: { error: Error }) {
  const unknown = error instanceof ApiError && error.status === 404;
  return (
    <Panel title={unknown ? 'No such worker' : 'The worker cannot be shown'}>
      <Trouble error={error}>
        {unknown ? (
          <>
            A worker is known from its first event on: it sends them when it is started with{' '}
            <code>-E</code>. See <Link className={styles.inText} to="/workers">all workers</Link>.
          </>
        ) : (
          'It is asked for again every two seconds.'
        )}
      </Trouble>
    </Panel>
  );
}

function Known({ worker }: { worker: WorkerDetail }) {
  return (
    <>
      <Status worker={worker} />
      <Strip worker={worker} />
      <div className={styles.columns}>
        <div className={styles.stack}>
          <Processes worker={worker} />
          <Running worker={worker} />
          <Held worker={worker} />
          <Registered worker={worker} />
        </div>
        <div className={styles.stack}>
          <Beats worker={worker} />
          <About worker={worker} />
          <Queues worker={worker} />
          <Counts worker={worker} />
        </div>
      </div>
      <Statistics worker={worker} />
      <Settings worker={worker} />
    </>
  );
}
