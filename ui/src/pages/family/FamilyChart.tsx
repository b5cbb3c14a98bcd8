/** A family on an axis of time: a line a task, who sent whom, waits hatched and runs solid. */

import { Link } from '@tanstack/react-router';
import {
  type KeyboardEvent, type PointerEvent, type ReactNode, type RefObject, memo, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState,
} from 'react';

import type { Family, FamilyTask } from '~/api/client';
import { useNow } from '~/api/live';
import { Clock } from '~/components/Moment';
import { Line as Text, TaskName } from '~/components/Plain';
import { Glyph, toneClass } from '~/components/State';
import {
  type Bar, type GroupLine, type Join, type Line, type Span, type TaskLine, bars, beganAt, bins, joins, kindWords,
  lines, panned, stateWords, ticks, timeWords, whole, zoomed,
} from '~/lib/family';
import { count, duration } from '~/lib/format';
import { look, stateWord } from '~/lib/states';
import { clip, visible } from '~/lib/text';

import styles from './family.module.css';

const LINE = 26; // pixels
const SPARE = 8; // lines above and below what is seen
const STEP = 4; // lines: what is seen is looked at anew after so many
const ZOOM = 1.6;
const TICK_PIXELS = 96;
const PAN = 0.2;

interface ChartProps {
  family: Family;
  tall?: boolean; // on a page of its own
}

export function FamilyChart({ family, tall = false }: ChartProps) {
  const now = useNow();
  const [toggled, setToggled] = useState<ReadonlySet<number>>(new Set());
  const [span, setSpan] = useState<Span | null>(null); // null: all of it, also when it grows
  const [told, setTold] = useState<Told | null>(null);
  const drawn = useMemo(() => lines(family, toggled), [family, toggled]);
  const led = useMemo(() => joins(drawn, family.tasks), [drawn, family.tasks]);
  const moment = family.ended === null ? now : family.now;
  const all = useMemo(() => whole(family, moment), [family, moment]);
  const view = span ?? all;
  const scroller = useRef<HTMLDivElement>(null);
  const { top, height, track, labels } = useWindow(scroller);
  const first = Math.max(0, Math.floor(top / LINE) - SPARE);
  const last = Math.min(drawn.length, Math.ceil((top + height) / LINE) + SPARE);
  const zoom = useCallback(
    (factor: number, at?: number) => setSpan((old) => {
      const from = old ?? all;
      const next = zoomed(from, factor, at ?? (from.from + from.to) / 2, all);
      return next.to - next.from >= all.to - all.from ? null : next;
    }),
    [all],
  );
  const pan = useCallback((by: number) => setSpan((old) => (old === null ? null : panned(old, by, all))), [all]);
  useWheel(scroller, labels, track, view, zoom, pan);
  const toggle = useCallback((id: number) => setToggled((old) => {
    const next = new Set(old);
    if (!next.delete(id)) next.add(id);
    return next;
  }), []);
  const move = useLines(scroller, drawn.length);
  const press = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const done = {
      '+': () => zoom(1 / ZOOM), '=': () => zoom(1 / ZOOM), '-': () => zoom(ZOOM), '0': () => setSpan(null),
      ArrowLeft: () => pan(-PAN), ArrowRight: () => pan(PAN), ArrowDown: () => move(1), ArrowUp: () => move(-1),
      Home: () => move(-Infinity), End: () => move(Infinity),
    }[event.key];
    if (done === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    done();
  };
  const drag = useDrag(track, pan);
  return (
    <div className={styles.chart} data-tall={tall || undefined} data-testid="family-chart">
      <div className={styles.tools}>
        <Legend />
        <button type="button" className={styles.fit} aria-label="Zoom in" title="Zoom in: + or Ctrl and the wheel" onClick={() => zoom(1 / ZOOM)}>
          +
        </button>
        <button type="button" className={styles.fit} aria-label="Zoom out" title="Zoom out: -" onClick={() => zoom(ZOOM)} disabled={span === null}>
          −
        </button>
        <button type="button" className={styles.fit} title="Show all of the time: 0" onClick={() => setSpan(null)} disabled={span === null}>
          Fit
        </button>
      </div>
      {/* Its own keys zoom and pan, so it takes the focus itself. */}
      <div
        className={styles.scroller}
        ref={scroller}
        tabIndex={0}
        role="group"
        aria-label={`Family on an axis of time: ${stateWords(family.states)}. Arrows go from line to line and in time, plus and minus zoom.`}
        onKeyDown={press}
        onMouseLeave={() => setTold(null)}
        {...drag}
      >
        <Axis view={view} start={all.from} width={track} />
        <div className={styles.lines} role="list" style={{ height: drawn.length * LINE }}>
          <Joins led={led} first={first} last={last} left={labels} width={track} view={view} total={drawn.length} />
          {drawn.slice(first, last).map((line, offset) => {
            const index = first + offset;
            const common = { index, total: drawn.length, now: moment, view, tell: setTold };
            return line.kind === 'group' ? (
              <GroupRow key={`group ${line.group.id}`} line={line} toggle={toggle} {...common} />
            ) : (
              <TaskRow key={line.task.uuid} line={line} self={line.task.uuid === family.uuid} {...common} />
            );
          })}
          {told !== null && told.index < drawn.length && (
            <Card told={told} line={drawn[told.index]} family={family} now={moment} below={told.index * LINE - top < height / 2} />
          )}
        </div>
      </div>
    </div>
  );
}

