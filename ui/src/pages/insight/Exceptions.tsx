import { Link } from '@tanstack/react-router';

import type { InsightException } from '~/api/insight';
import { DoorLink } from '~/components/DoorLink';
import { Ago } from '~/components/Moment';
import { Empty, Trouble, Waiting } from '~/components/Notice';
import { Panel } from '~/components/Panel';
import { Line, TaskName } from '~/components/Plain';
import { instant } from '~/lib/doors';
import { NONE, count, plural } from '~/lib/format';
import { countChange, placeWords, typeWord } from '~/lib/insight';
import { type InsightSearch, timeOf } from '~/lib/insight-search';
import { queryOf as queryParts } from '~/lib/query';

import { Bars } from './Bars';
import { Changed } from './Change';
import styles from './insight.module.css';
import { useExceptions } from './useInsight';

/** Failures by type and place in the code: how often, since when, of which tasks, one click to them. */
export function Exceptions({ search, name = '' }: { search: InsightSearch; name?: string }) {
  const { data, error } = useExceptions(search, name);
  const left = data === undefined ? 0 : data.total - data.exceptions.length;
  return (
    <Panel title="Exceptions" note="by type and place in the code">
      {data === undefined ? (
        error ? <Trouble error={error} /> : <Waiting what="the exceptions" />
      ) : data.exceptions.length === 0 ? (
        <Empty title="Nothing failed in this time" />
      ) : (
        <ol className={styles.exceptions} data-testid="insight-exceptions">
          {data.exceptions.map((one) => (
            <Row key={one.fingerprint} one={one} search={search} alone={name !== ''} query={queryOf(one, data.since, search.until === undefined ? null : data.until, name)} />
          ))}
        </ol>
      )}
      {left > 0 && <p className={styles.more}>{plural(left, 'rarer one')} not shown.</p>}
    </Panel>
  );
}

/** The tasks that failed so in this time; of what was only retried, those that were. */
function queryOf({ fingerprint, failed, names }: InsightException, since: number, until: number | null, name: string): string {
  const concerned = name === '' && failed === 0 ? names.map((one) => one.name ?? '') : name;
  const parts = [
    failed > 0 ? `fingerprint:${fingerprint} state:failure` : 'retries:>0',
    queryParts({ name: concerned }),
    `since:${instant(since)}`,
    until === null ? '' : `until:${instant(until)}`,
  ];
  return parts.filter((part) => part !== '').join(' ');
}

interface RowProps {
  one: InsightException;
  search: InsightSearch;
  alone: boolean; // the name is known
  query: string;
}

function Row({ one, search, alone, query }: RowProps) {
  const all = one.failed + one.retried;
  const fresh = one.before === 0 && one.first !== null;
  const place = placeWords(one.file, one.function);
  return (
    <li className={styles.exception} data-fingerprint={one.fingerprint}>
      <div className={styles.what}>
        <p className={styles.type} title={one.type}>
          {one.fingerprint === 'other' ? (
            <span>All rarer exceptions</span>
          ) : (
            <DoorLink className={styles.typeLink} door={{ to: '/tasks', query }} title={`${count(one.failed)} failed tasks`}>
              <Line text={typeWord(one.type)} />
            </DoorLink>
          )}
        </p>
        <p className={styles.place} title={one.line > 0 ? `line ${one.line}` : undefined}>
          {place === '' ? <span className={styles.faint}>no place is known: no traceback came</span> : <Line text={place} mono />}
        </p>
      </div>
      <div className={styles.whose}>
        {!alone && (
          <p className={styles.of}>
            {one.names.slice(0, 2).map(({ name, count: many }) =>
              name === null ? null : (
                <Link key={name} to="/insight/$name" params={{ name }} search={timeOf(search)} className={styles.nameLink} title={plural(many, 'time')}>
                  <TaskName name={name} />
                </Link>
              ),
            )}
            {one.names_total > 2 && <span className={styles.faint}>and {one.names_total - 2} more</span>}
          </p>
        )}
        <p className={styles.seen}>
          {one.first === null ? (
            one.last === null ? '' : <>last <Ago at={one.last} /></>
          ) : (
            <>
              first <Ago at={one.first} /> · last <Ago at={one.last} />
            </>
          )}
        </p>
      </div>
      <div className={styles.picture}>
        <Bars tasks={one.bars} failed={one.bars} what="time" />
      </div>
      <p className={styles.many} title={`${count(one.failed)} tasks failed, ${count(one.retried)} runs were retried`}>
        <strong>{count(all)}</strong> {fresh ? <span className={styles.new}>new</span> : <Changed change={one.before === null ? null : countChange(all, one.before)} worse="up" />}
        <span className={styles.faint}>{one.retried > 0 && `${count(one.retried)} retried`}</span>
      </p>
      <p className={styles.examples}>
        {one.examples.length === 0
          ? NONE
          : one.examples.slice(0, 3).map((uuid, index) => (
              <Link key={uuid} to="/tasks/$uuid" params={{ uuid }} className={styles.example} title={uuid}>
                <span className="sr">Example {index + 1}: </span>
                {uuid.slice(0, 8)}
              </Link>
            ))}
      </p>
    </li>
  );
}
