/** Counts by task name, worker and queue; each is a filter. */

import { memo, useState } from 'react';

import { IconButton } from '~/components/Button';
import { Host, Line, TaskName } from '~/components/Plain';
import { compact, count as whole } from '~/lib/format';
import { type Choice, choiceOf, freed, onlyValue, withoutValue } from '~/lib/query-edit';
import type { Query } from '~/lib/query-language';
import { clip, visible } from '~/lib/text';

import styles from './Facets.module.css';
import { useFacets, useFacetsWhole } from './TasksContext';

const FEW = 8;
const LABEL_LIMIT = 80;

type FacetKey = 'name' | 'worker' | 'queue';
const FACETS: readonly { key: FacetKey; title: string; none: string }[] = [
  { key: 'name', title: 'Task', none: 'No task name is known' },
  { key: 'worker', title: 'Worker', none: 'No worker has taken one' },
  { key: 'queue', title: 'Queue', none: 'No queue is known' },
];

interface FacetsProps {
  query: Query;
  onChange: (query: Query) => void;
}

/** The page is drawn with each frame of the stream; the counts come once a second at most. */
export const Facets = memo(function Facets(props: FacetsProps) {
  const whole = useFacetsWhole();
  return (
    <div className={styles.facets}>
      {FACETS.map(({ key, title, none }) => (
        <Facet key={key} field={key} title={title} none={none} {...props} />
      ))}
      {!whole && (
        <p className={styles.none} data-testid="facets-part">
          Counts of the newest only: there are too many to count all.
        </p>
      )}
    </div>
  );
});

function Facet({ field, title, none, query, onChange }: FacetsProps & { field: FacetKey; title: string; none: string }) {
  const [all, setAll] = useState(false);
  const values = useFacets()?.[field].filter(({ value }) => value !== '') ?? null;
  const most = values?.[0]?.count ?? 0;
  const shown = all ? values : values?.slice(0, FEW);
  const without = freed(query, field);
  return (
    <section className={styles.facet} aria-label={title} data-testid={`facet-${field}`}>
      <h2>
        {title}
        {without !== query && JSON.stringify(without) !== JSON.stringify(query) && (
          <button type="button" className={styles.any} onClick={() => onChange(without)}>
            Any
          </button>
        )}
      </h2>
      <ul>
        {shown?.map(({ value, count }) => (
          <Value
            key={value}
            field={field}
            value={value}
            count={count}
            share={most > 0 ? count / most : 0}
            choice={choiceOf(query, field, value)}
            onOnly={() => onChange(onlyValue(query, field, value))}
            onNot={() => onChange(withoutValue(query, field, value))}
          />
        ))}
      </ul>
      {values?.length === 0 && <p className={styles.none}>{none}</p>}
      {values && values.length > FEW && (
        <button type="button" className={styles.more} aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? 'Fewer' : `${values.length - FEW} more`}
        </button>
      )}
    </section>
  );
}

interface ValueProps {
  field: FacetKey;
  value: string;
  count: number;
  share: number;
  choice: Choice | null;
  onOnly: () => void;
  onNot: () => void;
}

function Value({ field, value, count, share, choice, onOnly, onNot }: ValueProps) {
  const label = visible(clip(value, LABEL_LIMIT).text);
  return (
    <li className={styles.value} data-value={value} data-count={count} data-choice={choice ?? undefined}>
      <button
        type="button"
        className={styles.only}
        aria-pressed={choice === 'only'}
        onClick={({ altKey }) => (altKey ? onNot() : onOnly())}
      >
        <span className={styles.bar} style={{ inlineSize: `${share * 100}%` }} />
        <span className={styles.label}>
          {field === 'name' ? <TaskName name={value} /> : field === 'worker' ? <Host hostname={value} /> : <Line text={value} />}
        </span>
        <span className={styles.count} title={whole(count)}>
          {compact(count)}
        </span>
      </button>
      <IconButton
        icon="exclude"
        size="sm"
        className={styles.not}
        label={choice === 'not' ? `No longer leave out ${label}` : `All but ${label}`}
        aria-pressed={choice === 'not'}
        onClick={onNot}
      />
    </li>
  );
}
