import { useNavigate, useSearch } from '@tanstack/react-router';
import { useMemo } from 'react';

import type { Schedules, ScheduleSource } from '~/api/client';
import { Ago } from '~/components/Moment';
import { Empty, Trouble, Waiting } from '~/components/Notice';
import { Panel } from '~/components/Panel';
import { Plain } from '~/components/Plain';
import { SearchField } from '~/components/SearchField';
import { Page } from '~/components/shell/Page';
import { Glyph, toneClass } from '~/components/State';
import { plural } from '~/lib/format';
import { selectEntries, strippedSchedules } from '~/lib/schedules';

import { ScheduleTable } from './ScheduleTable';
import styles from './schedules.module.css';
import { useSchedules } from './useSchedules';

/** What is sent by the clock: each entry, when it ran, when it runs, and whether it is late. */
export function SchedulesPage() {
  const search = useSearch({ from: '/schedules' });
  const navigate = useNavigate({ from: '/schedules' });
  const { data, error } = useSchedules();
  const rows = useMemo(() => selectEntries(data?.entries ?? [], search), [data, search]);
  const find = (text: string) => {
    void navigate({ search: strippedSchedules({ search: text }), replace: true, resetScroll: false });
  };
  return (
    <Page title="Schedules">
      {data?.sources.map((source) => source.state === 'failed' && <Unread key={source.name} source={source} />)}
      <div className={styles.toolbar}>
        <SearchField label="Find an entry" value={search.search ?? ''} onSearch={find} />
        {data && <Sources told={data} shown={rows.length} />}
      </div>
      <Panel title="Entries" note="overdue ones first, then the next to run">
        {!data ? (
          error ? (
            <Trouble error={error}>It is tried again every few seconds.</Trouble>
          ) : (
            <Waiting what="the schedules" />
          )
        ) : data.entries.length === 0 ? (
          <NoEntry sources={data.sources} />
        ) : rows.length === 0 ? (
          <Empty title="No entry is like that." />
        ) : (
          <ScheduleTable rows={rows} />
        )}
      </Panel>
    </Page>
  );
}

/** Which sources were read, and how much of them is shown. */
function Sources({ told: { sources, entries }, shown }: { told: Schedules; shown: number }) {
  const read = sources.filter(({ state }) => state === 'read');
  if (read.length === 0) return null;
  return (
    <span className={styles.count}>
      {shown === entries.length ? plural(shown, 'entry', 'entries') : `${shown} of ${plural(entries.length, 'entry', 'entries')}`}
      {read.map(({ name, said, read_at }) => (
        <span key={name} title={said} data-source={name}>
          {' '}
          · {name}, read <Ago at={read_at} />
        </span>
      ))}
    </span>
  );
}

/** A source that cannot be read: entries from before stay, and that is said. */
function Unread({ source: { name, said, read_at } }: { source: ScheduleSource }) {
  return (
    <div className={`${styles.unread} ${toneClass('retry')}`} role="alert" data-testid="schedule-unread" data-source={name}>
      <p className={styles.unreadHead}>
        <Glyph name="cross" />
        <strong>{name} cannot be read.</strong>{' '}
        {read_at === null ? 'None of its entries is known.' : <>Its entries are from <Ago at={read_at} />.</>}
      </p>
      <p className={styles.said}>
        <Plain text={said} />
      </p>
    </div>
  );
}

function NoEntry({ sources }: { sources: readonly ScheduleSource[] }) {
  if (sources.some(({ state }) => state === 'failed')) {
    return <Empty title="Unknown">A schedule could not be read, so its entries are not known.</Empty>;
  }
  return (
    <>
      <Empty title="No schedule is known">
        Entries of <code>beat_schedule</code> are seen when the console has the project's app (<code>-A</code>), or a
        worker tells its settings; those of django-celery-beat when the app is that of the Django project; those of
        RedBeat when its Redis is the broker or is named in <code>redbeat_redis_url</code>.
      </Empty>
      <ul className={styles.absent}>
        {sources.map(({ name, said }) => (
          <li key={name}>
            <strong>{name}</strong> <Plain text={said} />
          </li>
        ))}
      </ul>
    </>
  );
}