/** What the pointer or the focus is on. */
interface Told {
  readonly index: number;
  readonly x: number; // pixels, in the chart
}

// ---------------------------------------------------------------------------------- lines

interface RowProps {
  index: number;
  total: number;
  now: number;
  view: Span;
  tell: (told: Told | null) => void;
}

/** Where a moment lies in what is shown, from 0 to 1. */
function placeIn({ from, to }: Span, at: number): number {
  return (at - from) / (to - from);
}

function Row({ index, total, tell, children, ...rest }: Pick<RowProps, 'index' | 'total' | 'tell'> & { children: ReactNode } & Record<`data-${string}`, unknown>) {
  const at = (event: { currentTarget: HTMLElement; clientX: number }) => event.clientX - event.currentTarget.getBoundingClientRect().left;
  return (
    <div
      className={styles.line}
      role="listitem"
      aria-posinset={index + 1}
      aria-setsize={total}
      style={{ top: index * LINE, height: LINE }}
      data-index={index}
      onMouseMove={(event) => tell({ index, x: at(event) })}
      onFocus={() => tell({ index, x: 24 })}
      onBlur={() => tell(null)}
      {...rest}
    >
      {children}
    </div>
  );
}

// A line is made anew only where something of it changed: scrolling makes those that come into sight.
const TaskRow = memo(function TaskRow({ line, self, index, total, now, view, tell }: RowProps & { line: TaskLine; self: boolean }) {
  const { task, depth, group, edge } = line;
  const { uuid, name, state, known, critical } = task;
  const all = bars(task, now);
  const { tone, glyph } = look(state ?? 'PENDING');
  return (
    <Row
      index={index} total={total} tell={tell}
      data-uuid={uuid} data-state={state ?? undefined} data-critical={critical || undefined} data-self={self || undefined}
    >
      <span className={styles.label} style={{ paddingInlineStart: indent(depth) }}>
        {group !== null && <span className={styles.bracket} data-kind={group.kind} data-edge={edge ?? undefined} style={{ insetInlineStart: bracketAt(depth) }} />}
        <span className={known ? toneClass(tone) : toneClass('waiting')} data-glyph="">
          <Glyph name={known ? glyph : 'ring'} size={11} />
        </span>
        <Link to="/tasks/$uuid" params={{ uuid }} className={styles.name} data-line="">
          {known ? <TaskName name={name} /> : <Text text={uuid} mono />}
          <span className="sr">
            , {known ? visible(clip(stateWord(state ?? ''), 80).text) : 'nothing is known of it'}, {timeWords(task, now)}
            {critical && ', on the critical path'}
          </span>
        </Link>
        {task.kind === 'body' && <abbr className={styles.mark} title="A chord’s body: it waited for the header">chord</abbr>}
      </span>
      <span className={styles.track} data-track="" aria-hidden="true">
        {all.map((bar, number) => (
          <BarOf key={number} bar={bar} view={view} />
        ))}
        <Beyond start={all[0]?.start} end={all.at(-1)?.end} view={view} />
        {beganAt(task) === null && <span className={styles.unknown}>{known ? 'no time is known' : 'nothing is known of it'}</span>}
      </span>
    </Row>
  );
});

