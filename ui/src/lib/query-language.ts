/**
 * Reading the query language of the task lists: text ↔ a tree that says which tasks are wanted.
 *
 *     query := and ("OR" and)*
 *     and   := one ("AND"? one)*
 *     one   := ("-" | "NOT") one | "(" query ")" | key ":" value ("," value)* | text
 *
 * The twin of `celeryscope.model.query`; what both agree on stands in
 * `tests/fixtures/query_cases.json`. Positions count UTF-16 units here, as the browser does.
 * Pure. Writing queries for links needs less: `query.ts`.
 */

import { isPlain, quoted, valueText } from './query';

export const LONGEST = 2048; // characters
const MOST_TERMS = 128; // texts and values
const DEEPEST = 5; // groups within each other

export const KEYS = [
  'state', 'name', 'worker', 'queue', 'client', 'uuid', 'root', 'parent', 'args', 'kwargs',
  'result', 'exception', 'fingerprint', 'runtime', 'wait', 'retries', 'since', 'until',
] as const;
export type Key = (typeof KEYS)[number];
export type CompareKey = 'runtime' | 'wait' | 'retries';
export type TimeKey = 'since' | 'until';
export type MatchKey = Exclude<Key, CompareKey | TimeKey>;
export type Bounds = '[]' | '[)' | '(]' | '()'; // a side without an end is round

/** The literal texts between the wildcards: at least one. */
export type Pattern = readonly string[];

export type Query =
  | { readonly kind: 'and' | 'or'; readonly terms: readonly Query[] } // an `and` of none: every task
  | { readonly kind: 'not'; readonly term: Query }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'match'; readonly key: MatchKey; readonly values: readonly Pattern[] }
  | { readonly kind: 'keyword'; readonly name: string; readonly values: readonly Pattern[] }
  | { readonly kind: 'compare'; readonly key: CompareKey; readonly low: number | null; readonly high: number | null; readonly bounds: Bounds }
  | { readonly kind: 'ago'; readonly key: TimeKey; readonly seconds: number }
  | { readonly kind: 'at'; readonly key: TimeKey; readonly time: number };

export const EVERYTHING: Query = { kind: 'and', terms: [] };

const ALIASES: Readonly<Record<string, Key>> = { id: 'uuid', task: 'name' };

/** Words for states, besides Celery's own and those that a project made up. */
const STATE_WORDS: Readonly<Record<string, readonly string[]>> = {
  FAILED: ['FAILURE'],
  SUCCEEDED: ['SUCCESS'],
  RUNNING: ['STARTED'],
  RETRYING: ['RETRY'],
  RETRIED: ['RETRY'],
  WAITING: ['PENDING', 'RECEIVED'],
  FINISHED: ['SUCCESS', 'FAILURE', 'REVOKED', 'REJECTED'],
};

const EXAMPLE: Readonly<Record<Key, string>> = {
  state: 'state:failure,retry',
  name: 'name:send_email',
  worker: 'worker:celery@web1',
  queue: 'queue:default',
  client: 'client:gen7@app1',
  uuid: 'uuid:6a720eb0',
  root: 'root:6a720eb0-b111-4c9e-a0d6-8cb5bdd5e7a1',
  parent: 'parent:6a720eb0-b111-4c9e-a0d6-8cb5bdd5e7a1',
  args: 'args:"green tea"',
  kwargs: 'kwargs:user=7',
  result: 'result:paid',
  exception: 'exception:Timeout',
  fingerprint: 'fingerprint:3f2a9c01b7de',
  runtime: 'runtime:>5s',
  wait: 'wait:>1m',
  retries: 'retries:>0',
  since: 'since:10m',
  until: 'until:2026-11-23T03:00',
};

/** Why a text is no query, and where. */
export interface Problem {
  readonly message: string;
  readonly hint: string;
  readonly from: number;
  readonly to: number; // equal to `from` where something is missing
}

/** A run of the text, for colours. Runs are in order and do not overlap. */
export interface Span {
  readonly kind: 'key' | 'value' | 'text' | 'operator' | 'bad';
  readonly from: number;
  readonly to: number;
}

export interface Analysis {
  readonly query: Query | null; // null: there is a problem
  readonly problem: Problem | null;
  readonly spans: readonly Span[];
}

class BadQuery extends Error {
  constructor(
    message: string,
    readonly from: number,
    readonly hint = '',
    readonly to = from,
  ) {
    super(message);
  }
}

