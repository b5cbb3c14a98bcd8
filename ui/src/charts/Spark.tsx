import { useMemo } from 'react';

import { sparkPaths } from './spark';
import styles from './Spark.module.css';

interface SparkProps {
  label: string;
  times: readonly number[];
  values: readonly (number | null)[];
  window: readonly [number, number];
}

const WIDTH = 120;
const HEIGHT = 20;

/** A small line without scales, for the shape of things; its number stands beside it. */
export function Spark({ label, times, values, window }: SparkProps) {
  const { line, area } = useMemo(
    () => sparkPaths({ times, values, window, width: WIDTH, height: HEIGHT }),
    [times, values, window],
  );
  return (
    <svg
      className={styles.spark}
      viewBox={`0 -1 ${WIDTH} ${HEIGHT + 2}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      <path className={styles.area} d={area} />
      <path className={styles.line} d={line} vectorEffect="non-scaling-stroke" />
    </svg>
  );
}
