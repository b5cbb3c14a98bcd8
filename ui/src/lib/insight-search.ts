/** Which time the Insight pages show, as it stands in the address. Pure. */

import type { InsightSort } from '~/api/insight';

import { one } from './url';

/** Times up to now, by how they stand in a query: `since:24h`. */
export const SPANS = { '1h': 3_600, '24h': 86_400, '7d': 604_800, '30d': 2_592_000 } as const;
export type Span = keyof typeof SPANS;
export const USUAL: Span = '24h';

const SORTS: readonly string[] = ['tasks', 'failed', 'failures', 'retried', 'run', 'wait', 'took', 'name'] satisfies InsightSort[];

export interface InsightSearch {
  span?: Span; // left out: 24 hours
  since?: string; // `2026-11-23T10:00`, local; with `until`, in place of a span
  until?: string;
  sort?: InsightSort; // left out: by the time that they took together
  text?: string; // a part of the names
}

export function readInsightSearch(search: Record<string, unknown>): InsightSearch {
  const [span, sort] = [one(search.span), one(search.sort)];
  return strippedInsight({
    span: isSpan(span) ? span : undefined,
    since: moment(one(search.since)),
    until: moment(one(search.until)),
    sort: SORTS.includes(sort) ? (sort as InsightSort) : undefined,
    text: one(search.text),
  });
}

/** Without what is as usual. A time of one's own is there as a whole or not at all. */
export function strippedInsight({ span, since, until, sort, text }: InsightSearch): InsightSearch {
  const whole = since !== undefined && until !== undefined && since < until;
  return {
    ...(whole ? { since, until } : span && span !== USUAL && { span }),
    ...(sort && sort !== 'took' && { sort }),
    ...(text && { text }),
  };
}

/** The time alone, for another page over the same one. */
export function timeOf({ span, since, until }: InsightSearch): InsightSearch {
  return strippedInsight({ span, since, until });
}

function isSpan(text: string): text is Span {
  return Object.hasOwn(SPANS, text);
}

const LOCAL = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}$/;

function moment(text: string): string | undefined {
  return LOCAL.test(text) && !Number.isNaN(new Date(text).getTime()) ? text : undefined;
}
