/** What is around every page: where one is, where one can go, and whether it is alive. */

import { Link, Outlet, useRouter } from '@tanstack/react-router';
import { useEffect, useRef } from 'react';

import { useLive } from '~/api/live';

import { Icon, type IconName } from '../Icon';
import { Logo } from '../Logo';
import { Banners } from './Banners';
import styles from './Shell.module.css';

const PAGES: readonly { to: '/' | '/workers' | '/tasks'; icon: IconName; word: string }[] = [
  { to: '/', icon: 'overview', word: 'Overview' },
  { to: '/workers', icon: 'workers', word: 'Workers' },
  { to: '/tasks', icon: 'tasks', word: 'Tasks' },
];

export function Shell() {
  const version = useLive((state) => state.version);
  const content = useRef<HTMLElement>(null);
  return (
    <div className={styles.shell}>
      <button type="button" className={styles.skip} onClick={() => content.current?.focus()}>
        Skip to the content
      </button>
      <header className={styles.sidebar}>
        <Link to="/" className={styles.brand}>
          <Logo />
          <span className={styles.word}>Celeryscope</span>
        </Link>
        <nav className={styles.nav} aria-label="Pages">
          {PAGES.map(({ to, icon, word }) => (
            <Link
              key={to}
              to={to}
              className={styles.navLink}
              activeOptions={{ exact: to === '/', includeSearch: false }}
              title={word}
            >
              <Icon name={icon} />
              <span className={styles.word}>{word}</span>
            </Link>
          ))}
        </nav>
        <p className={styles.foot} data-testid="version">
          {version !== null && `Version ${version}`}
        </p>
      </header>
      <main className={styles.main} ref={content} tabIndex={-1}>
        <Banners />
        <Outlet />
        <FocusOnArrival />
      </main>
    </div>
  );
}

/** After a step to another page the keyboard starts at its title, not where the last one was. */
function FocusOnArrival() {
  const router = useRouter();
  useEffect(
    () =>
      router.subscribe('onRendered', ({ pathChanged, fromLocation }) => {
        if (!pathChanged || !fromLocation) return;
        document.querySelector<HTMLElement>('h1')?.focus({ preventScroll: true });
      }),
    [router],
  );
  return null;
}
