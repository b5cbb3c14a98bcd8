/** A task's life in parts: where its time went. Pure. */

import type { TaskDetail } from '~/api/client';

export interface Part {
  key: 'queue' | 'worker' | 'running';
  label: string;
  start: number;
  end: number;
  open: boolean; // still going on
}

type Times = Pick<TaskDetail, 'sent' | 'received' | 'started' | 'finished'>;

/**
 * In the queue from sent to received, at the worker from received to started, running from there.
 * A moment that no event told is skipped; clocks that disagree give an empty part, never one that
 * runs backwards. A part that has not ended reaches to `now`.
 */
export function life({ sent, received, started, finished }: Times, now: number): Part[] {
  const begins = [
    { key: 'queue', label: 'In the queue', at: sent },
    { key: 'worker', label: 'At the worker', at: received },
    { key: 'running', label: 'Running', at: started },
  ] as const;
  const told = begins.flatMap(({ at, ...part }) => (at === null ? [] : [{ ...part, at }]));
  return told.map(({ key, label, at }, index) => {
    const next = told[index + 1]?.at ?? finished;
    return { key, label, start: at, end: Math.max(at, next ?? now), open: next === null };
  });
}
