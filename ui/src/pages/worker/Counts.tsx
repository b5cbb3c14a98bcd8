/** Its events that reached the console, by kind. */

import type { WorkerDetail } from '~/api/client';
import { DoorLink } from '~/components/DoorLink';
import { type Fact, Facts } from '~/components/Facts';
import { Panel } from '~/components/Panel';
import { tasks } from '~/lib/doors';
import { count } from '~/lib/format';
import { eventState } from '~/lib/states';
import { clip } from '~/lib/text';

import styles from './worker.module.css';

export function Counts({ worker }: { worker: WorkerDetail }) {
  return (
    <Panel title="Events" note="that reached the console" padded>
      <Facts facts={facts(worker)} />
    </Panel>
  );
}

// In the order of a task's life; what is not named comes after.
const ORDER = ['received', 'started', 'succeeded', 'failed', 'retried', 'revoked', 'rejected'];

function facts({ hostname, counts }: WorkerDetail): Fact[] {
  const rank = (type: string) => {
    const place = ORDER.indexOf(type.replace(/^task-/, ''));
    return place < 0 ? ORDER.length + (type.startsWith('task-') ? 0 : 1) : place;
  };
  return Object.entries(counts)
    .sort(([a], [b]) => rank(a) - rank(b) || a.localeCompare(b))
    .map(([type, counted]) => ({
      name: clip(type, 60).text,
      value: type.startsWith('task-') ? (
        <DoorLink className={styles.door} door={tasks({ worker: hostname, state: eventState(type) })}>
          {count(counted)}
        </DoorLink>
      ) : (
        count(counted)
      ),
    }));
}
