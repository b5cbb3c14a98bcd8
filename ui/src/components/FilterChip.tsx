import type { ReactNode } from 'react';

import { compact } from '~/lib/format';
import type { Tone } from '~/lib/states';

import { toneClass } from './State';
import styles from './Toolbar.module.css';

interface FilterChipProps {
  label: string;
  glyph?: ReactNode;
  tone?: Tone;
  count: number | null;
  on: boolean;
  onToggle: () => void;
  testId?: string;
}

/** A count that is a filter. */
export function FilterChip({ label, glyph, tone, count, on, onToggle, testId }: FilterChipProps) {
  return (
    <button
      type="button"
      className={tone ? `${styles.chip} ${toneClass(tone)}` : styles.chip}
      aria-pressed={on}
      onClick={onToggle}
      data-testid={testId}
      data-value={count ?? undefined}
    >
      {glyph}
      <bdi>{label}</bdi>
      <span className={styles.count}>{count === null ? '' : compact(count)}</span>
    </button>
  );
}
