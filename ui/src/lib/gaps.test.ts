import { expect, it } from 'vitest';

import type { HistoryGap } from '~/api/client';

import { spanOf, together, when, whatIsMissing, within } from './gaps';

const noon = new Date(2026, 10, 23, 12, 0, 0).getTime() / 1000;
const DAY = 86_400;

function gap(more: Partial<HistoryGap>): HistoryGap {
  return { start: noon, end: noon + 60, kind: 'disconnected', worker: null, events: null, reason: '', ...more };
}

it.each([
  [gap({}), 'No events: the broker could not be reached'],
  [gap({ kind: 'stopped' }), 'No events: the console was not running'],
  [gap({ kind: 'lost', events: 1_200, worker: 'one@shop' }), '1,200 events lost on the way from one@shop'],
  [gap({ kind: 'lost' }), 'Events lost on the way'],
  [gap({ kind: 'dropped', events: 1 }), '1 event dropped here: there was no room'],
])('a gap is told in words: %o', (one, words) => {
  expect(whatIsMissing(one)).toBe(words);
});

it('its time has the day where it is not today', () => {
  expect(when(gap({}), noon + 100)).toBe('12:00:00 – 12:01:00');
  expect(when(gap({}), noon + 2 * DAY)).toBe('2026-11-23 12:00:00 – 12:01:00');
  expect(when(gap({ end: null }), noon + 100)).toBe('since 12:00:00');
});

it('several at one place are told together', () => {
  expect(together([gap({}), gap({})])).toBe('No events: the broker could not be reached, 2 times');
  expect(together([gap({ kind: 'lost', events: 3 }), gap({ kind: 'lost', events: 4 })])).toBe('7 events lost on the way, in 2 pieces');
  expect(together([gap({}), gap({ kind: 'lost' })])).toBe('2 gaps: disconnected, lost');
  expect(spanOf([gap({}), gap({ start: noon - 5, end: null })])).toEqual({ start: noon - 5, end: null });
});

it('those in a span of time are found, also one that lasts', () => {
  const all = [gap({ start: 1, end: 2 }), gap({ start: 5, end: 9 }), gap({ start: 7, end: null })];
  expect(within(all, 3, 6)).toEqual([all[1]]);
  expect(within(all, 8, 100)).toEqual([all[1], all[2]]);
});
