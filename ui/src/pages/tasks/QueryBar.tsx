/**
 * One input for the whole query. A coloured mirror lies under the input's own, transparent text; a
 * combobox (ARIA 1.2) offers what may come next.
 */

import { type KeyboardEvent, Suspense, lazy, memo, useEffect, useId, useLayoutEffect, useRef, useState } from 'react';

import type { HistorySort } from '~/api/client';
import { IconButton } from '~/components/Button';
import { Flyout } from '~/components/Flyout';
import { Icon } from '~/components/Icon';
import { Waiting } from '~/components/Notice';
import { Line } from '~/components/Plain';
import { compact } from '~/lib/format';
import { type Problem, type Span, LONGEST, analyse } from '~/lib/query-language';
import { type Suggestion, remembered, suggestions, taken } from '~/lib/suggest';
import { store, storedList } from '~/lib/stored';
import { visible } from '~/lib/text';

import styles from './QueryBar.module.css';
import { QueryHelp } from './QueryHelp';
import { useKnown } from './useKnown';

const Saved = lazy(() => import('./Saved'));

const APPLY_MS = 350; // after the last stroke
const COMPLAIN_MS = 900; // someone who is in the middle of a word is not wrong yet
const RECENT = 'recent-queries';

export type Step = 'push' | 'replace';

interface QueryBarProps {
  query: string; // of the address
  refused: Problem | null; // why the address's query is none
  sort: HistorySort; // beside which it is saved
  onApply: (query: string, step: Step) => void;
  onSaved: (search: { query: string; sort: string }) => void;
}

