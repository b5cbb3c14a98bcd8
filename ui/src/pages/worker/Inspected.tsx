/** What the worker itself answered, and how old the answer is. */

import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';

import type { Inspection } from '~/api/client';
import { Facts } from '~/components/Facts';
import { Ago } from '~/components/Moment';
import { Empty, Trouble } from '~/components/Notice';
import { Panel } from '~/components/Panel';
import { Line, Plain, TaskName } from '~/components/Plain';
import table from '~/components/Table.module.css';
import { activeQueues, flatten, held } from '~/lib/inspect';
import { clip, visible } from '~/lib/text';

import styles from './worker.module.css';

interface InspectedProps {
  inspect: Inspection | null;
  error: string | null; // why asking fails
}

export function Inspected({ inspect, error }: InspectedProps) {
  if (!inspect) {
    return (
      <Panel title="Inspect">
        {error !== null ? (
          <Trouble error={new Error(error)} />
        ) : (
          <Empty title="The worker has not answered an inspect yet">
            It is asked regularly. A worker with the <code>solo</code> pool answers between tasks.
          </Empty>
        )}
      </Panel>
    );
  }
  const age = (
    <>
      answered <Ago at={inspect.at} />
      {error !== null && <> · asking again fails: {visible(clip(error, 120).text)}</>}
    </>
  );
  return (
    <>
      <div className={styles.columns}>
        <Panel title="Reserved and scheduled" note={age} padded>
          <Group
            title="Reserved: fetched, waiting for a process"
            empty={!inspect.reserved?.length}
            unknown={inspect.reserved === null}
          >
            <HeldTasks list={inspect.reserved} />
          </Group>
          <Group
            title="Scheduled: waiting for their time"
            empty={!inspect.scheduled?.length}
            unknown={inspect.scheduled === null}
          >
            <HeldTasks list={inspect.scheduled} />
          </Group>
        </Panel>
        <Panel title="Reads and runs" note={age} padded>
          <Group title="Queues" empty={!inspect.active_queues?.length}>
            <QueueTable inspect={inspect} />
          </Group>
          <Group title="Registered tasks" empty={!inspect.registered?.length}>
            <span className={styles.tags} tabIndex={0} role="region" aria-label="Registered tasks">
              {inspect.registered?.map((name) => (
                <Link
                  key={name}
                  className={styles.tag}
                  to="/tasks"
                  // An answer may carry options after the name: `proj.add [rate_limit=10/m]`.
                  search={{ name: name.split(' ')[0] ?? name }}
                >
                  <Line text={name} />
                </Link>
              ))}
            </span>
          </Group>
        </Panel>
      </div>
      <Panel title="Statistics" note={age} padded>
        <Leaves of={inspect.stats} label="All statistics" />
      </Panel>
      <Panel title="Settings" note={age} padded>
        <Leaves of={inspect.conf} label="All settings" />
      </Panel>
    </>
  );
}

interface GroupProps {
  title: string;
  empty: boolean;
  unknown?: boolean; // it was not answered, which is not the same as none
  children: ReactNode;
}

function Group({ title, empty, unknown = false, children }: GroupProps) {
  return (
    <div className={styles.group}>
      <h3>{title}</h3>
      {empty ? <p className={table.dim}>{unknown ? 'not answered yet' : 'none'}</p> : children}
    </div>
  );
}

function Leaves({ of, label }: { of: Record<string, unknown> | null; label: string }) {
  if (!of) return <p className={table.dim}>not answered</p>;
  const facts = flatten(of).map(([name, value]) => ({
    name: clip(name, 80).text,
    value: <Plain text={clip(value, 400).text} />,
  }));
  return (
    <div className={styles.leaves} tabIndex={0} role="region" aria-label={label}>
      <Facts facts={facts} wide />
    </div>
  );
}

function HeldTasks({ list }: { list: readonly unknown[] | null }) {
  return (
    <table className={table.table}>
      <tbody>
        {held(list).map(({ uuid, name, eta }, index) => (
          <tr key={`${uuid} ${index}`} data-uuid={uuid}>
            <td>
              <Link className={table.link} to="/tasks/$uuid" params={{ uuid }}>
                <TaskName name={name} />
              </Link>
            </td>
            <td className={table.dim}>
              <Line text={uuid} mono />
            </td>
            {eta !== '' && (
              <td className={table.dim}>
                <Line text={eta} />
              </td>
            )}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function QueueTable({ inspect }: { inspect: Inspection }) {
  return (
    <table className={table.table}>
      <thead>
        <tr>
          <th>Queue</th>
          <th>Exchange</th>
          <th>Routing key</th>
        </tr>
      </thead>
      <tbody>
        {activeQueues(inspect).map(({ name, exchange, routing_key }) => (
          <tr key={name}>
            <td>
              <Link className={table.link} to="/tasks" search={{ queue: name }}>
                <Line text={name} />
              </Link>
            </td>
            <td>
              <Line text={exchange} />
            </td>
            <td>
              <Line text={routing_key} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
