import { useTopic } from '~/api/live';
import { Page } from '~/components/shell/Page';

import { Accounting } from './Accounting';
import { Failing } from './Failing';
import styles from './overview.module.css';
import { Queues } from './Queues';
import { Strip } from './Strip';
import { Throughput } from './Throughput';
import { WorkersMini } from './WorkersMini';

/** Is it healthy, what fails, what piles up: answered without a click. */
export function OverviewPage() {
  useTopic('workers');
  return (
    <Page title="Overview">
      <Strip />
      <div className={styles.grid}>
        <div className={styles.wide}>
          <Throughput />
        </div>
        <div className={styles.narrow}>
          <Queues />
        </div>
        <div className={`${styles.wide} ${styles.lists}`}>
          <Failing />
        </div>
        <div className={`${styles.narrow} ${styles.lists}`}>
          <WorkersMini />
        </div>
        <div className={styles.full}>
          <Accounting />
        </div>
      </div>
    </Page>
  );
}
