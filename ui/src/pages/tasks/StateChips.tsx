/** The states' counts, which are filters: the facet that is always in sight. */

import { memo } from 'react';

import { Glyph, toneClass } from '~/components/State';
import toolbar from '~/components/Toolbar.module.css';
import { compact } from '~/lib/format';
import { choiceOf, withValue, withoutValue } from '~/lib/query-edit';
import type { Query } from '~/lib/query-language';
import { look, order, stateWord } from '~/lib/states';
import { clip, visible } from '~/lib/text';

import styles from './Facets.module.css';
import { useFacets } from './TasksContext';

const LABEL_LIMIT = 40;

interface StateChipsProps {
  query: Query;
  onChange: (query: Query) => void;
}

export const StateChips = memo(function StateChips({ query, onChange }: StateChipsProps) {
  const facets = useFacets();
  const counts = new Map((facets?.state ?? []).map(({ value, count }) => [value, count]));
  return (
    <div className={toolbar.chips} role="group" aria-label="States" data-testid="facet-state">
      {order(counts.keys()).map((state) => {
        const { tone, glyph } = look(state);
        const choice = choiceOf(query, 'state', state);
        const count = facets ? (counts.get(state) ?? 0) : null;
        const word = visible(clip(stateWord(state), LABEL_LIMIT).text);
        return (
          <button
            key={state}
            type="button"
            className={`${toolbar.chip} ${styles.chip} ${toneClass(tone)}`}
            aria-pressed={choice === 'only'}
            data-excluded={choice === 'not' || undefined}
            title={choice === 'not' ? `${word} is left out` : `Alt and click: all but ${word}`}
            onClick={({ altKey }) =>
              onChange(altKey || choice === 'not' ? withoutValue(query, 'state', state) : withValue(query, 'state', state))
            }
            data-testid={`filter-${state}`}
            data-value={count ?? undefined}
          >
            <Glyph name={glyph} />
            <bdi>{word}</bdi>
            {choice === 'not' && <span className="sr">, left out</span>}
            <span className={toolbar.count}>{count === null ? '' : compact(count)}</span>
          </button>
        );
      })}
    </div>
  );
});
