import type { TaskDetail } from '~/api/client';
import { Clock } from '~/components/Moment';
import { Panel } from '~/components/Panel';
import { Host, Plain } from '~/components/Plain';
import { Glyph, toneClass } from '~/components/State';
import { duration } from '~/lib/format';
import { eventState, look } from '~/lib/states';
import { clip } from '~/lib/text';

import styles from './task.module.css';

/** Every event of the task that is known, in order: the life in words and figures. */
export function Events({ task: { timeline } }: { task: TaskDetail }) {
  return (
    <Panel title="Events" note="each by its sender’s clock" padded>
      {timeline.length === 0 && <p className={styles.host}>No event is known.</p>}
      <ol className={styles.timeline} data-testid="timeline">
        {timeline.map(({ type, at, host }, index) => {
          const { tone, glyph } = look(eventState(type));
          const before = timeline[index - 1];
          return (
            <li key={`${index} ${type}`} className={styles.event} data-type={type}>
              <span className={`${styles.mark} ${toneClass(tone)}`}>
                <Glyph name={glyph} size={10} />
              </span>
              <span className={styles.kind}>
                <Plain text={clip(type.replace(/^task-/, ''), 80).text} />
              </span>
              <span className={styles.host}>
                <Host hostname={host} />
              </span>
              <span className={styles.at}>
                <Clock at={at} />
              </span>
              <span className={styles.delta}>{before && `+${duration(at - before.at)}`}</span>
            </li>
          );
        })}
      </ol>
    </Panel>
  );
}
