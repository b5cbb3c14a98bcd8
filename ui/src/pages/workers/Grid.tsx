import { useMemo } from 'react';

import type { Cell, WorkerRow } from '~/api/client';
import { Cells } from '~/components/WorkerGrid';

import styles from './workers.module.css';

/** The same cells as on the Overview, of the workers that the filters let through. */
export function Grid({ rows }: { rows: readonly WorkerRow[] }) {
  const cells = useMemo(
    () =>
      new Map(
        rows.map(({ hostname, status, running, concurrency, lost }): [string, Cell] => [
          hostname,
          [hostname, status, running, concurrency, lost],
        ]),
      ),
    [rows],
  );
  return (
    <div className={styles.grid}>
      <Cells grid={cells} />
    </div>
  );
}
