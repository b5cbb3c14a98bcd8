import type { WorkerDetail } from '~/api/client';
import { Controls } from '~/components/control/Controls';
import { type Fact, Facts } from '~/components/Facts';
import { Since } from '~/components/Moment';
import { Panel } from '~/components/Panel';
import { Line } from '~/components/Plain';
import { NONE, count, duration } from '~/lib/format';

/** What it is. */
export function About({ worker }: { worker: WorkerDetail }) {
  const of = { workers: [worker.hostname], subject: worker.hostname };
  return (
    <Panel
      title="Worker"
      actions={
        <Controls
          label="Steer the worker"
          choices={[
            { command: 'ping', label: 'Ping', ...of },
            { command: 'enable_events', label: 'Events on', ...of },
            { command: 'disable_events', label: 'Events off', ...of },
            { command: 'shutdown', label: 'Shut down', ...of },
          ]}
        />
      }
      padded
    >
      <Facts facts={facts(worker)} />
    </Panel>
  );
}

function facts(worker: WorkerDetail): Fact[] {
  return [
    { name: 'Version', value: <Line text={software(worker)} /> },
    { name: 'Pool', value: <Line text={worker.pool} /> },
    { name: 'Process id', value: worker.pid ?? NONE },
    { name: 'Known for', value: <Since at={worker.first_seen} /> },
    { name: 'Restarts seen', value: count(worker.restarts) },
    { name: 'Clock', value: clock(worker.skew_seconds) },
  ];
}

function software({ software, version }: WorkerDetail): string {
  return [software, version].filter((part) => part !== null).join(' ');
}

const NOTICEABLE_SKEW_SECONDS = 1;

function clock(skew: number): string {
  if (Math.abs(skew) < NOTICEABLE_SKEW_SECONDS) return 'agrees with ours';
  return `${duration(Math.abs(skew))} ${skew > 0 ? 'ahead of' : 'behind'} ours`;
}