/** Reads a query; an empty one means every task. */
export function analyse(text: string): Analysis {
  const spans: Span[] = [];
  try {
    return { query: parse(text, spans), problem: null, spans };
  } catch (error) {
    if (!(error instanceof BadQuery)) throw error;
    const { message, hint, from, to } = error;
    return { query: null, problem: { message, hint, from, to }, spans: withBad(spans, text, from, to) };
  }
}

/** What to ask the server: one text for all that mean the same. Null: no query. */
export function canonical(text: string): string | null {
  const { query } = analyse(text);
  return query && show(query);
}

function withBad(spans: readonly Span[], text: string, from: number, to: number): Span[] {
  const bad = { kind: 'bad' as const, from, to: Math.min(Math.max(to, from + 1), text.length) };
  if (bad.from >= bad.to) return [...spans];
  return [
    ...spans.filter((span) => span.to <= bad.from),
    ...spans.filter((span) => span.from < bad.from && span.to > bad.from).map((span) => ({ ...span, to: bad.from })),
    bad,
    ...spans.filter((span) => span.from >= bad.to),
  ];
}

// ---------------------------------------------------------------------- text → tokens

export const BLANK = /[ \t\n\r\f\v\u00a0]/;
const ENDS_WORD = /[ \t\n\r\f\v\u00a0()]/;
const OPERATORS = ['AND', 'OR', 'NOT'] as const;
const KEY = /^[A-Za-z][A-Za-z_]*$/;

interface Char {
  readonly char: string;
  readonly literal: boolean; // quoted or escaped: it is nothing but itself
  readonly at: number;
}

interface Token {
  readonly kind: '(' | ')' | '-' | (typeof OPERATORS)[number] | 'word' | 'end';
  readonly from: number;
  readonly to: number;
  readonly chars: readonly Char[];
}

function tokensOf(text: string, spans: Span[]): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    const char = text.charAt(at);
    if (BLANK.test(char)) {
      at += 1;
      continue;
    }
    // Within a word a minus sign is read as a part of it.
    const single = char === '(' || char === ')' || char === '-';
    const token: Token = single ? { kind: char, from: at, to: at + 1, chars: [] } : wordAt(text, at);
    tokens.push(token);
    spans.push(...spansOf(token));
    at = token.to;
  }
  tokens.push({ kind: 'end', from: text.length, to: text.length, chars: [] });
  return tokens;
}

