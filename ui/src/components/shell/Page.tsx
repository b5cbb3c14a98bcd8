import { type ReactNode, useEffect } from 'react';

import { BrokerChip, LinkChip } from './Chips';
import styles from './Shell.module.css';
import { ThemeButton } from './ThemeButton';

interface PageProps {
  title: string; // of the browser's tab
  heading?: ReactNode; // of the page, when it is more than the title
  parent?: ReactNode; // a link up
  children: ReactNode;
}

/** One page: its title, the state of the line, and the content. */
export function Page({ title, heading = title, parent, children }: PageProps) {
  useEffect(() => {
    document.title = `${title} · Celeryscope`;
  }, [title]);
  return (
    <>
      <header className={styles.header}>
        <div className={styles.crumbs}>
          {parent !== undefined && (
            <>
              <span className={styles.parent}>{parent}</span>
              <span className={styles.parent} aria-hidden="true">
                /
              </span>
            </>
          )}
          <h1 tabIndex={-1}>{heading}</h1>
        </div>
        <div className={styles.chips}>
          <BrokerChip />
          <LinkChip />
          <ThemeButton />
        </div>
      </header>
      <div className={styles.content}>{children}</div>
    </>
  );
}
