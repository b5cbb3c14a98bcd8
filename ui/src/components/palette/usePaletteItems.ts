/** What the palette finds, from what the page knows already and two short lists. */

import { useEffect, useMemo, useState } from 'react';

import { useCommands } from '~/api/control';
import { useLive, useTopic } from '~/api/live';
import { useHistoryStatus, useNames, useQueues, useSavedSearches, useTasks } from '~/api/queries';
import type { CommandInfo } from '~/api/client';
import { type IdTyped, type Item, idTyped, item, itemKey } from '~/lib/palette';
import { valueText } from '~/lib/query';
import { stateWord } from '~/lib/states';
import { visible } from '~/lib/text';

import { usePages } from '../shell/Shell';

/** What else people call them. */
const PAGE_WORDS: Readonly<Record<string, string>> = {
  '/access': 'sessions api tokens who am i',
  '/audit': 'trail log history who did what',
};

export interface Things {
  pages: readonly Item[];
  actions: readonly Item[];
  workers: readonly Item[];
  queues: readonly Item[];
  names: readonly Item[];
  searches: readonly Item[]; // saved ones
  commands: ReadonlyMap<string, CommandInfo>;
  pending: readonly PartWord[]; // what has not come yet
  failed: readonly PartWord[]; // what cannot be had now
}

export type PartWord = 'workers' | 'queues' | 'task names' | 'actions' | 'tasks';

export function useThings(): Things {
  useTopic('grid');
  const grid = useLive((state) => state.grid);
  const queues = useQueues();
  const names = useNames(true);
  const commands = useCommands();
  const kept = useHistoryStatus().data?.kept === true;
  const saved = useSavedSearches(kept).data?.searches;

  const places = usePages();
  const pages = useMemo(() => places.map(({ to, word }) => item('page', to, word, '', PAGE_WORDS[to])), [places]);
  const known = useMemo(
    () => new Map((commands.data?.commands ?? []).filter(({ allowed }) => allowed).map((one) => [one.name, one])),
    [commands.data],
  );
  const actions = useMemo(
    () => [...known.values()].map(({ name, title, subject }) => item('action', name, title, subject, name)),
    [known],
  );
  // A heartbeat makes a new grid; which workers there are changes rarely.
  const hosts = grid ? JSON.stringify([...grid.values()].map(([hostname, status]) => [hostname, status])) : null;
  const workers = useMemo(() => readHosts(hosts), [hosts]);
  const queueItems = useMemo(
    () => (queues.data?.queues ?? []).map(({ name }) => item('queue', name)),
    [queues.data],
  );
  const nameItems = useMemo(() => (names.data ?? []).map(({ name }) => item('name', name)), [names.data]);

  const searches = useMemo(
    () => (saved ?? []).map(({ name, sort, query }) => item('search', `${sort} ${query}`, name, query === '' ? 'every task' : query, 'saved search')),
    [saved],
  );

  const parts: { word: PartWord; there: boolean; error: Error | null }[] = [
    { word: 'workers', there: grid !== null, error: null },
    { word: 'queues', there: queues.data !== undefined, error: queues.error },
    { word: 'task names', there: names.data !== undefined, error: names.error },
    { word: 'actions', there: commands.data !== undefined, error: commands.error },
  ];
  return {
    pages,
    actions,
    workers,
    queues: queueItems,
    names: nameItems,
    searches,
    commands: known,
    pending: parts.filter(({ there, error }) => !there && !error).map(({ word }) => word),
    failed: parts.filter(({ there, error }) => !there && error).map(({ word }) => word),
  };
}

function readHosts(text: string | null): Item[] {
  const hosts = JSON.parse(text ?? '[]') as [string, string][];
  return hosts.map(([hostname, status]) =>
    item('worker', hostname, hostname, status === 'online' ? '' : status),
  );
}

const TYPING_MS = 150;
const FOUND = 5;

export interface TaskItems {
  items: readonly Item[];
  pending: boolean; // none came yet
  unknown: boolean; // which of them fit what is typed now
}

/** The tasks whose id begins with what was typed. */
export function useTaskItems(typed: string): TaskItems {
  const [settled, setSettled] = useState('');
  useEffect(() => {
    const timer = window.setTimeout(() => setSettled(typed), TYPING_MS);
    return () => window.clearTimeout(timer);
  }, [typed]);
  const id = useMemo(() => idTyped(settled), [settled]);
  const asked = id !== null;
  const query = asked ? `uuid:${valueText(id.text)}*` : '';
  const { data, isFetching, isPlaceholderData } = useTasks({ query, sort: '-seen', limit: FOUND }, asked);
  const items = useMemo(() => {
    if (!id) return [];
    const rows = isPlaceholderData ? [] : (data?.tasks ?? []);
    const found = rows.map(({ uuid, name, state }) =>
      item('task', uuid, uuid, [stateWord(state), name === null ? '' : visible(name)].filter(Boolean).join(' · ')),
    );
    return withTyped(found, id);
  }, [data, id, isPlaceholderData]);
  const coming = asked && isFetching && (data === undefined || isPlaceholderData);
  const unknown = idTyped(typed) !== null && (settled !== typed || coming);
  return { items, pending: asked && isFetching && data === undefined, unknown };
}

/** A whole id is a way to a task, known here or not. */
function withTyped(found: readonly Item[], id: IdTyped): readonly Item[] {
  const typed = item('task', id.text, id.text, 'the id that you typed');
  if (!id.whole || found.some((one) => itemKey(one) === itemKey(typed))) return found;
  return [...found, typed];
}
