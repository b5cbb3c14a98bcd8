/** What can be done to a queue: look into it, stop and start its readers, empty it. */

import type { QueueRow } from '~/api/client';
import { Button } from '~/components/Button';
import { useControl } from '~/components/control/useControl';
import { useKeys } from '~/components/useKeys';

import styles from './queues.module.css';

interface QueueControlsProps {
  name: string;
  queue: QueueRow | undefined; // none: no such queue is known
  looking: boolean;
  onLook: (offset: number | null) => void;
}

export function QueueControls({ name, queue, looking, onLook }: QueueControlsProps) {
  const { may, ask } = useControl();
  const known = queue !== undefined;
  const messages = queue?.messages ?? null;
  const look = () => onLook(looking ? null : 0);
  const steer = (command: string) => () =>
    ask({ command, arguments: { queue: name }, subject: name, count: command === 'purge' ? (messages ?? undefined) : undefined });
  const pause = steer('pause_queue');
  const resume = steer('resume_queue');
  const purge = steer('purge');
  useKeys('The queue', [
    { keys: 'w', does: looking ? 'Close the waiting messages' : 'Look at the waiting messages', run: look, when: known },
    { keys: 'p', does: 'Pause it …', run: pause, when: known && may('pause_queue') },
    { keys: 'P', does: 'Resume it …', run: resume, when: known && may('resume_queue') },
    { keys: 'D', does: 'Purge it …', run: purge, when: known && may('purge') },
  ]);
  if (!known) return null;
  return (
    <div className={styles.controls} role="group" aria-label="What can be done to it">
      <Button aria-expanded={looking} aria-pressed={looking} onClick={look} title="w" data-testid="look">
        Waiting messages
      </Button>
      {may('pause_queue') && (
        <Button icon="pause" onClick={pause} title="Its workers stop taking from it (p)" data-testid="pause">
          Pause
        </Button>
      )}
      {may('resume_queue') && (
        <Button icon="play" onClick={resume} title="Its workers take from it again (P)" data-testid="resume">
          Resume
        </Button>
      )}
      {may('purge') && (
        <Button className={styles.purge} onClick={purge} title="Every waiting message is deleted (D)" data-testid="purge">
          Purge …
        </Button>
      )}
    </div>
  );
}
