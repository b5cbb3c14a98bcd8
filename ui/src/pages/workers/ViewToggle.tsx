import { Icon } from '~/components/Icon';
import { VIEWS, type WorkerView } from '~/lib/worker-query';

import styles from './workers.module.css';

const LOOKS = {
  table: { label: 'Table', icon: 'table' },
  grid: { label: 'Grid', icon: 'grid' },
} as const;

interface ViewToggleProps {
  view: WorkerView;
  onChange: (view: WorkerView) => void;
}

/** Rows to compare, or cells to see hundreds of workers at once. */
export function ViewToggle({ view, onChange }: ViewToggleProps) {
  return (
    <div className={styles.views} role="group" aria-label="View">
      {VIEWS.map((one) => (
        <button
          key={one}
          type="button"
          aria-pressed={view === one}
          onClick={() => onChange(one)}
        >
          <Icon name={LOOKS[one].icon} size={14} />
          {LOOKS[one].label}
        </button>
      ))}
    </div>
  );
}
