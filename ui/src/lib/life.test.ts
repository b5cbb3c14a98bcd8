import { describe, expect, it } from 'vitest';

import { labelled, life, scale, sums } from './life';

type Told = [type: string, at: number, host?: string];

function lived(told: Told[], facts: { state?: string; state_at?: number; retries?: number; eta?: string | null } = {}, now = 100) {
  return life(
    {
      state: 'STARTED', state_at: 0, retries: 0, eta: null, ...facts,
      timeline: told.map(([type, at, host = 'w']) => ({ type: `task-${type}`, at, host, retries: null })),
    },
    now,
  );
}

const attempts = (...args: Parameters<typeof lived>) =>
  (lived(...args)?.attempts ?? []).map(({ number, parts, state }) => [
    number, state, ...parts.map(({ kind, start, end, open }) => `${kind} ${start}–${end}${open ? ' …' : ''}`),
  ]);

const DONE = { state: 'SUCCESS', state_at: 9 };

it('tells where the time went', () => {
  expect(attempts([['sent', 1], ['received', 3], ['started', 4], ['succeeded', 9]], DONE)).toEqual([
    [1, 'SUCCESS', 'queue 1–3', 'worker 3–4', 'running 4–9'],
  ]);
});

it.each<[string, Told[], unknown[]]>([
  ['in the queue', [['sent', 1]], ['queue 1–100 …']],
  ['at the worker', [['sent', 1], ['received', 3]], ['queue 1–3', 'worker 3–100 …']],
  ['running', [['received', 3], ['started', 4]], ['worker 3–4', 'running 4–100 …']],
])('goes on until now while it is %s', (_, told, parts) => {
  expect(attempts(told, { state: 'PENDING' })).toEqual([[1, null, ...parts]]);
});

describe('retries', () => {
  // As Celery sends them: the next message is sent, and received, before `retried` is told.
  const RETRIED: Told[] = [
    ['sent', 1], ['received', 2], ['started', 3],
    ['sent', 4], ['received', 5], ['retried', 6], ['started', 10],
    ['sent', 11], ['received', 12], ['retried', 13], ['started', 20], ['failed', 22],
  ];

  it('are attempts of their own, with a pause before each', () => {
    expect(attempts(RETRIED, { state: 'FAILURE', state_at: 22, retries: 2 })).toEqual([
      [1, 'RETRY', 'queue 1–2', 'worker 2–3', 'running 3–6'],
      [2, 'RETRY', 'queue 4–5', 'pause 5–10', 'running 10–13'],
      [3, 'FAILURE', 'queue 11–12', 'pause 12–20', 'running 20–22'],
    ]);
  });

  it('wait at the worker after the time that was asked for', () => {
    const eta = new Date(18_000).toISOString();
    expect(attempts(RETRIED, { state: 'FAILURE', state_at: 22, retries: 2, eta })[2]).toEqual(
      [3, 'FAILURE', 'queue 11–12', 'pause 12–18', 'worker 18–20', 'running 20–22'],
    );
  });

  it('pause until now while they wait', () => {
    expect(attempts(RETRIED.slice(0, 6), { state: 'RETRY', retries: 1 })[1]).toEqual(
      [2, null, 'queue 4–5', 'pause 5–100 …'],
    );
  });

  it('keep their numbers when the first ones are not known any more', () => {
    expect(attempts(RETRIED.slice(3), { state: 'FAILURE', state_at: 22, retries: 4 }).map(([number]) => number))
      .toEqual([4, 5]);
  });

  it('are told apart when only the worker tells what it sends', () => {
    const told = RETRIED.filter((_, index) => index !== 0);
    expect(attempts(told, { state: 'FAILURE', state_at: 22, retries: 2 }).map(([, , first]) => first))
      .toEqual(['worker 2–3', 'queue 4–5', 'queue 11–12']);
  });

  it('are not what a message is that was delivered again', () => {
    const told: Told[] = [['sent', 1], ['received', 2], ['started', 3], ['received', 20], ['started', 21], ['succeeded', 25]];
    expect(attempts(told, { state: 'SUCCESS', state_at: 25 })).toEqual([
      [1, null, 'queue 1–2', 'worker 2–3', 'running 3–20'],
      [2, 'SUCCESS', 'worker 20–21', 'running 21–25'],
    ]);
  });
});

