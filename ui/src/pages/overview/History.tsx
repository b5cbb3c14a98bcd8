/** What the history has, and what it knows that it misses. */

import type { ReactNode } from 'react';

import type { Gap, HistoryStatus } from '~/api/client';
import { useNow } from '~/api/live';
import { useGaps, useHistoryStatus } from '~/api/queries';
import { Ago } from '~/components/Moment';
import { Line, Plain } from '~/components/Plain';
import { toneClass } from '~/components/State';
import { bytes, compact, count, duration, plural } from '~/lib/format';
import { whatIsMissing } from '~/lib/gaps';
import { visible } from '~/lib/text';

import styles from './overview.module.css';

const GAPS_SHOWN = 8;

/** What is kept of the tasks. */
export function Kept() {
  const { data } = useHistoryStatus();
  if (!data) return null;
  const bad = data.trouble !== null || data.dropped > 0 || data.refused > 0;
  return (
    <div className={bad ? `${styles.account} ${toneClass('failure')}` : styles.account} data-testid="kept" data-value={data.kept ? (data.tasks ?? undefined) : 'off'}>
      <dt>History</dt>
      <dd>
        {!data.kept ? 'off' : data.tasks === null ? 'unknown' : compact(data.tasks)}
        <div className={styles.why}>{keptWords(data)}</div>
      </dd>
    </div>
  );
}

function keptWords({ kept, trouble, waiting, dropped, refused, oldest, size_bytes: size, where, retained }: HistoryStatus): ReactNode {
  if (!kept) return 'tasks are in memory only';
  if (trouble !== null) return `cannot be written, ${plural(waiting, 'event waits', 'events wait')}`;
  if (dropped > 0) return `${plural(dropped, 'event')} had no room, and will be missing`;
  if (refused > 0) return `${count(refused)} could not be written`;
  if (retained?.trouble != null) return `old tasks cannot be removed: ${visible(retained.trouble)}`;
  return (
    <>
      {oldest === null ? 'no task yet' : <>tasks since <Ago at={oldest} /></>}
      {size !== null && `, ${bytes(size)}`} <Line text={where} />
    </>
  );
}

const DAY_SECONDS = 86_400;
const DAYS = 7;
const STEP_SECONDS = 300; // so that it is not asked anew with each second

/** What is missing that the console did not notice as it happened: it did not run, or events were lost. */
export function Missed({ known }: { known: readonly Gap[] }) {
  const now = useNow();
  const until = Math.ceil(now / STEP_SECONDS) * STEP_SECONDS;
  const { data } = useGaps(until - DAYS * DAY_SECONDS, until);
  const live = new Set(known.map(({ start }) => Math.round(start)));
  const found = (data?.gaps ?? []).filter(({ kind, start }) => kind !== 'disconnected' || !live.has(Math.round(start)));
  if (found.length === 0) return null;
  return (
    <div className={styles.gaps} data-testid="missed" data-value={found.length}>
      <h3 className={styles.gapsTitle}>What else the history misses, of the last {DAYS} days</h3>
      <ul>
        {found.slice(-GAPS_SHOWN).reverse().map((gap) => (
          <li key={`${gap.kind} ${gap.start} ${gap.worker ?? ''}`} className={styles.gap} data-kind={gap.kind}>
            <Ago at={gap.start} />
            <span>{gap.end === null ? 'still open' : `for ${duration(gap.end - gap.start)}`}</span>
            <Plain text={whatIsMissing(gap)} />
          </li>
        ))}
      </ul>
      {found.length > GAPS_SHOWN && <p>and {count(found.length - GAPS_SHOWN)} before that</p>}
    </div>
  );
}
