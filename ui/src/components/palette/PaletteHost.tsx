/** The palette's end in the shell: a key and a button. The rest comes when it is asked for. */

import { Suspense, lazy } from 'react';

import { Key } from '../Button';
import { Icon } from '../Icon';
import { useKeys } from '../useKeys';
import styles from './PaletteHost.module.css';
import { closePalette, openPalette, usePaletteIsOpen } from './open';

const Palette = lazy(() => import('./Palette'));

export function PaletteHost() {
  const open = usePaletteIsOpen();
  useKeys('Everywhere', [{ keys: 'Mod+k', does: 'Find anything, do anything', run: openPalette }]);
  return (
    open && (
      <Suspense>
        <Palette onClose={closePalette} />
      </Suspense>
    )
  );
}

export function PaletteButton() {
  return (
    <button
      type="button"
      className={styles.button}
      aria-haspopup="dialog"
      aria-keyshortcuts="Control+K Meta+K"
      title="Find or do anything (Ctrl-K, or ⌘K)"
      onClick={openPalette}
      data-testid="palette-button"
    >
      <Icon name="search" size={14} />
      <span className="sr">Find or do anything</span>
      <span className={styles.word} aria-hidden="true">
        Find or do
      </span>
      <span className={styles.keys} aria-hidden="true">
        <Key>Ctrl</Key>
        <Key>K</Key>
      </span>
    </button>
  );
}