function BarOf({ bar: { kind, start, end, open, state }, view }: { bar: Bar; view: Span }) {
  if (end < view.from || start > view.to) return null;
  const left = Math.max(placeIn(view, start), -0.01);
  const width = Math.min(placeIn(view, end), 1.01) - left;
  const { tone } = look(kind === 'run' && open ? 'STARTED' : kind === 'run' ? state : 'PENDING');
  return (
    <span
      className={`${styles.bar} ${toneClass(kind === 'pause' ? 'retry' : tone)}`}
      data-kind={kind}
      data-open={open || undefined}
      style={{ insetInlineStart: percent(left), width: percent(width) }}
    />
  );
}

/** Where a line has nothing in sight it says in which direction it is. */
function Beyond({ start, end, view }: { start: number | undefined; end: number | undefined; view: Span }) {
  if (start === undefined || end === undefined || (end >= view.from && start <= view.to)) return null;
  return <span className={styles.beyond} data-side={end < view.from ? 'before' : 'after'} />;
}

const GroupRow = memo(function GroupRow({ line, toggle, index, total, now, view, tell }: RowProps & { line: GroupLine; toggle: (id: number) => void }) {
  const { group, tasks, depth, open } = line;
  const sums = useMemo(() => (open ? [] : bins(tasks, now)), [open, tasks, now]);
  return (
    <Row index={index} total={total} tell={tell} data-group={group.id}>
      <span className={styles.label} style={{ paddingInlineStart: indent(depth) }}>
        <button type="button" className={styles.group} aria-expanded={open} onClick={() => toggle(group.id)} data-line="">
          <span className={styles.chevron} aria-hidden="true" />
          <span className={styles.size}>{count(group.size)} ×</span>
          {group.name === null ? <span className={styles.mixed}>{group.kind === 'chord' ? 'a chord’s header' : 'sent together'}</span> : <TaskName name={group.name} />}
          <span className="sr">: {stateWords(group.states)}</span>
        </button>
        <Tallies states={group.states} />
      </span>
      <span className={styles.track} data-track="" aria-hidden="true">
        {sums.map(({ start, end, running, waiting, failed }, number) => {
          const left = placeIn(view, start);
          const right = placeIn(view, end);
          if (right < 0 || left > 1) return null;
          return (
            <span key={number} className={styles.bin} style={{ insetInlineStart: percent(left), width: percent(right - left) }}>
              <span className={styles.waiting} style={{ height: percent(waiting) }} />
              <span className={`${styles.running} ${toneClass(failed ? 'failure' : 'success')}`} style={{ height: percent(running) }} />
            </span>
          );
        })}
        <Beyond start={sums[0]?.start} end={sums.at(-1)?.end} view={view} />
      </span>
    </Row>
  );
});

function Tallies({ states }: { states: Readonly<Record<string, number>> }) {
  return Object.entries(states)
    .filter(([state]) => state !== 'SUCCESS')
    .slice(0, 3)
    .map(([state, number]) => (
      <span key={state} className={`${styles.tally} ${toneClass(look(state).tone)}`} title={`${count(number)} ${stateWord(state)}`} aria-hidden="true">
        <Glyph name={look(state).glyph} size={10} />
        {count(number)}
      </span>
    ));
}

// ---------------------------------------------------------------------------------- who sent whom

interface JoinsProps {
  led: readonly Join[];
  first: number;
  last: number;
  left: number;
  width: number;
  view: Span;
  total: number;
}

/** A line from each task that is seen to the one that sent it, or that it waited for. */
function Joins({ led, first, last, left, width, view, total }: JoinsProps) {
  const seen = led.filter(({ from, to }) => Math.max(from, to) >= first && Math.min(from, to) < last);
  const paths = { plain: '', critical: '' };
  for (const { from, to, start, end, critical } of seen.slice(0, MOST_JOINS)) {
    const x1 = fit(placeIn(view, start) * width, width);
    const x2 = fit(placeIn(view, end) * width, width);
    if (x1 === null || x2 === null) continue;
    const y1 = from * LINE + LINE / 2 + (to > from ? 5 : -5);
    const y2 = to * LINE + LINE / 2;
    paths[critical ? 'critical' : 'plain'] += `M${x1.toFixed(1)} ${y1}V${y2}H${x2.toFixed(1)}`;
  }
  return (
    <svg className={styles.joins} style={{ insetInlineStart: left }} width={width} height={total * LINE} aria-hidden="true" focusable="false">
      <path d={paths.plain} />
      <path d={paths.critical} data-critical="" />
    </svg>
  );
}

