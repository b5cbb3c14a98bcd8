import { describe, expect, it } from 'vitest';

import type { ActionReport, ArgumentInfo, CommandInfo, WorkerOutcome } from '~/api/client';

import { asksFor, fieldLabel, initial, isOver, itemLine, progress, readField, summary, taskCommands, tone, touched, workerLine } from './control';

const argument = (given: Partial<ArgumentInfo>): ArgumentInfo => ({
  name: 'n', kind: 'text', help: '', required: false, default: null, minimum: null, maximum: null,
  max_bytes: 255, max_items: 3, choices: [], unit: '', ...given,
});

const report = (given: Partial<ActionReport>): ActionReport => ({
  id: 'a', sequence: 1, command: 'shutdown', title: 'Shut down', arguments: {}, runs: 'workers',
  everyone: false, state: 'finished', sent: 'yes', created_at: 0, finished_at: 1,
  timeout_seconds: 5, confirm_seconds: 10, error: '', hint: '', outcomes: {}, effects: {}, late: 0,
  twice: 0, unexpected: 0, total: 5, stoppable: false, now: 1, workers: [], items: [],
  items_left_out: 0, ...given,
});

const worker = (given: Partial<WorkerOutcome>): WorkerOutcome => ({
  hostname: 'w', expected: true, outcome: 'ok', answered_at: 1, late: false, answers: 1, value: null,
  value_dropped: false, error: '', effect: 'unchecked', effect_said: '', effect_at: null, ...given,
});

describe('a task is offered', () => {
  it.each([
    ['PENDING', ['revoke']],
    ['RECEIVED', ['revoke']],
    ['RETRY', ['revoke']],
    ['STARTED', ['terminate', 'abort', 'revoke']],
    ['SUCCESS', ['retry', 'forget']],
    ['FAILURE', ['retry', 'forget']],
    ['REVOKED', ['retry', 'forget']],
    ['LOST', ['retry', 'forget']],
  ])('what fits %s', (state, commands) => expect(taskCommands(state)).toEqual(commands));
});

describe('what is typed', () => {
  it.each([
    [{ kind: 'integer' }, '3', 3],
    [{ kind: 'integer' }, ' ', undefined],
    [{ kind: 'number' }, '1.5', 1.5],
    [{ kind: 'boolean' }, 'false', false],
    [{ kind: 'texts' }, 'a, b\nc', ['a', 'b', 'c']],
    [{ kind: 'args' }, '[1, {"a": null}]', [1, { a: null }]],
    [{ kind: 'kwargs' }, '{"a": 1}', { a: 1 }],
    [{ kind: 'time' }, '60', 60],
    [{ kind: 'time' }, '2026-12-01T12:00:00Z', '2026-12-01T12:00:00Z'],
    [{ kind: 'text' }, ' a ', ' a '],
    [{ kind: 'rate' }, ' 10/m ', '10/m'],
  ] as const)('is read: %j %j', (given, typed, value) =>
    expect(readField(argument(given), typed)).toEqual({ value }));

  it.each([
    [{ required: true }, '', 'This is needed.'],
    [{ kind: 'integer' }, '1.5', 'A whole number is needed.'],
    [{ kind: 'number' }, 'x', 'A number is needed.'],
    [{ kind: 'integer', minimum: 1 }, '0', 'At least 1.'],
    [{ kind: 'integer', maximum: 9 }, '10', 'At most 9.'],
    [{ kind: 'texts' }, ',', 'At least one is needed.'],
    [{ kind: 'texts' }, 'a,b,c,d', 'At most 3; these are 4.'],
    [{ kind: 'args' }, '{"a": 1}', 'This must be a list, as [1, "two"].'],
    [{ kind: 'kwargs' }, '[1]', 'This must be an object, as {"name": 1}.'],
    [{ kind: 'text', max_bytes: 3 }, 'éé', 'At most 3 bytes; these are 4.'],
  ] as const)('is refused in place: %j %j', (given, typed, problem) =>
    expect(readField(argument(given), typed)).toEqual({ problem }));

  it('says where JSON breaks', () => {
    expect(readField(argument({ kind: 'args' }), '[1,')).toEqual({
      problem: expect.stringContaining('This is not JSON') as string,
    });
  });
});

