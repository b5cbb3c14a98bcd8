/**
 * What was chosen last. Pages and actions are remembered by this browser; workers, queues and
 * tasks are the cluster's, and are forgotten when the page is left.
 */

import { type Item, type ItemKind, item, remembered } from '~/lib/palette';
import { store, storedList } from '~/lib/stored';

const KEY = 'palette-recent';
const KEPT: ReadonlySet<ItemKind> = new Set(['page', 'action']);

let recent: readonly Item[] | null = null;

export function recall(): readonly Item[] {
  recent ??= storedList(KEY).flatMap(read);
  return recent;
}

export function remember(chosen: Item): void {
  recent = remembered(recall(), chosen);
  store(KEY, JSON.stringify(recent.filter(({ kind }) => KEPT.has(kind)).map(write)));
}

function write({ kind, value, label, hint }: Item): string {
  return JSON.stringify([kind, value, label, hint]);
}

function read(text: string): Item[] {
  let parts: unknown;
  try {
    parts = JSON.parse(text);
  } catch {
    return []; // written by another version
  }
  if (!Array.isArray(parts)) return [];
  const [kind, value, label, hint] = parts as unknown[];
  if (kind !== 'page' && kind !== 'action') return [];
  const whole = typeof value === 'string' && typeof label === 'string' && typeof hint === 'string';
  return whole ? [item(kind, value, label, hint, value)] : [];
}
