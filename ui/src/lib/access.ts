/** Sessions, tokens and roles, in words and lines. Pure. */

import type { Role, SessionRow, TokenRow, Way } from '~/api/client';

import { plural } from './format';

export const ROLE_WORDS: Record<Role, string> = {
  viewer: 'looks, and changes nothing',
  operator: 'looks, and steers tasks, queues and workers',
  admin: 'does everything: shuts workers down, purges queues, reads the audit trail',
};

const WAYS: Record<Way, string> = {
  anonymous: 'nobody asked who you are',
  password: 'name and password',
  token: 'API token',
  oidc: 'single sign-on',
  proxy: 'the proxy in front of the console',
  'command line': 'the command line',
};

export function wayWords(way: Way): string {
  return WAYS[way];
}

// ---------------------------------------------------------------------- sessions

const BROWSERS: readonly [RegExp, string][] = [
  [/\bEdgA?\/(\d+)/, 'Edge'],
  [/\bOPR\/(\d+)/, 'Opera'],
  [/\bFirefox\/(\d+)/, 'Firefox'],
  [/\b(?:Headless)?Chrome\/(\d+)/, 'Chrome'],
  [/\bVersion\/(\d+)[\d.]* (?:Mobile\/\S+ )?Safari\//, 'Safari'],
];
const SYSTEMS: readonly [RegExp, string][] = [
  [/\biPhone|\biPad/, 'iOS'],
  [/\bAndroid\b/, 'Android'],
  [/\bWindows\b/, 'Windows'],
  [/\bMac OS X\b/, 'macOS'],
  [/\bLinux\b/, 'Linux'],
];

/** `Firefox 140 on Linux`; what it says of itself where that means nothing to us. */
export function browserWords(userAgent: string): string {
  const browser = BROWSERS.map(([pattern, word]) => [pattern.exec(userAgent)?.[1], word] as const).find(([found]) => found);
  const system = SYSTEMS.find(([pattern]) => pattern.test(userAgent))?.[1];
  if (!browser) return userAgent;
  return `${browser[1]} ${browser[0] ?? ''}${system === undefined ? '' : ` on ${system}`}`;
}

/** One's own first, then who was seen last. */
export function sortedSessions(sessions: readonly SessionRow[]): SessionRow[] {
  return [...sessions].sort((a, b) => Number(b.current) - Number(a.current) || b.seen_at - a.seen_at);
}

// ---------------------------------------------------------------------- tokens

const DAY = 86_400;

/** How long a token may live, in seconds; null: until it is revoked. */
export const EXPIRIES: readonly { seconds: number | null; word: string }[] = [
  { seconds: 7 * DAY, word: '7 days' },
  { seconds: 30 * DAY, word: '30 days' },
  { seconds: 90 * DAY, word: '90 days' },
  { seconds: 365 * DAY, word: 'a year' },
  { seconds: null, word: 'until it is revoked' },
];
export const USUAL_EXPIRY = 90 * DAY;

/** Those that work first, the newest of them first. */
export function sortedTokens(tokens: readonly TokenRow[]): TokenRow[] {
  return [...tokens].sort((a, b) => Number(a.expired) - Number(b.expired) || b.created_at - a.created_at);
}

/** Who made a token. The API names those that are no user of the file as `way:name`. */
export function ownerWords(owner: string): string {
  if (owner === '') return 'made at the command line';
  const colon = owner.indexOf(':');
  const way = WAYS[owner.slice(0, colon) as Way] as string | undefined;
  if (colon < 0 || way === undefined) return `made by ${owner}`;
  return owner.startsWith('anonymous:') ? 'made without a login' : `made by ${owner.slice(colon + 1)} (${way})`;
}

const MOST_NAME = 128;

/** What is wrong with a token's name; empty: nothing. */
export function nameProblem(name: string, taken: readonly string[]): string {
  if (name.trim() === '') return 'A name is needed: who or what will use it?';
  if (name.length > MOST_NAME) return `At most ${MOST_NAME} characters; these are ${name.length}.`;
  return taken.includes(name.trim()) ? 'There is a token of this name.' : '';
}

const MOST_PATTERNS = 100;
const MOST_PATTERN = 255;
const MOST_STARS = 8;

export type Patterns = { patterns: string[]; problem: '' } | { patterns: null; problem: string };

/** Patterns as they were typed: one a line, or with commas between. */
export function readPatterns(typed: string): Patterns {
  const patterns = [...new Set(typed.split(/[\n,]/).map((part) => part.trim()).filter((part) => part !== ''))];
  const problem =
    patterns.length > MOST_PATTERNS ? `At most ${plural(MOST_PATTERNS, 'pattern')}; these are ${patterns.length}.`
    : patterns.some((pattern) => pattern.length > MOST_PATTERN) ? `A pattern has at most ${MOST_PATTERN} characters.`
    : patterns.some((pattern) => pattern.split('*').length - 1 > MOST_STARS) ? `A pattern has at most ${MOST_STARS} stars.`
    : '';
  return problem === '' ? { patterns, problem } : { patterns: null, problem };
}

/** A line for a shell that asks the console with a token. Both are made of plain letters. */
export function curlLine(base: string, secret: string): string {
  return `curl -H 'Authorization: Bearer ${secret}' '${new URL('api/v1/overview', base).href.replaceAll("'", '%27')}'`;
}