describe('a dialog', () => {
  const command = { arguments: [argument({ name: 'ids' }), argument({ name: 'signal' })], many: true } as unknown as CommandInfo;

  it('asks for what was not given', () => {
    expect(asksFor(command, { ids: ['a'] }, false).map(({ name }) => name)).toEqual(['signal']);
    expect(asksFor(command, {}, false).map(({ name }) => name)).toEqual(['ids', 'signal']);
    expect(asksFor(command, {}, true).map(({ name }) => name)).toEqual(['signal']);
  });

  it.each([
    [{ default: 30 }, '30'],
    [{ default: null }, ''],
    [{ kind: 'boolean' }, 'false'],
    [{ default: { a: 1 } }, '{"a":1}'],
  ] as const)('begins with the default: %j', (given, text) => expect(initial(argument(given))).toBe(text));

  it('names fields as people do', () => expect(fieldLabel('routing_key')).toBe('Routing key'));

  it('says how many things it touches', () => {
    expect(touched(['a', 'b'], undefined, undefined, undefined)).toBe('2 workers');
    expect(touched(undefined, 1_200, undefined, undefined)).toBe('1,200 tasks');
    expect(touched(undefined, undefined, ['x'], undefined)).toBe('1 task');
    expect(touched(undefined, undefined, undefined, '3 messages')).toBe('3 messages');
    expect(touched(undefined, undefined, undefined, undefined)).toBeNull();
  });
});

describe('what became of it', () => {
  it.each([
    [{ outcomes: { ok: 3, refused: 1, silent: 1 } }, '3 of 5 did, 1 refused, 1 silent', 'retry'],
    [{ outcomes: { ok: 5 }, effects: { done: 5 } }, '5 of 5 did', 'success'],
    [{ outcomes: { asked: 5 }, effects: { done: 5 } }, '5 of 5 did', 'success'],
    [{ outcomes: { silent: 5 } }, '0 of 5 did, 5 silent', 'failure'],
    [{ state: 'waiting', outcomes: { ok: 2, asked: 3 } }, '2 of 5 answered, 3 to come', 'running'],
    [{ state: 'sending' }, 'Being sent …', 'running'],
    [{ state: 'failed', error: 'The broker is gone.' }, 'It was not done', 'failure'],
    [{ runs: 'here', state: 'stopped', outcomes: { ok: 2, unasked: 3 } }, '2 of 5 done, 3 left when it was stopped', 'retry'],
    [{ outcomes: { ok: 5 }, effects: { done: 4, 'not seen': 1 } }, '4 of 5 did, 1 without effect seen', 'retry'],
    [{ state: 'confirming', outcomes: { ok: 5 }, effects: { pending: 5 } }, '5 of 5 answered, looking for the effect at 5', 'running'],
    [{ outcomes: { ok: 4, silent: 1 }, late: 1 }, '4 of 5 did, 1 silent, 1 late', 'retry'],
  ] as const)('is said: %j', (given, words, colour) => {
    expect(summary(report(given))).toBe(words);
    expect(tone(report(given))).toBe(colour);
  });

  it.each([
    [{}, 'answered', ''],
    [{ outcome: 'silent' }, 'no answer in 5 s', ''],
    [{ late: true }, 'answered, late', ''],
    [{ answers: 2 }, 'answered, twice', ''],
    [{ answers: 3 }, 'answered, 3 times', ''],
    [{ expected: false }, 'answered, not asked by name', ''],
    [{ effect: 'pending' }, 'answered', 'looking for the effect …'],
    [{ effect: 'done', effect_said: '4 processes, before 3.' }, 'answered', 'done: 4 processes, before 3.'],
  ] as const)('of one worker: %j', (given, word, effect) =>
    expect(workerLine(worker(given), 5)).toMatchObject({ word, effect }));

  it('gives a refusal in the words of the worker', () => {
    expect(workerLine(worker({ outcome: 'refused', error: 'not enabled' }), 5)).toMatchObject({ tone: 'failure', word: 'refused', words: 'not enabled' });
  });

  it('of one task that the console sent again', () => {
    const item = { subject: 'id', outcome: 'ok', said: 'Sent as b.', value: null, task_id: 'b', effect: 'unchecked', effect_said: '', effect_at: null } as const;
    expect(itemLine(item, true)).toEqual({ tone: 'success', word: 'done', words: 'Sent as b.', effect: '' });
    expect(itemLine({ ...item, outcome: 'unasked', said: '' }, false).word).toBe('to come');
    expect(itemLine({ ...item, outcome: 'unasked', said: '' }, true).word).toBe('not done');
  });

  it('and how far it is', () => {
    expect(progress(report({ outcomes: { ok: 1, unasked: 4 } }))).toBe(0.2);
    expect(progress(report({ total: 0 }))).toBe(0);
    expect(isOver(report({ state: 'stopped' }))).toBe(true);
    expect(isOver(report({ state: 'confirming' }))).toBe(false);
  });
});