const MOST_JOINS = 600;

/** Where on the track, at its edge where it is beyond; null: far beyond. */
function fit(x: number, width: number): number | null {
  return x < -width || x > 2 * width ? null : Math.min(width + 1, Math.max(-1, x));
}

// ---------------------------------------------------------------------------------- the axis

function Axis({ view, start, width }: { view: Span; start: number; width: number }) {
  const marks = ticks(view, start, Math.max(2, Math.floor(width / TICK_PIXELS)));
  return (
    <div className={styles.axis} aria-hidden="true">
      <span className={styles.corner} data-corner="">
        from <Clock at={start} />
      </span>
      <span className={styles.marks}>
        {marks.map((at) => {
          const x = placeIn(view, at);
          return (
            <span key={at} className={styles.tick} data-edge={x < 0.03 ? 'start' : x > 0.94 ? 'end' : undefined} style={{ insetInlineStart: percent(x) }}>
              {at - start < 1e-9 ? '0' : `+${duration(at - start)}`}
            </span>
          );
        })}
      </span>
    </div>
  );
}

function Legend() {
  return (
    <ul className={styles.legend} aria-hidden="true">
      <li>
        <span className={`${styles.swatch} ${toneClass('waiting')}`} data-kind="wait" /> waited
      </li>
      <li>
        <span className={`${styles.swatch} ${toneClass('success')}`} data-kind="run" /> ran
      </li>
      <li>
        <span className={`${styles.swatch} ${toneClass('retry')}`} data-kind="pause" /> between attempts
      </li>
      <li>
        <span className={styles.swatch} data-kind="critical" /> critical path
      </li>
    </ul>
  );
}

// ---------------------------------------------------------------------------------- what is told of a line

function Card({ told, line, family, now, below }: { told: Told; line: Line | undefined; family: Family; now: number; below: boolean }) {
  if (line === undefined) return null;
  const style = {
    top: below ? (told.index + 1) * LINE + 2 : told.index * LINE - 2,
    insetInlineStart: `clamp(0.5rem, ${Math.round(told.x)}px, max(0.5rem, 100% - 23rem))`,
    transform: below ? undefined : 'translateY(-100%)',
  };
  return (
    <div className={styles.card} style={style} aria-hidden="true">
      {line.kind === 'group' ? (
        <>
          <strong>{count(line.group.size)} {line.group.kind === 'chord' ? 'tasks of a chord’s header' : 'tasks that were sent together'}</strong>
          <span>{stateWords(line.group.states)}</span>
          <span className={styles.dim}>{!line.group.sure ? 'Inferred: events tell of no groups.' : line.group.kind === 'chord' ? 'Its body was given their results.' : 'The result backend has its id.'}</span>
        </>
      ) : (
        <About task={line.task} family={family} now={now} />
      )}
    </div>
  );
}

function About({ task, family, now }: { task: FamilyTask; family: Family; now: number }) {
  const { tone, glyph } = look(task.state ?? 'PENDING');
  if (!task.known) return <span>Others name this task; nothing was told of it.</span>;
  return (
    <>
      <strong>
        <TaskName name={task.name} />
      </strong>
      <span>
        <span className={`${styles.word} ${toneClass(tone)}`}>
          <Glyph name={glyph} size={10} /> {visible(clip(stateWord(task.state ?? ''), 80).text)}
        </span>
        {' '}
        {timeWords(task, now)}
      </span>
      {task.exception !== null && <Text text={task.exception} mono />}
      <span className={styles.dim}>
        {[kindWords(task, family.groups), task.critical && 'on the critical path'].filter(Boolean).join(', ')}
      </span>
      {(task.worker ?? task.queue) !== null && (
        <span className={styles.dim}>
          <Text text={[task.queue && `queue ${task.queue}`, task.worker && `on ${task.worker}`].filter(Boolean).join(', ')} />
        </span>
      )}
      <span className={styles.dim}>
        <Text text={task.uuid} mono />
      </span>
    </>
  );
}

// ---------------------------------------------------------------------------------- what is seen, and moving in it

interface Window {
  top: number;
  height: number;
  track: number; // its width in pixels
  labels: number;
}

