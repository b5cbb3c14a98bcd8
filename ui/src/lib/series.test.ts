import { describe, expect, it } from 'vitest';

import { gapsWithin, holed, rates } from './series';

const series = (received: number[]) => ({ received, succeeded: [], failed: [], retried: [] });

describe('rates', () => {
  it('divide by the time a step took', () => {
    const made = rates({ step_seconds: 2, times: [2, 4, 8], series: series([10, 10, 10]) });
    expect(made.values.received).toEqual([5, 5, 2.5]);
  });

  it('do not explode when two steps end together', () => {
    const made = rates({ step_seconds: 2, times: [2, 2], series: series([1, 1]) });
    expect(made.values.received).toEqual([0.5, 1]);
  });

  it('of nothing are nothing', () => {
    expect(rates({ step_seconds: 2, times: [], series: series([]) }).values.received).toEqual([]);
  });
});

it.each([
  [{ start: 0, end: 5 }, []],
  [{ start: 5, end: 15 }, [{ start: 10, end: 15, reason: 'why' }]],
  [{ start: 12, end: null }, [{ start: 12, end: 20, reason: 'why' }]],
  [{ start: 30, end: 40 }, []],
])('cuts the gap %j to the window', (gap, expected) => {
  expect(gapsWithin([{ ...gap, reason: 'why' }], 10, 20)).toEqual(expected);
});

it('makes unsafe characters of a reason visible, and bounds it', () => {
  const [gap] = gapsWithin([{ start: 12, end: 13, reason: `\u202e${'x'.repeat(1000)}` }], 10, 20);
  expect(gap?.reason).toMatch(/^\\u202ex{200,300}$/);
});

describe('holes', () => {
  const drawn = { times: [2, 4, 6, 8, 10], values: { received: [5, 3, 0, 1, 5] } };

  it('are the steps within a gap, not those that only touch one', () => {
    expect(holed(drawn, [{ start: 3, end: 8.5 }]).received).toEqual([5, 3, null, null, 5]);
  });

  it('are none without a gap', () => {
    expect(holed(drawn, [])).toBe(drawn.values);
  });
});
