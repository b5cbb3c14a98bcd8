/** Steering in words and values: what fits a task, what was typed, what became of it. Pure. */

import type { ActionSummary, ArgumentInfo, CommandInfo, ItemOutcome, WorkerOutcome } from '~/api/client';

import { count, plural } from './format';
import { FINISHED } from './states';

// ---------------------------------------------------------------------- what fits

/** Which commands make sense for a task in this state, what one most likely wants first. */
export function taskCommands(state: string): string[] {
  if (FINISHED.has(state) || state === 'LOST') return ['retry', 'forget'];
  if (state === 'STARTED') return ['terminate', 'abort', 'revoke'];
  return ['revoke'];
}

// ---------------------------------------------------------------------- what was typed

/** What was given for an argument, or what is wrong with it. */
export type Read = { value: unknown } | { problem: string };

/** Reads what was typed for an argument; an empty field leaves it out (`value` undefined). */
export function readField(argument: ArgumentInfo, typed: string): Read {
  const text = typed.trim();
  if (text === '') return argument.required ? { problem: 'This is needed.' } : { value: undefined };
  switch (argument.kind) {
    case 'integer':
    case 'number':
      return number(argument, text);
    case 'boolean':
      return { value: text === 'true' };
    case 'texts':
      return texts(argument, text);
    case 'args':
      return json(text, Array.isArray, 'a list, as [1, "two"]');
    case 'kwargs':
    case 'options':
    case 'stamps':
      return json(text, isTable, 'an object, as {"name": 1}');
    case 'time':
      return { value: /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text };
    case 'text':
      return fits(argument, typed);
    case 'rate':
    case 'signal':
      return fits(argument, text);
  }
}

function fits({ max_bytes: most }: ArgumentInfo, text: string): Read {
  const size = new TextEncoder().encode(text).length;
  return size > most ? { problem: `At most ${count(most)} bytes; these are ${count(size)}.` } : { value: text };
}

function number({ kind, minimum, maximum }: ArgumentInfo, text: string): Read {
  const value = Number(text);
  if (!Number.isFinite(value) || (kind === 'integer' && !Number.isInteger(value))) {
    return { problem: kind === 'integer' ? 'A whole number is needed.' : 'A number is needed.' };
  }
  if (minimum !== null && value < minimum) return { problem: `At least ${minimum}.` };
  if (maximum !== null && value > maximum) return { problem: `At most ${maximum}.` };
  return { value };
}

/** One a line, or with commas between. */
function texts({ max_items: most }: ArgumentInfo, text: string): Read {
  const items = text.split(/[\n,]/).map((item) => item.trim()).filter((item) => item !== '');
  if (items.length === 0) return { problem: 'At least one is needed.' };
  return items.length > most ? { problem: `At most ${count(most)}; these are ${count(items.length)}.` } : { value: items };
}

function json(text: string, is: (value: unknown) => boolean, wanted: string): Read {
  try {
    const value: unknown = JSON.parse(text);
    return is(value) ? { value } : { problem: `This must be ${wanted}.` };
  } catch (error) {
    return { problem: `This is not JSON: ${error instanceof Error ? error.message : String(error)}` };
  }
}

function isTable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What a field begins with. */
export function initial({ kind, default: value }: ArgumentInfo): string {
  if (value === null || value === undefined) return kind === 'boolean' ? 'false' : '';
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : JSON.stringify(value);
}

