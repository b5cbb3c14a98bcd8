/** The part of the list that the history tells: asked for piece by piece, as one scrolls. */

import { useCallback, useEffect, useMemo, useReducer, useRef, useState } from 'react';

import type { HistoryPage, HistorySort } from '~/api/client';
import { client } from '~/api/queries';
import { type Making, PART_ROWS, type Pages, UNKNOWN, type Wanted, added, letGo, movedBy, wanted } from '~/lib/task-pages';

const AGAIN_MS = 5_000; // after an answer that was none
const STEP = 20; // items; a smaller move of what is seen wants nothing else

/** Which list. Another one begins anew; the same one, asked another way, stays until the answer comes. */
export interface AskedPages {
  readonly list: string;
  readonly query: string;
  readonly start: string; // the query of the first part: with a time it begins in the middle
  readonly sort: HistorySort;
  readonly making: Making;
}

export interface Paging {
  pages: Pages;
  asking: boolean;
  error: Error | null;
  retry: () => void;
  renew: () => void; // from the start
  onRange: (first: number, last: number) => void; // the items that are seen
}

interface Range {
  first: number;
  last: number;
}

interface Held {
  pages: Pages;
  stale: boolean; // asked for anew from the start; what there is stays until the answer comes
}

type Step =
  | { kind: 'anew' }
  | { kind: 'renew' }
  | { kind: 'answered'; asked: Wanted; page: HistoryPage; making: Making; seen: Range };

const NOTHING_YET: Held = { pages: UNKNOWN, stale: false };

function step({ pages, stale }: Held, taken: Step): Held {
  if (taken.kind === 'anew') return NOTHING_YET;
  if (taken.kind === 'renew') return { pages, stale: true };
  const { asked, page, making, seen } = taken;
  if (stale) return { pages: added(UNKNOWN, asked, page, making), stale: false };
  const next = added(pages, asked, page, making);
  // What one reads stays under the eye: the list is scrolled by what came above it.
  const moved = { ...next, shifted: next.shifted + movedBy(pages, next, asked, seen.first) };
  const above = moved.shifted - pages.shifted;
  return { pages: letGo(moved, seen.first + above, seen.last + above), stale: false };
}

const START: Wanted = { kind: 'below', after: null, limit: PART_ROWS };

/** `asked` has to be the same object as long as it is the same list; null: nothing is wanted. */
export function usePages(asked: AskedPages | null): Paging {
  const [{ pages, stale }, take] = useReducer(step, NOTHING_YET);
  const [of, setOf] = useState<AskedPages | null>(asked);
  const [range, setRange] = useState<Range>({ first: 0, last: 0 });
  const [error, setError] = useState<Error | null>(null);
  const [tries, setTries] = useState(0);
  const [asking, setAsking] = useState(false);
  const seen = useRef(range);

  const before = useRef<string | null>(null);
  useEffect(() => {
    const same = asked !== null && asked.list === before.current;
    before.current = asked?.list ?? null;
    take({ kind: same ? 'renew' : 'anew' });
    setOf(asked);
    setError(null);
    if (!same) setRange({ first: 0, last: 0 });
  }, [asked]);

  const ready = asked !== null && of === asked;
  const there = asked !== null && of?.list === asked.list;
  const next = useMemo(() => {
    if (!ready) return null;
    return stale ? START : wanted(pages, range.first, range.last, asked.making);
  }, [ready, stale, pages, range, asked]);
  const key = next && JSON.stringify(next);
  useEffect(() => {
    if (!asked || !next) return;
    const stop = new AbortController();
    let timer = 0;
    setAsking(true);
    client.historyTasks(parameters(asked, next), stop.signal).then(
      (page) => {
        if (stop.signal.aborted) return;
        setError(null);
        setAsking(false);
        take({ kind: 'answered', asked: next, page, making: asked.making, seen: seen.current });
      },
      (failed: unknown) => {
        if (stop.signal.aborted) return;
        setAsking(false);
        setError(failed instanceof Error ? failed : new Error(String(failed)));
        timer = window.setTimeout(() => setTries((times) => times + 1), AGAIN_MS);
      },
    );
    return () => {
      stop.abort();
      window.clearTimeout(timer);
      setAsking(false);
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- `key` says all that `next` does
  }, [asked, key, stale, pages.parts.length, tries]);

  const onRange = useCallback((first: number, last: number) => {
    seen.current = { first, last };
    setRange((was) => (Math.abs(was.first - first) < STEP && Math.abs(was.last - last) < STEP ? was : { first, last }));
  }, []);
  const retry = useCallback(() => setTries((times) => times + 1), []);
  const renew = useCallback(() => take({ kind: 'renew' }), []);
  return useMemo(() => ({ pages: there ? pages : UNKNOWN, asking, error, retry, renew, onRange }), [there, pages, asking, error, retry, renew, onRange]);
}

function parameters({ query, start, sort }: AskedPages, next: Wanted) {
  const { limit } = next;
  const after = next.kind === 'above' ? null : next.after;
  const before = next.kind === 'below' ? null : next.before;
  const first = after === null && before === null;
  return { query: first ? start : query, sort, limit, after, before };
}
