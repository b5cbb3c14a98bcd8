import { describe, expect, it } from 'vitest';

import { ceiling, decades, extent, linear, logarithmic, lonely } from './scale';

describe('a linear scale', () => {
  it.each([
    [null, 1],
    [0, 1],
    [0.3, 0.4],
    [9, 10],
    [97, 120],
    [100, 120],
    [1234, 1500],
  ])('has a round top above %s', (top, expected) => {
    expect(ceiling(top)).toBeCloseTo(expected);
  });

  it('grows at once, and stays while more than half of it is used', () => {
    const wide = linear(linear(null, 90), 130);
    expect(wide).toEqual([0, 150]);
    expect(linear(wide, 80)).toEqual([0, 150]);
    expect(linear(wide, 50)).toEqual([0, 60]);
  });
});

describe('a logarithmic scale', () => {
  it('spans whole decades, at least two', () => {
    expect(logarithmic(null, 0.012, 0.09)).toEqual([0.01, 1]);
    expect(logarithmic(null, 0.002, 8)).toEqual([0.001, 10]);
    expect(logarithmic(null, 1, 10)).toEqual([1, 100]);
  });

  it('widens at once, and narrows by two decades only', () => {
    const before = logarithmic(null, 0.002, 8);
    expect(logarithmic(before, 0.002, 80)).toEqual([0.001, 100]);
    expect(logarithmic(before, 0.02, 0.8)).toEqual(before);
    expect(logarithmic(before, 0.2, 0.8)).toEqual([0.1, 10]);
  });

  it('has a range before there is a value, and keeps it when the values go', () => {
    expect(logarithmic(null, null, null)).toEqual([0.001, 10]);
    expect(logarithmic([1, 100], null, null)).toEqual([1, 100]);
  });

  it('marks decades, fewer where there is no room', () => {
    expect(decades([0.001, 10], 9)).toEqual([0.001, 0.01, 0.1, 1, 10]);
    expect(decades([0.001, 10], 3)).toEqual([0.001, 0.1, 10]);
  });
});

it('finds the extent of what a logarithm can show', () => {
  expect(extent([[0, 3, null], [0.5]])).toEqual([0.5, 3]);
  expect(extent([[null], []])).toEqual([null, null]);
});

it('finds values that stand alone', () => {
  expect(lonely([1, null, 2, 3, null, 4])).toEqual([0, 5]);
  expect(lonely([null, undefined])).toEqual([]);
});
