/** What the console knows that it does not know: how far its figures can be trusted. */

import { type ReactNode, Suspense, lazy, useEffect, useRef, useState } from 'react';

import { useLive } from '~/api/live';
import type { Gap, Ingest } from '~/api/client';
import { Ago } from '~/components/Moment';
import { Waiting } from '~/components/Notice';
import { Panel } from '~/components/Panel';
import { Plain } from '~/components/Plain';
import { toneClass } from '~/components/State';
import { bytes, compact, count, duration, plural } from '~/lib/format';
import type { Tone } from '~/lib/states';
import { visible } from '~/lib/text';

import styles from './overview.module.css';

// When it comes in sight: it is at the end of the page.
const Kept = lazy(() => import('./History').then(({ Kept }) => ({ default: Kept })));
const Missed = lazy(() => import('./History').then(({ Missed }) => ({ default: Missed })));

const GAPS_SHOWN = 8;

export function Accounting() {
  const ingest = useLive((state) => state.overview?.ingest ?? null);
  const gaps = useLive((state) => state.overview?.gaps ?? null);
  return (
    <Panel
      title="Accounting"
      note="what arrived, and what is known to be missing, since the console started"
      id="accounting"
    >
      {ingest === null ? (
        <Waiting what="the first figures" />
      ) : (
        <>
          <dl className={styles.accounts}>
            {accounts(ingest).map(({ id, name, value, raw, why, tone }) => (
              <div
                key={id}
                className={tone ? `${styles.account} ${toneClass(tone)}` : styles.account}
                data-testid={`account-${id}`}
                data-value={raw}
              >
                <dt>{name}</dt>
                <dd>
                  {value}
                  <div className={styles.why}>{why}</div>
                </dd>
              </div>
            ))}
            <InSight>
              <Kept />
            </InSight>
          </dl>
          <Gaps gaps={gaps ?? []} />
          <InSight>
            <Missed known={gaps ?? []} />
          </InSight>
        </>
      )}
    </Panel>
  );
}

interface Account {
  id: string;
  name: string;
  value: string;
  raw: number;
  why: string;
  tone?: Tone | null;
}

function accounts(ingest: Ingest): Account[] {
  const rejected = Object.values(ingest.rejected).reduce((sum, reason) => sum + reason, 0);
  const overflow = Object.values(ingest.label_overflow).reduce((sum, label) => sum + label, 0);
  const bad = (value: number): Tone | null => (value > 0 ? 'failure' : null);
  const filled = ingest.buffer_limit_bytes > 0 ? ingest.buffer_bytes / ingest.buffer_limit_bytes : 0;
  return [
    {
      id: 'events',
      name: 'Events',
      raw: ingest.events,
      value: compact(ingest.events),
      why: `${duration(ingest.lag_seconds)} behind`,
    },
    {
      id: 'lost',
      name: 'Lost on the way',
      raw: ingest.lost,
      value: count(ingest.lost),
      why: 'starts that workers counted and we never saw',
      tone: bad(ingest.lost),
    },
    {
      id: 'dropped',
      name: 'Dropped here',
      raw: ingest.dropped_messages,
      value: count(ingest.dropped_messages),
      why: ingest.dropped_bytes > 0 ? bytes(ingest.dropped_bytes) : 'messages the buffer had no room for',
      tone: bad(ingest.dropped_messages),
    },
    {
      id: 'rejected',
      name: 'Not understood',
      raw: rejected,
      value: count(rejected),
      why: rejected > 0 ? reasons(ingest.rejected) : 'messages that are no events',
      tone: rejected > 0 ? 'retry' : null,
    },
    {
      id: 'duplicates',
      name: 'Duplicates',
      raw: ingest.duplicates,
      value: count(ingest.duplicates),
      why: 'events that came twice, counted once',
    },
    {
      id: 'buffer',
      name: 'Buffer',
      raw: ingest.buffer_bytes,
      value: bytes(ingest.buffer_bytes),
      why: `of ${bytes(ingest.buffer_limit_bytes)}`,
      tone: filled > 0.5 ? 'retry' : null,
    },
    {
      id: 'memory',
      name: 'Tasks in memory',
      raw: ingest.tasks_in_memory,
      value: compact(ingest.tasks_in_memory),
      why: forgotten(ingest),
      tone: ingest.tasks_forgotten_live > 0 ? 'retry' : null,
    },
    ...(overflow > 0
      ? [
          {
            id: 'overflow',
            name: 'Counted as “other”',
            raw: overflow,
            value: count(overflow),
            why: reasons(ingest.label_overflow),
            tone: 'retry' as const,
          },
        ]
      : []),
  ];
}

function forgotten({ tasks_limit, tasks_forgotten, tasks_forgotten_live }: Ingest): string {
  if (tasks_forgotten_live > 0) return `${count(tasks_forgotten_live)} let go unfinished`;
  if (tasks_forgotten > 0) return `${compact(tasks_forgotten)} finished ones let go`;
  return `of ${compact(tasks_limit)}`;
}

function reasons(counts: Record<string, number>): string {
  return Object.entries(counts)
    .filter(([, value]) => value > 0)
    .sort(([, a], [, b]) => b - a)
    .map(([reason, value]) => `${count(value)} ${visible(reason).replaceAll('_', ' ')}`)
    .join(', ');
}

function InSight({ children }: { children: ReactNode }) {
  const mark = useRef<HTMLDivElement>(null);
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    if (seen || !mark.current) return;
    const observer = new IntersectionObserver((entries) => setSeen(entries.some(({ isIntersecting }) => isIntersecting)), { rootMargin: '300px' });
    observer.observe(mark.current);
    return () => observer.disconnect();
  }, [seen]);
  return seen ? <Suspense>{children}</Suspense> : <div ref={mark} />;
}

function Gaps({ gaps }: { gaps: readonly Gap[] }) {
  return (
    <div className={styles.gaps} data-testid="gaps" data-value={gaps.length}>
      <h3 className={styles.gapsTitle}>
        {gaps.length === 0
          ? 'No gaps: the console has listened without a break'
          : `${plural(gaps.length, 'gap')} in which nothing was heard`}
      </h3>
      <ul>
        {gaps.slice(0, GAPS_SHOWN).map(({ start, end, reason }) => (
          <li key={start} className={styles.gap}>
            <Ago at={start} />
            <span>{end === null ? 'still open' : `for ${duration(end - start)}`}</span>
            <Plain text={reason} />
          </li>
        ))}
      </ul>
      {gaps.length > GAPS_SHOWN && <p>and {count(gaps.length - GAPS_SHOWN)} before that</p>}
    </div>
  );
}
