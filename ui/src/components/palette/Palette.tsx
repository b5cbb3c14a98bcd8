/** Ctrl-K: a few letters of a page, a worker, a queue, a task or an action, and Enter. */

import { useRouter } from '@tanstack/react-router';
import {
  type KeyboardEvent,
  type ReactNode,
  useDeferredValue,
  useEffect,
  useId,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from 'react';

import { plural } from '~/lib/format';
import { type Item, type ItemKind, idTyped, item, itemKey, meant, moved, rank, sameItem } from '~/lib/palette';
import { type Chosen, type TargetKind, TARGET_WORD, request, targetsOf } from '~/lib/palette-targets';
import { queryOf } from '~/lib/query';
import { sortOf, stripped } from '~/lib/task-query';
import { clip, visible } from '~/lib/text';

import { Key } from '../Button';
import { useControl } from '../control/useControl';
import { Icon, type IconName } from '../Icon';
import { Host, Line, TaskName } from '../Plain';
import { PAGES } from '../shell/Shell';
import styles from './Palette.module.css';
import { ANYTHING, PaletteField } from './PaletteField';
import { recall, remember } from './recent';
import { type PartWord, type Things, useTaskItems, useThings } from './usePaletteItems';

const SHOWN = 50; // more is not read; more letters find it
const EVERYONE = item('worker', '', 'Every worker', 'that is there when it is sent');

interface Step {
  command: string;
  chosen: readonly Chosen[];
  left: readonly TargetKind[]; // still to be chosen; the first is asked for now
}

interface PaletteProps {
  typed: string;
  onType: (text: string) => void;
  entered: boolean; // Enter was pressed before this was here
  close: () => void; // gives the focus back
}

export default function Palette({ typed, onType, entered: early, close }: PaletteProps) {
  const [step, setStep] = useState<Step | null>(null);
  const [mark, setMark] = useState<string | null>(null); // by arrow keys or the pointer; null: the first
  const [entered, setEntered] = useState(early); // and not answered yet
  const things = useThings();
  const wanted = step?.left[0] ?? null;
  const query = useDeferredValue(typed);
  const tasks = useTaskItems(wanted === null || wanted === 'task' ? typed : '');
  const [recent] = useState(recall);
  const { items, left } = useFound(query, things, tasks.items, step, recent);
  const { act } = useActs();
  const list = useId();

  useEffect(() => setMark(null), [query, step]);
  const marked = mark === null ? -1 : items.findIndex((one) => itemKey(one) === mark);
  const at = items.length === 0 ? -1 : Math.max(marked, 0);
  const point = (index: number) => {
    const one = items[index];
    setMark(one ? itemKey(one) : null);
    setEntered(false);
  };

  const type = (text: string) => {
    setEntered(false);
    onType(text);
  };
  const begin = (next: Step | null) => {
    setStep(next);
    type('');
  };
  const finish = (run: () => void) => {
    close(); // before another dialog takes the focus
    run();
  };
  const choose = (one: Item) => {
    if (step && wanted) return aim(step, { kind: wanted, value: one.value });
    if (one.kind !== 'action') {
      remember(one);
      return finish(() => act.go(one));
    }
    const command = things.commands.get(one.value);
    if (!command) return;
    remember(one);
    const targets = targetsOf(command);
    if (targets.length > 0) return begin({ command: command.name, chosen: [], left: targets });
    finish(() => act.ask(request(command, [])));
  };
  const aim = (from: Step, target: Chosen) => {
    const [, ...rest] = from.left;
    const all = [...from.chosen, target];
    const command = things.commands.get(from.command);
    if (!command) return;
    if (rest.length > 0) return begin({ ...from, chosen: all, left: rest });
    finish(() => act.ask(request(command, all)));
  };

  // Enter means what is typed, also where the list is still that of fewer letters.
  const unknown = tasks.unknown || things.pending.some((word) => wanted === null || word === COMES_AS[wanted]);
  const meaning = entered && query === typed ? meant(typed, items, unknown) : 'later';
  useEffect(() => {
    if (meaning === 'later') return;
    setEntered(false);
    if (meaning) choose(meaning);
    // eslint-disable-next-line react-hooks/exhaustive-deps -- what is chosen decides it, once
  }, [meaning]);

  const press = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return;
    const { key } = event;
    const by = STEPS[key];
    if (by !== undefined) point(Math.abs(by) === 1 ? moved(at, by, items.length) : clamped(at + by, items.length));
    else if (key === 'Enter') {
      const one = query === typed ? items[marked] : undefined;
      if (one) choose(one);
      else setEntered(true);
    } else if (key === 'Escape') {
      if (step) begin(null);
      else close();
    } else if (key === 'Backspace' && typed === '' && step) begin(null);
    else if (key === 'k' && (event.ctrlKey || event.metaKey)) close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  const command = step && things.commands.get(step.command);
  const label = wanted === null ? ANYTHING : `${command?.title ?? ''}: which ${TARGET_WORD[wanted]}?`;
  return (
    <>
      <PaletteField
        label={label}
        crumb={command?.title}
        aria-expanded={items.length > 0}
        aria-controls={list}
        aria-activedescendant={at >= 0 ? optionId(list, at) : undefined}
        placeholder={wanted === null ? undefined : `Which ${TARGET_WORD[wanted]}?`}
        value={typed}
        onChange={({ currentTarget }) => type(currentTarget.value)}
        onKeyDown={press}
      />
      <Options id={list} label={label} items={items} at={at} onPoint={point} onChoose={choose} />
      <Foot query={query} shown={items.length} left={left} things={things} looking={tasks.pending} wanted={wanted} entered={entered && unknown} />
    </>
  );
}

/** What has to be there before it is known what is meant. */
const COMES_AS: Readonly<Record<TargetKind, PartWord>> = { worker: 'workers', queue: 'queues', name: 'task names', task: 'tasks' };

const PAGE = 8;
const STEPS: Readonly<Record<string, number>> = { ArrowDown: 1, ArrowUp: -1, PageDown: PAGE, PageUp: -PAGE };

function clamped(at: number, many: number): number {
  return Math.max(0, Math.min(at, many - 1));
}

// ------------------------------------------------------------------ what is found

function useFound(query: string, things: Things, tasks: readonly Item[], step: Step | null, recent: readonly Item[]) {
  const { pages, actions, workers, queues, names, searches, commands } = things;
  const wanted = step?.left[0] ?? null;
  const everyone = step !== null && wanted === 'worker' && commands.get(step.command)?.needs_workers === false;
  return useMemo(() => {
    // One may have lost since what was done or opened then.
    const lately = recent.filter((one) =>
      one.kind === 'action' ? commands.has(one.value) : one.kind !== 'page' || pages.some((page) => sameItem(page, one)));
    switch (wanted) {
      case null: {
        const ranked = rank(query, [...pages, ...searches, ...actions, ...workers, ...queues, ...names], lately, SHOWN);
        return { items: [...tasks, ...ranked.items], left: ranked.left };
      }
      case 'worker':
        return rank(query, everyone ? [EVERYONE, ...workers] : workers, [], SHOWN);
      case 'queue':
        return withTyped(query, 'queue', rank(query, queues, [], SHOWN));
      case 'name':
        return withTyped(query, 'name', rank(query, names, [], SHOWN));
      case 'task':
        return withTyped(query, 'task', { items: tasks, left: 0 });
    }
  }, [query, pages, actions, workers, queues, names, searches, tasks, wanted, everyone, commands, recent]);
}

/** What is not known here may be there all the same: it can be given as it was typed. */
function withTyped(query: string, kind: ItemKind, found: { items: readonly Item[]; left: number }) {
  const text = query.trim();
  const typed = item(kind, text, text, 'as you typed it');
  if (text === '' || found.items.some((one) => sameItem(one, typed))) return found;
  return { items: [...found.items, typed], left: found.left };
}

// ------------------------------------------------------------------ what is done

function useActs() {
  const router = useRouter();
  const { ask } = useControl();
  const go = ({ kind, value }: Item) => {
    if (kind === 'worker') return router.navigate({ to: '/workers/$hostname', params: { hostname: value } });
    if (kind === 'queue') return router.navigate({ to: '/queues', search: { queue: value } });
    if (kind === 'name') return router.navigate({ to: '/tasks', search: { query: queryOf({ name: value }) } });
    if (kind === 'task') return router.navigate({ to: '/tasks/$uuid', params: { uuid: value } });
    if (kind === 'search') {
      const [order = '', ...words] = value.split(' ');
      return router.navigate({ to: '/tasks', search: stripped({ query: words.join(' '), sort: sortOf(order) }) });
    }
    const page = PAGES.find(({ to }) => to === value);
    return page ? router.navigate({ to: page.to }) : undefined;
  };
  return { act: { go: (one: Item) => void go(one), ask } };
}

// ------------------------------------------------------------------ how it looks

const WORDS: Record<ItemKind, string> = {
  page: 'Page', action: 'Action', worker: 'Worker', queue: 'Queue', name: 'Tasks named so', task: 'Task', search: 'Saved search',
};
const ICONS: Record<ItemKind, IconName> = {
  page: 'right', action: 'play', worker: 'workers', queue: 'queues', name: 'filter', task: 'tasks', search: 'bookmark',
};

interface OptionsProps {
  id: string;
  label: string;
  items: readonly Item[];
  at: number;
  onPoint: (at: number) => void;
  onChoose: (one: Item) => void;
}

function Options({ id, label, items, at, onPoint, onChoose }: OptionsProps) {
  const box = useRef<HTMLUListElement>(null);
  useLayoutEffect(() => {
    box.current?.querySelector('[aria-selected=true]')?.scrollIntoView({ block: 'nearest' });
  }, [at, items]);
  return (
    <ul ref={box} id={id} className={styles.options} role="listbox" aria-label={label}>
      {items.map((one, index) => (
        <li
          key={itemKey(one)}
          id={optionId(id, index)}
          className={styles.option}
          role="option"
          aria-selected={index === at}
          onPointerMove={() => index !== at && onPoint(index)}
          onPointerDown={(event) => event.preventDefault()} // the keyboard stays in the field
          onClick={() => onChoose(one)}
          data-kind={one.kind}
          data-value={one.value}
        >
          <Icon name={pageIcon(one) ?? ICONS[one.kind]} size={14} />
          <span className={styles.label}>
            <Label of={one} />
          </span>
          <span className={styles.hint}>{one.hint !== '' && <Line text={one.hint} />}</span>
          <span className={styles.kind}>{WORDS[one.kind]}</span>
        </li>
      ))}
    </ul>
  );
}

function optionId(list: string, index: number): string {
  return `${list}-${index}`;
}

function pageIcon({ kind, value }: Item): IconName | undefined {
  return kind === 'page' ? PAGES.find(({ to }) => to === value)?.icon : undefined;
}

function Label({ of: { kind, label, value } }: { of: Item }) {
  switch (kind) {
    case 'worker':
      return value === '' ? label : <Host hostname={label} />;
    case 'name':
      return <TaskName name={label} />;
    case 'task':
      return <Line text={label} mono />;
    default:
      return <Line text={label} />;
  }
}

interface FootProps {
  query: string;
  shown: number;
  left: number;
  things: Things;
  looking: boolean;
  wanted: TargetKind | null;
  entered: boolean; // Enter waits for what has not come yet
}

/** How many there are; what has not come yet, and what cannot be had. */
function Foot({ query, shown, left, things: { pending, failed }, looking, wanted, entered }: FootProps) {
  const waiting = looking ? [...pending, 'tasks'] : pending;
  const awaited = listed(waiting);
  return (
    <div className={styles.foot}>
      <p role="status" data-testid="palette-status">
        {shown === 0 ? nothing(query, waiting.length > 0, wanted) : `${plural(shown + left, query.trim() === '' ? 'thing' : 'match', query.trim() === '' ? 'things' : 'matches')}${left > 0 ? `, the first ${shown}` : ''}`}
        {waiting.length > 0 && <Said>{entered ? `Enter waits for ${awaited} …` : `Waiting for ${awaited} …`}</Said>}
        {failed.length > 0 && <Said bad>The {listed(failed)} cannot be had now.</Said>}
      </p>
      <span className={styles.keys} aria-hidden="true">
        <Key>↑</Key>
        <Key>↓</Key>
        <Key>Enter</Key>
      </span>
    </div>
  );
}

function Said({ bad = false, children }: { bad?: boolean; children: ReactNode }) {
  return <span className={bad ? styles.bad : undefined}> {children}</span>;
}

function nothing(query: string, waiting: boolean, wanted: TargetKind | null): string {
  const text = query.trim();
  if (text === '') {
    if (waiting) return 'Nothing is here yet.';
    return wanted === null ? 'Nothing is known yet.' : `Type the ${TARGET_WORD[wanted]}.`;
  }
  const told = `Nothing fits “${visible(clip(text, 40).text)}”${waiting ? ' so far' : ''}.`;
  return idTyped(text) ? `${told} No task in memory has an id that begins so.` : told;
}

function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1) ?? ''}`;
}
