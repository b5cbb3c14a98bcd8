/**
 * Writing queries: what links to the Tasks page are made of. Small, because every page has such
 * links; reading queries is `query-language.ts`.
 */

import { clip } from './text';

/** The terms that a link asks for; several values of one key mean any of them. */
export interface QueryParts {
  state?: string | readonly string[];
  name?: string | readonly string[];
  worker?: string | readonly string[];
  queue?: string | readonly string[];
  client?: string | readonly string[];
  uuid?: string | readonly string[];
  root?: string;
  parent?: string;
  exception?: string;
  runtime?: string; // a comparison: `>5s`
  wait?: string;
  retries?: string;
  since?: string; // `10m`, ago; or a time
  until?: string;
  text?: string;
}

const VALUES = ['state', 'name', 'worker', 'queue', 'client', 'uuid', 'root', 'parent', 'exception'] as const;
const EXPRESSIONS = ['runtime', 'wait', 'retries', 'since', 'until'] as const;

/** The query that asks for all of these, in canonical form. */
export function queryOf(parts: QueryParts): string {
  const terms: string[] = [];
  for (const key of VALUES) {
    const given = parts[key];
    const values = (typeof given === 'string' ? [given] : (given ?? [])).filter((value) => value !== '');
    const words = values.map((value) => patternOf(key === 'state' ? value.toLowerCase() : value).map(valueText).join('*'));
    if (words.length > 0) terms.push(`${key}:${words.join(',')}`);
  }
  for (const key of EXPRESSIONS) {
    if (parts[key]) terms.push(`${key}:${parts[key]}`);
  }
  if (parts.text) terms.push(wordText(parts.text));
  return terms.join(' ');
}

const LONG = 200; // a query has its limit, and the names of a cluster have none

/** What asks for a value, as literal texts between wildcards: of a very long one, how it begins. */
export function patternOf(value: string): string[] {
  const { text, rest } = clip(value, LONG);
  return rest > 0 ? [text, ''] : [value];
}

const NOT_PLAIN_IN_VALUE = /[ \t\n\r\f\v\u00a0()"\\,*=]/;
const NOT_PLAIN = /[ \t\n\r\f\v\u00a0()"\\]/;

/** A literal value as it stands after its key. */
export function valueText(value: string): string {
  return NOT_PLAIN_IN_VALUE.test(value) ? quoted(value) : value;
}

/** Text to search for, as it stands in a query. */
export function wordText(text: string): string {
  return isPlain(text) ? text : quoted(text);
}

/** Whether a text means itself without quotes. */
export function isPlain(text: string): boolean {
  return !/^(?:AND|OR|NOT)$|^-|^[A-Za-z][A-Za-z_]*:/.test(text) && text !== '' && !NOT_PLAIN.test(text);
}

export function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}
