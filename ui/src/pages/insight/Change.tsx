import type { Change } from '~/lib/insight';

import styles from './insight.module.css';

const ARROWS = { up: '▲', down: '▼', same: '' } as const;
const WORDS = { up: 'more', down: 'less', same: 'as much' } as const;

interface ChangedProps {
  change: Change | null;
  worse?: 'up' | 'down'; // which way is bad; left out: neither is
  unit?: string;
}

/** Against the time before, as long. Grey where chance alone may do as much. */
export function Changed({ change, worse, unit = '' }: ChangedProps) {
  if (change === null) return null;
  const { words, direction, sure } = change;
  const kind = !sure || direction === 'same' || worse === undefined ? undefined : direction === worse ? 'worse' : 'better';
  const doubt = sure || direction === 'same' ? '' : '; too few to say';
  return (
    <span className={styles.change} data-kind={kind} data-sure={sure || undefined} title={`${words}${unit} against the time before${doubt}`}>
      {sure && direction !== 'same' && <span aria-hidden="true">{ARROWS[direction]} </span>}
      {words}
      <span className="sr">
        {unit} {WORDS[direction]} than before{doubt}
      </span>
    </span>
  );
}
