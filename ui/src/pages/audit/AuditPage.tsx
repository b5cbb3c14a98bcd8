import { useNavigate, useSearch } from '@tanstack/react-router';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';

import { useMe } from '~/api/queries';
import { Button } from '~/components/Button';
import { Empty, Trouble, Waiting } from '~/components/Notice';
import { Panel } from '~/components/Panel';
import { Plain } from '~/components/Plain';
import { Page } from '~/components/shell/Page';
import { Glyph, toneClass } from '~/components/State';
import { mayAudit } from '~/lib/who';
import { rowsOf } from '~/lib/audit';
import { type AuditSearch, strippedAudit } from '~/lib/audit-search';
import { count, plural } from '~/lib/format';

import { AuditTable } from './AuditTable';
import styles from './audit.module.css';
import { Exports, Filters } from './Filters';
import { type Trail, useNews, useTrail } from './useTrail';

const MOST_ROWS = 2_000; // more is found by filtering

/** Who did what, to whom, and what came of it. */
export function AuditPage() {
  const { data: me, error } = useMe();
  return (
    <Page title="Audit">
      {mayAudit(me) ? (
        <Content />
      ) : (
        <Panel title="Audit trail">
          {me ? (
            <Empty title="The audit trail is for administrators">
              It tells what everybody did, on all queues and tasks. Yours is the role {me.role}
              {me.role === 'admin' && ', limited to some of them'}.
            </Empty>
          ) : error ? (
            <Trouble error={error} />
          ) : (
            <Waiting what="who you are" />
          )}
        </Panel>
      )}
    </Page>
  );
}

function Content() {
  const search = useSearch({ from: '/audit' });
  const navigate = useNavigate({ from: '/audit' });
  const change = useCallback(
    (next: AuditSearch) =>
      void navigate({ search: (before) => strippedAudit({ ...before, ...next }), replace: true, resetScroll: false }),
    [navigate],
  );
  const trail = useTrail(search);
  const news = useNews(search, trail.data?.pages[0] ?? null);
  const { pages = [] } = trail.data ?? {};
  const rows = useMemo(() => rowsOf((trail.data?.pages ?? []).flatMap(({ entries }) => entries)), [trail.data]);
  const state = news.state ?? pages[0] ?? null;
  const unreadable = pages.reduce((sum, page) => sum + page.unreadable, 0);
  return (
    <>
      {state && <Kept {...state} unreadable={unreadable} />}
      <Filters search={search} onChange={change} />
      <Panel
        title="Audit trail"
        note={pages.length === 0 ? undefined : `${plural(rows.length, 'row')}${trail.hasNextPage ? ' so far' : ''}, the newest first`}
        actions={
          <>
            {news.there && (
              <Button icon="up" look="accent" onClick={news.show} data-testid="audit-news">
                Show what is new
              </Button>
            )}
            <Exports search={search} />
          </>
        }
      >
        {!trail.data ? (
          trail.error ? <Trouble error={trail.error} /> : <Waiting what="the audit trail" />
        ) : rows.length === 0 && !trail.hasNextPage ? (
          <Nothing filtered={Object.keys(search).length > 0} onClear={() => void navigate({ search: {}, replace: true })} />
        ) : (
          <>
            <AuditTable rows={rows} onAction={(action) => change({ action })} />
            <End trail={trail} rows={rows.length} />
          </>
        )}
      </Panel>
    </>
  );
}

interface KeptProps {
  error: string | null;
  unwritten: number;
  kept: boolean;
  unreadable: number;
}

/** Whether what is done now is kept, and whether what was done is all here. */
function Kept({ error, unwritten, kept, unreadable }: KeptProps) {
  const lost = unwritten === 0 ? '' : `${plural(unwritten, 'entry', 'entries')} since the start ${unwritten === 1 ? 'is' : 'are'} in the log only.`;
  return (
    <>
      {error !== null && (
        <Banner tone="failure" title="The audit trail cannot be written.">
          <Plain text={error} /> {lost} What is done now is told in the log, and not here.
        </Banner>
      )}
      {error === null && !kept && (
        <Banner tone="retry" title="No audit trail is kept.">
          This console has no directory for it: what is done is told in its log alone. <code>--data-dir</code> gives it one.
        </Banner>
      )}
      {error === null && kept && lost !== '' && (
        <Banner tone="retry" title="Some entries are missing here.">{lost}</Banner>
      )}
      {unreadable > 0 && (
        <Banner tone="failure" title={`${plural(unreadable, 'line')} of the audit trail cannot be read.`}>
          <code>celeryscope audit verify</code> tells where, and whether something was changed.
        </Banner>
      )}
    </>
  );
}

interface BannerProps {
  tone: 'failure' | 'retry';
  title: string;
  children: React.ReactNode;
}

function Banner({ tone, title, children }: BannerProps) {
  return (
    <div className={`${styles.banner} ${toneClass(tone)}`} role="alert" data-testid="audit-banner">
      <p>
        <Glyph name="cross" /> <strong>{title}</strong>
      </p>
      <p className={styles.said}>{children}</p>
    </div>
  );
}

function Nothing({ filtered, onClear }: { filtered: boolean; onClear: () => void }) {
  if (!filtered) return <Empty title="Nothing was done yet">Logins, commands and what came of them show here.</Empty>;
  return (
    <div className={styles.nothing}>
      <Empty title="No entry is like that" />
      <Button onClick={onClear}>Show everything</Button>
    </div>
  );
}

/** The end of the list: older entries come when it is in sight. */
function End({ trail, rows }: { trail: Trail; rows: number }) {
  const mark = useRef<HTMLDivElement>(null);
  const [inSight, setInSight] = useState(false);
  useEffect(() => {
    if (!mark.current) return;
    const observer = new IntersectionObserver((entries) => setInSight(entries.some(({ isIntersecting }) => isIntersecting)), {
      rootMargin: '400px', // before one is there
    });
    observer.observe(mark.current);
    return () => observer.disconnect();
  }, []);
  const { hasNextPage, isFetching, error, fetchNextPage, data } = trail;
  const more = hasNextPage && rows < MOST_ROWS;
  // A page may be empty though there are older entries: then the end stays in sight.
  useEffect(() => {
    if (inSight && more && !isFetching && !error) void fetchNextPage();
  }, [inSight, more, isFetching, error, fetchNextPage, data]);
  return (
    <div ref={mark} className={styles.end}>
      {error ? (
        <>
          <Trouble error={error} />
          <Button onClick={() => void fetchNextPage()}>Try again</Button>
        </>
      ) : more ? (
        <p role="status">Looking further back …</p>
      ) : hasNextPage ? (
        <p>These are {count(rows)}. Older ones are found with the filters above.</p>
      ) : (
        <p>That is all.</p>
      )}
    </div>
  );
}
