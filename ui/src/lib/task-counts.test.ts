import { describe, expect, it } from 'vitest';

import { type Known, told } from './task-counts';

const NOW: Known = { everything: false, ofMemory: 300, inMemory: 900, stored: 900, count: { total: 300, total_whole: true } };

describe('the count that is told', () => {
  it.each<[string, Partial<Known>, number | null, boolean]>([
    ['is of the memory, where that has all', { ofMemory: 310, inMemory: 910 }, 310, true],
    ['is of the memory, also where the history was told of a moment ago', { count: { total: 330, total_whole: true } }, 300, true],
    ['is of the memory, while nothing is counted', { stored: 5_000, count: null }, 300, true],
    ['is of the history, where that has more', { stored: 5_000, count: { total: 1_400, total_whole: true } }, 1_400, true],
    ['is the least there are, where more were not counted', { stored: 90_000, count: { total: 10_000, total_whole: false } }, 10_000, false],
    ['of every task is about what is stored', { everything: true, ofMemory: 900, stored: 90_000, count: { total: 10_000, total_whole: false } }, 90_000, true],
    [
      'of every task is never that of a minute ago, where the memory has more',
      { everything: true, ofMemory: 28_279, inMemory: 28_279, stored: 27_988, count: { total: 10_000, total_whole: false } },
      28_279,
      true,
    ],
    ['of every task is what is stored, where the memory keeps no more', { everything: true, ofMemory: 20_000, inMemory: 20_000, stored: 27_988, count: { total: 10_000, total_whole: false } }, 27_988, true],
    ['is not known before anything is', { ofMemory: null, inMemory: null, stored: null, count: null }, null, true],
  ])('%s', (_, known, total, whole) => {
    expect(told({ ...NOW, ...known })).toMatchObject({ total, whole });
  });
});
