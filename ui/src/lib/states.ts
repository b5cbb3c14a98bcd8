/** The states of a task: what each is called, looks like, and belongs to. */

export type Tone =
  | 'waiting'
  | 'running'
  | 'success'
  | 'failure'
  | 'retry'
  | 'revoked'
  | 'rejected'
  | 'lost'
  | 'custom';

/** A shape for each tone, so that no state is told by its colour alone. */
export type Glyph = 'ring' | 'dot' | 'play' | 'check' | 'cross' | 'loop' | 'bar' | 'minus' | 'question' | 'diamond';

interface Look {
  tone: Tone;
  glyph: Glyph;
}

const LOOKS: Record<string, Look> = {
  PENDING: { tone: 'waiting', glyph: 'ring' },
  RECEIVED: { tone: 'waiting', glyph: 'dot' },
  STARTED: { tone: 'running', glyph: 'play' },
  RETRY: { tone: 'retry', glyph: 'loop' },
  SUCCESS: { tone: 'success', glyph: 'check' },
  FAILURE: { tone: 'failure', glyph: 'cross' },
  REVOKED: { tone: 'revoked', glyph: 'bar' },
  REJECTED: { tone: 'rejected', glyph: 'minus' },
};

/** What the console says of a task whose worker is gone and of whose end nothing is known. */
export const LOST = 'LOST';
const OWN: Record<string, Look> = { ...LOOKS, [LOST]: { tone: 'lost', glyph: 'question' } };

const CUSTOM: Look = { tone: 'custom', glyph: 'diamond' };

export const WAITING = ['PENDING', 'RECEIVED'] as const;
export const FINISHED: ReadonlySet<string> = new Set(['SUCCESS', 'FAILURE', 'REVOKED', 'REJECTED']);

/** Whether nothing goes on: it ended, or nobody will ever know. */
export function isOver(state: string): boolean {
  return FINISHED.has(state) || state === LOST;
}

export function look(state: string): Look {
  return Object.hasOwn(OWN, state) ? (OWN[state] ?? CUSTOM) : CUSTOM;
}

/** Celery's own states in the order of a task's life, then what there is besides. */
export function order(states: Iterable<string>): string[] {
  const known = Object.keys(LOOKS);
  const custom = [...states].filter((state) => !Object.hasOwn(LOOKS, state));
  return [...known, ...custom.sort()];
}

/** The look of an event in a timeline: `task-failed` looks like FAILURE. */
export function eventState(type: string): string {
  const verb = type.replace(/^task-/, '');
  const states: Record<string, string> = {
    sent: 'PENDING',
    received: 'RECEIVED',
    started: 'STARTED',
    retried: 'RETRY',
    succeeded: 'SUCCESS',
    failed: 'FAILURE',
    revoked: 'REVOKED',
    rejected: 'REJECTED',
  };
  return Object.hasOwn(states, verb) ? (states[verb] ?? verb) : verb.toUpperCase();
}

/** A state as a word in a sentence of the page: `Success`. What the cluster made up stays as it is. */
export function stateWord(state: string): string {
  return Object.hasOwn(OWN, state) ? state.charAt(0) + state.slice(1).toLowerCase() : state;
}
