/** What it reads from, and how much waits there. */

import type { WorkerDetail } from '~/api/client';
import { useLive } from '~/api/live';
import { Control, Controls } from '~/components/control/Controls';
import { DoorLink } from '~/components/DoorLink';
import { Panel } from '~/components/Panel';
import { Line } from '~/components/Plain';
import table from '~/components/Table.module.css';
import { tasks } from '~/lib/doors';
import { count } from '~/lib/format';
import { activeQueues } from '~/lib/inspect';
import { clip, visible } from '~/lib/text';

import { Unanswered } from './Unanswered';
import styles from './worker.module.css';

export function Queues({ worker: { inspect, queues, hostname } }: { worker: WorkerDetail }) {
  const depths = useLive((state) => state.overview?.queues ?? null);
  const read = inspect === null ? queues.map((name) => ({ name, routing_key: '' })) : activeQueues(inspect);
  const add = (
    <Controls
      label="Change its queues"
      choices={[{ command: 'add_consumer', label: 'Add a queue', icon: 'plus', workers: [hostname], subject: hostname }]}
    />
  );
  if (read.length === 0) {
    return (
      <Panel title="Queues" actions={add}>
        <Unanswered inspect={inspect} answer={inspect?.active_queues} empty="It reads from no queue" />
      </Panel>
    );
  }
  return (
    <Panel title="Queues" note="that it reads from" actions={add}>
      <table className={table.table} data-testid="worker-queues">
        <thead>
          <tr>
            <th>Queue</th>
            <th>Routing key</th>
            <th className={table.number}>Waiting</th>
            <th className={styles.control}><span className="sr">Controls</span></th>
          </tr>
        </thead>
        <tbody>
          {read.map(({ name, routing_key: key }, index) => {
            const depth = depths?.find((queue) => queue.name === name)?.messages ?? null;
            return (
              <tr key={`${name} ${index}`}>
                <td>
                  <DoorLink className={table.link} door={{ to: '/queues', queue: name }}>
                    <Line text={name} />
                  </DoorLink>
                </td>
                <td className={table.dim}>
                  <Line text={key} />
                </td>
                <td className={table.number}>
                  <DoorLink className={table.link} door={tasks({ queue: name, state: ['PENDING', 'RECEIVED'] })}>
                    {count(depth)}
                  </DoorLink>
                </td>
                <td className={styles.control}>
                  <Control
                    command="cancel_consumer"
                    label={`Stop consuming from ${visible(clip(name, 80).text)}`}
                    icon="exclude"
                    arguments={{ queue: name }}
                    workers={[hostname]}
                    subject={`${name} on ${hostname}`}
                  />
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </Panel>
  );
}
