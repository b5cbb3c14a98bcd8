/** The tasks chosen in the list; nothing is sent from here. */

import { useCallback, useEffect, useMemo, useRef, useState } from 'react';

import type { TaskRow } from '~/api/client';
import { useControl } from '~/components/control/useControl';
import { useKeys } from '~/components/useKeys';
import { BULK, NOTHING, type Selection, isEmpty, ranged, refreshed, toggled } from '~/lib/selection';

export interface Selecting {
  possible: boolean; // something can be done to what is chosen
  selection: Selection;
  onSelect: (uuid: string, range: boolean) => void;
  all: () => void;
  clear: () => void;
}

interface Options {
  rows: readonly TaskRow[] | null;
  query: string | null;
  at: string | null; // the task that the keys are at
}

export function useSelection({ rows, query, at }: Options): Selecting {
  const { may } = useControl();
  const possible = BULK.some(may);
  const [selection, setSelection] = useState<Selection>(NOTHING);
  // One function for all rows and all times: rows are drawn again only when they change.
  const listed = useRef(rows);
  useEffect(() => {
    listed.current = rows;
  });
  const onSelect = useCallback((uuid: string, range: boolean) => {
    const list = listed.current ?? [];
    const task = list.find((one) => one.uuid === uuid);
    if (!task) return;
    setSelection((before) => (range ? ranged(before, list, uuid) : toggled(before, task)));
  }, []);
  useEffect(() => {
    if (rows) setSelection((before) => refreshed(before, rows));
  }, [rows]);
  const clear = useCallback(() => setSelection(NOTHING), []);
  const all = useCallback(() => {
    if (query !== null) setSelection({ kind: 'all', query });
  }, [query]);
  useEffect(() => {
    // Another query matches other tasks; those chosen by hand stay.
    setSelection((before) => (before.kind === 'all' && before.query !== query ? NOTHING : before));
  }, [query]);
  useKeys('Tasks', [
    { keys: 'x', does: 'Select it, or not', run: () => at !== null && onSelect(at, false), when: possible && at !== null },
    { keys: 'X', does: 'Select from the last one to it', run: () => at !== null && onSelect(at, true), when: possible && at !== null },
    { keys: 'A', does: 'Select all that match', run: all, when: possible && query !== null },
    { keys: 'Escape', does: 'Select none', run: clear, when: at === null && !isEmpty(selection) },
  ]);
  // The same while nothing changes: the rows are drawn again only when something does.
  return useMemo(() => ({ possible, selection, onSelect, all, clear }), [possible, selection, onSelect, all, clear]);
}