describe('a time to start', () => {
  const eta = '1970-01-01T00:00:50'; // no zone: UTC
  it('is waited for at the worker', () => {
    expect(attempts([['sent', 1], ['received', 2], ['started', 53]], { eta }, 60)).toEqual([
      [1, null, 'queue 1–2', 'eta 2–50', 'worker 50–53', 'running 53–60 …'],
    ]);
  });
  it('may lie ahead', () => {
    expect(attempts([['sent', 1], ['received', 2]], { eta }, 10)).toEqual([
      [1, null, 'queue 1–2', 'eta 2–10 …'],
    ]);
  });
  it('may be nonsense', () => {
    expect(attempts([['received', 2]], { eta: 'soon' }, 10)).toEqual([[1, null, 'worker 2–10 …']]);
  });
});

it('skips what no event told', () => {
  expect(attempts([['received', 3], ['succeeded', 9]], DONE)).toEqual([[1, 'SUCCESS', 'worker 3–9']]);
  expect(attempts([['revoked', 5]], { state: 'REVOKED', state_at: 5 })).toEqual([[1, 'REVOKED', 'worker 5–5']]);
  expect(lived([])).toBeNull();
});

it('ends with a finished task even when no event told its end', () => {
  expect(attempts([['started', 4]], DONE)).toEqual([[1, null, 'running 4–9']]);
});

it('takes the first of two ends of one attempt', () => {
  expect(attempts([['started', 4], ['failed', 8], ['rejected', 9]], { state: 'FAILURE', state_at: 8 })).toEqual([
    [1, 'FAILURE', 'running 4–8'],
  ]);
});

it('never runs backwards, and says when the clocks cannot agree', () => {
  const found = lived([['received', 3], ['started', 4], ['sent', 5, 'client'], ['succeeded', 6]], DONE);
  expect(found?.skewed).toBe(true);
  for (const { parts } of found?.attempts ?? []) {
    for (const { start, end } of parts) expect(end).toBeGreaterThanOrEqual(start);
  }
  expect(lived([['sent', 1], ['received', 3]])?.skewed).toBe(false);
  // A client tells of a sending when the broker has it; a worker may be faster.
  expect(lived([['received', 1], ['sent', 1.05]])?.skewed).toBe(false);
});

it('sums up what all attempts took', () => {
  const found = lived([['received', 2], ['started', 3], ['received', 5], ['retried', 6], ['started', 10]], { retries: 1 }, 12);
  expect(sums(found?.attempts ?? [])).toEqual([
    { kind: 'worker', seconds: 1, open: false },
    { kind: 'pause', seconds: 5, open: false },
    { kind: 'running', seconds: 5, open: true },
  ]);
});

describe('the scale', () => {
  const of = (...args: Parameters<typeof lived>) => {
    const found = lived(...args);
    if (!found) throw new Error('no life');
    return scale(found);
  };

  it('is even when all parts can be seen', () => {
    const { place, stretched } = of([['sent', 0], ['received', 2], ['started', 4], ['succeeded', 8]], { state: 'SUCCESS', state_at: 8 });
    expect([place(0), place(2), place(4), place(6), place(8)]).toEqual([0, 0.25, 0.5, 0.75, 1]);
    expect(stretched).toBe(false);
  });

  it('shows a millisecond beside an hour, in its order, and says that it is not to scale', () => {
    const { place, marks, stretched } = of([['sent', 0], ['received', 0.001], ['started', 0.002], ['succeeded', 3600]], { state: 'SUCCESS', state_at: 3600 });
    expect(place(0.001)).toBeGreaterThan(0.02);
    expect(place(0.002)).toBeGreaterThan(place(0.001) + 0.02);
    expect(marks.map(place)).toEqual([...marks.map(place)].sort((a, b) => a - b));
    expect(stretched).toBe(true);
  });

  it('has room for any number of attempts', () => {
    const told = Array.from({ length: 200 }, (_, n): Told[] => [['started', 10 * n], ['retried', 10 * n + 0.01]]).flat();
    const { place, marks } = of(told, { retries: 199 }, 2_100);
    for (const mark of marks) expect(place(mark)).toBeLessThanOrEqual(1);
  });

  it('labels what has room, the ends always', () => {
    const found = of([['sent', 0], ['received', 1], ['started', 2], ['succeeded', 100]], { state: 'SUCCESS', state_at: 100 });
    expect(labelled(found, 0.1)).toEqual([0, 100]);
    expect(labelled(of([['sent', 5]], {}, 5), 0.1)).toEqual([5]);
  });
});
