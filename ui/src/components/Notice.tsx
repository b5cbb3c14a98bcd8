/** What stands where data would: nothing there, not there yet, or in trouble. Never confused. */

import type { ReactNode } from 'react';

import { ApiError } from '~/api/client';
import { visible } from '~/lib/text';

import styles from './Notice.module.css';

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className={styles.notice}>
      <p className={styles.title}>{title}</p>
      {children !== undefined && <p className={styles.detail}>{children}</p>}
    </div>
  );
}

export function Waiting({ what }: { what: string }) {
  return (
    <div className={styles.notice} role="status">
      <p>Waiting for {what} …</p>
    </div>
  );
}

export function Trouble({ error, children }: { error: Error; children?: ReactNode }) {
  const hint = error instanceof ApiError ? error.hint : null;
  return (
    <div className={`${styles.notice} ${styles.trouble}`} role="alert">
      <p className={styles.title}>{visible(error.message)}</p>
      {hint !== null && <p className={styles.detail}>{visible(hint)}</p>}
      {children !== undefined && <p className={styles.detail}>{children}</p>}
    </div>
  );
}