function wordAt(text: string, from: number): Token {
  const chars: Char[] = [];
  let at = from;
  let opened: number | null = null;
  for (; at < text.length; at += 1) {
    const char = text.charAt(at);
    if (opened === null && ENDS_WORD.test(char)) break;
    if (char === '\\' && /["\\]/.test(text.charAt(at + 1))) {
      chars.push({ char: text.charAt(at + 1), literal: true, at });
      at += 1;
    } else if (char === '"') {
      opened = opened === null ? at : null;
    } else {
      chars.push({ char, literal: opened !== null, at });
    }
  }
  if (opened !== null) throw new BadQuery('The quote is not closed.', opened, 'Close it with ".', text.length);
  const bare = text.slice(from, at);
  return { kind: OPERATORS.find((word) => word === bare) ?? 'word', from, to: at, chars };
}

// ---------------------------------------------------------------------- tokens → tree

function parse(text: string, spans: Span[]): Query {
  const characters = Array.from(text);
  if (characters.length > LONGEST) {
    const from = characters.slice(0, LONGEST).join('').length;
    throw new BadQuery(`The query is longer than ${LONGEST} characters.`, from, '', text.length);
  }
  return new Parser(tokensOf(text, spans)).parse();
}

function spansOf(token: Token): Span[] {
  const { kind, from, to } = token;
  if (kind !== 'word') return [{ kind: 'operator', from, to }];
  const key = writtenKey(token);
  if (key === null) return [{ kind: 'text', from, to }];
  const colon = from + key.length + 1;
  const spans: Span[] = [{ kind: 'key', from, to: colon }];
  if (colon < to) spans.push({ kind: 'value', from: colon, to });
  return spans;
}

const QUOTE = (text: string) => `quote it to search for the text: "${text}"`;

/** Recursive descent, as deep as groups may be. */
class Parser {
  #next = 0;
  #terms = 0;

  constructor(readonly tokens: readonly Token[]) {}

  parse(): Query {
    if (this.#seen().kind === 'end') return EVERYTHING;
    const query = this.#either(0);
    const { kind, from, to } = this.#seen();
    if (kind !== 'end') throw new BadQuery("This ')' closes nothing.", from, `Leave it out, or ${QUOTE(')')}`, to);
    return query;
  }

  #seen(): Token {
    return this.#token(this.#next);
  }

  #token(index: number): Token {
    const token = this.tokens[Math.min(index, this.tokens.length - 1)];
    if (!token) throw new Error('There is always a token at the end.');
    return token;
  }

  #take(): Token {
    const token = this.#seen();
    this.#next += 1;
    return token;
  }

  #either(depth: number): Query {
    const terms = [this.#both(depth)];
    while (this.#seen().kind === 'OR') {
      this.#take();
      terms.push(this.#both(depth));
    }
    return joinedBy('or', terms);
  }

  #both(depth: number): Query {
    const terms = [this.#one(depth)];
    while (!['OR', ')', 'end'].includes(this.#seen().kind)) {
      if (this.#seen().kind === 'AND') this.#take();
      terms.push(this.#one(depth));
    }
    return joinedBy('and', terms);
  }

  #one(depth: number): Query {
    let negated = false;
    while (this.#seen().kind === '-' || this.#seen().kind === 'NOT') {
      const { kind, from, to } = this.#take();
      negated = !negated;
      if (kind === '-' && (this.#seen().kind === 'end' || this.#seen().from !== to)) {
        const hint = 'Put it right before what it negates, or quote it: "-"';
        throw new BadQuery("Nothing follows this '-'.", from, hint, to);
      }
    }
    const term = this.#seen().kind === '(' ? this.#group(depth) : this.#leaf();
    return negated ? negate(term) : term;
  }

  #group(depth: number): Query {
    const { from, to } = this.#take();
    if (depth === DEEPEST) throw new BadQuery(`Groups are nested deeper than ${DEEPEST}.`, from, '', to);
    const query = this.#either(depth + 1);
    if (this.#take().kind !== ')') {
      throw new BadQuery("This '(' is not closed.", from, `Close it with ), or ${QUOTE('(')}`, to);
    }
    return query;
  }

  #leaf(): Query {
    const token = this.#seen();
    if (token.kind !== 'word') {
      throw misplaced(token, this.#next > 0 ? this.#token(this.#next - 1).kind : '');
    }
    this.#take();
    const key = writtenKey(token);
    if (key !== null) return this.#qualified(token, key);
    this.#count(token.from);
    if (token.chars.length === 0) throw new BadQuery('The text is empty.', token.from, '', token.to);
    return { kind: 'text', text: textOf(token.chars) };
  }

  #qualified(token: Token, word: string): Query {
    const key = keyOf(word);
    if (key === null) {
      throw new BadQuery(`There is no key '${short(word)}'.`, token.from, hintOfUnknown(word, token), token.from + word.length + 1);
    }
    const colon = token.chars[word.length]?.at ?? token.from; // not by counting: quotes may stand before it
    const values = new Values(key, token.chars.slice(word.length + 1), colon + 1, token.to);
    for (const { from } of values.items) this.#count(from);
    return values.read();
  }

  #count(from: number): void {
    this.#terms += 1;
    if (this.#terms > MOST_TERMS) throw new BadQuery(`There are more than ${MOST_TERMS} terms.`, from);
  }
}

function joinedBy(kind: 'and' | 'or', terms: readonly Query[]): Query {
  const flat = terms.flatMap((term) => (term.kind === kind ? term.terms : [term]));
  const [only] = flat;
  return only && flat.length === 1 ? only : { kind, terms: flat };
}

/** All of them, without needless nesting. */
export function allOf(terms: readonly Query[]): Query {
  return joinedBy('and', terms);
}

/** Twice is not at all. */
export function negate(term: Query): Query {
  return term.kind === 'not' ? term.term : { kind: 'not', term };
}

function misplaced({ kind, from, to }: Token, before: string): BadQuery {
  const hint = OPERATORS.some((word) => word === kind) ? `Quote it to search for the word: "${kind}"` : '';
  if (kind === 'end') return new BadQuery(`Something is missing after '${before}'.`, from, hint, to);
  if (kind === ')' && before === '(') return new BadQuery('There is nothing in this group.', from, hint, to);
  return new BadQuery(`Something is missing before this '${kind}'.`, from, hint, to);
}

/** The key as it was written; null for a text. */
function writtenKey({ chars }: Token): string | null {
  const colon = chars.findIndex(({ char, literal }) => literal || char === ':');
  if (colon < 0 || chars[colon]?.literal !== false) return null;
  const key = textOf(chars.slice(0, colon));
  return KEY.test(key) ? key : null;
}

/** The key that a word means, in any case; null when none. */
export function keyOf(word: string): Key | null {
  const lower = word.toLowerCase();
  if (Object.hasOwn(ALIASES, lower)) return ALIASES[lower] ?? null;
  return KEYS.find((key) => key === lower) ?? null;
}

function hintOfUnknown(word: string, { chars }: Token): string {
  const near = nearestKey(word.toLowerCase());
  const meant = near === null ? '' : `Did you mean ${near}:? `;
  return `${meant}Quote it to search for the text: ${quoted(short(textOf(chars)))}`;
}

function nearestKey(word: string): string | null {
  if (word.length > 12) return null;
  let best: { key: string; steps: number } | null = null;
  for (const key of [...KEYS, ...Object.keys(ALIASES)]) {
    const steps = distance(word, key);
    // Of equally near ones, the first in the table.
    if (best === null || steps < best.steps) best = { key, steps };
  }
  return best && best.steps <= (word.length < 4 ? 1 : 2) ? best.key : null;
}

/** How many letters to put in, leave out or change to make `other` of `one`. */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= other.length; j += 1) {
      const changed = (row[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1);
      next.push(Math.min(changed, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}

function short(text: string): string {
  const characters = Array.from(text);
  return characters.length <= 40 ? text : `${characters.slice(0, 39).join('')}…`;
}

function textOf(chars: readonly Char[]): string {
  return chars.map(({ char }) => char).join('');
}

// ---------------------------------------------------------------------- values

interface Item {
  readonly chars: Char[];
  readonly from: number;
}

/** What stands behind a key: values with commas between. */
class Values {
  readonly items: Item[];
  #name: string | null = null; // of a keyword argument

  constructor(
    readonly key: Key,
    chars: readonly Char[],
    from: number,
    readonly to: number,
  ) {
    const [values, start] = key === 'kwargs' ? this.#keyword(chars, from) : [chars, from];
    let item: Item = { chars: [], from: start };
    this.items = [item];
    for (const char of values) {
      if (char.char === ',' && !char.literal) {
        item = { chars: [], from: char.at + 1 };
        this.items.push(item);
      } else {
        item.chars.push(char);
      }
    }
    if (values.length === 0) throw new BadQuery(`'${key}:' lacks a value.`, start, `For example: ${EXAMPLE[key]}`);
    const empty = this.items.find((one) => one.chars.length === 0);
    if (empty) throw new BadQuery('A value is missing in this list.', empty.from, 'A value that has commas in it is quoted.');
  }

  /** Takes the name of a keyword argument off: all before a bare `=`, if no comma is. */
  #keyword(chars: readonly Char[], from: number): [readonly Char[], number] {
    const end = chars.findIndex(({ char, literal }) => !literal && (char === ',' || char === '='));
    const sign = chars[end];
    if (sign?.char !== '=') return [chars, from];
    if (end === 0) throw new BadQuery('The name of the keyword argument is missing.', from, `For example: ${EXAMPLE.kwargs}`);
    this.#name = textOf(chars.slice(0, end));
    return [chars.slice(end + 1), sign.at + 1];
  }

  read(): Query {
    const { key } = this;
    if (this.#name !== null) return { kind: 'keyword', name: this.#name, values: this.#patterns() };
    if (key === 'state') return { kind: 'match', key, values: this.#states() };
    if (key === 'since' || key === 'until') return this.#time(key);
    if (key === 'runtime' || key === 'wait' || key === 'retries') return this.#compare(key);
    return { kind: 'match', key, values: this.#patterns() };
  }

  #patterns(): Pattern[] {
    return unique(this.items.map(({ chars }) => pattern(chars)));
  }

  #states(): Pattern[] {
    return unique(
      this.#patterns().flatMap((written) => {
        const capitals = written.map(toCapitals);
        const [word] = capitals;
        const words = capitals.length === 1 && word !== undefined && Object.hasOwn(STATE_WORDS, word) ? STATE_WORDS[word] : undefined;
        return words?.map((one) => [one]) ?? [capitals];
      }),
    );
  }

  #only(): { written: string; from: number } {
    const [first, second] = this.items;
    if (second) throw new BadQuery(`'${this.key}:' takes one value.`, second.from, 'Join several with OR.', this.to);
    return { written: textOf(first?.chars ?? []), from: first?.from ?? this.to };
  }

  #compare(key: CompareKey): Query {
    const { written, from } = this.#only();
    const number = (text: string) => {
      const read = numberOf(key, text);
      if (read === null) throw this.#noNumber(key, written, from);
      return read;
    };
    const [, sign = '', end = ''] = /^(>=|<=|>|<)(.*)$/su.exec(written) ?? [];
    if (sign.startsWith('>')) return { kind: 'compare', key, low: number(end), high: null, bounds: sign === '>=' ? '[)' : '()' };
    if (sign !== '') return { kind: 'compare', key, low: null, high: number(end), bounds: sign === '<=' ? '(]' : '()' };
    const dots = written.indexOf('..');
    const low = number(dots < 0 ? written : written.slice(0, dots));
    if (dots >= 0) {
      const high = number(written.slice(dots + 2));
      if (low > high) throw new BadQuery(`The range ${short(written)} ends before it begins.`, from, '', this.to);
      return { kind: 'compare', key, low, high, bounds: '[]' };
    }
    if (key === 'retries') return { kind: 'compare', key, low, high: low, bounds: '[]' };
    const hint = `For example: ${key}:>${short(written)} or ${key}:1s..5s`;
    throw new BadQuery(`'${key}:' compares: it wants a sign before ${short(written)}.`, from, hint, this.to);
  }

  #noNumber(key: CompareKey, written: string, from: number): BadQuery {
    if (key === 'retries') {
      const hint = 'For example: retries:2, retries:>0 or retries:1..3';
      return new BadQuery(`'${short(written)}' is no number.`, from, hint, this.to);
    }
    const hint = `For example: ${key}:>5s, ${key}:<=200ms, ${key}:1m..1h30m; units: us ms s m h d w`;
    return new BadQuery(`'${short(written)}' is no duration.`, from, hint, this.to);
  }

  #time(key: TimeKey): Query {
    const { written, from } = this.#only();
    const microseconds = durationOf(written);
    if (microseconds !== null) return { kind: 'ago', key, seconds: microseconds / 1e6 };
    const milliseconds = millisecondsOf(written);
    if (milliseconds !== null) return { kind: 'at', key, time: milliseconds / 1000 };
    const hint = `For example: ${key}:10m (ago), ${key}:2026-11-23 or ${key}:2026-11-23T03:00 (UTC)`;
    throw new BadQuery(`'${short(written)}' is no time.`, from, hint, this.to);
  }
}

