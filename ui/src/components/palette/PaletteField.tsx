/** Where one types in the palette: there at once, before what it finds. */

import { type ComponentProps, useLayoutEffect, useRef } from 'react';

import { Key } from '../Button';
import { Icon } from '../Icon';
import styles from './PaletteHost.module.css';

export const ANYTHING = 'Find anything, do anything';

interface FieldProps extends ComponentProps<'input'> {
  label: string;
  crumb?: string; // what a target is chosen for
}

export function PaletteField({ label, crumb, placeholder = 'A page, worker, queue, task name or id, action', ...input }: FieldProps) {
  const field = useRef<HTMLInputElement>(null);
  // One that takes the place of another goes on at its end.
  useLayoutEffect(() => {
    const { current } = field;
    current?.focus();
    current?.setSelectionRange(current.value.length, current.value.length);
  }, []);
  return (
    <div className={styles.field}>
      <Icon name="search" />
      {crumb !== undefined && <span className={styles.crumb}>{crumb}</span>}
      <input
        ref={field}
        type="text"
        role="combobox"
        autoComplete="off"
        autoCapitalize="off"
        spellCheck={false}
        aria-label={label}
        aria-autocomplete="list"
        aria-expanded={false}
        placeholder={placeholder}
        maxLength={400}
        data-testid="palette-input"
        {...input}
      />
      <span className={styles.escape}>
        <Key>Esc</Key>
      </span>
    </div>
  );
}
