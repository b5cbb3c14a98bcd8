import type { TaskDetail } from '~/api/client';
import { DoorLink } from '~/components/DoorLink';
import { type Fact, Facts } from '~/components/Facts';
import { ShortOrLong } from '~/components/Long';
import { Panel } from '~/components/Panel';
import { Line, TaskName } from '~/components/Plain';
import { tasks } from '~/lib/doors';
import { count } from '~/lib/format';

/** What the message said of itself. */
export function Details({ task }: { task: TaskDetail }) {
  return (
    <Panel title="Message" padded>
      <Facts facts={facts(task)} wide />
    </Panel>
  );
}

const TEXTS = ['eta', 'expires', 'exchange', 'routing_key', 'root_id', 'parent_id'] as const;

function facts(task: TaskDetail): Fact[] {
  const { name, client } = task;
  return [
    {
      name: 'Name',
      value: name === null ? <TaskName name={name} /> : (
        <DoorLink door={tasks({ name })}><ShortOrLong text={name} label="Name" /></DoorLink>
      ),
    },
    ...(client === null ? [] : [
      { name: 'Client', value: <DoorLink door={tasks({ client })}><Line text={client} /></DoorLink> },
    ]),
    ...TEXTS
      .filter((key) => task[key] !== null && task[key] !== '')
      .map((key) => ({
        name: capital(key),
        value: <ShortOrLong text={task[key] ?? ''} label={capital(key)} />,
      })),
    ...(task.clock === null ? [] : [{ name: 'Logical clock', value: count(task.clock) }]),
  ];
}

function capital(key: string): string {
  const words = key.replace('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
