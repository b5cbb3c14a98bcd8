/** Which columns: chosen once, remembered by the browser, told by an address that was shared. */

import { useCallback, useMemo, useState } from 'react';

import { Button } from '~/components/Button';
import { Flyout } from '~/components/Flyout';
import { store, stored } from '~/lib/stored';
import {
  COLUMNS,
  type ColumnId,
  DEFAULT_COLUMNS,
  FIXED,
  readColumns,
  sameColumns,
  toggleColumn,
  writeColumns,
} from '~/lib/task-columns';

import styles from './Columns.module.css';

const KEY = 'task-columns';

export interface ChosenColumns {
  columns: readonly ColumnId[];
  choose: (columns: readonly ColumnId[]) => void;
}

/** `shared` is what the address says; a choice replaces it. */
export function useColumns(shared: string | undefined, onChosen: () => void): ChosenColumns {
  const [own, setOwn] = useState(() => readColumns(stored(KEY) ?? '') ?? DEFAULT_COLUMNS);
  const columns = useMemo(() => (shared === undefined ? null : readColumns(shared)) ?? own, [shared, own]);
  const choose = useCallback(
    (next: readonly ColumnId[]) => {
      setOwn(next);
      store(KEY, writeColumns(next));
      onChosen();
    },
    [onChosen],
  );
  return { columns, choose };
}

export function ColumnChooser({ columns, choose }: ChosenColumns) {
  return (
    <Flyout icon="columns" label="Columns" brief testId="columns">
      <ul className={styles.list}>
        {COLUMNS.map(({ id, label }) => (
          <li key={id}>
            <label>
              <input
                type="checkbox"
                checked={columns.includes(id)}
                disabled={FIXED.has(id)}
                onChange={() => choose(toggleColumn(columns, id))}
              />
              {label}
            </label>
          </li>
        ))}
      </ul>
      <p className={styles.note}>Those that do not fit are left out, the least needed first.</p>
      <Button look="quiet" disabled={sameColumns(columns, DEFAULT_COLUMNS)} onClick={() => choose(DEFAULT_COLUMNS)}>
        As they were at first
      </Button>
    </Flyout>
  );
}
