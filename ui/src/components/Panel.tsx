import { type ReactNode, useId } from 'react';

import styles from './Panel.module.css';

interface PanelProps {
  title: string;
  note?: ReactNode;
  actions?: ReactNode;
  padded?: boolean;
  id?: string;
  children: ReactNode;
}

/** A titled part of a page. */
export function Panel({ title, note, actions, padded = false, id, children }: PanelProps) {
  const heading = useId();
  return (
    <section className={styles.panel} aria-labelledby={heading} id={id}>
      <header className={styles.head}>
        <h2 className={styles.title} id={heading}>
          {title}
        </h2>
        {note !== undefined && <span className={styles.note}>{note}</span>}
        {actions !== undefined && <div className={styles.actions}>{actions}</div>}
      </header>
      <div className={padded ? `${styles.body} ${styles.padded}` : styles.body}>{children}</div>
    </section>
  );
}
