/** One queue more closely: its length over time, who reads it, and its tasks. */

import { Link, useNavigate } from '@tanstack/react-router';
import { Suspense, lazy, useMemo } from 'react';

import type { Cell, QueueRow } from '~/api/client';
import { useLive, useView } from '~/api/live';
import { ChartPanel } from '~/charts/ChartPanel';
import type { Line as ChartLine } from '~/charts/TimeChart';
import { IconButton } from '~/components/Button';
import { DoorLink } from '~/components/DoorLink';
import { GrafanaLink } from '~/components/GrafanaLink';
import { Meter } from '~/components/Meter';
import { Empty } from '~/components/Notice';
import { Panel } from '~/components/Panel';
import { Host, Line } from '~/components/Plain';
import { Drain, Growth, HISTORY_SECONDS, HeldByWorkers, Readers as ReaderCount } from '~/components/queue/Figures';
import { Glyph, WorkerStatus, toneClass } from '~/components/State';
import table from '~/components/Table.module.css';
import { span, tasks } from '~/lib/doors';
import { NONE, age, compact, count, rate } from '~/lib/format';
import { queryOf } from '~/lib/query';
import { WAITING, look, order, stateWord } from '~/lib/states';
import { clip, visible } from '~/lib/text';

import { QueueControls } from './QueueControls';
import styles from './queues.module.css';

interface QueueDetailProps {
  name: string;
  queue: QueueRow | undefined; // none: no such queue is known
  look: number | null; // at its messages, from this one on
  onLook: (offset: number | null) => void;
  onClose: () => void;
}

const Messages = lazy(() => import('./Messages'));

export function QueueDetail({ name, queue, look: at, onLook, onClose }: QueueDetailProps) {
  return (
    <section className={styles.detail} aria-label="The chosen queue" data-testid="queue-detail" data-queue={name}>
      <header className={styles.detailHead}>
        <h2>
          <Line text={name} />
        </h2>
        <QueueControls name={name} queue={queue} looking={at !== null} onLook={onLook} />
        <GrafanaLink of={{ board: 'queues', queue: name }} />
        <IconButton icon="close" label="Close the queue" onClick={onClose} />
      </header>
      {at !== null && (
        <div className={styles.readers}>
          <Suspense>
            <Messages queue={name} offset={at} onPage={onLook} onClose={() => onLook(null)} />
          </Suspense>
        </div>
      )}
      {queue ? (
        <>
          <div className={styles.chart}>
            <DepthChart queue={queue} />
          </div>
          <div className={styles.side}>
            <Figures queue={queue} />
            <States name={name} />
          </div>
          <div className={styles.readers}>
            <Readers queue={queue} />
          </div>
        </>
      ) : (
        <div className={styles.readers}>
          <Empty title="No such queue is known">
            No worker reads it, and no task was sent to it since the console started.
          </Empty>
        </div>
      )}
    </section>
  );
}

const LINES: readonly ChartLine[] = [
  { key: 'depth', label: 'Length', colour: '--chart-waiting', filled: true },
];

// A gap is of events; a length that could not be read is a hole of its own.
const NO_GAPS: readonly never[] = [];

function DepthChart({ queue }: { queue: QueueRow }) {
  const { name, times, depths } = queue;
  const navigate = useNavigate();
  const drawn = useMemo(() => {
    const to = times.at(-1);
    if (to === undefined) return null;
    const window = [to - HISTORY_SECONDS, to] as const;
    return { times, values: { depth: depths }, window, gaps: NO_GAPS };
  }, [times, depths]);
  return (
    <ChartPanel
      title="Length"
      note="messages, last 10 minutes"
      testId="queue-depth"
      height={220}
      chart={
        drawn && {
          ...drawn,
          label: `Messages in the queue ${visible(clip(name, 80).text)} over the last ten minutes`,
          lines: LINES,
          format: compact,
          least: 9,
          onSpan: (from, to) => {
            const door = span(from, to);
            if (door.to !== '/tasks') return;
            void navigate({ to: '/tasks', search: { query: `${queryOf({ queue: name })} ${door.query}` } });
          },
        }
      }
      instead={<Empty title="Its length has not been read yet" />}
    />
  );
}

