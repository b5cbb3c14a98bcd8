/** Changing a query by a click: choose a value of a key, exclude it, let go of it. Pure. */

import { patternOf } from './query';
import { type MatchKey, type Pattern, type Query, allOf } from './query-language';

export type Choice = 'only' | 'not';

/** How the query as a whole decides on one value of a key; null: it does not. */
export function choiceOf(query: Query, key: MatchKey, value: string): Choice | null {
  for (const term of termsOf(query)) {
    if (chooses(term, key, value)) return 'only';
    if (term.kind === 'not' && chooses(term.term, key, value)) return 'not';
  }
  return null;
}

/** Nothing but this value of the key; or, when that is so already, any. */
export function onlyValue(query: Query, key: MatchKey, value: string): Query {
  const rest = freed(query, key);
  const chosen = termsOf(query).filter((term) => isOf(term, key));
  const [one] = chosen;
  const already = chosen.length === 1 && one?.kind === 'match' && one.values.length === 1 && chooses(one, key, value);
  return already ? rest : both(rest, matching(key, [value]));
}

/** The value beside those chosen already; or, when it is one of them, no longer. */
export function withValue(query: Query, key: MatchKey, value: string): Query {
  const was = choiceOf(query, key, value);
  const terms = termsOf(query).flatMap((term) => without(term, key, value));
  if (was === 'only') return allOf(terms);
  const at = terms.findIndex((term) => term.kind === 'match' && term.key === key);
  const term = terms[at];
  if (term?.kind !== 'match') return both(allOf(terms), matching(key, [value]));
  return allOf(terms.with(at, { ...term, values: [...term.values, literal(key, value)] }));
}

/** All but this value; or, when it is excluded already, it too. */
export function withoutValue(query: Query, key: MatchKey, value: string): Query {
  const was = choiceOf(query, key, value);
  const rest = allOf(termsOf(query).flatMap((term) => without(term, key, value)));
  return was === 'not' ? rest : both(rest, { kind: 'not', term: matching(key, [value]) });
}

/** The query without any term of the key. */
export function freed(query: Query, key: MatchKey): Query {
  return allOf(termsOf(query).filter((term) => !isOf(term, key)));
}

export function isEverything(query: Query): boolean {
  return query.kind === 'and' && query.terms.length === 0;
}

/** The terms that all must hold. */
function termsOf(query: Query): readonly Query[] {
  return query.kind === 'and' ? query.terms : [query];
}

function both(query: Query, term: Query): Query {
  return isEverything(query) ? term : allOf([query, term]);
}

function matching(key: MatchKey, values: readonly string[]): Query {
  return { kind: 'match', key, values: values.map((value) => literal(key, value)) };
}

function literal(key: MatchKey, value: string): Pattern {
  return patternOf(key === 'state' ? value.toUpperCase() : value);
}

function chooses(term: Query, key: MatchKey, value: string): boolean {
  return term.kind === 'match' && term.key === key && term.values.some((pattern) => fits(pattern, key, value));
}

function isOf(term: Query, key: MatchKey): boolean {
  if (term.kind === 'not') return isOf(term.term, key);
  return term.kind === 'match' && term.key === key;
}

/** The term when it no longer says anything of the value; none when it said nothing else. */
function without(term: Query, key: MatchKey, value: string): readonly Query[] {
  if (term.kind === 'not') return without(term.term, key, value).map((left) => ({ kind: 'not', term: left }));
  if (term.kind !== 'match' || term.key !== key) return [term];
  const values = term.values.filter((pattern) => !fits(pattern, key, value));
  return values.length === 0 ? [] : [{ ...term, values }];
}

/** As the server decides it: case does not matter, names and hosts may be told in part. */
function fits(pattern: Pattern, key: MatchKey, value: string): boolean {
  const [only = ''] = pattern;
  const wanted = only.toLowerCase();
  const whole = value.toLowerCase();
  if (pattern.length > 1) return fitsGlob(pattern, whole);
  if (whole === wanted) return true;
  if (key === 'name') return whole.endsWith(`.${wanted}`);
  return key === 'worker' && (whole.startsWith(`${wanted}@`) || whole.endsWith(`@${wanted}`));
}

function fitsGlob(pattern: Pattern, whole: string): boolean {
  const parts = pattern.map((part) => part.toLowerCase());
  const [first = '', last = ''] = [parts[0], parts.at(-1)];
  if (!whole.startsWith(first) || !whole.endsWith(last) || whole.length < first.length + last.length) return false;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = whole.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at <= whole.length - last.length;
}