export const QueryBar = memo(function QueryBar({ query, refused, sort, onApply, onSaved }: QueryBarProps) {
  const input = useRef<HTMLInputElement>(null);
  const [text, setText] = useState(query);
  const [caret, setCaret] = useState(query.length);
  const [focused, setFocused] = useState(false);
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const [complaining, setComplaining] = useState(refused !== null);
  const [recent, setRecent] = useState(() => storedList(RECENT));
  const applied = useRef(query);
  const typing = useRef(false); // one entry of the history for all that is typed in one go
  const id = useId();

  // The address changed by other means: a facet, a link, the back button.
  useEffect(() => {
    if (query === applied.current) return;
    applied.current = query;
    typing.current = false;
    setText(query);
    setCaret(query.length);
    setComplaining(true);
  }, [query]);

  const { problem, spans } = analyse(text);
  const known = useKnown(focused, recent);
  const offers = open && focused ? suggestions(text, caret, known) : [];
  const shown = offers.length > 0;
  const chosen = shown ? offers[Math.min(active, offers.length - 1)] : undefined;

  const apply = (next: string) => {
    const wanted = next.trim();
    if (wanted === applied.current || analyse(wanted).problem) return;
    applied.current = wanted;
    onApply(wanted, typing.current ? 'replace' : 'push');
    typing.current = true;
  };
  // `sta` on the way to `state:` is no text that somebody looks for; Enter says that it is.
  const naming = offers.some(({ kind, from, to }) => kind === 'key' && from < to);
  useApplied(text, !naming, apply);
  useEffect(() => {
    if (!problem) return setComplaining(false);
    const timer = window.setTimeout(() => setComplaining(true), COMPLAIN_MS);
    return () => window.clearTimeout(timer);
  }, [text, problem?.message]); // eslint-disable-line react-hooks/exhaustive-deps -- a new problem object at each draw

  const commit = () => {
    setOpen(false);
    setComplaining(true);
    if (problem) return;
    apply(text);
    typing.current = false;
    remember(text);
  };
  const remember = (next: string) => {
    if (next.trim() === '') return;
    const list = remembered(recent, next.trim());
    setRecent(list);
    store(RECENT, JSON.stringify(list));
  };
  const write = (next: string, at: number) => {
    setText(next);
    setCaret(at);
    setActive(-1);
    setOpen(true);
    // After React has written the value.
    requestAnimationFrame(() => input.current?.setSelectionRange(at, at));
  };
  const take = (offer: Suggestion) => {
    const after = taken(text, offer);
    write(after.text, after.caret);
    if (offer.kind === 'recent') setOpen(false);
    input.current?.focus();
  };
  const move = (by: number) => {
    setOpen(true);
    const count = offers.length;
    if (count > 0) setActive(active < 0 ? (by > 0 ? 0 : count - 1) : (active + by + count) % count);
  };

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return;
    const { key, shiftKey } = event;
    const first = chosen ?? (text.slice(0, caret).trimEnd() === text.slice(0, caret) && text !== '' ? offers[0] : undefined);
    if (key === 'ArrowDown') move(1);
    else if (key === 'ArrowUp') move(-1);
    else if (key === 'Enter') {
      if (chosen) take(chosen);
      else commit();
    } else if (key === 'Tab' && !shiftKey && shown && first) take(first);
    else if (key === 'Escape' && shown) setOpen(false);
    else if (key === 'Escape') input.current?.blur();
    else return;
    event.preventDefault();
  };

  // While something is offered, the word is being written.
  const wrong = problem !== null && complaining && !shown ? problem : null;
  return (
    <div className={styles.bar} role="search" aria-label="Tasks">
      <div className={styles.box} data-wrong={wrong !== null || undefined}>
        <Icon name="search" size={15} />
        <div className={styles.field}>
          <Mirror input={input} text={text} spans={spans} complaining={wrong !== null} />
          <input
            ref={input}
            className={styles.input}
            data-testid="query"
            data-search
            data-plain={!isSimple(text) || undefined}
            type="text"
            role="combobox"
            aria-label="Query"
            aria-expanded={shown}
            aria-controls={`${id}-list`}
            aria-autocomplete="list"
            aria-activedescendant={chosen ? `${id}-${active}` : undefined}
            aria-invalid={wrong !== null}
            aria-describedby={wrong ? `${id}-problem` : undefined}
            autoComplete="off"
            autoCapitalize="off"
            autoCorrect="off"
            spellCheck={false}
            maxLength={2 * LONGEST}
            placeholder="Which tasks?  state:failed  runtime:>5s  since:10m  or any text"
            value={text}
            onChange={({ currentTarget }) => {
              setText(currentTarget.value);
              setCaret(currentTarget.selectionStart ?? currentTarget.value.length);
              setActive(-1);
              setOpen(true);
            }}
            onSelect={({ currentTarget }) => setCaret(currentTarget.selectionStart ?? 0)}
            onKeyDown={onKeyDown}
            onFocus={() => {
              setFocused(true);
              setOpen(true);
              setActive(-1);
            }}
            onBlur={() => {
              setFocused(false);
              if (problem === null && text.trim() !== query) apply(text);
              if (text.trim() !== '' && problem === null && typing.current) remember(text);
              typing.current = false;
            }}
          />
        </div>
        {text !== '' && (
          <IconButton icon="close" size="sm" label="Clear the query" onClick={() => {
            typing.current = false;
            setText('');
            setCaret(0);
            apply('');
            typing.current = false;
            input.current?.focus();
          }} />
        )}
        <Flyout icon="bookmark" label="Saved searches" brief testId="saved">
          <Suspense fallback={<Waiting what="the saved searches" />}>
            <Saved query={text.trim()} wrong={problem !== null} sort={sort} onApply={onSaved} />
          </Suspense>
        </Flyout>
        <QueryHelp />
      </div>
      <div className={styles.below}>
        <ul className={styles.offers} id={`${id}-list`} role="listbox" aria-label="Suggestions" data-testid="suggestions" hidden={!shown}>
          {offers.map((offer, index) => (
            <Offer key={offer.id} offer={offer} id={`${id}-${index}`} on={index === active} onTake={() => take(offer)} />
          ))}
        </ul>
        {wrong && <Complaint id={`${id}-problem`} problem={wrong} input={input} text={text} />}
      </div>
    </div>
  );
});

