/** What the query bar offers under the caret. Pure. */

import { patternOf, valueText } from './query';
import { BLANK, type Key, keyOf } from './query-language';

/** What the caret is in: the part of the text that a suggestion replaces. */
export interface Caret {
  readonly key: Key | null; // null: at a key, or at text
  readonly typed: string; // between `from` and the caret, without quotes
  readonly from: number;
  readonly to: number;
  readonly others: readonly string[]; // values that the term has already
}

/** Null where nothing can be offered: in a quoted text, after an unknown key. */
export function caretIn(text: string, caret: number): Caret | null {
  const { from, to } = wordAt(text, caret);
  const word = text.slice(from, to);
  if (word.startsWith('"')) return null;
  const colon = word.indexOf(':');
  if (colon < 0 || caret <= from + colon) {
    return { key: null, typed: text.slice(from, caret), from, to: colon < 0 ? to : from + colon + 1, others: [] };
  }
  const key = keyOf(word.slice(0, colon));
  if (key === null) return null;
  const items = itemsOf(text, from + colon + 1, to);
  const at = items.findIndex((item) => caret >= item.from && caret <= item.to);
  const item = items[at];
  if (!item) return null;
  const others = items.filter((_, index) => index !== at).map((one) => plain(text.slice(one.from, one.to)));
  return { key, typed: plain(text.slice(item.from, caret)), from: item.from, to: item.to, others };
}

/** The word around the caret, without its parentheses and minus signs. */
function wordAt(text: string, caret: number): { from: number; to: number } {
  let from = 0;
  let inQuotes = false;
  for (let at = 0; at <= text.length; at += 1) {
    const character = text.charAt(at);
    const ends = character === '' || (!inQuotes && (BLANK.test(character) || character === ')' || character === '('));
    if (ends && at >= caret) return { from, to: at };
    if (ends) from = at + 1;
    else if (character === '-' && at === from && at < caret) from = at + 1;
    else if (character === '\\' && inQuotes) at += 1;
    else if (character === '"') inQuotes = !inQuotes;
  }
  return { from, to: text.length };
}

function itemsOf(text: string, from: number, to: number): { from: number; to: number }[] {
  const items = [];
  let start = from;
  let inQuotes = false;
  for (let at = from; at < to; at += 1) {
    const character = text.charAt(at);
    if (character === '\\' && inQuotes) at += 1;
    else if (character === '"') inQuotes = !inQuotes;
    else if (character === ',' && !inQuotes) {
      items.push({ from: start, to: at });
      start = at + 1;
    }
  }
  items.push({ from: start, to });
  return items;
}

