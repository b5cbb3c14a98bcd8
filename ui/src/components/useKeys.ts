import { useEffect, useRef } from 'react';

import { type Binding, Keymap, type Stroke } from '~/lib/keys';

export const keymap = new Keymap();

const FIELDS = 'input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]:not([contenteditable=false]), [role=textbox]';
const CONTROLS = 'a[href], button, summary, input, [role=button], [role=link], [role=option], [role=tab]';

/** Keys that work while the component is shown; `lib/keys.ts` says how. */
export function useKeys(title: string, bindings: readonly Binding[]): void {
  const current = useRef({ title, bindings });
  useEffect(() => {
    current.current = { title, bindings };
  });
  useEffect(() => keymap.add(() => current.current), []);
}

const OFF = 'celeryscope-keys-off';

/** People can turn the keys off: a word that is spoken is typed as single keys, too. */
export function keysAreOn(): boolean {
  try {
    return localStorage.getItem(OFF) === null;
  } catch {
    return true; // storage may be forbidden
  }
}

export function turnKeys(on: boolean): void {
  try {
    if (on) localStorage.removeItem(OFF);
    else localStorage.setItem(OFF, '1');
  } catch {
    // Then they stay as they are.
  }
}

/** Listens for the whole page, until the returned function is called. */
export function listenForKeys(): () => void {
  const press = (event: KeyboardEvent) => {
    if (event.defaultPrevented || event.isComposing) return;
    const pressed = stroke(event);
    // With Ctrl held it is no word that somebody speaks.
    if (!pressed.command && !keysAreOn()) return;
    // A dialog over the page has the keyboard to itself.
    if (document.querySelector('dialog:modal')) return;
    if (keymap.press(pressed)) event.preventDefault();
  };
  window.addEventListener('keydown', press);
  return () => window.removeEventListener('keydown', press);
}

function stroke(event: KeyboardEvent): Stroke {
  return {
    key: event.key,
    modified: event.ctrlKey || event.altKey || event.metaKey,
    command: (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey,
    on: place(event.target),
    at: event.timeStamp,
  };
}

function place(target: EventTarget | null): Stroke['on'] {
  if (!(target instanceof Element)) return 'page';
  if (target.closest(FIELDS)) return 'field';
  return target.closest(CONTROLS) ? 'control' : 'page';
}
