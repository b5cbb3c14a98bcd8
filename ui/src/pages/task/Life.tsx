/** A task's life on an axis of time: each attempt a lane, waits and runs in colours of their own. */

import type { CSSProperties } from 'react';

import type { HistoryGap, TaskDetail } from '~/api/client';
import { useNow } from '~/api/live';
import { useGaps } from '~/api/queries';
import { Clock } from '~/components/Moment';
import { Empty } from '~/components/Notice';
import { Panel } from '~/components/Panel';
import { Glyph, toneClass } from '~/components/State';
import { duration, plural } from '~/lib/format';
import { together, within } from '~/lib/gaps';
import { type Attempt, LABELS, type Life as Lived, type Part, type Scale, labelled, life, scale, sums } from '~/lib/life';
import { isOver, look, stateWord } from '~/lib/states';
import { visible } from '~/lib/text';

import styles from './life.module.css';

const MOST_LANES = 12; // the first and the last of many tell enough
const LABEL_ROOM = 0.11; // of the width, for a label of the axis

export function Life({ task }: { task: TaskDetail }) {
  const now = useNow();
  const lived = life(task, now);
  const gaps = useMissed(task, lived);
  if (lived === null) {
    return (
      <Panel title="Life">
        <Empty title="No event of this task has a time">Only its state is known.</Empty>
      </Panel>
    );
  }
  const axis = scale(lived);
  const going = !isOver(task.state);
  const { attempts } = lived;
  const shown = attempts.length > MOST_LANES
    ? [...attempts.slice(0, 1), ...attempts.slice(1 - MOST_LANES)]
    : attempts;
  return (
    <Panel title="Life" note={note(lived, going)} padded>
      <div className={styles.life}>
        <ol className={styles.lanes} data-testid="attempts">
          {shown.map((attempt) => (
            <Lane key={attempt.number} attempt={attempt} axis={axis} alone={attempts.length === 1} gaps={gaps} />
          ))}
        </ol>
        <Axis axis={axis} start={lived.start} />
        <ul className={styles.legend} aria-label="Where its time went">
          {sums(attempts).map(({ kind, seconds, open }) => (
            <li key={kind}>
              <span className={styles.swatch} data-kind={kind} />
              {LABELS[kind]} <strong>{duration(seconds)}</strong>
              {open && ' so far'}
            </li>
          ))}
        </ul>
        <Notes axis={axis} skewed={lived.skewed} hidden={attempts.length - shown.length} gaps={gaps} />
      </div>
    </Panel>
  );
}

const ASKED_SECONDS = 30; // a life that goes on is asked about in steps of so much

/** The times of its life in which nothing was heard, or not all of what its worker told. */
function useMissed(task: TaskDetail, lived: Lived | null): readonly HistoryGap[] {
  const [from, to] = [lived?.start ?? 0, lived?.end ?? 0];
  const { data } = useGaps(Math.floor(from), Math.ceil(to / ASKED_SECONDS) * ASKED_SECONDS, lived !== null);
  return within(data?.gaps ?? [], from, to).filter(({ worker }) => worker === null || worker === task.worker);
}

function note({ attempts, start, end }: Lived, going: boolean): string {
  const took = `${duration(end - start)}${going ? ' so far' : ' from the first to the last event'}`;
  return attempts.length > 1 ? `${plural(attempts.length, 'attempt')}, ${took}` : took;
}

interface NotesProps {
  axis: Scale;
  skewed: boolean;
  hidden: number;
  gaps: readonly HistoryGap[];
}

function Notes({ axis, skewed, hidden, gaps }: NotesProps) {
  if (!axis.stretched && !skewed && hidden === 0 && gaps.length === 0) return null;
  return (
    <p className={styles.notes}>
      {gaps.length > 0 && <span data-testid="life-gaps">Hatched: {visible(together(gaps))}. What happened then may be missing. </span>}
      {hidden > 0 && `${plural(hidden, 'attempt')} in between not drawn. `}
      {axis.stretched && 'Short parts are drawn wider than they were. '}
      {skewed && 'Each moment is by its sender’s clock, and these clocks do not agree: the order may be off.'}
    </p>
  );
}

interface LaneProps {
  attempt: Attempt;
  axis: Scale;
  alone: boolean;
  gaps: readonly HistoryGap[];
}

function Lane({ attempt, axis, alone, gaps }: LaneProps) {
  const { number, parts, state, at } = attempt;
  const { tone, glyph } = look(state ?? 'STARTED');
  return (
    <li className={styles.lane} data-attempt={number} data-state={state ?? undefined}>
      <div className={alone ? 'sr' : styles.head}>
        <span className={styles.number}>Attempt {number}</span>
        {state !== null && (
          <span className={`${styles.outcome} ${toneClass(tone)}`}>
            <Glyph name={glyph} size={10} /> {stateWord(state)} at <Clock at={at} />
          </span>
        )}
        <span className={styles.words}>{parts.map(describe).join(' · ')}</span>
      </div>
      <div className={styles.track} aria-hidden="true">
        {parts.map((part, index) => (
          <Bar key={index} part={part} axis={axis} />
        ))}
        {gaps.map((gap) => (
          <Missed key={`${gap.kind} ${gap.start}`} gap={gap} axis={axis} />
        ))}
      </div>
    </li>
  );
}

function describe({ kind, start, end, open }: Part): string {
  return `${LABELS[kind].toLowerCase()} ${duration(end - start)}${open ? ' so far' : ''}`;
}

function Bar({ part, axis }: { part: Part; axis: Scale }) {
  const { kind, start, end, open } = part;
  const left = axis.place(start);
  const width = axis.place(end) - left;
  const style: CSSProperties = { insetInlineStart: percent(left), width: percent(width) };
  return (
    <span className={styles.bar} data-kind={kind} data-open={open || undefined} style={style} title={describe(part)}>
      <span className={styles.label}>
        <span className={styles.word}>{LABELS[kind]} </span>
        {duration(end - start)}
      </span>
    </span>
  );
}

function Missed({ gap, axis }: { gap: HistoryGap; axis: Scale }) {
  const left = axis.place(gap.start);
  const width = (gap.end === null ? 1 : axis.place(gap.end)) - left;
  return <span className={styles.missed} style={{ insetInlineStart: percent(left), width: percent(width) }} title={together([gap])} />;
}

/** How long after the first event. */
function Axis({ axis, start }: { axis: Scale; start: number }) {
  return (
    <div className={styles.axis} aria-hidden="true">
      {labelled(axis, LABEL_ROOM).map((at) => {
        const place = axis.place(at);
        return (
          <span
            key={at}
            className={styles.tick}
            data-edge={place === 0 ? 'start' : place === 1 ? 'end' : undefined}
            style={{ insetInlineStart: percent(place) }}
          >
            {at === start ? <Clock at={at} /> : `+${duration(at - start)}`}
          </span>
        );
      })}
    </div>
  );
}

function percent(part: number): string {
  return `${(100 * part).toFixed(3)}%`;
}
