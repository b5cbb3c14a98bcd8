import { describe, expect, it } from 'vitest';

import type { Inspection } from '~/api/client';

import { activeQueues, held, pool, prefetch, registered, silences, statistics } from './inspect';

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

describe('processes', () => {
  const asked = (active: unknown[] | null, stats: unknown = { pool: { processes: [7, 8, 9] } }) =>
    ({ stats, active }) as unknown as Inspection;

  it('run what the worker says and the events have not ended', () => {
    const active = [{ id: 'a', worker_pid: 8 }, { id: 'over', worker_pid: 9 }, { id: 'b', worker_pid: null }, 5];
    expect(pool(asked(active), new Set(['a', 'b']))).toEqual({
      processes: [{ pid: 7, uuid: null }, { pid: 8, uuid: 'a' }, { pid: 9, uuid: null }],
      asked: true,
    });
  });

  it.each<[string, Inspection | null]>([
    ['no answer', null],
    ['a pool without processes', asked(null, { pool: { 'max-concurrency': 10 } })],
    ['nonsense', asked(null, { pool: { processes: 'N/A' } })],
    ['an answer without a pool', asked(null, null)],
  ])('are none with %s', (_, inspection) => {
    expect(pool(inspection, new Set())).toEqual({ processes: [], asked: false });
  });
});

it('reads how many messages a worker takes in advance', () => {
  const answer = { stats: { prefetch_count: 8 }, conf: { worker_prefetch_multiplier: 4 } };
  expect(prefetch(answer as unknown as Inspection)).toEqual({ count: 8, multiplier: 4 });
  expect(prefetch(null)).toEqual({ count: null, multiplier: null });
});

describe('statistics', () => {
  const STATS = {
    total: { b: 2, a: 9, odd: 'x' },
    pid: 31,
    uptime: 74,
    pool: { implementation: 'p:T', 'max-tasks-per-child': 'N/A', timeouts: [0, 30], writes: { raw: '1, 2', total: 3 } },
    broker: { transport: 'redis', ssl: false, userid: null, alternates: [], weird: { a: 1 } },
    rusage: { utime: 1.5, maxrss: 63_392, inblock: 0, nsignals: 4 },
    news: 'from a later Celery',
  };

  it('are put in groups, named and with their units', () => {
    const { groups, totals } = statistics(STATS);
    const of = (title: string) => groups.find((group) => group.title === title)?.figures;
    expect(of('Process')).toEqual([
      { name: 'Up for', value: 74, unit: 'seconds' },
      { name: 'CPU time', value: 1.5, unit: 'seconds' },
      { name: 'Most memory', value: 63_392, unit: 'kibibytes' },
    ]);
    expect(of('Pool')).toEqual([
      { name: 'Implementation', value: 'p:T', unit: 'text' },
      { name: 'Tasks before a process is replaced', value: 'N/A', unit: 'text' },
      { name: 'Soft time limit', value: 'none', unit: 'text' },
      { name: 'Time limit', value: 30, unit: 'seconds' },
      { name: 'Handed out', value: 3, unit: 'count' },
    ]);
    expect(of('Broker')).toEqual([
      { name: 'Transport', value: 'redis', unit: 'text' },
      { name: 'TLS', value: 'no', unit: 'text' },
    ]);
    expect(totals).toEqual([['a', 9], ['b', 2]]);
  });

  it('lose nothing that says something', () => {
    expect(statistics(STATS).rest).toEqual({
      'pool.writes.raw': '1, 2', 'broker.weird.a': 1, 'rusage.nsignals': 4, news: 'from a later Celery',
    });
  });

  it.each([{}, { total: 5, pool: 'x', rusage: [] }, { pool: { timeouts: null } }])('survive %j', (stats) => {
    expect(() => statistics(stats)).not.toThrow();
  });
});

it('parts the options from the names of registered tasks', () => {
  expect(registered(['a.b', 'a.c [rate_limit=10/m]'])).toEqual([
    { name: 'a.b', options: '' },
    { name: 'a.c', options: 'rate_limit=10/m' },
  ]);
  expect(registered(null)).toEqual([]);
});

describe('silences', () => {
  it.each<[string, number[], number, number, unknown]>([
    ['none while it beats', [0, 5, 10], 2, 12, []],
    ['between two beats', [0, 5, 60, 65], 2, 66, [{ start: 5, end: 60 }]],
    ['until now', [0, 5], 2, 40, [{ start: 5, end: 40 }]],
    ['a slow beat is not one', [0, 60, 120], 60, 130, []],
    ['nothing was ever heard', [], 2, 40, []],
  ])('%s', (_, times, interval, now, found) => {
    expect(silences(times, interval, now)).toEqual(found);
  });
});
