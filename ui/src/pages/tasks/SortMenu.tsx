/** The orders that hold for all of the history. */

import { SORTS, type Sort } from '~/lib/task-query';
import { COLUMNS } from '~/lib/task-columns';

import styles from './menus.module.css';

interface SortMenuProps {
  sort: Sort;
  onSort: (sort: Sort) => void;
}

export default function SortMenu({ sort, onSort }: SortMenuProps) {
  const known = SORTS.some((one) => one.sort === sort);
  const key = sort.replace(/^-/, '');
  const label = COLUMNS.find((column) => column.sort === key)?.label ?? key;
  return (
    <fieldset className={styles.choices}>
      <legend className="sr">Order of the tasks</legend>
      {SORTS.map((one) => (
        <label key={one.sort}>
          <input type="radio" name="order" checked={one.sort === sort} onChange={() => onSort(one.sort)} data-testid={`sort-${one.sort}`} />
          {one.label}
        </label>
      ))}
      {!known && (
        <p className={styles.note}>
          Now by “{label}”{sort.startsWith('-') ? ', the largest first' : ''}: an order of the tasks in memory alone.
        </p>
      )}
    </fieldset>
  );
}
