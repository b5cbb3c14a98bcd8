import { Button } from '@mantine/core';
import { useMemo, useState } from 'react';

import { useLive, useTopic } from '~/api/live';
import { useNames } from '~/api/queries';
import { FilterChip } from '~/components/FilterChip';
import { Icon } from '~/components/Icon';
import { SearchField } from '~/components/SearchField';
import { Glyph } from '~/components/State';
import toolbar from '~/components/Toolbar.module.css';
import { look, order, stateWord } from '~/lib/states';
import { type TaskSearch, isFiltered, toggleState } from '~/lib/task-query';
import { clip, visible } from '~/lib/text';

import { FilterField } from './FilterField';

interface FiltersProps {
  search: TaskSearch;
  onChange: (search: TaskSearch) => void;
}

export function Filters({ search, onChange }: FiltersProps) {
  // Names are many: they are asked for when someone is about to choose one.
  const [choosing, setChoosing] = useState(false);
  useTopic('workers');
  const names = useNames(choosing).data;
  const workers = useLive((state) => state.workers);
  const queues = useLive((state) => state.overview?.queues);
  const options = useMemo(
    () => ({
      name: choices((names ?? []).map(({ name }) => name)),
      worker: choices(workers?.keys() ?? []),
      queue: choices((queues ?? []).map(({ name }) => name)),
    }),
    [names, workers, queues],
  );
  const field = (key: 'name' | 'worker' | 'queue', label: string) => (
    <FilterField
      label={label}
      value={search[key] ?? ''}
      options={options[key]}
      onChoose={(value) => onChange({ ...search, [key]: value })}
      onFocus={() => setChoosing(true)}
    />
  );
  return (
    <>
      <div className={toolbar.toolbar} role="search" aria-label="Tasks">
        <SearchField
          label="Search text: ids, names, arguments, results"
          value={search.search ?? ''}
          onSearch={(text) => onChange({ ...search, search: text })}
        />
        {field('name', 'Task name')}
        {field('worker', 'Worker')}
        {field('queue', 'Queue')}
        {isFiltered(search) && (
          <Button
            variant="subtle"
            color="gray"
            leftSection={<Icon name="filterOff" size={14} />}
            onClick={() => onChange({ sort: search.sort })}
          >
            Clear filters
          </Button>
        )}
      </div>
      <StateChips search={search} onChange={onChange} />
    </>
  );
}

/** In order, once each; an empty one cannot be asked for. */
function choices(values: Iterable<string>): string[] {
  return [...new Set(values)].filter((value) => value !== '').sort();
}

const LABEL_LIMIT = 40;

function StateChips({ search, onChange }: FiltersProps) {
  const counts = useLive((state) => state.overview?.states ?? null);
  const shown = order(new Set([...Object.keys(counts ?? {}), ...(search.state ?? [])]));
  return (
    <div className={toolbar.chips} role="group" aria-label="States">
      {shown.map((state) => (
        <FilterChip
          key={state}
          label={visible(clip(stateWord(state), LABEL_LIMIT).text)}
          tone={look(state).tone}
          glyph={<Glyph name={look(state).glyph} />}
          count={counts ? (counts[state] ?? 0) : null}
          on={search.state?.includes(state) ?? false}
          onToggle={() => onChange(toggleState(search, [state]))}
          testId={`filter-${state}`}
        />
      ))}
    </div>
  );
}
