import { expect, it } from 'vitest';

import type { Inspection } from '~/api/client';

import { activeQueues, flatten, held } from './inspect';

it('flattens nested answers, lists and leaves as JSON', () => {
  expect(flatten({ pool: { size: 8, pids: [1, 2] }, name: 'x', none: null })).toEqual([
    ['pool.size', '8'],
    ['pool.pids', '[1,2]'],
    ['name', 'x'],
    ['none', 'null'],
  ]);
});

it('finds the tasks in reserved and in scheduled answers, and survives nonsense', () => {
  expect(held([{ id: 'a', name: 'n' }, { eta: '2026', request: { id: 'b', type: 't' } }])).toEqual([
    { uuid: 'a', name: 'n', eta: '' },
    { uuid: 'b', name: 't', eta: '2026' },
  ]);
  expect(held([null, 7, []])).toHaveLength(3);
  expect(held(null)).toEqual([]);
});

it('reads queues with an exchange of either shape', () => {
  const answer = { active_queues: [{ name: 'q', exchange: { name: 'e' }, routing_key: 'r' }, 5] };
  expect(activeQueues(answer as unknown as Inspection)).toEqual([
    { name: 'q', exchange: 'e', routing_key: 'r' },
  ]);
});
