import { type ReactNode, use, useEffect } from 'react';

import type { Board } from '~/lib/grafana';
import { inTitle, isGrave } from '~/lib/trouble';

import { GrafanaLink } from '../GrafanaLink';
import { PaletteButton } from '../palette/PaletteHost';
import { BrokerChip, LinkChip } from './Chips';
import styles from './Shell.module.css';
import { ThemeButton } from './ThemeButton';
import { TroubleContext } from './useTrouble';
import { WhoButton } from './WhoButton';

interface PageProps {
  title: string; // of the browser's tab
  heading?: ReactNode; // of the page, when it is more than the title
  parent?: ReactNode; // a link up
  grafana?: Board; // the dashboard over the same thing
  children: ReactNode;
}

/** One page: its title, the state of the line, and the content. */
export function Page({ title, heading = title, parent, grafana, children }: PageProps) {
  const trouble = use(TroubleContext);
  useEffect(() => {
    document.title = inTitle(title, trouble);
  }, [title, trouble]);
  const grave = isGrave(trouble);
  useEffect(() => {
    document
      .querySelector('link[rel=icon]')
      ?.setAttribute('href', grave ? './favicon-trouble.svg' : './favicon.svg');
  }, [grave]);
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
          <PaletteButton />
          {grafana && <GrafanaLink of={grafana} />}
          <BrokerChip />
          <LinkChip />
          <ThemeButton />
          <WhoButton />
        </div>
      </header>
      <div className={styles.content}>{children}</div>
    </>
  );
}
