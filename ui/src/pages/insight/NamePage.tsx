import { Link, useParams, useSearch } from '@tanstack/react-router';

import { ApiError } from '~/api/client';
import type { InsightName } from '~/api/insight';
import { live } from '~/api/live';
import { DoorLink } from '~/components/DoorLink';
import { Meter } from '~/components/Meter';
import { Empty, Trouble, Waiting } from '~/components/Notice';
import { Panel } from '~/components/Panel';
import { Line, TaskName } from '~/components/Plain';
import { Page } from '~/components/shell/Page';
import { toneClass } from '~/components/State';
import table from '~/components/Table.module.css';
import { count, duration, percent, share } from '~/lib/format';
import { windowOf } from '~/lib/insight';
import { readInsightSearch, timeOf } from '~/lib/insight-search';
import { queryOf } from '~/lib/query';

import { Calendar } from './Calendar';
import { Course } from './Course';
import { Exceptions } from './Exceptions';
import { About } from './InsightPage';
import styles from './insight.module.css';
import { TaskTable, ranOf } from './Longest';
import { Totals } from './Totals';
import { useInsightName } from './useInsight';
import { WindowPicker } from './WindowPicker';

/** One name: its figures, its course, what it failed of, who ran it, and the tasks to look at. */
export function NamePage() {
  const { name } = useParams({ from: '/insight/$name' });
  const search = readInsightSearch({ ...useSearch({ from: '/insight/$name' }) });
  const { data, error, isPlaceholderData } = useInsightName(search, name);
  const window = windowOf(search, live.now());
  const query = `${queryOf({ name })} ${window.query}`;
  return (
    <Page title={name} heading={<TaskName name={name} />} parent={<Link to="/insight" search={timeOf(search)}>Insight</Link>}>
      <div className={styles.top}>
        <WindowPicker search={search} />
        {data && <About told={data} words={window.words} />}
      </div>
      {data === undefined || data.name !== name ? (
        <Panel title="Figures">
          {!error ? (
            <Waiting what="the figures" />
          ) : error instanceof ApiError && error.status === 404 ? (
            <Empty title="No task of this name has ended">as far as is known here.</Empty>
          ) : (
            <Trouble error={error} />
          )}
        </Panel>
      ) : (
        <div className={styles.page} data-old={isPlaceholderData || undefined}>
          {error && <Trouble error={error}>These figures are from before.</Trouble>}
          <Totals now={data.figures} before={data.before} query={`${query} state:finished,lost`} />
          <div className={styles.two}>
            <Course series={data.series} begins={data.begins} now={data.now} search={search} name={name} />
          </div>
          <Exceptions search={search} name={name} />
          <div className={styles.two}>
            <Panel title="Ran longest">
              <TaskTable rows={data.slowest} head="Run time" value={(task) => duration(ranOf(task))} />
            </Panel>
            <Panel title="Waited longest">
              <TaskTable rows={data.waited} head="Wait" value={({ wait }) => duration(wait)} />
            </Panel>
          </div>
          <div className={styles.two}>
            <Shares title="By worker" of="worker" shares={data.workers} told={data} query={query} />
            <Shares title="By queue" of="queue" shares={data.queues} told={data} query={query} />
          </div>
        </div>
      )}
      <Calendar search={search} name={name} />
    </Page>
  );
}

interface SharesProps {
  title: string;
  of: 'worker' | 'queue';
  shares: InsightName['workers'];
  told: InsightName;
  query: string;
}

function Shares({ title, of, shares, told, query }: SharesProps) {
  const most = Math.max(0, ...shares.map((one) => one.tasks));
  return (
    <Panel title={title} note={told.shares_whole ? undefined : 'of the newest'}>
      {shares.length === 0 ? (
        <Empty title="Not known" />
      ) : (
        <table className={table.table}>
          <thead>
            <tr>
              <th>{of === 'worker' ? 'Worker' : 'Queue'}</th>
              <th className={styles.meterHead}>
                <span className="sr">Share</span>
              </th>
              <th className={`${table.number} ${styles.countHead}`}>Ended</th>
              <th className={`${table.number} ${styles.countHead}`}>Failed</th>
            </tr>
          </thead>
          <tbody>
            {shares.map(({ value, tasks: ended, failed }) => (
              <tr key={value}>
                <td>
                  <DoorLink className={table.link} door={{ to: '/tasks', query: `${query} ${queryOf({ [of]: value })}` }}>
                    <Line text={value} />
                  </DoorLink>
                </td>
                <td>
                  <Meter value={ended} max={most} tone={toneClass('running')} />
                </td>
                <td className={table.number}>{count(ended)}</td>
                <td className={table.number}>
                  <span className={failed > 0 ? table.bad : table.dim}>{percent(share(failed, ended))} %</span>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}