function unique(patterns: readonly Pattern[]): Pattern[] {
  return [...new Map(patterns.map((one) => [JSON.stringify(one), one])).values()];
}

function toCapitals(text: string): string {
  return text.replace(/[a-z]/g, (letter) => letter.toUpperCase());
}

function pattern(chars: readonly Char[]): Pattern {
  const parts = [''];
  let starred = false;
  for (const { char, literal } of chars) {
    if (char !== '*' || literal) {
      parts.push((parts.pop() ?? '') + char);
      starred = false;
    } else if (!starred) {
      parts.push('');
      starred = true;
    }
  }
  return parts;
}

const UNITS = [
  ['w', 604_800_000_000],
  ['d', 86_400_000_000],
  ['h', 3_600_000_000],
  ['m', 60_000_000],
  ['s', 1_000_000],
  ['ms', 1000],
  ['us', 1],
] as const;
const LONGEST_MICROSECONDS = 1e15;
const BARE_SECONDS = /^[0-9]{1,16}(?:\.[0-9]{1,9})?$/;
const PIECES = /^(?:[0-9]{1,16}(?:\.[0-9]{1,9})?(?:us|ms|s|m|h|d|w))+$/;
const PIECE = /([0-9]{1,16}(?:\.[0-9]{1,9})?)(us|ms|s|m|h|d|w)/g;

