/** Lines of the list that are no tasks: gaps, what is on its way, and the end. */

import { memo } from 'react';

import type { HistoryGap } from '~/api/client';
import { useNow } from '~/api/live';
import { useHistoryStatus } from '~/api/queries';
import { Button } from '~/components/Button';
import { Icon } from '~/components/Icon';
import { Line } from '~/components/Plain';
import { count } from '~/lib/format';
import { spanOf, together, when } from '~/lib/gaps';
import { MOST_ITEMS, countOf } from '~/lib/task-pages';
import { dayOf, secondOf } from '~/lib/time';
import { visible } from '~/lib/text';

import styles from './lines.module.css';
import type { Items } from './items';
import type { Paging } from './usePages';

interface GapRowProps {
  gaps: readonly HistoryGap[];
  index: number;
  top: number;
}

/** Between two tasks lies a time in which nobody listened, or not to all. */
export const GapRow = memo(function GapRow({ gaps, index, top }: GapRowProps) {
  const now = useNow();
  const [first] = gaps;
  return (
    <div
      className={styles.gap}
      style={{ transform: `translateY(${top}px)` }}
      role="row"
      aria-rowindex={index + 2}
      data-testid="gap"
      data-kind={first?.kind}
    >
      <div role="cell" className={styles.told}>
        <Icon name="unplugged" size={14} />
        <time className={styles.when}>{when(spanOf(gaps), now)}</time>
        <strong>
          <Line text={together(gaps)} />
        </strong>
        {gaps.length === 1 && first?.reason && (
          <span className={styles.reason}>
            <Line text={first.reason} />
          </span>
        )}
      </div>
    </div>
  );
});

/** A task that was there and is asked for again. */
export function Hollow({ index, top }: { index: number; top: number }) {
  return (
    <div className={styles.hollow} style={{ transform: `translateY(${top}px)` }} role="row" aria-rowindex={index + 2} aria-busy="true">
      <div role="cell">…</div>
    </div>
  );
}

interface EndProps {
  items: Items;
  paging: Paging | null;
  kept: boolean | null;
  held: boolean;
  inMemory: number | null;
}

/** Behind the last line: whether more is on its way, and why there is no more. */
export function End({ items, paging, kept, held, inMemory }: EndProps) {
  const last = items.at(items.count - 1);
  const pages = paging?.pages;
  // While the list follows the cluster nobody sees its end.
  if (kept === null || (paging && !pages?.parts.length && !paging.error && !held)) return null;
  return (
    <div role="rowgroup">
      <div role="row" className={styles.end} data-testid="list-end">
        <div role="cell">
          {paging?.error ? (
            <>
              <span role="alert">{visible(paging.error.message)}</span> <Button onClick={paging.retry}>Try again</Button>
            </>
          ) : pages?.cut ? (
            <>No more was found in time. A time makes the search shorter: since:1d, or until: and a date.</>
          ) : pages?.below && countOf(pages) >= MOST_ITEMS ? (
            <>These are {count(items.count)} tasks. A time leads on from here: until:{last?.kind === 'task' ? moment(last.task.state_at) : '…'}</>
          ) : pages?.below ? (
            <span role="status">Looking further …</span>
          ) : paging ? (
            <Begins />
          ) : kept ? (
            <>Sorted among the {count(inMemory)} tasks in memory. The order menu has those of the whole history.</>
          ) : held ? (
            <>No history is kept: these are of the {count(inMemory)} tasks in memory.</>
          ) : null}
        </div>
      </div>
    </div>
  );
}

function Begins() {
  const oldest = useHistoryStatus().data?.oldest ?? null;
  return <>That is all{oldest !== null && `: the history begins at ${dayOf(oldest)} ${secondOf(oldest)}`}.</>;
}

function moment(at: number): string {
  return new Date(at * 1000).toISOString().slice(0, 19);
}
