import { plural } from '~/lib/format';

import styles from './insight.module.css';

interface BarsProps {
  tasks: readonly number[];
  failed: readonly number[]; // a part of them
  what?: string;
}

const HEIGHT = 22;

/** A small picture of a time: how many, and in it how many failed. */
export function Bars({ tasks, failed, what = 'task' }: BarsProps) {
  const most = Math.max(1, ...tasks);
  const high = (value: number) => (value === 0 ? 0 : Math.max(1.5, (HEIGHT * value) / most));
  const all = tasks.reduce((sum, value) => sum + value, 0);
  return (
    <svg
      className={styles.bars}
      viewBox={`0 0 ${Math.max(1, tasks.length) * 4} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={`${plural(all, what)}, at most ${most} in a step of ${tasks.length}`}
    >
      {tasks.map((value, index) => (
        <g key={index}>
          <rect className={styles.bar} x={index * 4} width={3} y={HEIGHT - high(value)} height={high(value)} />
          <rect className={styles.barFailed} x={index * 4} width={3} y={HEIGHT - high(failed[index] ?? 0)} height={high(failed[index] ?? 0)} />
        </g>
      ))}
    </svg>
  );
}
