import { expect, it } from 'vitest';

import { life } from './life';

const times = { sent: null, received: null, started: null, finished: null };
const parts = (facts: Partial<typeof times | Record<keyof typeof times, number>>, now = 100) =>
  life({ ...times, ...facts }, now).map(({ key, start, end, open }) => [key, end - start, open]);

it('tells where the time went', () => {
  expect(parts({ sent: 1, received: 3, started: 4, finished: 9 })).toEqual([
    ['queue', 2, false],
    ['worker', 1, false],
    ['running', 5, false],
  ]);
});

it('goes on until now', () => {
  expect(parts({ sent: 1, received: 3 })).toEqual([
    ['queue', 2, false],
    ['worker', 97, true],
  ]);
});

it('skips what no event told', () => {
  expect(parts({ received: 3, finished: 9 })).toEqual([['worker', 6, false]]);
  expect(parts({})).toEqual([]);
});

it('never runs backwards, whatever the clocks say', () => {
  expect(parts({ sent: 5, received: 3, started: 4, finished: 2 })).toEqual([
    ['queue', 0, false],
    ['worker', 1, false],
    ['running', 0, false],
  ]);
});
