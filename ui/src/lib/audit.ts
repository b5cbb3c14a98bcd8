/** The audit trail: what is asked of it, entries that belong together, and words for them. Pure. */

import type { AuditEntry, AuditFilter } from '~/api/client';

import { type AuditSearch, type Kind, SPANS, instant, seconds, strippedAudit } from './audit-search';
import { plural } from './format';
import type { Tone } from './states';

// ---------------------------------------------------------------------- what is asked for

export const KIND_WORDS: Record<Kind, string> = {
  command: 'Commands',
  outcome: 'Outcomes',
  denied: 'Denied',
  login: 'Logins',
  'login failed': 'Failed logins',
  logout: 'Logouts',
  token: 'Tokens',
  session: 'Sessions',
  user: 'Users',
  look: 'Looks at messages',
  console: 'The console itself',
};

export const OUTCOMES = ['asked', 'done', 'partly', 'failed', 'denied', 'stopped'] as const;

/** What the API is asked; `now` is the server's clock, epoch seconds. */
export function auditFilter({ since, until, ...rest }: AuditSearch, now: number): AuditFilter {
  const span = SPANS.find(({ value }) => value === since);
  const from = span ? Math.floor(now - span.seconds) : seconds(since);
  const to = seconds(until);
  return { ...rest, ...(from !== null && { since: from }), ...(to !== null && { until: to }) };
}

/** How many filters are set, for the word on a button. */
export function filtersSet(search: AuditSearch): number {
  return Object.keys(strippedAudit({ ...search, text: undefined })).length;
}

/** An instant as a field for local time holds it; empty: none. */
export function toLocal(moment: string | undefined): string {
  const at = seconds(moment);
  if (at === null) return '';
  const date = new Date(at * 1000);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

/** The instant that was put into such a field. */
export function fromLocal(typed: string): string {
  return typed === '' ? '' : instant(new Date(typed).toString());
}

// ---------------------------------------------------------------------- what belongs together

/** What was asked for and what came of it, as one; the newest first. */
export interface Row {
  id: number; // of its first entry here, which is the newest of it
  asked: AuditEntry; // what was asked for; its outcome where that was not loaded
  outcome: AuditEntry | null;
  entries: AuditEntry[]; // all of it, the newest first
}

/**
 * Entries as rows, in their order. A command and its outcome share their action's id; they stand
 * where the newer one is, so that loading older entries moves nothing.
 */
export function rowsOf(entries: readonly AuditEntry[]): Row[] {
  const rows: Row[] = [];
  const byAction = new Map<string, Row>();
  for (const entry of entries) {
    const paired = entry.action !== '' && (entry.kind === 'command' || entry.kind === 'outcome');
    const row = paired ? byAction.get(entry.action) : undefined;
    if (row) {
      row.entries.push(entry);
      if (entry.kind === 'command') row.asked = entry;
      continue;
    }
    const made: Row = { id: entry.seq, asked: entry, outcome: entry.kind === 'outcome' ? entry : null, entries: [entry] };
    rows.push(made);
    if (paired) byAction.set(entry.action, made);
  }
  return rows;
}

// ---------------------------------------------------------------------- words

/** How a row ended, or stands. */
export function ended({ asked, outcome }: Row): string {
  return (outcome ?? asked).outcome;
}

/** How long it took from what was asked to its outcome, in seconds; null: not both are here. */
export function took({ asked, outcome }: Row): number | null {
  return outcome && outcome !== asked ? Math.max(0, outcome.at - asked.at) : null;
}

const TONES: Record<string, Tone> = {
  done: 'success', asked: 'waiting', partly: 'retry', stopped: 'retry', failed: 'failure', denied: 'failure', throttled: 'failure',
};

export function outcomeTone(outcome: string): Tone {
  return TONES[outcome] ?? 'custom';
}

/** At whom, in a few words: `celery@web1`, `3 workers`, `mail and 2 more`; empty: nobody was named. */
export function whomWords(whom: AuditEntry['whom']): string {
  if (!whom) return '';
  const workers = whom.workers ?? [];
  const others = whom.subjects.length + whom.left_out;
  // Ids of tasks say nothing in a row; there is room for one.
  const subjects = others > 1 && whom.subjects.every(isTaskId) ? plural(others, 'task') : few(whom.subjects, whom.left_out);
  const all = workers.length + whom.workers_left_out;
  return [subjects, all > 2 ? plural(all, 'worker') : few(workers, 0)].filter((part) => part !== '').join(' · ');
}

const UUID = /^[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}$/i;

export function isTaskId(text: string): boolean {
  return UUID.test(text);
}

function few(names: readonly string[], leftOut: number): string {
  const [first = '', ...rest] = names;
  const more = rest.length + leftOut;
  return more === 0 ? first : `${first} and ${more} more`;
}

/** Who, with the token they showed: `ada`, `ada by grafana`. */
export function byWords({ name, token }: AuditEntry['by']): string {
  return token === '' || token === name ? name : `${name} by ${token}`;
}

/** Where from and as what: `operator · 10.0.0.7`. */
export function fromWords({ role, way, address }: AuditEntry['by']): string {
  return [role === '' ? way : role, address].filter((part) => part !== '').join(' · ');
}

/** Arguments as they are read: indented JSON; empty: there are none. */
export function argumentsText(given: AuditEntry['arguments']): string {
  return Object.keys(given).length === 0 ? '' : JSON.stringify(given, null, 2);
}
