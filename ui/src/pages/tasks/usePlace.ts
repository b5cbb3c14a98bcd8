/** The place in the list, which the address tells: so the back button, and a link, lead there. */

import { type RefObject, useCallback, useEffect, useMemo, useRef, useState } from 'react';

import { type Sort, type TaskSearch, placeTime, writePlace } from '~/lib/task-query';

import type { Items } from './items';

const REST_MS = 400; // of a list that is scrolled
const LINE_PX = 34;

interface PlaceOptions {
  search: TaskSearch;
  go: (change: TaskSearch, step: 'push' | 'replace') => void;
  list: RefObject<HTMLElement | null>;
}

export interface Place {
  at: number | null; // where the list begins, epoch seconds; null: at its top
  go: (at: number) => void;
  leave: () => void;
  watch: (items: Items | null, sort: Sort) => void; // at each drawing: what is listed now
}

export function usePlace({ search, go, list }: PlaceOptions): Place {
  const told = search.at ?? '';
  const [begins, setBegins] = useState(told);
  const written = useRef(told); // by ourselves: the list is there already
  useEffect(() => {
    if (told === written.current) return;
    written.current = told;
    setBegins(told);
  }, [told]);
  const listed = useRef<{ items: Items | null; sort: Sort }>({ items: null, sort: '-seen' });

  const write = useCallback(
    (next: string) => {
      if (next === written.current) return;
      written.current = next;
      go({ at: next === '' ? undefined : next }, 'replace');
    },
    [go],
  );
  useEffect(() => {
    const area = list.current;
    if (!area) return;
    let timer = 0;
    const look = () => {
      window.clearTimeout(timer);
      timer = window.setTimeout(() => write(placeOf(area.scrollTop, listed.current, begins)), REST_MS);
    };
    area.addEventListener('scroll', look, { passive: true });
    return () => {
      window.clearTimeout(timer);
      area.removeEventListener('scroll', look);
    };
  }, [list, begins, write]);

  const at = placeTime(begins === '' ? undefined : begins);
  return useMemo(
    () => ({
      at,
      go: (there) => go({ at: writePlace(there), sort: listed.current.sort === 'seen' ? 'seen' : '-seen' }, 'push'),
      leave: () => go({ at: undefined }, 'push'),
      watch: (items, sort) => {
        listed.current = { items, sort };
      },
    }),
    [at, go],
  );
}

/** Of the first line in sight; empty where the list follows the cluster, and in an order that is none of time. */
function placeOf(scrollTop: number, { items, sort }: { items: Items | null; sort: Sort }, begins: string): string {
  if (items === null || (sort !== '-seen' && sort !== 'seen')) return begins;
  let index = Math.floor(scrollTop / LINE_PX);
  if (index < items.head) return '';
  if (sort === 'seen' && index === 0) return begins;
  let item = items.at(index);
  while (item?.kind === 'gaps') item = items.at((index += 1));
  if (item?.kind !== 'task') return begins;
  // Up to the millisecond, and the task itself is there.
  const at = item.task.state_at * 1000;
  return writePlace((sort === '-seen' ? Math.floor(at) + 1 : Math.floor(at)) / 1000);
}
