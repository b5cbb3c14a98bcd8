/** How it does now. */

import type { ReactNode } from 'react';

import type { WorkerDetail } from '~/api/client';
import { useNow } from '~/api/live';
import { DoorLink } from '~/components/DoorLink';
import { Meter } from '~/components/Meter';
import { Ago } from '~/components/Moment';
import { toneClass } from '~/components/State';
import { tasks } from '~/lib/doors';
import { NONE, count, duration, plural } from '~/lib/format';
import { prefetch } from '~/lib/inspect';

import styles from './worker.module.css';

export function Strip({ worker }: { worker: WorkerDetail }) {
  const { hostname, concurrency, processed, loadavg, lost, inspect } = worker;
  const busy = worker.active ?? worker.running;
  const ahead = prefetch(inspect);
  return (
    <dl className={styles.strip}>
      <Figure name="Active" below={concurrency !== null && <Meter value={busy} max={concurrency} tone={toneClass('running')} />}>
        <DoorLink door={tasks({ worker: hostname, state: 'STARTED' })}>
          {concurrency === null ? count(busy) : `${count(busy)} of ${plural(concurrency, 'process', 'processes')}`}
        </DoorLink>
      </Figure>
      <Figure name="Processed" below="since its process began">
        <DoorLink door={tasks({ worker: hostname })}>{count(processed)}</DoorLink>
      </Figure>
      <Figure name="Load" below="1, 5 and 15 minutes">
        {loadavg?.map((load) => load.toFixed(2)).join('  ') ?? NONE}
      </Figure>
      <Heartbeat worker={worker} />
      <Figure name="Prefetch" below={ahead.multiplier !== null ? `${count(ahead.multiplier)} × each process` : 'messages taken ahead'}>
        {ahead.count === 0 ? 'no limit' : count(ahead.count)}
      </Figure>
      <Figure name="Lost events" below={lost > 0 ? 'sent, and never arrived here' : 'everything arrived'}>
        <DoorLink
          door={{ to: '/', hash: 'accounting' }}
          className={lost > 0 ? styles.bad : undefined}
          data-testid="worker-lost"
          data-value={lost}
        >
          {count(lost)}
        </DoorLink>
      </Figure>
    </dl>
  );
}

function Heartbeat({ worker: { last_heartbeat: beat, heartbeat_interval: every } }: { worker: WorkerDetail }) {
  const now = useNow();
  const late = beat !== null && now - beat > 2.5 * every;
  return (
    <Figure name="Heartbeat" below={`every ${duration(every)}`}>
      <span className={late ? styles.late : undefined}>
        <Ago at={beat} />
      </span>
    </Figure>
  );
}

function Figure({ name, below, children }: { name: string; below?: ReactNode; children: ReactNode }) {
  return (
    <div className={styles.figure}>
      <dt>{name}</dt>
      <dd>{children}</dd>
      <dd className={styles.below}>{below}</dd>
    </div>
  );
}
