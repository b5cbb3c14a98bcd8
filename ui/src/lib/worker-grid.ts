/** Many workers as a grid: how large its cells are, and what belongs together. Pure. */

import { splitHost } from './text';

export type CellSize = 'tile' | 'square' | 'small';

const MOST_TILES = 12; // with their names
const MOST_SQUARES = 60;

export function cellSize(workers: number): CellSize {
  if (workers <= MOST_TILES) return 'tile';
  return workers <= MOST_SQUARES ? 'square' : 'small';
}

export interface Group {
  name: string | null; // null: all of them, or those without others of their kind
  hostnames: readonly string[];
}

const GROUPED_FROM = 25;
const MOST_GROUPS = 60;

const collator = new Intl.Collator('en', { numeric: true });

/**
 * By host where several workers share one, else by what the names of hosts or of workers begin
 * with; not at all when few, or when that tells nothing. By name within, never by status: cells
 * keep their places.
 */
export function groups(hostnames: Iterable<string>): Group[] {
  const all = [...hostnames].sort(collator.compare);
  if (all.length < GROUPED_FROM) return [{ name: null, hostnames: all }];
  for (const key of [hostOf, hostStem, nameStem]) {
    const found = grouped(all, key);
    if (!tells(found, all.length)) continue;
    const alone: string[] = [];
    const together: Group[] = [];
    for (const [name, members] of found) {
      if (members.length === 1) alone.push(...members);
      else together.push({ name, hostnames: members });
    }
    together.sort((a, b) => collator.compare(a.name ?? '', b.name ?? ''));
    return alone.length > 0 ? [...together, { name: null, hostnames: alone }] : together;
  }
  return [{ name: null, hostnames: all }];
}

function grouped(all: readonly string[], key: (hostname: string) => string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const hostname of all) {
    const members = found.get(key(hostname));
    if (members) members.push(hostname);
    else found.set(key(hostname), [hostname]);
  }
  return found;
}

/** More than one group, not too many, and most workers with others of their kind. */
function tells(found: ReadonlyMap<string, readonly string[]>, all: number): boolean {
  const alone = [...found.values()].filter(({ length }) => length === 1).length;
  return found.size > 1 && found.size - alone <= MOST_GROUPS && alone * 4 <= all;
}

function hostOf(hostname: string): string {
  return splitHost(hostname).leaf;
}

function hostStem(hostname: string): string {
  return stem(hostOf(hostname));
}

function nameStem(hostname: string): string {
  return stem(splitHost(hostname).path.replace(/@$/, ''));
}

/** A name without what counts it: `web-12` → `web`, `mail-6f7d9c5b8-x2k4p` → `mail`. */
export function stem(name: string): string {
  const [first = ''] = name.split('.', 1);
  const pod = first.replace(/-[a-z0-9]{6,10}-[a-z0-9]{5}$/, '');
  return pod.replace(/[-_]?\d+$/, '') || name;
}

/** How full a worker is, in eighths: a cell is drawn anew when it shows, not with every task. */
export function level(running: number, concurrency: number | null): number {
  if (running <= 0) return 0;
  if (concurrency === null || concurrency <= 0) return 4;
  return Math.min(8, Math.max(1, Math.round((8 * running) / concurrency)));
}

export type Step = 'next' | 'previous' | 'up' | 'down' | 'first' | 'last';

export const STEPS: Readonly<Record<string, Step>> = {
  ArrowRight: 'next',
  ArrowLeft: 'previous',
  ArrowUp: 'up',
  ArrowDown: 'down',
  Home: 'first',
  End: 'last',
};

export interface Place {
  left: number;
  top: number;
}

/** Where a key leads from one cell of a flowing grid; by where cells are, not by their count. */
export function stepTo(step: Step, from: number, places: readonly Place[]): number {
  const last = places.length - 1;
  const here = places[from];
  if (!here) return 0;
  switch (step) {
    case 'next':
      return Math.min(last, from + 1);
    case 'previous':
      return Math.max(0, from - 1);
    case 'first':
      return 0;
    case 'last':
      return last;
    case 'up':
      return nearest(from, here, places, (top) => top < here.top, -1);
    case 'down':
      return nearest(from, here, places, (top) => top > here.top, 1);
  }
}

/** In the closest row that way, the cell closest to this one's column. */
function nearest(
  from: number,
  here: Place,
  places: readonly Place[],
  thatWay: (top: number) => boolean,
  sign: 1 | -1,
): number {
  const rows = places.map(({ top }) => top).filter(thatWay);
  if (rows.length === 0) return from;
  const row = sign * Math.min(...rows.map((top) => sign * top));
  let best = from;
  let distance = Infinity;
  for (const [index, { left, top }] of places.entries()) {
    if (top !== row || Math.abs(left - here.left) >= distance) continue;
    best = index;
    distance = Math.abs(left - here.left);
  }
  return best;
}
