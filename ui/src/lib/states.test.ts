import { expect, it } from 'vitest';

import { eventState, look, order, stateWord } from './states';

it('gives no two of Celery’s states the same shape', () => {
  const states = order([]);
  expect(new Set(states.map((state) => look(state).glyph)).size).toBe(states.length);
});

it('puts made-up states after Celery’s own', () => {
  expect(order(['ZIPPING', 'SUCCESS', 'CHECKING']).slice(-3)).toEqual([
    'REJECTED',
    'CHECKING',
    'ZIPPING',
  ]);
});

it.each(['constructor', '__proto__', 'toString', ''])('takes %j for a made-up state', (state) => {
  expect(look(state).tone).toBe('custom');
  expect(stateWord(state)).toBe(state);
});

it.each([
  ['task-failed', 'FAILURE'],
  ['task-retried', 'RETRY'],
  ['task-zipping', 'ZIPPING'],
])('shows the event %s as %s', (type, state) => expect(eventState(type)).toBe(state));
