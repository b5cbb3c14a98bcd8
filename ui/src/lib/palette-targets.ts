/** What an action of the palette has to be told before it can be asked for. Pure. */

import type { CommandInfo } from '~/api/client';

export type TargetKind = 'worker' | 'queue' | 'name' | 'task';

export const TARGET_WORD: Record<TargetKind, string> = {
  worker: 'worker', queue: 'queue', name: 'task name', task: 'task id',
};

export interface Chosen {
  kind: TargetKind;
  value: string; // a worker's is empty for every worker
}

type Told = Pick<CommandInfo, 'name' | 'subject' | 'runs' | 'needs_workers' | 'arguments'>;

const EVERYONE = 'every worker';

// Which argument takes the target; without it the dialog asks for what is missing.
const ARGUMENT: Partial<Record<TargetKind, string>> = { queue: 'queue', name: 'task_name', task: 'ids' };
const OF_SUBJECT: Partial<Record<Told['subject'], TargetKind>> = {
  worker: 'worker', queue: 'queue', 'task name': 'name', 'task id': 'task',
};

/** What is asked for, in this order. */
export function targetsOf(command: Told): TargetKind[] {
  const kind = OF_SUBJECT[command.subject];
  const takes = (one: TargetKind) => command.arguments.some(({ name }) => name === ARGUMENT[one]);
  const first = kind !== undefined && (kind === 'worker' || takes(kind)) ? [kind] : [];
  const workers = command.runs === 'workers' && command.needs_workers && !first.includes('worker');
  return workers ? [...first, 'worker'] : first;
}

export interface Asked {
  command: string;
  arguments: Record<string, unknown>;
  workers?: string[];
  subject: string;
}

/** What `useControl().ask` takes for a command with these targets. */
export function request(command: Told, chosen: readonly Chosen[]): Asked {
  const asked: Asked = { command: command.name, arguments: {}, subject: chosen[0] ? chosen[0].value || EVERYONE : '' };
  for (const { kind, value } of chosen) {
    const name = ARGUMENT[kind];
    if (kind === 'worker' && value !== '') asked.workers = [value];
    if (name !== undefined) asked.arguments[name] = kind === 'task' ? [value] : value;
  }
  return asked;
}
