/** That nobody knows how it ended, and what makes us say so. */

import { Link } from '@tanstack/react-router';

import type { TaskDetail } from '~/api/client';
import { Ago } from '~/components/Moment';
import { Host, Plain } from '~/components/Plain';
import { Glyph, toneClass } from '~/components/State';
import { LOST, stateWord } from '~/lib/states';
import { clip, visible } from '~/lib/text';

import styles from './lost.module.css';

export function Lost({ task: { state, lost } }: { task: TaskDetail }) {
  if (lost === null) return null;
  const still = state === LOST;
  return (
    <section className={`${styles.lost} ${toneClass('lost')}`} aria-label="Taken for lost" data-testid="lost" data-still={still || undefined}>
      <p>
        <Glyph name="question" /> <strong>{still ? 'Nobody knows how it ended.' : 'One of its runs was taken for lost.'}</strong>{' '}
        <Plain text={clip(lost.why, 400).text} />
      </p>
      <p className={styles.rule}>
        Decided <Ago at={lost.at} />
        {lost.worker !== '' && (
          <>
            {' '}
            of its run at{' '}
            <Link to="/workers/$hostname" params={{ hostname: lost.worker }}>
              <Host hostname={lost.worker} />
            </Link>
          </>
        )}
        .{' '}
        {still
          ? 'A task that a worker began is lost when that worker is gone, or no longer has it, for as long as --lost-after says, and neither an event nor the result backend tells its end. Should an event still come, it counts.'
          : `Something was heard of it since: it is ${visible(clip(stateWord(state), 40).text).toLowerCase()} now.`}
      </p>
    </section>
  );
}
