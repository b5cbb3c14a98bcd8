/** The palette's end in the shell: a key, a button, and its field. The rest comes when it is asked for. */

import { type KeyboardEvent, Suspense, lazy, useLayoutEffect, useRef, useState } from 'react';

import { Key } from '../Button';
import { Icon } from '../Icon';
import { useKeys } from '../useKeys';
import { ANYTHING, PaletteField } from './PaletteField';
import styles from './PaletteHost.module.css';
import { closePalette, openPalette, usePaletteIsOpen } from './open';

const Palette = lazy(() => import('./Palette'));

export function PaletteHost() {
  const open = usePaletteIsOpen();
  useKeys('Everywhere', [{ keys: 'Mod+k', does: ANYTHING, run: openPalette }]);
  return open && <PaletteDialog />;
}

function PaletteDialog() {
  const dialog = useRef<HTMLDialogElement>(null);
  const [typed, setTyped] = useState('');
  const [entered, setEntered] = useState(false);
  // Before the field in it takes the focus, and before the next key.
  useLayoutEffect(() => dialog.current?.showModal(), []);
  const close = () => dialog.current?.close();
  // Nobody waits for the list before they type, nor with Enter.
  const press = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return;
    if (event.key === 'Enter') setEntered(true);
    else if (event.key === 'k' && (event.ctrlKey || event.metaKey)) close();
    else return;
    event.preventDefault();
  };
  const type = (text: string) => {
    setEntered(false);
    setTyped(text);
  };
  return (
    <dialog
      ref={dialog}
      className={styles.dialog}
      aria-label={ANYTHING}
      onClose={closePalette}
      onClick={({ target }) => target === dialog.current && close()}
      data-testid="palette"
    >
      <div className={styles.inner}>
        <Suspense
          fallback={<PaletteField label={ANYTHING} value={typed} onChange={({ currentTarget }) => type(currentTarget.value)} onKeyDown={press} />}
        >
          <Palette typed={typed} onType={setTyped} entered={entered} close={close} />
        </Suspense>
      </div>
    </dialog>
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
