/** The first thing one reads: is it well, and if not, what is the matter. */

import { useEffect, useState } from 'react';

import { live, useLink, useLive, useNow } from '~/api/live';
import { DoorLink } from '~/components/DoorLink';
import { Line } from '~/components/Plain';
import { Glyph, toneClass } from '~/components/State';
import { type Finding, type Standing, type Verdict as Judged, settle, verdict } from '~/lib/health';
import type { Glyph as GlyphName, Tone } from '~/lib/states';

import styles from './Verdict.module.css';

const LOOKS: Record<Judged['level'], { tone: Tone; glyph: GlyphName; word: string }> = {
  good: { tone: 'success', glyph: 'check', word: 'All well' },
  note: { tone: 'waiting', glyph: 'ring', word: 'Note' },
  warn: { tone: 'retry', glyph: 'diamond', word: 'Warning' },
  bad: { tone: 'failure', glyph: 'cross', word: 'Trouble' },
  unknown: { tone: 'waiting', glyph: 'ring', word: 'Waiting for the first figures …' },
};

/** Judged anew with each second, not with each frame. */
function useVerdict(): Judged {
  const overview = useLive((state) => state.overview);
  const link = useLink();
  const now = useNow();
  const first = overview === null;
  const [standing, setStanding] = useState<Standing | null>(null);
  useEffect(() => {
    const { state } = live.snapshot();
    const seen = { overview: state.overview, cells: state.grid, link, now };
    if (seen.overview) setStanding((before) => settle(before, seen));
  }, [link, now, first]);
  return verdict(standing, { overview });
}

export function Verdict() {
  const { level, findings, grounds } = useVerdict();
  const [open, setOpen] = useState(false);
  const { tone, glyph, word } = LOOKS[level];
  const [first, second, ...rest] = findings;
  return (
    <section
      className={`${styles.verdict} ${toneClass(tone)}`}
      aria-label="Is it well?"
      data-testid="verdict"
      data-level={level}
      data-findings={findings.map(({ id }) => id).join(' ')}
    >
      <span className={styles.mark}>
        <Glyph name={glyph} size={16} />
      </span>
      <div className={styles.words}>
        <p className={styles.first} role="status">
          {first ? <Said finding={first} /> : <strong>{word}</strong>}
        </p>
        {second ? (
          <p className={`${styles.second} ${toneClass(LOOKS[second.level].tone)}`}>
            <Said finding={second} />
          </p>
        ) : (
          <p className={styles.grounds}>
            {grounds.map((ground) => (
              <span key={ground}>{ground}</span>
            ))}
          </p>
        )}
        {open &&
          rest.map((finding) => (
            <p key={finding.id} className={`${styles.second} ${toneClass(LOOKS[finding.level].tone)}`}>
              <Said finding={finding} />
            </p>
          ))}
      </div>
      {rest.length > 0 && (
        <button type="button" className={styles.more} aria-expanded={open} onClick={() => setOpen(!open)}>
          {open ? 'Less' : `${rest.length} more`}
        </button>
      )}
    </section>
  );
}

function Said({ finding: { id, level, say, door } }: { finding: Finding }) {
  const words = say.map((part, index) =>
    typeof part === 'string' ? (
      <span key={index}>{part}</span>
    ) : (
      <span key={index} className={styles.name}>
        <Line text={part.name} />
      </span>
    ),
  );
  const { word, tone, glyph } = LOOKS[level];
  return (
    <span className={`${styles.said} ${toneClass(tone)}`} data-finding={id}>
      <span className="sr">{word}: </span>
      <span className={styles.sign}>
        <Glyph name={glyph} size={10} />
      </span>
      {door ? (
        <DoorLink door={door} className={styles.door}>
          {words}
        </DoorLink>
      ) : (
        <span>{words}</span>
      )}
    </span>
  );
}
