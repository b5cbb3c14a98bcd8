/** A task's or a worker's state: a shape, a word and a colour, in this order of weight. */

import type { WorkerRow } from '~/api/client';
import { type Glyph as GlyphName, type Tone, look, stateWord } from '~/lib/states';
import { clip, visible } from '~/lib/text';

import styles from './State.module.css';

const GLYPHS: Record<GlyphName, { d: string; fill?: boolean }> = {
  ring: { d: 'M6 2.2a3.8 3.8 0 1 0 0 7.6 3.8 3.8 0 0 0 0-7.6z' },
  dot: { d: 'M6 3.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6z', fill: true },
  play: { d: 'M3.4 2v8l6.4-4z', fill: true },
  check: { d: 'M2 6.4l2.8 2.8L10 3.4' },
  cross: { d: 'M2.8 2.8l6.4 6.4M9.2 2.8L2.8 9.2' },
  loop: { d: 'M9.6 6.8A3.8 3.8 0 1 1 8.8 3.4M9.6 1.4v2.6H7' },
  bar: { d: 'M6 2a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM3.2 8.8l5.6-5.6' },
  minus: { d: 'M2.2 2.2h7.6v7.6H2.2zM4.2 6h3.6' },
  question: { d: 'M3.9 4.3a2.1 2.1 0 1 1 3.1 1.8c-.7.4-1 .8-1 1.5M6 10h.01' },
  diamond: { d: 'M6 1.8L10.2 6 6 10.2 1.8 6z' },
};

export function Glyph({ name, size = 12 }: { name: GlyphName; size?: number }) {
  const { d, fill = false } = GLYPHS[name];
  return (
    <svg
      className={styles.glyph}
      width={size}
      height={size}
      viewBox="0 0 12 12"
      fill={fill ? 'currentColor' : 'none'}
      stroke={fill ? 'none' : 'currentColor'}
      strokeWidth={1.7}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      <path d={d} />
    </svg>
  );
}

/** The class that sets `--tone` and `--tone-soft`. */
export function toneClass(tone: Tone): string {
  return styles[tone] ?? '';
}

const WORD_LIMIT = 40;

export function StatePill({ state }: { state: string }) {
  const { tone, glyph } = look(state);
  return (
    <span className={`${styles.state} ${styles.pill} ${toneClass(tone)}`} data-state={state}>
      <Glyph name={glyph} />
      <bdi className={styles.word}>{visible(clip(stateWord(state), WORD_LIMIT).text)}</bdi>
    </span>
  );
}

const STATUSES: Record<WorkerRow['status'], { tone: Tone; glyph: GlyphName; word: string }> = {
  online: { tone: 'success', glyph: 'dot', word: 'Online' },
  offline: { tone: 'failure', glyph: 'cross', word: 'Offline' },
  unknown: { tone: 'waiting', glyph: 'ring', word: 'Unknown' },
};

interface WorkerStatusProps {
  status: WorkerRow['status'];
  pill?: boolean;
  brief?: boolean; // the shape alone; the word is in the title and for screen readers
}

export function WorkerStatus({ status, pill = false, brief = false }: WorkerStatusProps) {
  const { tone, glyph, word } = STATUSES[status];
  const shape = pill ? `${styles.state} ${styles.pill}` : styles.state;
  return (
    <span
      className={`${shape} ${toneClass(tone)}`}
      data-status={status}
      title={brief ? word : undefined}
    >
      <Glyph name={glyph} />
      <span className={brief ? 'sr' : undefined}>{word}</span>
    </span>
  );
}