function useWindow(scroller: RefObject<HTMLDivElement | null>): Window {
  const [seen, setSeen] = useState<Window>({ top: 0, height: 400, track: 600, labels: 240 });
  useLayoutEffect(() => {
    const element = scroller.current;
    if (element === null) return undefined;
    const read = () => {
      const labels = element.querySelector<HTMLElement>('[data-corner]')?.offsetWidth ?? 240;
      const top = element.scrollTop - (element.scrollTop % (STEP * LINE));
      const next = { top, height: element.clientHeight, track: Math.max(1, element.clientWidth - labels), labels };
      setSeen((old) => (same(old, next) ? old : next));
    };
    read();
    const watch = new ResizeObserver(read);
    watch.observe(element);
    element.addEventListener('scroll', read, { passive: true });
    return () => {
      watch.disconnect();
      element.removeEventListener('scroll', read);
    };
  }, [scroller]);
  return seen;
}

function same(a: Window, b: Window): boolean {
  return a.top === b.top && a.height === b.height && a.track === b.track && a.labels === b.labels;
}

type Zoom = (factor: number, at?: number) => void;

/** The wheel scrolls; with Ctrl it zooms where the pointer is, sideways or with Shift it pans. */
function useWheel(
  scroller: RefObject<HTMLDivElement | null>, labels: number, track: number, view: Span, zoom: Zoom, pan: (by: number) => void,
): void {
  const current = useRef({ labels, track, view, zoom, pan });
  useEffect(() => {
    current.current = { labels, track, view, zoom, pan };
  });
  useEffect(() => {
    const element = scroller.current;
    if (element === null) return undefined;
    const turn = (event: WheelEvent) => {
      const { labels, track, view, zoom, pan } = current.current;
      const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
      if (event.ctrlKey || event.metaKey) {
        const part = (event.clientX - element.getBoundingClientRect().left - labels) / track;
        zoom(Math.exp(event.deltaY / 200), view.from + Math.min(1, Math.max(0, part)) * (view.to - view.from));
      } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        pan(sideways / track);
      } else {
        return;
      }
      event.preventDefault();
    };
    element.addEventListener('wheel', turn, { passive: false });
    return () => element.removeEventListener('wheel', turn);
  }, [scroller]);
}

/** Pulls the time along with the pointer. */
function useDrag(track: number, pan: (by: number) => void) {
  const from = useRef<number | null>(null);
  return {
    onPointerDown: (event: PointerEvent) => {
      const on = event.target instanceof Element ? event.target : null;
      if (event.button === 0 && event.pointerType === 'mouse' && on?.closest('[data-track]')) from.current = event.clientX;
    },
    onPointerMove: (event: PointerEvent) => {
      if (from.current === null) return;
      if (event.buttons === 0) {
        from.current = null;
        return;
      }
      pan((from.current - event.clientX) / track);
      from.current = event.clientX;
    },
    onPointerUp: () => {
      from.current = null;
    },
  };
}

/** Goes from line to line: those that are not seen yet are drawn first. */
function useLines(scroller: RefObject<HTMLDivElement | null>, total: number): (by: number) => void {
  const wanted = useRef<number | null>(null);
  useEffect(() => {
    if (wanted.current === null) return;
    const found = scroller.current?.querySelector<HTMLElement>(`[data-index="${wanted.current}"] [data-line]`);
    if (!found) return;
    wanted.current = null;
    found.focus({ preventScroll: true });
  });
  return (by) => {
    const element = scroller.current;
    if (element === null) return;
    const on = document.activeElement?.closest('[data-index]');
    const at = on !== null && on !== undefined && element.contains(on) ? Number(on.getAttribute('data-index')) : -1;
    const index = Math.min(total - 1, Math.max(0, at + by));
    const top = index * LINE;
    if (top < element.scrollTop) element.scrollTo({ top });
    else if (top + 3 * LINE > element.scrollTop + element.clientHeight) element.scrollTo({ top: top + 3 * LINE - element.clientHeight });
    const found = element.querySelector<HTMLElement>(`[data-index="${index}"] [data-line]`);
    if (found) found.focus({ preventScroll: true });
    else wanted.current = index;
  };
}

function indent(depth: number): string {
  return `calc(0.625rem + ${depth} * var(--step))`;
}

function bracketAt(depth: number): string {
  return `calc(0.1875rem + ${depth} * var(--step))`;
}

function percent(part: number): string {
  return `${(100 * part).toFixed(3)}%`;
}
