import type { InsightFigures } from '~/api/insight';
import { DoorLink } from '~/components/DoorLink';
import { NONE, age, compact, count, duration, percent, share } from '~/lib/format';
import { type Change, countChange, ran, shareChange, timeChange } from '~/lib/insight';

import { Changed } from './Change';
import styles from './insight.module.css';

interface TotalsProps {
  now: InsightFigures;
  before: InsightFigures | null;
  query: string; // the tasks that these are
}

/** What a time was like, in six figures and how they changed. */
export function Totals({ now, before, query }: TotalsProps) {
  const inAll = (value: number) => (value < 60 ? duration(value) : age(value));
  const part = (value: number) => {
    const found = share(value, now.tasks);
    return found === null ? NONE : `${percent(found)} %`;
  };
  const of = (key: 'failed' | 'retried') => before && shareChange(now[key], now.tasks, before[key], before.tasks);
  const time = (key: 'run_p95' | 'wait_p95') => before && timeChange(now[key], before[key], ran(now), ran(before));
  return (
    <dl className={styles.totals}>
      <Figure name="Ended" value={compact(now.tasks)} raw={now.tasks} title={`${count(now.tasks)} tasks`} query={query} change={before && countChange(now.tasks, before.tasks)} />
      <Figure name="Failed" value={part(now.failed)} raw={now.failed} under={count(now.failed)} query={`${query} state:failure`} change={of('failed')} worse="up" unit=" points" bad={now.failed > 0} />
      <Figure name="Retried" value={part(now.retried)} raw={now.retried} under={`${count(now.retries)} times`} query={`${query} retries:>0`} change={of('retried')} worse="up" unit=" points" />
      <Figure name="Run time, p95" value={duration(now.run_p95)} raw={now.run_p95} under={`p50 ${duration(now.run_p50)} · p99 ${duration(now.run_p99)}`} change={time('run_p95')} worse="up" />
      <Figure name="Wait, p95" value={duration(now.wait_p95)} raw={now.wait_p95} under={`p50 ${duration(now.wait_p50)} · p99 ${duration(now.wait_p99)}`} change={time('wait_p95')} worse="up" />
      <Figure name="Ran, together" value={inAll(now.took)} raw={now.took} under={others(now)} change={before && timeChange(now.took, before.took, ran(now), ran(before))} />
    </dl>
  );
}

/** Ends of other kinds, where there were any. */
function others({ revoked, rejected, lost }: InsightFigures): string {
  const said = [[revoked, 'revoked'], [rejected, 'rejected'], [lost, 'lost']] as const;
  return said.filter(([many]) => many > 0).map(([many, word]) => `${count(many)} ${word}`).join(' · ');
}

interface FigureProps {
  name: string;
  value: string;
  raw: number | null;
  under?: string;
  title?: string;
  query?: string;
  change: Change | null;
  worse?: 'up' | 'down';
  unit?: string;
  bad?: boolean;
}

function Figure({ name, value, raw, under = '', title, query, change, worse, unit, bad = false }: FigureProps) {
  return (
    <div className={styles.figure} data-figure={name} data-value={raw ?? undefined}>
      <dt>{name}</dt>
      <dd className={styles.value} data-bad={bad || undefined} title={title}>
        {query === undefined ? value : <DoorLink door={{ to: '/tasks', query }}>{value}</DoorLink>}
        <Changed change={change} worse={worse} unit={unit} />
      </dd>
      <dd className={styles.under}>{under}</dd>
    </div>
  );
}
