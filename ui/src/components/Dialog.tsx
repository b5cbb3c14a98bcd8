/** A dialog over the page: Escape, a click beside it and its cross close it. */

import { type ReactNode, createContext, use, useId, useLayoutEffect, useRef } from 'react';

import { IconButton } from './Button';
import styles from './Dialog.module.css';

interface DialogProps {
  title: ReactNode;
  wide?: boolean;
  testId: string;
  onClose: () => void; // it is closed: take it away
  children: ReactNode;
}

const Close = createContext<() => void>(() => undefined);

/** Closes the dialog that one is in. */
export const useClose = () => use(Close);

export function Dialog({ title, wide = false, testId, onClose, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  // Before a form in it looks for its first field.
  useLayoutEffect(() => dialog.current?.showModal(), []);
  const close = () => dialog.current?.close();
  return (
    <dialog
      ref={dialog}
      className={styles.dialog}
      aria-labelledby={heading}
      onClose={onClose}
      // A click beside it closes it, as people expect.
      onClick={({ target }) => target === dialog.current && close()}
      data-testid={testId}
      data-wide={wide || undefined}
    >
      <div className={styles.inner}>
        <header className={styles.head}>
          <h2 id={heading}>{title}</h2>
          <IconButton icon="close" label="Close" onClick={close} />
        </header>
        <Close value={close}>{children}</Close>
      </div>
    </dialog>
  );
}
