/** Why it failed: the exception in the worker's words, and the way to it. */

import { Link } from '@tanstack/react-router';
import { useMemo, useState } from 'react';

import type { TaskDetail } from '~/api/client';
import { CopyButton } from '~/components/CopyButton';
import { DoorLink } from '~/components/DoorLink';
import { ShortOrLong, Long } from '~/components/Long';
import { Panel } from '~/components/Panel';
import { ownPackages, parseTraceback } from '~/lib/traceback';

import styles from './task.module.css';
import { Toggle } from './Toggle';
import { Frames } from './Traceback';

const TITLES: Readonly<Record<string, string>> = {
  FAILURE: 'Failure',
  REJECTED: 'Failure',
  REVOKED: 'Failure',
};

export function Failure({ task }: { task: TaskDetail }) {
  const { exception, traceback, name, state, fingerprint } = task;
  const [raw, setRaw] = useState(false);
  const read = useMemo(
    () => (traceback === null ? null : parseTraceback(traceback, ownPackages(name))),
    [traceback, name],
  );
  return (
    <Panel
      title={TITLES[state] ?? 'Last failed attempt'}
      padded
      actions={
        traceback !== null && (
          <>
            {read && <Toggle of="traceback" on={raw} onToggle={setRaw} />}
            {read && !raw && <CopyButton text={traceback} what="the traceback" />}
          </>
        )
      }
    >
      {exception !== null && (
        <div className={styles.exception} data-testid="exception">
          <ShortOrLong text={exception} label="Exception" />
        </div>
      )}
      {state === 'FAILURE' && fingerprint !== null && (
        <p className={styles.host} data-testid="alike">
          <DoorLink door={{ to: '/tasks', query: `fingerprint:${fingerprint}` }}>All that failed alike</DoorLink>
          {name !== null && (
            <>
              {' · '}
              <Link to="/insight/$name" params={{ name }} search={{}}>
                Insight into tasks of its name
              </Link>
            </>
          )}
        </p>
      )}
      {traceback === null ? (
        <p className={styles.host}>No traceback was told.</p>
      ) : (
        <div data-testid="traceback">
          {read && !raw ? <Frames read={read} /> : <Long text={traceback} label="Traceback" />}
        </div>
      )}
    </Panel>
  );
}
