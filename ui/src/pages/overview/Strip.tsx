/** The figures that answer "is it healthy?". Each is a door to the list behind it. */

import { useLink, useLive } from '~/api/live';
import type { Overview } from '~/api/client';
import { DoorLink } from '~/components/DoorLink';
import { toneClass } from '~/components/State';
import { type Door, tasks } from '~/lib/doors';
import { NONE, compact, count, percent, plural, rate, share } from '~/lib/format';
import { type Tone, WAITING } from '~/lib/states';

import styles from './overview.module.css';

interface FigureProps {
  id: string;
  label: string;
  raw: number | null; // what tests and scripts read
  value: string;
  unit?: string;
  under: string;
  title?: string;
  tone?: Tone | null;
  door: Door;
}

function Figure({ id, label, raw, value, unit, under, title, tone, door }: FigureProps) {
  return (
    <DoorLink
      door={door}
      className={tone ? `${styles.figure} ${toneClass(tone)}` : styles.figure}
      title={title}
      data-testid={`figure-${id}`}
      data-value={raw}
    >
      <span className={styles.label}>{label}</span>
      <span className={styles.value}>
        {value}
        {unit !== undefined && <span className={styles.unit}>{unit}</span>}
      </span>
      <span className={styles.under}>{under}</span>
    </DoorLink>
  );
}

export function Strip() {
  const overview = useLive((state) => state.overview);
  const link = useLink();
  const fed = overview?.broker.state === 'connected' && (link === 'live' || link === 'polling');
  return (
    <section
      className={fed ? styles.strip : `${styles.strip} ${styles.old}`}
      aria-label="Live figures"
    >
      {figures(overview).map((figure) => (
        <Figure key={figure.id} {...figure} />
      ))}
    </section>
  );
}

function figures(overview: Overview | null): FigureProps[] {
  const done = overview && overview.rate.succeeded + overview.rate.failed;
  const failing = overview && share(overview.rate.failed, done ?? 0);
  const inState = (name: string) => (overview ? (overview.states[name] ?? 0) : null);
  const pending = inState('PENDING');
  const received = inState('RECEIVED');
  const waiting = pending === null || received === null ? null : pending + received;
  const workers = overview?.workers;
  const total = workers ? workers.online + workers.offline + workers.unknown : null;
  const ingest = overview?.ingest;
  const lost = ingest ? ingest.lost + ingest.dropped_messages : null;
  return [
    {
      id: 'done',
      label: 'Done',
      raw: done,
      value: rate(done),
      unit: '/s',
      under: overview ? `${rate(overview.rate.received)}/s received` : '',
      title: 'Tasks that succeeded or failed, a second, over the last 10 s',
      door: tasks({ state: ['SUCCESS', 'FAILURE'], since: '5m' }),
    },
    {
      id: 'failing',
      label: 'Failing',
      raw: failing,
      value: overview ? percent(failing ?? 0) : NONE,
      unit: '%',
      under: overview ? `${rate(overview.rate.failed)}/s failed` : '',
      title: 'Part of the tasks done in the last 10 s that failed',
      tone: failing ? 'failure' : null,
      door: tasks({ state: 'FAILURE', since: '5m' }),
    },
    {
      id: 'running',
      label: 'Running',
      raw: overview?.running ?? null,
      value: compact(overview?.running),
      under: overview ? `${rate(overview.rate.started)}/s started` : '',
      title: 'Tasks that a worker is at',
      door: tasks({ state: 'STARTED' }),
    },
    {
      id: 'waiting',
      label: 'Waiting',
      raw: waiting,
      value: compact(waiting),
      under: overview ? `${compact(received)} with a worker` : '',
      title: 'Tasks sent or received and not started',
      door: tasks({ state: WAITING }),
    },
    {
      id: 'retrying',
      label: 'Retrying',
      raw: inState('RETRY'),
      value: compact(inState('RETRY')),
      under: overview ? `${rate(overview.rate.retried)}/s retried` : '',
      title: 'Tasks that failed and wait for another try',
      tone: inState('RETRY') ? 'retry' : null,
      door: tasks({ state: 'RETRY' }),
    },
    {
      id: 'workers',
      label: 'Workers',
      raw: workers?.online ?? null,
      value: count(workers?.online),
      unit: total === null ? undefined : `of ${count(total)}`,
      under: workers ? workersUnder(workers) : '',
      title: 'Workers online, of all that are known',
      tone: workers && workers.offline > 0 ? 'failure' : null,
      door: workers && workers.offline > 0 ? { to: '/workers', status: 'offline' } : { to: '/workers' },
    },
    {
      id: 'lost',
      label: 'Lost events',
      raw: lost,
      value: compact(lost),
      under: overview && lost !== null ? lostUnder(lost, overview.gaps.length) : '',
      title: 'Events that never reached the console, or that it had to drop',
      tone: lost ? 'failure' : null,
      door: { to: '/', hash: 'accounting' },
    },
  ];
}

/** No loss that is known is not the same as none: in a gap nobody counted. */
function lostUnder(lost: number, gaps: number): string {
  if (lost > 0) return 'figures are too low';
  return gaps > 0 ? `none known, ${plural(gaps, 'gap')}` : 'none known';
}

function workersUnder({ offline, unknown }: Overview['workers']): string {
  const parts = [
    ...(offline > 0 ? [`${count(offline)} offline`] : []),
    ...(unknown > 0 ? [`${count(unknown)} unknown`] : []),
  ];
  return parts.length > 0 ? parts.join(', ') : 'none offline';
}