/** `max_length` → `Max length` */
export function fieldLabel(name: string): string {
  const words = name.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** What the dialog asks for: all that was not given, `ids` not when a selection stands for it. */
export function asksFor(
  { arguments: all, many }: CommandInfo,
  given: Readonly<Record<string, unknown>>,
  selected: boolean,
): ArgumentInfo[] {
  return all.filter(({ name }) => !(name in given) && !(many && selected && name === 'ids'));
}

// ---------------------------------------------------------------------- what became of it

export type Tone = 'waiting' | 'running' | 'success' | 'failure' | 'retry';

export function isOver({ state }: Pick<ActionSummary, 'state'>): boolean {
  return state === 'finished' || state === 'failed' || state === 'stopped';
}

/** How many of all did it, and what the others did: `3 of 5 did, 1 refused, 1 silent`. */
export function summary(report: ActionSummary): string {
  const { state, outcomes, effects, total, runs, late, error } = report;
  const of = (name: string) => outcomes[name] ?? 0;
  if (state === 'sending') return 'Being sent …';
  if (state === 'failed' && of('ok') + of('refused') === 0) return error === '' ? 'It failed' : 'It was not done';
  const open = of('unasked') + of('asked');
  // Some are seen to have done it that never answer, and an answer alone is not the effect.
  const seen = of('ok') - (effects['not seen'] ?? 0);
  const looking = runs === 'workers' && !isOver(report);
  const did = looking ? of('ok') : Math.max(seen, effects.done ?? 0);
  const verb = runs === 'here' ? 'done' : looking ? 'answered' : 'did';
  const parts = [`${count(did)} of ${count(Math.max(total, did))} ${verb}`];
  if (of('refused') > 0) parts.push(`${count(of('refused'))} refused`);
  if (of('silent') > 0) parts.push(`${count(of('silent'))} silent`);
  if (open > 0 && !isOver(report)) parts.push(`${count(open)} to come`);
  const stopped = state === 'stopped' ? open : 0;
  if (stopped > 0) parts.push(`${count(stopped)} left when it was stopped`);
  if ((effects['not seen'] ?? 0) > 0) parts.push(`${count(effects['not seen'])} without effect seen`);
  if ((effects.pending ?? 0) > 0) parts.push(`looking for the effect at ${count(effects.pending)}`);
  if (late > 0) parts.push(`${count(late)} late`);
  return parts.join(', ');
}

/** The colour of an action as a whole: good only when all did it. */
export function tone(report: ActionSummary): Tone {
  const { state, outcomes, effects } = report;
  const bad = (outcomes.refused ?? 0) + (outcomes.silent ?? 0) + (effects['not seen'] ?? 0);
  if (state === 'failed') return 'failure';
  if (bad > 0) return (outcomes.ok ?? 0) > 0 || (effects.done ?? 0) > 0 ? 'retry' : 'failure';
  if (state === 'stopped') return 'retry';
  return state === 'finished' ? 'success' : 'running';
}

/** How far it is, from 0 to 1. */
export function progress({ outcomes, total }: ActionSummary): number {
  if (total === 0) return 0;
  const open = (outcomes.unasked ?? 0) + (outcomes.asked ?? 0);
  return Math.min(1, Math.max(0, (total - open) / total));
}

export interface Line {
  tone: Tone;
  word: string; // of the answer
  words: string; // its own; empty when it said none
  effect: string; // what was seen of it; empty while nobody looks
}

const ANSWERS: Record<WorkerOutcome['outcome'], { tone: Tone; word: string }> = {
  unasked: { tone: 'waiting', word: 'not asked yet' },
  asked: { tone: 'running', word: 'asked' },
  ok: { tone: 'success', word: 'answered' },
  refused: { tone: 'failure', word: 'refused' },
  silent: { tone: 'retry', word: 'no answer' },
};

const EFFECTS: Record<WorkerOutcome['effect'], string> = {
  unchecked: '',
  pending: 'looking for the effect …',
  done: 'done',
  'nothing to do': 'nothing was to be done',
  'not seen': 'effect not seen',
  'cannot tell': 'nobody can tell whether it is done',
};

/** One worker: its answer, its words, what was seen. */
export function workerLine(worker: WorkerOutcome, timeoutSeconds: number): Line {
  const { outcome, late, answers, error, expected, effect, effect_said: said } = worker;
  const { tone, word } = ANSWERS[outcome];
  const remarks = [
    outcome === 'silent' ? `${word} in ${timeoutSeconds} s` : word,
    ...(late ? ['late'] : []),
    ...(answers === 2 ? ['twice'] : answers > 2 ? [`${count(answers)} times`] : []),
    ...(expected ? [] : ['not asked by name']),
  ];
  return { tone: effectTone(effect) ?? tone, word: remarks.join(', '), words: error, effect: effectWords(effect, said) };
}

/** One task, one queue that the console handled itself; `over`: nothing more comes. */
export function itemLine({ outcome, said, effect, effect_said: effectSaid }: ItemOutcome, over: boolean): Line {
  const { tone, word } = ANSWERS[outcome];
  const words = outcome === 'ok' ? 'done' : outcome === 'asked' ? (over ? 'begun' : 'at it') : outcome === 'unasked' ? (over ? 'not done' : 'to come') : word;
  return { tone: effectTone(effect) ?? tone, word: words, words: said, effect: effectWords(effect, effectSaid) };
}

function effectTone(effect: WorkerOutcome['effect']): Tone | null {
  if (effect === 'not seen') return 'retry';
  if (effect === 'pending') return 'running';
  if (effect === 'cannot tell') return 'waiting';
  return effect === 'done' ? 'success' : null;
}

/** The sentence that was said of it, after the word where that is not in it. */
function effectWords(effect: WorkerOutcome['effect'], said: string): string {
  const word = EFFECTS[effect];
  return [word, said].filter((part) => part !== '').join(': ');
}

/** What a command touches, in words: `3 workers`, `1 task`; null when nobody said. */
export function touched(
  workers: readonly string[] | undefined,
  selected: number | undefined,
  ids: unknown,
  counted: string | undefined, // in words already
): string | null {
  if (selected !== undefined) return plural(selected, 'task');
  if (Array.isArray(ids)) return plural(ids.length, 'task');
  if (workers !== undefined) return plural(workers.length, 'worker');
  return counted ?? null;
}
