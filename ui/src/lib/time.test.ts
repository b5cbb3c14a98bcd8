import { expect, it } from 'vitest';

import { absolute, machine, relative, timeOfDay, timeOrDay } from './time';

const NOON = new Date(2026, 10, 23, 12, 3, 7, 250).getTime() / 1000;

it.each([
  [0, 'just now'],
  [0.9, 'just now'],
  [12, '12 s ago'],
  [125, '2 m 05 s ago'],
  [-180, 'in 3 m 00 s'],
])('says %d seconds gone as %s', (gone, text) => {
  expect(relative(NOON - gone, NOON)).toBe(text);
});

it('says a moment whole, in local time, with its zone', () => {
  expect(absolute(NOON)).toMatch(/^2026-11-23 12:03:07\.250 UTC([+−]\d\d:\d\d)?$/);
  expect(timeOfDay(NOON)).toBe('12:03:07.250');
});

it('does not throw at a time that no calendar has', () => {
  for (const at of [Number.NaN, 1e300, -1e300]) {
    expect(absolute(at)).toBe('no such time');
    expect(timeOfDay(at)).toBe('no such time');
    expect(machine(at)).toBe('');
  }
});

it('a time of another day is told with the day', () => {
  const at = new Date(2026, 10, 22, 14, 3, 7, 250).getTime() / 1000;
  expect(timeOrDay(at, '2026-11-22')).toBe('14:03:07.250');
  expect(timeOrDay(at, '2026-11-23')).toBe('11-22 14:03:07');
});