function plain(item: string): string {
  return item.replace(/^"/, '').replace(/(?<!\\)"$/, '').replace(/\\(["\\])/g, '$1');
}

export interface Suggestion {
  readonly id: string;
  readonly kind: 'key' | 'value' | 'example' | 'recent';
  readonly insert: string; // what replaces the text between `from` and `to`
  readonly from: number;
  readonly to: number;
  readonly label: string;
  readonly note: string | null;
  readonly count: number | null;
}

/** What is known of the values of the keys; the most frequent first. */
export interface Known {
  readonly values: Partial<Record<Key, readonly { value: string; count: number | null }[]>>;
  readonly recent: readonly string[];
}

/** The keys, those that are written most first. */
const OFFERED: readonly Key[] = [
  'state', 'name', 'runtime', 'since', 'worker', 'queue', 'exception', 'wait', 'kwargs', 'args',
  'result', 'retries', 'until', 'uuid', 'client', 'root', 'parent', 'fingerprint',
];
const OFTEN = 8;

export const NOTES: Record<Key, string> = {
  state: 'failed, running, waiting, finished, or as Celery says it',
  name: 'the task’s name, or how it ends; * for anything',
  worker: 'the host, or the part before or after the @',
  queue: 'the queue; -queue:* where none is known',
  client: 'who sent it',
  uuid: 'the id, or its first 8 characters',
  root: 'the id of the first task of its family',
  parent: 'the id of the task that called it',
  args: 'a part of the arguments',
  kwargs: 'a part, or one of them: key=value',
  result: 'a part of the result',
  exception: 'a part of the exception',
  fingerprint: 'failures of one type at one place in the code',
  runtime: 'how long it ran, or has been running',
  wait: 'from being sent to being started',
  retries: 'how often it was tried again',
  since: 'its last event is not older',
  until: 'its last event is not newer',
};

/** What to show of keys whose values are not listed. */
const EXAMPLES: Partial<Record<Key, readonly string[]>> = {
  args: ['42', '"green tea"'],
  kwargs: ['user', 'user=7'],
  result: ['None', '*paid*'],
  exception: ['Timeout', '*Error*'],
  runtime: ['>5s', '<=200ms', '1s..5s', '>1h30m'],
  wait: ['>1m', '<100ms', '1s..30s'],
  retries: ['>0', '2', '1..3'],
  since: ['5m', '1h', '1d'],
  until: ['5m', '1h', '1d'],
};

const STATE_VALUES = ['failed', 'running', 'waiting', 'finished'] as const;
const MOST_VALUES = 12;
const MOST_GUESSES = 4;
const MOST_RECENT = 5;

export function suggestions(text: string, caret: number, known: Known): Suggestion[] {
  const place = caretIn(text, caret);
  if (place === null) return [];
  if (place.key !== null) return forValue(place.key, place, known);
  const keys = forKey(place);
  // What was asked lately comes before the keys that are hardly ever written.
  if (text.trim() === '') return [...keys.slice(0, OFTEN), ...recent(known), ...keys.slice(OFTEN)];
  return place.typed === '' ? keys : [...keys, ...guesses(place, known)];
}

function forKey({ typed, from, to }: Caret): Suggestion[] {
  const wanted = typed.toLowerCase();
  return OFFERED.filter((key) => key.startsWith(wanted)).map((key) => ({
    id: `key-${key}`, kind: 'key', insert: `${key}:`, from, to, label: `${key}:`, note: NOTES[key], count: null,
  }));
}

function forValue(key: Key, place: Caret, known: Known): Suggestion[] {
  const { typed, from, to, others } = place;
  if (EXAMPLES[key]) return examples(key, place);
  const words = key === 'state' && typed !== '' ? STATE_VALUES.map((value) => ({ value, count: null })) : [];
  const values = ranked([...(known.values[key] ?? []), ...words], typed)
    .filter(({ value }) => !others.some((other) => same(other, value)))
    .slice(0, MOST_VALUES);
  if (values.length === 1 && values[0] && same(values[0].value, typed)) return [];
  return values.map(({ value, count }): Suggestion => ({
    id: `value-${value}`, kind: 'value', insert: written(key, value), from, to, label: key === 'state' ? value.toLowerCase() : value, note: null, count,
  }));
}

function examples(key: Key, { typed, from, to }: Caret): Suggestion[] {
  return (EXAMPLES[key] ?? [])
    .filter((value) => value.startsWith(typed) && value !== typed)
    .map((value) => ({ id: `example-${value}`, kind: 'example', insert: value, from, to, label: value, note: key === 'since' || key === 'until' ? 'ago' : 'for example', count: null }));
}

/** `charge` may mean the task `payments.charge`; `fail` the state. */
function guesses({ typed, from, to }: Caret, known: Known): Suggestion[] {
  if (typed.length < 2) return [];
  return (['state', 'name', 'worker', 'queue'] as const)
    .flatMap((key) => ranked(known.values[key] ?? [], typed)
      .filter(({ value }) => key !== 'state' || value.toLowerCase().startsWith(typed.toLowerCase()))
      .slice(0, 2)
      .map(({ value, count }): Suggestion => ({
      id: `guess-${key}-${value}`, kind: 'value', insert: `${key}:${written(key, value)}`, from, to,
      label: `${key}:${key === 'state' ? value.toLowerCase() : value}`, note: null, count,
    })))
    .slice(0, MOST_GUESSES);
}

function recent({ recent: queries }: Known): Suggestion[] {
  return queries.slice(0, MOST_RECENT).map((query) => ({
    id: `recent-${query}`, kind: 'recent', insert: query, from: 0, to: Infinity, label: query, note: null, count: null,
  }));
}

function written(key: Key, value: string): string {
  return patternOf(key === 'state' ? value.toLowerCase() : value).map(valueText).join('*');
}

/** Those that contain what was typed; those that begin with it, or with it after a dot, first. */
function ranked<T extends { value: string }>(values: readonly T[], typed: string): T[] {
  const wanted = typed.toLowerCase();
  const rank = (value: string) => {
    const at = value.toLowerCase().indexOf(wanted);
    if (at < 0) return 2;
    return at === 0 || /[.@_-]/.test(value.charAt(at - 1)) ? 0 : 1;
  };
  const found = values.map((one) => ({ one, rank: rank(one.value) })).filter((entry) => entry.rank < 2);
  return found.sort((a, b) => a.rank - b.rank).map(({ one }) => one);
}

function same(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

/** The text with the suggestion taken, and where the caret stands then. */
export function taken(text: string, { insert, from, to, kind }: Suggestion): { text: string; caret: number } {
  const rest = text.slice(to);
  // After a value the next term begins; after a key, its value.
  const gap = kind !== 'key' && kind !== 'recent' && rest === '' ? ' ' : '';
  return { text: text.slice(0, from) + insert + gap + rest, caret: from + insert.length + gap.length };
}

const MOST_REMEMBERED = 8;

/** The queries used last, this one first. */
export function remembered(queries: readonly string[], query: string): string[] {
  return [query, ...queries.filter((one) => one !== query)].slice(0, MOST_REMEMBERED);
}
