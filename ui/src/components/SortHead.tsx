import { Icon } from './Icon';
import styles from './Table.module.css';

interface SortHeadProps {
  label: string;
  direction: 'ascending' | 'descending' | 'none';
  onSort: () => void;
  end?: boolean; // over numbers: the label ends where they end
}

/** What stands in a column's head that sorts. */
export function SortHead({ label, direction, onSort, end = false }: SortHeadProps) {
  const sorted = direction !== 'none';
  return (
    <button
      type="button"
      className={styles.sort}
      data-sorted={sorted || undefined}
      data-end={end || undefined}
      onClick={onSort}
    >
      <span>{label}</span>
      <span className={styles.arrow}>
        {sorted && <Icon name={direction === 'ascending' ? 'up' : 'down'} size={12} />}
      </span>
    </button>
  );
}
