import { useNavigate, useSearch } from '@tanstack/react-router';
import { useMemo } from 'react';

import type { Queues } from '~/api/client';
import { useLive, useTopic } from '~/api/live';
import { useQueues } from '~/api/queries';
import { Ago } from '~/components/Moment';
import { Empty, Trouble, Waiting } from '~/components/Notice';
import { Panel } from '~/components/Panel';
import { Plain } from '~/components/Plain';
import { SearchField } from '~/components/SearchField';
import { Page } from '~/components/shell/Page';
import { toneClass } from '~/components/State';
import { plural } from '~/lib/format';
import { readOffset } from '~/lib/messages';
import { type QueueSearch, selectQueues, strippedQueues } from '~/lib/queues';

import { QueueDetail } from './QueueDetail';
import { QueueTable } from './QueueTable';
import styles from './queues.module.css';

/** What piles up: each queue's length and how it moves; one of them more closely. */
export function QueuesPage() {
  useTopic('grid');
  const search = useSearch({ from: '/queues' });
  const navigate = useNavigate({ from: '/queues' });
  const { data, error } = useQueues();
  const rows = useMemo(() => selectQueues(data?.queues ?? [], search), [data, search]);
  const change = (next: QueueSearch) => {
    void navigate({ search: strippedQueues({ ...search, ...next }), replace: true, resetScroll: false });
  };
  const chosen = data?.queues.find(({ name }) => name === search.queue);
  return (
    <Page title="Queues" grafana={{ board: 'queues' }}>
      {data?.error != null && <Unread told={data} />}
      {search.queue !== undefined && data && (
        <QueueDetail
          key={search.queue}
          name={search.queue}
          queue={chosen}
          look={readOffset(search.look ?? '')}
          onLook={(offset) => change({ look: offset === null ? '' : String(offset) })}
          onClose={() => change({ queue: '', look: '' })}
        />
      )}
      <div className={styles.toolbar}>
        <SearchField
          label="Find a queue"
          value={search.search ?? ''}
          onSearch={(text) => change({ search: text })}
        />
        {data && data.queues.length > 0 && (
          <span className={styles.count}>
            {rows.length === data.queues.length
              ? plural(rows.length, 'queue')
              : `${rows.length} of ${plural(data.queues.length, 'queue')}`}
            {data.read_at !== null && (
              <>
                , read <Ago at={data.read_at} />
              </>
            )}
          </span>
        )}
      </div>
      <Panel title="All queues" note="messages that wait in the broker, and how they move">
        {!data ? (
          error ? (
            <Trouble error={error}>It is tried again every few seconds.</Trouble>
          ) : (
            <Waiting what="the queues" />
          )
        ) : data.queues.length === 0 ? (
          <NoQueue told={data} />
        ) : rows.length === 0 ? (
          <Empty title="No queue has such a name." />
        ) : (
          <div className={data.error === null ? undefined : styles.old}>
            <QueueTable rows={rows} search={search} onSort={(sort) => change({ sort })} />
          </div>
        )}
      </Panel>
    </Page>
  );
}

/** The lengths could not be read: those shown are from before, and that is said. */
function Unread({ told: { error, read_at } }: { told: Queues }) {
  return (
    <div className={`${styles.unread} ${toneClass('retry')}`} role="alert" data-testid="queues-unread">
      <p>
        <strong>The queues cannot be read.</strong>{' '}
        {read_at === null ? 'No length is known yet.' : <>The lengths are from <Ago at={read_at} />.</>}
      </p>
      {error !== null && (
        <p className={styles.error}>
          <Plain text={error} />
        </p>
      )}
      <p>
        Check that the broker is running and that this machine reaches it. It is asked again every few
        seconds.
      </p>
    </div>
  );
}

function NoQueue({ told: { error } }: { told: Queues }) {
  const broker = useLive((state) => state.overview?.broker.state ?? null);
  return error === null && broker === 'connected' ? (
    <Empty title="No queue is known yet">
      Queues are learned from the workers that read them, and from the tasks that are sent. Start a
      worker, or give the console their names with <code>--queues</code>.
    </Empty>
  ) : (
    <Empty title="Unknown">The broker has not been reached, so no queue is known.</Empty>
  );
}
