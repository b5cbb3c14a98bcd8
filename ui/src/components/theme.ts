/** Light, dark, or as the system is: chosen here, kept in the browser, the same in every tab. */

import { useSyncExternalStore } from 'react';

export type Scheme = 'light' | 'dark';
export type Theme = Scheme | 'auto';

// theme.js in public/ reads the same, before the first paint.
const KEPT_AS = 'celeryscope-theme';
const system = window.matchMedia('(prefers-color-scheme: dark)');
const listeners = new Set<() => void>();
let chosen: Theme = kept();

function kept(): Theme {
  try {
    const value = localStorage.getItem(KEPT_AS);
    return value === 'light' || value === 'dark' ? value : 'auto';
  } catch {
    return 'auto'; // storage may be forbidden
  }
}

function scheme(): Scheme {
  if (chosen !== 'auto') return chosen;
  return system.matches ? 'dark' : 'light';
}

function show(): void {
  document.documentElement.dataset.theme = scheme();
  for (const listener of listeners) listener();
}

export function choose(theme: Theme): void {
  chosen = theme;
  try {
    localStorage.setItem(KEPT_AS, theme);
  } catch {
    // Then it holds until the page is left.
  }
  show();
}

system.addEventListener('change', show);
window.addEventListener('storage', ({ key }) => {
  if (key !== KEPT_AS) return;
  chosen = kept();
  show();
});

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useTheme(): Theme {
  return useSyncExternalStore(subscribe, () => chosen);
}

/** What is shown: for what draws on a canvas and must draw again. */
export function useScheme(): Scheme {
  return useSyncExternalStore(subscribe, scheme);
}
