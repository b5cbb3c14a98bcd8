import { useNow } from '~/api/live';
import type { TaskDetail } from '~/api/client';
import { toneClass } from '~/components/State';
import { duration } from '~/lib/format';
import { life } from '~/lib/life';
import { FINISHED } from '~/lib/states';

import styles from './task.module.css';

const TONES = { queue: 'waiting', worker: 'retry', running: 'running' } as const;

/** Where the task's time went, as one bar. */
export function Life({ task }: { task: TaskDetail }) {
  const now = useNow();
  // A finished task whose end no event told must not grow for ever.
  const parts = life(task, FINISHED.has(task.state) ? task.state_at : now);
  const whole = parts.reduce((sum, { start, end }) => sum + end - start, 0);
  if (whole <= 0) return null;
  return (
    <div className={styles.life}>
      <div className={styles.bar} aria-hidden="true">
        {parts.map(({ key, start, end, open }) => (
          <span
            key={key}
            className={`${styles.part} ${toneClass(TONES[key])}`}
            data-open={open || undefined}
            style={{ flexGrow: (100 * (end - start)) / whole, flexBasis: 0 }}
          />
        ))}
      </div>
      <ul className={styles.parts} aria-label="Where its time went">
        {parts.map(({ key, label, start, end, open }) => (
          <li key={key}>
            <span className={`${styles.swatch} ${toneClass(TONES[key])}`} />
            {label} <strong>{duration(end - start)}</strong>
            {open && 'so far'}
          </li>
        ))}
      </ul>
    </div>
  );
}
