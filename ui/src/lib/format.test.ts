import { describe, expect, it } from 'vitest';

import { age, bytes, compact, count, duration, percent, plural, rate, share, tick } from './format';

describe('what is no number is shown as a dash', () => {
  it.each([count, compact, rate, percent, duration, age, bytes])('%o', (format) => {
    for (const value of [null, undefined, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(format(value)).toBe('–');
    }
  });
});

it.each([
  [0, '0'],
  [1234567, '1,234,567'],
])('counts %d as %s', (value, text) => expect(count(value)).toBe(text));

it.each([
  [0, '0'],
  [999, '999'],
  [1000, '1.00k'],
  [1234, '1.23k'],
  [45_600, '45.6k'],
  [789_000, '789k'],
  [999_949, '1.00M'],
  [1_284_000, '1.28M'],
  [2_000_000_000, '2.00G'],
])('shortens %d to %s', (value, text) => expect(compact(value)).toBe(text));

it.each([
  [0, '0'],
  [0.04, '<0.1'],
  [0.4, '0.4'],
  [99.94, '99.9'],
  [99.96, '100'],
  [5_432, '5.43k'],
])('says a rate of %d as %s', (value, text) => expect(rate(value)).toBe(text));

it.each([
  [0, '0 s'],
  [0.000_012, '12.0 µs'],
  [0.000_9999, '1.00 ms'],
  [0.012, '12.0 ms'],
  [0.9996, '1.00 s'],
  [1.24, '1.24 s'],
  [59.94, '59.9 s'],
  [59.97, '1 m 00 s'],
  [125, '2 m 05 s'],
  [12_000, '3 h 20 m'],
  [187_200, '2 d 4 h'],
  [-2.5, '−2.50 s'],
])('says %d seconds as %s', (value, text) => expect(duration(value)).toBe(text));

it.each([
  [-3, '0 s'],
  [12.9, '12 s'],
  [60, '1 m 00 s'],
])('says an age of %d as %s', (value, text) => expect(age(value)).toBe(text));

it.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.00 kB'],
  [64_000_000, '64.0 MB'],
  [4e15, '4000 TB'],
])('says %d bytes as %s', (value, text) => expect(bytes(value)).toBe(text));

it.each([
  [0, '0'],
  [0.04, '<0.1'],
  [2.44, '2.4'],
  [37.2, '37'],
  [100, '100'],
])('says %d per cent as %s', (value, text) => expect(percent(value)).toBe(text));

it('knows no share of nothing', () => {
  expect(share(0, 0)).toBeNull();
  expect(share(1, 4)).toBe(25);
});

it.each([
  [0, '0'],
  [0.25, '0.25'],
  [0.30000000000000004, '0.3'],
  [40, '40'],
  [1500, '1.5k'],
  [20_000, '20k'],
])('marks an axis at %d with %s', (value, text) => expect(tick(value)).toBe(text));

it('counts one in the singular', () => {
  expect(plural(1, 'gap')).toBe('1 gap');
  expect(plural(2, 'process', 'processes')).toBe('2 processes');
});
