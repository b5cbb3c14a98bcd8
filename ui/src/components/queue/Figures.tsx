/** The figures of a queue, as the Overview and the Queues page show them. */

import type { ReactNode } from 'react';

import type { Queue, QueueRow } from '~/api/client';
import { Spark } from '~/charts/Spark';
import { tasks } from '~/lib/doors';
import { NONE, age, compact, count, rate } from '~/lib/format';
import { direction, queueTrouble } from '~/lib/queues';
import { WAITING } from '~/lib/states';
import { clip, visible } from '~/lib/text';

import { DoorLink } from '../DoorLink';
import { Icon } from '../Icon';
import table from '../Table.module.css';
import styles from './Figures.module.css';

const TITLE_LIMIT = 500;
const NAME_LIMIT = 80;

/** How many messages; a door to the tasks of this queue that wait. */
export function Depth({ queue: { name, messages, error } }: { queue: Queue }) {
  if (messages === null) {
    return (
      <span className={table.warn} title={visible(clip(error ?? '', TITLE_LIMIT).text)}>
        unknown
      </span>
    );
  }
  const door = tasks({ queue: name, state: WAITING });
  return (
    <DoorLink className={table.link} door={door} data-value={messages} title={count(messages)}>
      {compact(messages)}
    </DoorLink>
  );
}

/** The same figure as a door to the queue itself. */
export function Within({ queue, children }: { queue: Queue; children: ReactNode }) {
  return (
    <DoorLink className={styles.within} door={{ to: '/queues', queue: queue.name }}>
      {children}
    </DoorLink>
  );
}

/** An arrow and messages a second; the arrow says it to those who see no colour. */
export function Growth({ queue }: { queue: Queue }) {
  const { growth_per_second: growth } = queue;
  const way = direction(growth);
  if (way === 'unknown') return <span className={table.dim}>{NONE}</span>;
  if (way === 'level') {
    return (
      <span className={table.dim} title="As many as a minute ago">
        steady
      </span>
    );
  }
  const alarming = queueTrouble(queue) === 'growing';
  return (
    <span
      className={alarming ? `${styles.growth} ${table.warn}` : styles.growth}
      title={`${way === 'up' ? 'Grows' : 'Shrinks'} by ${rate(Math.abs(growth ?? 0))} messages a second, over the last minute`}
    >
      <Icon name={way} size={12} />
      <span className="sr">{way === 'up' ? 'plus ' : 'minus '}</span>
      {rate(Math.abs(growth ?? 0))}/s
    </span>
  );
}

/** How long until it is empty, as it goes now. */
export function Drain({ queue }: { queue: Queue }) {
  const { messages, drain_seconds: drain } = queue;
  if (messages === null) return <span className={table.dim}>{NONE}</span>;
  if (messages === 0) return <span className={table.dim}>empty</span>;
  if (drain !== null) return drain < 1 ? 'now' : age(drain);
  const trouble = queueTrouble(queue);
  if (trouble === 'unread') return <span className={table.bad}>no readers</span>;
  return (
    <span className={trouble === 'growing' ? table.warn : table.dim} title="As it goes now, it does not drain">
      does not
    </span>
  );
}

/** How many messages workers hold, taken and not acknowledged. */
export function HeldByWorkers({ queue: { unacknowledged, messages } }: { queue: Queue }) {
  if (messages !== null && unacknowledged !== null) return compact(unacknowledged);
  return (
    <span className={table.dim} title={messages === null ? 'It cannot be read' : 'This broker does not tell'}>
      {NONE}
    </span>
  );
}

/** How many read it, as the broker counts or else as workers said. */
export function Readers({ queue: { consumers, workers, messages } }: { queue: QueueRow }) {
  const known = consumers ?? (workers.length > 0 ? workers.length : null);
  if (known === null) {
    return (
      <span className={table.dim} title="This broker does not tell, and no worker said so">
        {NONE}
      </span>
    );
  }
  if (known > 0) return count(known);
  return <span className={messages === 0 ? table.dim : table.bad}>none</span>;
}

export const HISTORY_SECONDS = 600;

/** The last ten minutes of its depth. */
export function QueueSpark({ row }: { row: QueueRow | undefined }) {
  if (!row) return null;
  const to = row.times.at(-1) ?? 0;
  const known = row.depths.filter((depth) => depth !== null);
  const label =
    known.length === 0
      ? 'no length is known'
      : `Length over ten minutes: from ${count(Math.min(...known))} to ${count(Math.max(...known))}`;
  return (
    <Spark
      label={`${visible(clip(row.name, NAME_LIMIT).text)}. ${label}`}
      times={row.times}
      values={row.depths}
      window={[to - HISTORY_SECONDS, to]}
    />
  );
}
