import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';

import { live } from '~/api/live';
import { Button } from '~/components/Button';
import { fieldOf, windowOf } from '~/lib/insight';
import { type InsightSearch, SPANS, type Span, USUAL, strippedInsight } from '~/lib/insight-search';

import styles from './insight.module.css';

const LABELS: Record<Span, string> = { '1h': '1 hour', '24h': '24 hours', '7d': '7 days', '30d': '30 days' };

/** Which time is shown: up to now, or one's own. */
export function WindowPicker({ search }: { search: InsightSearch }) {
  const navigate = useNavigate();
  const own = search.since !== undefined;
  const [open, setOpen] = useState(own);
  const go = (change: Partial<InsightSearch>) => {
    const { sort, text } = search;
    void navigate({ to: '.', search: strippedInsight({ sort, text, ...change }), resetScroll: false });
  };
  return (
    <div className={styles.picker}>
      <div className={styles.spans} role="group" aria-label="Time">
        {(Object.keys(SPANS) as Span[]).map((span) => (
          <button
            key={span}
            type="button"
            aria-pressed={!own && (search.span ?? USUAL) === span}
            onClick={() => {
              setOpen(false);
              go({ span });
            }}
          >
            {LABELS[span]}
          </button>
        ))}
        <button type="button" aria-pressed={own} aria-expanded={open} onClick={() => setOpen(!open)}>
          From … to …
        </button>
      </div>
      {open && <Own key={`${search.since} ${search.until}`} search={search} onChoose={go} />}
    </div>
  );
}

function Own({ search, onChoose }: { search: InsightSearch; onChoose: (chosen: Partial<InsightSearch>) => void }) {
  const now = live.now();
  const shown = windowOf(search, now);
  const [since, setSince] = useState(search.since ?? fieldOf(shown.since));
  const [until, setUntil] = useState(search.until ?? fieldOf(shown.until ?? now));
  const good = since !== '' && until !== '' && since < until;
  return (
    <form
      className={styles.own}
      onSubmit={(event) => {
        event.preventDefault();
        if (good) onChoose({ since, until });
      }}
    >
      <input type="datetime-local" aria-label="From" value={since} onChange={({ currentTarget }) => setSince(currentTarget.value)} />
      <span aria-hidden="true">–</span>
      <input type="datetime-local" aria-label="To" value={until} onChange={({ currentTarget }) => setUntil(currentTarget.value)} />
      <Button onClick={() => good && onChoose({ since, until })} disabled={!good}>
        Show
      </Button>
    </form>
  );
}