/** Applies what is typed when it rests, if it `may` be meant. */
function useApplied(text: string, may: boolean, apply: (text: string) => void): void {
  const current = useRef(apply);
  useEffect(() => {
    current.current = apply;
  });
  useEffect(() => {
    if (!may) return;
    const timer = window.setTimeout(() => current.current(text), APPLY_MS);
    return () => window.clearTimeout(timer);
  }, [text, may]);
}

// Text that runs the other way is not where the mirror would draw it.
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]|[\ud802\ud803\ud83a\ud83b]/;

function isSimple(text: string): boolean {
  return !RIGHT_TO_LEFT.test(text) && visible(text) === text;
}

interface MirrorProps {
  input: React.RefObject<HTMLInputElement | null>;
  text: string;
  spans: readonly Span[];
  complaining: boolean;
}

/** The same text in colours, scrolled as the input is. */
function Mirror({ input, text, spans, complaining }: MirrorProps) {
  const mirror = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const field = input.current;
    if (!field) return;
    const follow = () => {
      if (mirror.current) mirror.current.scrollLeft = field.scrollLeft;
    };
    follow();
    field.addEventListener('scroll', follow);
    return () => field.removeEventListener('scroll', follow);
  }, [input, text]);
  if (!isSimple(text)) return null;
  return (
    <div className={styles.mirror} ref={mirror} aria-hidden="true" data-complaining={complaining || undefined}>
      {pieces(text, spans).map(({ kind, part }, index) => (
        <span key={index} className={kind === null ? undefined : styles[kind]}>
          {part}
        </span>
      ))}
    </div>
  );
}

function pieces(text: string, spans: readonly Span[]): { kind: Span['kind'] | null; part: string }[] {
  const found: { kind: Span['kind'] | null; part: string }[] = [];
  let end = 0;
  for (const { kind, from, to } of spans) {
    if (from > end) found.push({ kind: null, part: text.slice(end, from) });
    found.push({ kind, part: text.slice(from, to) });
    end = to;
  }
  if (end < text.length) found.push({ kind: null, part: text.slice(end) });
  return found;
}

interface OfferProps {
  offer: Suggestion;
  id: string;
  on: boolean;
  onTake: () => void;
}

function Offer({ offer, id, on, onTake }: OfferProps) {
  const row = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (on) row.current?.scrollIntoView({ block: 'nearest' });
  }, [on]);
  return (
    <li
      ref={row}
      id={id}
      className={styles.offer}
      role="option"
      aria-selected={on}
      data-kind={offer.kind}
      // The input keeps the focus.
      onPointerDown={(event) => event.preventDefault()}
      onClick={onTake}
    >
      <span className={styles.label}>
        <Line text={offer.label} mono />
      </span>
      <span className={styles.note}>{offer.kind === 'recent' ? 'asked before' : offer.note}</span>
      <span className={styles.count}>{offer.count === null ? '' : compact(offer.count)}</span>
    </li>
  );
}

interface ComplaintProps {
  id: string;
  problem: Problem;
  input: React.RefObject<HTMLInputElement | null>;
  text: string;
}

/** What is wrong, with a mark under the place. */
function Complaint({ id, problem, input, text }: ComplaintProps) {
  const [left, setLeft] = useState(0);
  useLayoutEffect(() => {
    if (input.current) setLeft(placeOf(input.current, text.slice(0, problem.from)));
  }, [input, text, problem.from]);
  return (
    <p className={styles.complaint} id={id} role="alert" data-testid="query-error" data-position={problem.from}>
      <span className={styles.mark} style={{ left }} aria-hidden="true" />
      <strong>{visible(problem.message)}</strong> {visible(problem.hint)}
    </p>
  );
}

/** Where the text ends in the input, in px from the left of the bar; never outside of the input. */
function placeOf(input: HTMLInputElement, before: string): number {
  const style = getComputedStyle(input);
  const context = document.createElement('canvas').getContext('2d');
  if (!context) return 0;
  context.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
  const start = input.getBoundingClientRect().left - (input.closest('[role=search]')?.getBoundingClientRect().left ?? 0);
  const width = context.measureText(before).width - input.scrollLeft;
  return start + Math.min(Math.max(width, 0), input.clientWidth);
}
