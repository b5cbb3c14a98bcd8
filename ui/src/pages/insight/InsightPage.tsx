import { useNavigate, useSearch } from '@tanstack/react-router';

import { live } from '~/api/live';
import { Empty, Trouble, Waiting } from '~/components/Notice';
import { Panel } from '~/components/Panel';
import { Page } from '~/components/shell/Page';
import { windowOf } from '~/lib/insight';
import { type InsightSearch, readInsightSearch, strippedInsight } from '~/lib/insight-search';
import { absolute } from '~/lib/time';

import { Calendar } from './Calendar';
import { Course } from './Course';
import { Exceptions } from './Exceptions';
import styles from './insight.module.css';
import { Slowest, Waited } from './Longest';
import { Names } from './Names';
import { Totals } from './Totals';
import { useInsight } from './useInsight';
import { WindowPicker } from './WindowPicker';

/** What became of tasks over a time: by name, by exception, hour by hour. */
export function InsightPage() {
  const search = readInsightSearch({ ...useSearch({ from: '/insight' }) });
  const navigate = useNavigate({ from: '/insight' });
  const { data, error, isPlaceholderData } = useInsight(search);
  const go = (change: Partial<InsightSearch>) => {
    void navigate({ search: strippedInsight({ ...search, ...change }), replace: true, resetScroll: false });
  };
  const window = windowOf(search, live.now());
  return (
    <Page title="Insight">
      <div className={styles.top}>
        <WindowPicker search={search} />
        {data && <About told={data} words={window.words} />}
      </div>
      {data === undefined ? (
        <Panel title="Tasks that ended">{error ? <Trouble error={error} /> : <Waiting what="the figures" />}</Panel>
      ) : (
        <>
          {error && <Trouble error={error}>These figures are from before.</Trouble>}
          {data.total.tasks === 0 && (
            <Panel title="Tasks that ended">
              <Empty title={`No task ended in ${window.words}`}>
                {data.begins === null ? 'Nothing is counted yet.' : `What ended is counted since ${absolute(data.begins)}.`}
              </Empty>
            </Panel>
          )}
          {data.total.tasks > 0 && (
            <div className={styles.page} data-old={isPlaceholderData || undefined}>
              <Totals now={data.total} before={data.before} query={`${window.query} state:finished,lost`} />
              <div className={styles.two}>
                <Course series={data.series} begins={data.begins} now={data.now} search={search} />
              </div>
              <Names told={data} search={search} onSearch={go} />
              <Exceptions search={search} />
              <div className={styles.two}>
                <Slowest search={search} />
                <Waited search={search} />
              </div>
            </div>
          )}
          <Calendar search={search} />
        </>
      )}
    </Page>
  );
}

interface AboutProps {
  told: { exact: boolean; begins: number | null; before: object | null };
  words: string;
}

/** Of what time the figures are, and what they are not. */
export function About({ told: { exact, begins, before }, words }: AboutProps) {
  const said = [`Tasks that ended in ${words}`];
  if (!exact) said.push('rounded to quarters of an hour at its ends');
  if (before === null) said.push(begins === null ? 'nothing to compare with' : `nothing to compare with: counted since ${absolute(begins).slice(0, 16)}`);
  return <p className={styles.about}>{said.join(', ')}.</p>;
}
