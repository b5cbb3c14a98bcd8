import { describe, expect, it } from 'vitest';

import type { Queue } from '~/api/client';

import {
  byTrouble,
  direction,
  nextQueueSort,
  queueTrouble,
  readQueueSearch,
  selectQueues,
} from './queues';

function queue(name: string, more: Partial<Queue> = {}): Queue {
  return {
    name,
    messages: 0,
    unacknowledged: null,
    consumers: null,
    error: null,
    growth_per_second: 0,
    in_per_second: 0,
    out_per_second: 0,
    drain_seconds: null,
    ...more,
  };
}

describe('trouble', () => {
  it.each<[string, Partial<Queue>, string]>([
    ['an empty queue', {}, 'fine'],
    ['a length that is not known', { messages: null }, 'unknown'],
    ['messages that nobody reads', { messages: 1, consumers: 0 }, 'unread'],
    ['no reader and no message', { messages: 0, consumers: 0 }, 'fine'],
    ['readers that the broker does not tell', { messages: 9, consumers: null }, 'fine'],
    ['fast growth', { messages: 100, growth_per_second: 1 }, 'growing'],
    ['fast growth of very few', { messages: 40, growth_per_second: 1 }, 'fine'],
    ['slow growth of very many', { messages: 100_000, growth_per_second: 1 }, 'fine'],
    ['a queue that drains', { messages: 9000, growth_per_second: -1, drain_seconds: 900 }, 'fine'],
    ['one that drains for hours', { messages: 90_000, growth_per_second: -1, drain_seconds: 90_000 }, 'slow'],
    ['growth that is not known', { messages: 9000, growth_per_second: null }, 'fine'],
  ])('of %s', (_, more, expected) => {
    expect(queueTrouble(queue('q', more))).toBe(expected);
  });

  it('is taken back later than it is raised', () => {
    const edge = queue('q', { messages: 100, growth_per_second: 0.3 });
    expect(queueTrouble(edge)).toBe('fine');
    expect(queueTrouble(edge, true)).toBe('growing');
    expect(queueTrouble(queue('q', { messages: 100, growth_per_second: 0.1 }), true)).toBe('fine');
  });
});

it('puts trouble first, then the large ones, and does not swap those of one size', () => {
  const names = (depths: [number, number]) =>
    byTrouble([
      queue('a', { messages: depths[0] }),
      queue('b', { messages: depths[1] }),
      queue('dead', { messages: 1, consumers: 0 }),
      queue('large', { messages: 5000 }),
      queue('lost', { messages: null }),
    ]).map(({ name }) => name);
  expect(names([3, 7])).toEqual(['dead', 'lost', 'large', 'a', 'b']);
  expect(names([7, 3])).toEqual(names([3, 7]));
});

describe('the list', () => {
  const rows = [
    queue('q10', { messages: 5 }),
    queue('q9', { messages: null }),
    queue('Mail', { messages: 70, growth_per_second: 4 }),
    queue('video', { messages: 20, drain_seconds: 60, growth_per_second: -0.3 }),
  ];
  const names = (search: Parameters<typeof selectQueues>[1]) => selectQueues(rows, search).map(({ name }) => name);

  it('finds by a part of the name in any case', () => {
    expect(names({ search: 'mAi' })).toEqual(['Mail']);
  });

  it('sorts by number, what is not known last either way', () => {
    expect(names({ sort: '-messages' })).toEqual(['Mail', 'video', 'q10', 'q9']);
    expect(names({ sort: 'messages' })).toEqual(['q10', 'video', 'Mail', 'q9']);
  });

  it('takes a queue that never drains for one that takes longest', () => {
    expect(names({ sort: '-drain' })).toEqual(['Mail', 'q10', 'video', 'q9']);
  });

  it('sorts names as people count', () => {
    expect(names({ sort: 'name' })).toEqual(['Mail', 'q9', 'q10', 'video']);
    expect(names({ sort: '-name' })).toEqual(['video', 'q10', 'q9', 'Mail']);
  });
});

describe('the address', () => {
  it('is read back, without what is no sort or nothing at all', () => {
    expect(readQueueSearch({ queue: 'a b', search: '', sort: '-drain', other: 'x' })).toEqual({ queue: 'a b', sort: '-drain' });
    expect(readQueueSearch({ sort: '--drain' })).toEqual({});
    expect(readQueueSearch({ sort: ['growth', 'name'] })).toEqual({ sort: 'growth' });
    expect(readQueueSearch({ sort: 'trouble' })).toEqual({});
  });

  it('tells where one looks into the messages of the chosen queue, and of no other', () => {
    expect(readQueueSearch({ queue: 'mail', look: '50' })).toEqual({ queue: 'mail', look: '50' });
    expect(readQueueSearch({ queue: 'mail', look: '-1' })).toEqual({ queue: 'mail' });
    expect(readQueueSearch({ look: '50' })).toEqual({});
  });

  it('sorts by a column, the other way, and no more', () => {
    expect(nextQueueSort('trouble', 'drain')).toBe('-drain');
    expect(nextQueueSort('-drain', 'drain')).toBe('drain');
    expect(nextQueueSort('drain', 'drain')).toBe('trouble');
    expect(nextQueueSort('-drain', 'name')).toBe('name');
  });
});

it.each([
  [null, 'unknown'],
  [0, 'level'],
  [0.01, 'level'],
  [0.02, 'up'],
  [-0.02, 'down'],
])('gives a growth of %s the direction %s', (growth, expected) => {
  expect(direction(growth)).toBe(expected);
});