function Figures({ queue }: { queue: QueueRow }) {
  const { name, messages, error } = queue;
  return (
    <dl className={styles.figures}>
      <div className={styles.figure}>
        <dt>Length</dt>
        <dd data-testid="queue-length" data-value={messages}>
          {messages === null ? (
            <span className={table.warn}>unknown</span>
          ) : (
            <DoorLink className={table.link} door={tasks({ queue: name, state: WAITING })}>
              {count(messages)}
            </DoorLink>
          )}
        </dd>
        {error !== null && (
          <dd className={styles.error}>
            <Line text={error} />
          </dd>
        )}
      </div>
      <div className={styles.figure}>
        <dt title="Taken by workers, not yet acknowledged">Held by workers</dt>
        <dd data-testid="queue-held" data-value={queue.unacknowledged}>
          <HeldByWorkers queue={queue} />
        </dd>
      </div>
      <div className={styles.figure}>
        <dt title="How long the message that was sent first has waited, as events tell">Oldest waits</dt>
        <dd>
          <Oldest queue={queue} />
        </dd>
      </div>
      <div className={styles.figure}>
        <dt>Growth</dt>
        <dd>
          <Growth queue={queue} />
        </dd>
      </div>
      <div className={styles.figure}>
        <dt>Drains in</dt>
        <dd>
          <Drain queue={queue} />
        </dd>
      </div>
      <div className={styles.figure}>
        <dt>In</dt>
        <dd>
          <DoorLink className={table.link} door={tasks({ queue: name, since: '5m' })}>
            {queue.in_per_second === null ? NONE : `${rate(queue.in_per_second)}/s`}
          </DoorLink>
        </dd>
      </div>
      <div className={styles.figure}>
        <dt>Out</dt>
        <dd>
          <DoorLink className={table.link} door={tasks({ queue: name, state: 'STARTED' })}>
            {queue.out_per_second === null ? NONE : `${rate(queue.out_per_second)}/s`}
          </DoorLink>
        </dd>
      </div>
      <div className={styles.figure}>
        <dt title="Consumers, as the broker counts them">Consumers</dt>
        <dd>
          <ReaderCount queue={queue} />
        </dd>
      </div>
      <div className={styles.figure}>
        <dt title="That said they read it">Workers</dt>
        <dd>{count(queue.workers.length)}</dd>
      </div>
    </dl>
  );
}

/** How long the oldest message has waited, where events or the depth tell. */
function Oldest({ queue: { messages, oldest_seconds: seconds } }: { queue: QueueRow }) {
  if (messages === null) return <span className={table.dim}>{NONE}</span>;
  if (messages === 0) return <span className={table.dim}>none</span>;
  return seconds === null ? <span className={table.dim}>{NONE}</span> : age(seconds);
}

/** What became of its tasks, as far as they are in memory; each count is the list behind it. */
function States({ name }: { name: string }) {
  const view = useView(queryOf({ queue: name }));
  const counts = new Map(view?.facets?.state.map(({ value, count: many }) => [value, many]));
  const shown = order(counts.keys()).filter((state) => counts.has(state) || ALWAYS.has(state));
  return (
    <Panel title="Its tasks" note="in memory, by state">
      <ul className={styles.states}>
        {shown.map((state) => (
          <li key={state}>
            <DoorLink
              className={`${styles.state} ${toneClass(look(state).tone)}`}
              door={tasks({ queue: name, state })}
              data-state={state}
              data-value={counts.get(state) ?? 0}
            >
              <Glyph name={look(state).glyph} />
              <Line text={stateWord(state)} />
              <span className={styles.stateCount}>{view?.facets ? compact(counts.get(state) ?? 0) : NONE}</span>
            </DoorLink>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

const ALWAYS: ReadonlySet<string> = new Set(['PENDING', 'RECEIVED', 'STARTED', 'FAILURE']);

function Readers({ queue: { workers, consumers } }: { queue: QueueRow }) {
  const grid = useLive((state) => state.grid);
  const told = consumers === null ? '' : `${count(consumers)} as the broker counts`;
  return (
    <Panel title="Readers" note={told === '' ? 'workers that said they read it' : told}>
      {workers.length === 0 ? (
        <Empty title={consumers === 0 ? 'No worker reads this queue' : 'No worker said that it reads this queue'}>
          {consumers === 0 ? (
            <>
              Its messages wait until one does: <code>celery worker -Q …</code>
            </>
          ) : (
            'Workers are asked when they are first heard of, and now and then.'
          )}
        </Empty>
      ) : (
        <ul className={styles.workers} tabIndex={0} aria-label="Workers that read it">
          {workers.map((hostname) => (
            <Reader key={hostname} hostname={hostname} cell={grid?.get(hostname)} />
          ))}
        </ul>
      )}
    </Panel>
  );
}

function Reader({ hostname, cell }: { hostname: string; cell: Cell | undefined }) {
  const [, status, running, concurrency] = cell ?? [hostname, 'unknown' as const, 0, null];
  return (
    <li className={styles.worker} data-worker={hostname}>
      <WorkerStatus status={status} brief />
      <Link className={`${table.link} ${styles.host}`} to="/workers/$hostname" params={{ hostname }}>
        <Host hostname={hostname} />
      </Link>
      <Meter value={running} max={concurrency ?? Math.max(1, running)} tone={toneClass('running')} />
      <span className={table.number}>
        {running}
        {concurrency !== null && <span className={table.dim}>/{concurrency}</span>}
      </span>
    </li>
  );
}
