/** What is wrong with the line from the workers to this page, the worst first. Pure. */

import type { Overview } from '~/api/client';
import type { Link } from '~/api/hub';

/**
 * gone: the console does not answer · stale: its stream is silent · connecting: no stream yet
 * broker-lost, broker-connecting: the console has no broker · polling: streams do not get through
 * crowded: the server has too many live pages open, this one polls
 * unkept: the history cannot be written
 * silent: no event ever came · taskless: workers are there, and none tells of tasks
 * unsent: nobody tells when tasks are sent
 */
export type Trouble =
  | 'gone'
  | 'stale'
  | 'connecting'
  | 'broker-lost'
  | 'broker-connecting'
  | 'polling'
  | 'crowded'
  | 'unkept'
  | 'silent'
  | 'taskless'
  | 'unsent';

const SILENT_AFTER_SECONDS = 15; // workers send a heartbeat every two seconds
const TASKLESS_AFTER_SECONDS = 60;
const UNSENT_AFTER_TASKS = 50;

type Known = Pick<Overview, 'now' | 'started_at' | 'broker' | 'totals'> & {
  ingest: Pick<Overview['ingest'], 'events'>;
  workers: Pick<Overview['workers'], 'online'>;
};

/** `unkept`: the history is in trouble. */
export function troubles(link: Link, overview: Known | null, unkept = false): Trouble[] {
  const found: Trouble[] = [];
  if (link === 'gone' || link === 'stale' || link === 'connecting') found.push(link);
  // What the broker and the workers do now, only a console that answers knows.
  if (link === 'gone' || link === 'stale' || overview === null) return found;
  if (overview.broker.state === 'disconnected') found.push('broker-lost');
  if (overview.broker.state === 'connecting') found.push('broker-connecting');
  if (unkept) found.push('unkept');
  if (link === 'polling') found.push('polling');
  if (overview.broker.state === 'connected') found.push(...quiet(overview));
  return found;
}

function quiet({ now, started_at, broker, ingest, totals, workers }: Known): Trouble[] {
  const listening = now - Math.max(started_at, broker.since);
  if (ingest.events === 0) return listening > SILENT_AFTER_SECONDS ? ['silent'] : [];
  const tasks = (totals['task-received'] ?? 0) + (totals['task-started'] ?? 0);
  if (tasks === 0 && workers.online > 0) {
    return listening > TASKLESS_AFTER_SECONDS && !totals['task-sent'] ? ['taskless'] : [];
  }
  return tasks >= UNSENT_AFTER_TASKS && !totals['task-sent'] ? ['unsent'] : [];
}

/** Those that people can set aside: everything works, with less to see. */
export const HIDEABLE: ReadonlySet<Trouble> = new Set(['unkept', 'polling', 'crowded', 'silent', 'taskless', 'unsent']);

/** Those that the tab's title and icon tell of: what the page shows is old. */
const GRAVE: Partial<Record<Trouble, string>> = {
  gone: 'Console gone',
  stale: 'Nothing new',
  'broker-lost': 'Broker unreachable',
};

export function inTitle(title: string, trouble: Trouble | null): string {
  const word = trouble === null ? undefined : GRAVE[trouble];
  return [...(word ? [`(!) ${word}`] : []), title, 'Celeryscope'].join(' · ');
}

export function isGrave(trouble: Trouble | null): boolean {
  return trouble !== null && trouble in GRAVE;
}

const HICCUP_MS = 2_000; // a restart of the console, a proxy that reloads
const CALM_MS = 1_000;
const SHOWN_AT_LEAST_MS = 3_000;

/**
 * How long `wanted` must last before it is shown instead of `shown`, so that nothing flickers: a
 * hiccup is never seen, and what is seen can be read. `shownMs` is how long `shown` has been.
 */
export function patience(shown: Trouble | null, wanted: Trouble | null, shownMs: number): number {
  if (shown === null) return wanted === 'connecting' || wanted === 'broker-connecting' ? HICCUP_MS : CALM_MS;
  if (wanted !== null && isGrave(wanted)) return CALM_MS;
  return Math.max(CALM_MS, SHOWN_AT_LEAST_MS - shownMs);
}
