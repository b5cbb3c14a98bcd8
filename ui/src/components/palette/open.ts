/** Whether the palette is open: one for the whole page, opened by a key or a button. */

import { useSyncExternalStore } from 'react';

let open = false;
const listeners = new Set<() => void>();

function turn(next: boolean): void {
  open = next;
  for (const listener of listeners) listener();
}

export const openPalette = () => turn(true);
export const closePalette = () => turn(false);

export function usePaletteIsOpen(): boolean {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => open,
  );
}
