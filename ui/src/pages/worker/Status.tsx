/** What is wrong with this worker, and what to do: nothing at all while it is well. */

import type { ReactNode } from 'react';

import type { WorkerDetail } from '~/api/client';
import { useLive } from '~/api/live';
import { Icon } from '~/components/Icon';
import { Ago } from '~/components/Moment';
import { duration } from '~/lib/format';
import { clip, visible } from '~/lib/text';

import styles from './worker.module.css';

export function Status({ worker }: { worker: WorkerDetail }) {
  const broker = useLive((state) => state.overview?.broker.state ?? null);
  const { status, last_heartbeat: beat, heartbeat_interval: every, inspect, inspect_error: error } = worker;
  if (broker !== null && broker !== 'connected') {
    return (
      <Words tone="retry" title="The broker is not reached">
        All of this page is what was known before. It goes on by itself when the broker answers.
      </Words>
    );
  }
  if (status === 'offline') {
    return (
      <Words tone="failure" title="Offline">
        {beat === null ? 'It said that it stops.' : <>Its last heartbeat came <Ago at={beat} />; it sends one every {duration(every)}.</>}{' '}
        If it was not stopped on purpose, look at its process and its log. What it ran is shown as
        running until another worker tells otherwise.
      </Words>
    );
  }
  if (status === 'unknown') {
    return (
      <Words tone="waiting" title="Not known whether it is there">
        Its tasks are seen, its heartbeats are not: it may have been started with{' '}
        <code>--without-heartbeat</code> or <code>--without-gossip</code>, or the console has just
        begun to listen.
      </Words>
    );
  }
  if (error !== null) {
    return (
      <Words tone="retry" title="Asking the workers fails">
        {visible(clip(error, 300).text)}. What stands below from inspect is as of the last answer.
      </Words>
    );
  }
  if (inspect === null) {
    return (
      <Words tone="waiting" title="It has not answered an inspect yet">
        It is asked regularly. A worker with the <code>solo</code> pool answers between two tasks;
        one started with <code>--without-mingle</code> and no remote control never does.
      </Words>
    );
  }
  return null;
}

interface WordsProps {
  tone: 'failure' | 'retry' | 'waiting';
  title: string;
  children: ReactNode;
}

function Words({ tone, title, children }: WordsProps) {
  return (
    <div className={styles.status} data-tone={tone} role="status">
      <Icon name={tone === 'waiting' ? 'info' : 'warning'} />
      <p>
        <strong>{title}.</strong> {children}
      </p>
    </div>
  );
}
