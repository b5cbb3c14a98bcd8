import { describe, expect, it } from 'vitest';

import { apart, contrast, difference, over, parse } from './colour';

describe('CIEDE2000', () => {
  // From the test data of Sharma, Wu and Dalal 2005, chosen for the branches of the formula.
  it.each([
    [[50, 2.6772, -79.7751], [50, 0, -82.7485], 2.0425],
    [[50, -1.3802, -84.2814], [50, 0, -82.7485], 1.0],
    [[50, 0, 0], [50, -1, 2], 2.3669],
    [[50, 2.49, -0.001], [50, -2.49, 0.0011], 7.2195],
    [[50, 2.5, 0], [73, 25, -18], 27.1492],
    [[50, 2.5, 0], [58, 24, 15], 19.4535],
    [[2.0776, 0.0795, -1.135], [0.9033, -0.0636, -0.5514], 0.9082],
  ] as const)('of %j and %j is %d', (one, other, expected) => {
    expect(difference(one, other)).toBeCloseTo(expected, 3);
    expect(difference(other, one)).toBeCloseTo(expected, 3);
  });
});

it('knows the contrast of black on white, and of a colour on itself', () => {
  expect(contrast(parse('#000000'), parse('#ffffff'))).toBeCloseTo(21);
  expect(contrast(parse('#a61b32'), parse('#a61b32'))).toBe(1);
});

it('sees red and green of one lightness as one colour where people cannot tell them', () => {
  const [red, green] = [parse('#d0504f'), parse('#808a2c')];
  expect(apart(red, green, 'usual')).toBeGreaterThan(30);
  expect(apart(red, green, 'deuteranopia')).toBeLessThan(8);
});

it('mixes what is half there with what is below', () => {
  expect(over([1, 1, 1], 0.5, [0, 0, 0])).toEqual([0.5, 0.5, 0.5]);
});

it('refuses what is no plain colour', () => {
  expect(() => parse('red')).toThrow('not a colour');
});
