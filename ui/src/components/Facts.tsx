import type { ReactNode } from 'react';

import styles from './Facts.module.css';
import { Breakable } from './Plain';

export interface Fact {
  name: string;
  value: ReactNode;
}

/** Names and values, in as many columns as fit. */
export function Facts({ facts, wide = false }: { facts: readonly Fact[]; wide?: boolean }) {
  return (
    <dl className={wide ? `${styles.facts} ${styles.wide}` : styles.facts}>
      {facts.map(({ name, value }) => (
        <div key={name} className={styles.fact}>
          <dt>
            <Breakable name={name} />
          </dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
