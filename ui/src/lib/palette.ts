/** The command palette: what can be found, what a few letters mean, and in what order. Pure. */

import { clip } from './text';

export type ItemKind = 'page' | 'action' | 'worker' | 'queue' | 'name' | 'task' | 'search';

/** Something that can be reached. */
export interface Item {
  readonly kind: ItemKind;
  readonly value: string; // a path, a command, a hostname, a queue, a task's name or id, a search's order and query
  readonly label: string; // what is shown
  readonly hint: string; // beside it: a key, a state; may be empty
  readonly text: string; // what is searched: bounded, in small letters
}

const SEARCHED = 200; // of a name, UTF-16 units; more is not typed

export function item(kind: ItemKind, value: string, label = value, hint = '', words = ''): Item {
  const text = clip(words === '' ? label : `${label} ${words}`, SEARCHED).text.toLowerCase();
  return { kind, value, label, hint, text };
}

export function sameItem(one: Item, other: Item): boolean {
  return one.kind === other.kind && one.value === other.value;
}

/** An id that tells items apart. */
export function itemKey({ kind, value }: Item): string {
  return `${kind}:${value}`;
}

// ------------------------------------------------------------------ how well letters fit

const BOUNDARY = /[\s._@\-/:]/;
const WHOLE = 60;
const START = 40;
const WORD = 30; // at the start of a part of a name
const INSIDE = 10;
const SCATTERED = 0;
const LEAST = -18; // letters further apart than this mean nothing
const SHORTEST_SCATTERED = 2;

/** How well one word fits a text; null: not at all. Both in small letters. */
export function fit(word: string, text: string): number | null {
  if (word === text) return WHOLE + word.length;
  let best: number | null = null;
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
    const found = (at === 0 ? START : begins(text, at) ? WORD : INSIDE) + word.length;
    if (best === null || found > best) best = found;
  }
  return best ?? scattered(word, text);
}

/** Letters in their order with others between: `plor` in `place_order`. */
function scattered(word: string, text: string): number | null {
  if (word.length < SHORTEST_SCATTERED) return null;
  let score = SCATTERED;
  let from = 0;
  for (const letter of word) {
    const next = text.indexOf(letter, from);
    if (next < 0) return null;
    // The start of a part is what people type, however far it is.
    const start = startOf(letter, text, from);
    const at = start >= 0 && next !== from ? start : next;
    if (from > 0 && at !== from) score -= begins(text, at) ? 1 : Math.min(at - from, 8);
    if (from === 0 && !begins(text, at)) score -= 4;
    from = at + 1;
  }
  return score >= LEAST ? score : null;
}

/** Where a part of the text begins with this letter. */
function startOf(letter: string, text: string, from: number): number {
  for (let at = text.indexOf(letter, from); at >= 0; at = text.indexOf(letter, at + 1)) {
    if (begins(text, at)) return at;
  }
  return -1;
}

function begins(text: string, at: number): boolean {
  return at === 0 || BOUNDARY.test(text.charAt(at - 1));
}

// ------------------------------------------------------------------ the order

const WEIGHT: Record<ItemKind, number> = { task: 12, page: 10, action: 4, worker: 2, queue: 2, search: 6, name: 0 };
const RECENT = 15;
const LENGTH = 0.04; // of two that fit alike, the shorter

export interface Ranked {
  items: readonly Item[];
  left: number; // that fit, too, and are not among them
}

/**
 * The items that fit what was typed, best first; every word has to fit. With nothing typed, what
 * was chosen last comes first and the rest stays in its order.
 */
export function rank(query: string, items: readonly Item[], recent: readonly Item[], limit: number): Ranked {
  const words = query.toLowerCase().split(/\s+/).filter((word) => word !== '');
  const order = new Map(recent.map((one, index) => [itemKey(one), index]));
  if (words.length === 0) {
    const rest = items.filter((one) => !order.has(itemKey(one)));
    const all = [...recent, ...rest];
    return { items: all.slice(0, limit), left: Math.max(0, all.length - limit) };
  }
  const found: { item: Item; score: number }[] = [];
  for (const one of items) {
    const score = total(words, one.text);
    if (score === null) continue;
    const place = order.get(itemKey(one));
    const lately = place === undefined ? 0 : RECENT / (1 + place);
    found.push({ item: one, score: score + WEIGHT[one.kind] + lately - one.text.length * LENGTH });
  }
  found.sort((a, b) => b.score - a.score || (a.item.label < b.item.label ? -1 : 1));
  return { items: found.slice(0, limit).map((one) => one.item), left: Math.max(0, found.length - limit) };
}

function total(words: readonly string[], text: string): number | null {
  let sum = 0;
  for (const word of words) {
    const score = fit(word, text);
    if (score === null) return null;
    sum += score;
  }
  return sum;
}

/**
 * What Enter means by what is typed, and which items that finds: one of them, nothing, or `later`,
 * as among those that are not known yet there may be a better one.
 */
export function meant(typed: string, found: readonly Item[], moreToCome: boolean): Item | 'later' | null {
  const [first] = found;
  if (!moreToCome) return first ?? null;
  if (!first) return 'later';
  const text = typed.trim().toLowerCase();
  const label = first.label.toLowerCase();
  const ours = first.kind === 'page' || first.kind === 'action'; // whose names nobody else takes
  const sure = text === '' || label === text || (ours && label.startsWith(text));
  return sure ? first : 'later';
}

// ------------------------------------------------------------------ ids of tasks

const WHOLE_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const BEGUN_ID = /^[0-9a-f]{4,8}(?:-[0-9a-f]{0,4}){0,3}(?:-[0-9a-f]{0,12})?$/i;
const OTHER_ID = /^(?=[^\s]*\d)[^\s"*:,()]{8,200}$/;

export interface IdTyped {
  text: string;
  whole: boolean; // no more letters are missing
}

/** What was typed as a task's id, or its beginning; null when it does not look like one. */
export function idTyped(query: string): IdTyped | null {
  const text = query.trim();
  if (WHOLE_ID.test(text)) return { text: text.toLowerCase(), whole: true };
  if (BEGUN_ID.test(text)) return { text: text.toLowerCase(), whole: false };
  return OTHER_ID.test(text) ? { text, whole: false } : null;
}

// ------------------------------------------------------------------ what was chosen last

const REMEMBERED = 6;

/** The list with this choice first, each once, at most six. */
export function remembered(recent: readonly Item[], chosen: Item): Item[] {
  return [chosen, ...recent.filter((one) => !sameItem(one, chosen))].slice(0, REMEMBERED);
}

/** Where the arrow keys lead in a list of so many, round its ends. */
export function moved(at: number, by: number, many: number): number {
  if (many === 0) return -1;
  if (at < 0) return by > 0 ? 0 : many - 1;
  return (((at + by) % many) + many) % many;
}