function numberOf(key: CompareKey, text: string): number | null {
  if (key === 'retries') return /^[0-9]{1,9}$/.test(text) ? Number(text) : null;
  const microseconds = durationOf(text);
  return microseconds === null ? null : microseconds / 1e6;
}

/** A duration, as microseconds: a number and a unit, or several; or bare seconds. */
function durationOf(text: string): number | null {
  const written = BARE_SECONDS.test(text) ? `${text}s` : text;
  if (!PIECES.test(written)) return null;
  let total = 0;
  for (const [, number, unit] of written.matchAll(PIECE)) {
    const size = UNITS.find(([name]) => name === unit)?.[1] ?? 0;
    total += Math.floor(Number(number) * size + 0.5);
  }
  return total <= LONGEST_MICROSECONDS ? total : null;
}

const TIME =
  /^([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,3}))?)?(?:Z|([+-])([0-9]{2}):?([0-9]{2}))?)?$/;

/** A date or a time, as milliseconds since the epoch; without a zone it is UTC. */
function millisecondsOf(text: string): number | null {
  const found = TIME.exec(text);
  if (!found) return null;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = found.slice(1, 7).map((part) => Number(part || 0));
  const [zoneHours = 0, zoneMinutes = 0] = found.slice(9, 11).map((part) => Number(part || 0));
  if (hour > 23 || minute > 59 || second > 59 || zoneHours > 23 || zoneMinutes > 59) return null;
  const there = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  // Date counts on where a month ends, and takes 99 for 1999.
  if (there.getUTCFullYear() !== year || there.getUTCMonth() !== month - 1 || there.getUTCDate() !== day) return null;
  const zone = (zoneHours * 60 + zoneMinutes) * 60_000 * (found[8] === '-' ? -1 : 1);
  const told = there.getTime() + Number((found[7] ?? '').padEnd(3, '0')) - zone;
  return told >= 0 && told <= 253_402_300_799_999 ? told : null;
}

