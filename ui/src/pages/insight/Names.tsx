import { Link } from '@tanstack/react-router';

import type { Insight, InsightRow, InsightSort } from '~/api/insight';
import { Empty } from '~/components/Notice';
import { Panel } from '~/components/Panel';
import { TaskName } from '~/components/Plain';
import { SearchField } from '~/components/SearchField';
import { SortHead } from '~/components/SortHead';
import table from '~/components/Table.module.css';
import { NONE, age, compact, count, duration, percent, share } from '~/lib/format';
import { countChange, ran, shareChange, timeChange } from '~/lib/insight';
import { type InsightSearch, timeOf } from '~/lib/insight-search';

import { Bars } from './Bars';
import { Changed } from './Change';
import styles from './insight.module.css';

interface NamesProps {
  told: Insight;
  search: InsightSearch;
  onSearch: (change: Partial<InsightSearch>) => void;
}

const HEADS: readonly { sort: InsightSort; label: string; width: string; optional?: 1 | 2 }[] = [
  { sort: 'tasks', label: 'Ended', width: '7.75rem' },
  { sort: 'failed', label: 'Failed', width: '7.25rem' },
  { sort: 'retried', label: 'Retried', width: '6.5rem', optional: 2 },
  { sort: 'run', label: 'Run p95', width: '8rem' },
  { sort: 'wait', label: 'Wait p95', width: '8rem', optional: 2 },
  { sort: 'took', label: 'In total', width: '5.5rem', optional: 1 },
];

/** What became of the tasks of each name. */
export function Names({ told, search, onSearch }: NamesProps) {
  const { names, names_total: total } = told;
  const sort = search.sort ?? 'took';
  const cut = names.length < total ? `${names.length} of ${total}` : undefined;
  return (
    <Panel
      title="By name"
      note={cut}
      actions={<SearchField label="Find a name" value={search.text ?? ''} onSearch={(text) => onSearch({ text })} />}
    >
      {names.length === 0 ? (
        search.text ? (
          <Empty title="No task of such a name ended in this time" />
        ) : (
          <Empty title="No task ended in this time" />
        )
      ) : (
        <table className={`${table.table} ${styles.names}`} data-testid="insight-names">
          <thead>
            <tr>
              <th>
                <SortHead label="Task" direction={sort === 'name' ? 'ascending' : 'none'} onSort={() => onSearch({ sort: 'name' })} />
              </th>
              <th className={styles.barsHead} data-optional="1">
                <span className="sr">Course</span>
              </th>
              {HEADS.map((head) => (
                <th
                  key={head.sort}
                  className={table.number}
                  style={{ width: head.width }}
                  data-optional={head.optional}
                  aria-sort={sort === head.sort ? 'descending' : undefined}
                >
                  <SortHead end label={head.label} direction={sort === head.sort ? 'descending' : 'none'} onSort={() => onSearch({ sort: head.sort })} />
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {names.map((row) => (
              <Row key={row.name ?? ''} row={row} search={search} />
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}

function Row({ row: { name, now, before, bars, bars_failed: failed }, search }: { row: InsightRow; search: InsightSearch }) {
  const shareOf = (part: number) => {
    const found = share(part, now.tasks);
    return found === null ? NONE : `${percent(found)} %`;
  };
  const longer = (key: 'run_p95' | 'wait_p95') => before && timeChange(now[key], before[key], ran(now), ran(before));
  return (
    <tr data-name={name}>
      <td>
        {name === null ? (
          <TaskName name={null} />
        ) : (
          <Link className={table.link} to="/insight/$name" params={{ name }} search={timeOf(search)}>
            <TaskName name={name} />
          </Link>
        )}
      </td>
      <td data-optional="1">
        <Bars tasks={bars} failed={failed} />
      </td>
      <td className={table.number} title={count(now.tasks)} data-value={now.tasks}>
        {compact(now.tasks)} <Changed change={before && countChange(now.tasks, before.tasks)} />
      </td>
      <td className={table.number} title={`${count(now.failed)} failed`} data-value={now.failed}>
        <span className={now.failed > 0 ? table.bad : table.dim}>{shareOf(now.failed)}</span>{' '}
        <Changed change={before && shareChange(now.failed, now.tasks, before.failed, before.tasks)} worse="up" unit=" points" />
      </td>
      <td className={table.number} title={`${count(now.retried)} retried`} data-optional="2">
        <span className={now.retried > 0 ? undefined : table.dim}>{shareOf(now.retried)}</span>{' '}
        <Changed change={before && shareChange(now.retried, now.tasks, before.retried, before.tasks)} worse="up" unit=" points" />
      </td>
      <td className={table.number} title={`p50 ${duration(now.run_p50)}, p99 ${duration(now.run_p99)}`}>
        {duration(now.run_p95)} <Changed change={longer('run_p95')} worse="up" />
      </td>
      <td className={table.number} title={`p50 ${duration(now.wait_p50)}, p99 ${duration(now.wait_p99)}`} data-optional="2">
        {duration(now.wait_p95)} <Changed change={longer('wait_p95')} worse="up" />
      </td>
      <td className={`${table.number} ${table.dim}`} data-optional="1">
        {now.took < 60 ? duration(now.took) : age(now.took)}
      </td>
    </tr>
  );
}
