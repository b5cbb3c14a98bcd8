/** Which of the audit trail the page's address asks for. Pure, and small: every page loads it. */

import type { AuditEntry } from '~/api/client';

import { many, one } from './url';

export const KINDS = [
  'command', 'outcome', 'denied', 'login', 'login failed', 'logout', 'token', 'session', 'user', 'look', 'console',
] as const satisfies readonly AuditEntry['kind'][];
export type Kind = AuditEntry['kind'];

/** How far back, as it stands in the address; anything else is an instant. */
export const SPANS: readonly { value: string; seconds: number; word: string }[] = [
  { value: '1h', seconds: 3_600, word: 'The last hour' },
  { value: '24h', seconds: 86_400, word: 'The last 24 hours' },
  { value: '7d', seconds: 7 * 86_400, word: 'The last 7 days' },
  { value: '30d', seconds: 30 * 86_400, word: 'The last 30 days' },
];

/** The page's address. Instants are UTC, to the second: `2026-11-23T10:00:00Z`. */
export interface AuditSearch {
  text?: string;
  who?: string;
  what?: string;
  whom?: string;
  kind?: Kind[];
  outcome?: string;
  since?: string;
  until?: string;
  action?: string;
}

const TEXTS = ['text', 'who', 'what', 'whom', 'outcome', 'action'] as const;
const LONGEST = 200; // of a text, as the API takes it

export function readAuditSearch(search: Record<string, unknown>): AuditSearch {
  const known: readonly string[] = KINDS;
  const read: AuditSearch = {};
  for (const key of TEXTS) read[key] = one(search[key]).slice(0, LONGEST);
  read.kind = many(search.kind).filter((kind): kind is Kind => known.includes(kind));
  const since = one(search.since);
  read.since = SPANS.some(({ value }) => value === since) ? since : instant(since);
  read.until = instant(one(search.until));
  return strippedAudit(read);
}

/** Without what is not asked for. */
export function strippedAudit(search: AuditSearch): AuditSearch {
  const all = Object.entries<string | string[] | undefined>({ ...search });
  return Object.fromEntries(all.filter(([, value]) => value !== undefined && value.length > 0));
}

/** Epoch seconds of an instant of the address; null: there is none. */
export function seconds(moment: string | undefined): number | null {
  const at = Date.parse(moment ?? '');
  return Number.isNaN(at) ? null : Math.floor(at / 1000);
}

/** As the address has it; empty: it is none. */
export function instant(text: string): string {
  const at = seconds(text);
  return at === null ? '' : `${new Date(at * 1000).toISOString().slice(0, 19)}Z`;
}