// ---------------------------------------------------------------------- tree → text

/** The one way to write a query. */
export function show(query: Query): string {
  switch (query.kind) {
    case 'and':
      return query.terms.map((term) => grouped(term, ['or'])).join(' ');
    case 'or':
      return query.terms.map(show).join(' OR ');
    case 'not':
      return `-${grouped(query.term, ['and', 'or'])}`;
    case 'text':
      return isPlain(query.text) ? query.text : quoted(query.text);
    case 'match': {
      const written = query.values.map(showPattern).join(',');
      return `${query.key}:${query.key === 'state' ? toSmall(written) : written}`;
    }
    case 'keyword':
      return `kwargs:${valueText(query.name)}=${query.values.map(showPattern).join(',')}`;
    case 'compare':
      return `${query.key}:${showComparison(query)}`;
    case 'ago':
      return `${query.key}:${showDuration(query.seconds)}`;
    case 'at':
      return `${query.key}:${showTime(query.time)}`;
  }
}

function grouped(term: Query, kinds: readonly Query['kind'][]): string {
  return kinds.includes(term.kind) ? `(${show(term)})` : show(term);
}

function toSmall(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

function showPattern(parts: Pattern): string {
  return parts.map(valueText).join('*');
}

function showComparison({ key, low, high, bounds }: Extract<Query, { kind: 'compare' }>): string {
  const write = key === 'retries' ? String : showDuration;
  if (low !== null && high !== null) return low === high && key === 'retries' ? write(low) : `${write(low)}..${write(high)}`;
  if (low !== null) return `${bounds.startsWith('[') ? '>=' : '>'}${write(low)}`;
  return `${bounds.endsWith(']') ? '<=' : '<'}${write(high ?? 0)}`;
}

function showDuration(seconds: number): string {
  const microseconds = Math.floor(seconds * 1e6 + 0.5);
  const rest = microseconds % 1e6;
  if (microseconds > 1e6 && rest !== 0) {
    return `${Math.floor(microseconds / 1e6)}.${String(rest).padStart(6, '0').replace(/0+$/, '')}s`;
  }
  for (const [unit, size] of UNITS) {
    if (microseconds !== 0 && microseconds % size === 0) return `${microseconds / size}${unit}`;
  }
  return '0s';
}

function showTime(time: number): string {
  const milliseconds = Math.floor(time * 1000 + 0.5);
  const written = new Date(milliseconds).toISOString();
  if (milliseconds % 86_400_000 === 0) return written.slice(0, 10);
  if (milliseconds % 60_000 === 0) return written.slice(0, 16);
  return written.slice(0, milliseconds % 1000 === 0 ? 19 : 23);
}
