import { describe, expect, it } from 'vitest';

import { instead, overdueWords, readScheduleSearch, selectEntries } from './schedules';

const entry = (name: string, told: object = {}) => ({
  name,
  task: 'shop.tick',
  schedule: 'every minute',
  source: 'RedBeat',
  enabled: true,
  overdue: 'no' as 'no' | 'yes' | 'unknown',
  ...told,
});

describe('the entries that are shown', () => {
  const entries = [entry('off', { enabled: false, overdue: 'yes' }), entry('a'), entry('late', { overdue: 'yes' }), entry('b', { overdue: 'unknown' })];

  it('have overdue ones first and disabled ones last', () => {
    expect(selectEntries(entries, {}).map(({ name }) => name)).toEqual(['late', 'a', 'b', 'off']);
  });

  it.each([
    ['LATE', ['late']],
    ['tick', ['late', 'a', 'b', 'off']],
    ['redbeat', ['late', 'a', 'b', 'off']],
    ['nothing', []],
  ])('are found by name, task, schedule and source: %s', (search, names) => {
    expect(selectEntries(entries, { search }).map(({ name }) => name)).toEqual(names);
  });
});

it.each([
  [{ enabled: false, next_run: 200 }, 'Disabled'],
  [{ enabled: true, next_run: null }, 'not known'],
  [{ enabled: true, next_run: 99 }, 'due'],
  [{ enabled: true, next_run: 101 }, null],
])('a next run that is no moment is said in words: %j', (told, words) => {
  expect(instead({ overdue: 'no', note: '', ...told }, 100)).toBe(words);
});

it.each([
  [{ overdue: 'no', overdue_seconds: null } as const, null],
  [{ overdue: 'unknown', overdue_seconds: null } as const, null],
  [{ overdue: 'yes', overdue_seconds: null } as const, 'Overdue'],
  [{ overdue: 'yes', overdue_seconds: 200 } as const, 'Overdue by 3 m 20 s'],
])('what is overdue is said so: %j', (told, words) => {
  expect(overdueWords(told)).toBe(words);
});

it('an address keeps only what differs from the usual', () => {
  expect(readScheduleSearch({ search: '', other: 'x' })).toEqual({});
  expect(readScheduleSearch({ search: 'night' })).toEqual({ search: 'night' });
});
