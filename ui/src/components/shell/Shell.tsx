/** What is around every page: where one is, where one can go, and whether it is alive. */

import { Link, Outlet, useRouter } from '@tanstack/react-router';
import { Suspense, lazy, useEffect, useMemo, useRef, useState } from 'react';

import { useLive } from '~/api/live';
import { useMe } from '~/api/queries';
import { mayAudit } from '~/lib/who';

import { IconButton } from '../Button';
import { Icon, type IconName } from '../Icon';
import { Logo } from '../Logo';
import { ControlHost } from '../control/ControlHost';
import { showTray } from '../control/store';
import { PaletteHost } from '../palette/PaletteHost';
import { listenForKeys, useKeys } from '../useKeys';
import { Banner } from './Banners';
import styles from './Shell.module.css';
import { TroubleContext, useTrouble } from './useTrouble';

interface Place {
  to: '/' | '/tasks' | '/workers' | '/queues' | '/schedules' | '/insight' | '/audit' | '/access';
  icon: IconName;
  word: string;
  key: string;
  where?: 'beside' | 'menu'; // beside: not in a telephone's bar; menu: in that of the person alone
}

export const PAGES: readonly Place[] = [
  { to: '/', icon: 'overview', word: 'Overview', key: 'g o' },
  { to: '/tasks', icon: 'tasks', word: 'Tasks', key: 'g t' },
  { to: '/workers', icon: 'workers', word: 'Workers', key: 'g w' },
  { to: '/queues', icon: 'queues', word: 'Queues', key: 'g q' },
  { to: '/schedules', icon: 'schedules', word: 'Schedules', key: 'g s' },
  { to: '/insight', icon: 'chart', word: 'Insight', key: 'g i' },
  { to: '/audit', icon: 'audit', word: 'Audit', key: 'g u', where: 'beside' },
  { to: '/access', icon: 'key', word: 'Access', key: 'g c', where: 'menu' },
];

/** The pages that one may open. */
export function usePages(): readonly Place[] {
  const { data } = useMe();
  const audit = mayAudit(data);
  return useMemo(() => PAGES.filter(({ to }) => to !== '/audit' || audit), [audit]);
}

const KeysDialog = lazy(() => import('./KeysDialog'));

export function Shell() {
  const version = useLive((state) => state.version);
  const main = useRef<HTMLElement>(null);
  const [help, setHelp] = useState(false);
  const told = useTrouble();
  const pages = usePages();
  useShellKeys(pages, () => setHelp(true));
  return (
    <div className={styles.shell} data-trouble={told.trouble !== null || undefined}>
      <button type="button" className={styles.skip} onClick={() => main.current?.focus()}>
        Skip to the content
      </button>
      <header className={styles.sidebar}>
        <Link to="/" className={styles.brand}>
          <Logo />
          <span className={styles.word}>Celeryscope</span>
        </Link>
        <nav className={styles.nav} aria-label="Pages">
          {pages.filter(({ where }) => where !== 'menu').map(({ to, icon, word, key, where }) => (
            <Link
              key={to}
              to={to}
              className={styles.navLink}
              data-where={where}
              activeOptions={{ exact: to === '/', includeSearch: false }}
              title={`${word} (${key})`}
            >
              <Icon name={icon} />
              <span className={styles.word}>{word}</span>
            </Link>
          ))}
        </nav>
        <div className={styles.foot}>
          <p className={styles.word} data-testid="version">
            {version !== null && `Version ${version}`}
          </p>
          <IconButton icon="actions" label="Actions of late (g a)" onClick={() => showTray(true)} />
          <IconButton
            icon="keyboard"
            label="Keys (?)"
            aria-haspopup="dialog"
            onClick={() => setHelp(true)}
          />
        </div>
      </header>
      <main className={styles.main} ref={main} tabIndex={-1}>
        <TroubleContext value={told.trouble}>
          <Outlet />
        </TroubleContext>
        <FocusOnArrival />
      </main>
      <Banner told={told} />
      <PaletteHost />
      <ControlHost />
      {help && (
        <Suspense>
          <KeysDialog onClose={() => setHelp(false)} />
        </Suspense>
      )}
    </div>
  );
}

function useShellKeys(pages: readonly Place[], onHelp: () => void): void {
  const router = useRouter();
  useKeys('Everywhere', [
    ...pages.map(({ to, word, key }) => ({
      keys: key,
      does: word,
      run: () => void router.navigate({ to }),
    })),
    { keys: '/', does: 'Search on this page', run: focusSearch },
    { keys: '?', does: 'This list', run: onHelp },
  ]);
  useEffect(() => listenForKeys(), []);
}

/** Pages mark their search with `data-search`. */
function focusSearch(): void {
  const field = document.querySelector<HTMLInputElement>('main [data-search]');
  field?.focus();
  field?.select();
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
