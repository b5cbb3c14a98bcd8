import { expect, it } from 'vitest';

import type { TaskRow } from '~/api/client';

import { extend, merged } from './held';

const rows = (ids: string) => Array.from(ids).map((uuid) => ({ uuid }) as TaskRow);
const ids = (list: readonly TaskRow[]) => list.map(({ uuid }) => uuid).join('');

it.each([
  ['abc', 'abcdef', 'abcdef'],
  ['abc', 'XYabcdef', 'abcdef'],
  ['abc', 'XaYbdef', 'abcdef'],
  ['abc', 'abc', 'abc'],
  ['abc', '', 'abc'],
  ['abc', 'XYZ', 'abcXYZ'],
])('holds %s and takes from %s what lies below: %s', (shown, longer, expected) => {
  expect(ids(extend(rows(shown), rows(longer)))).toBe(expected);
});

const timed = (times: Record<string, number>) =>
  Object.entries(times).map(([uuid, state_at]) => ({ uuid, state_at }) as TaskRow);

it.each([
  ['older ones below', { a: 9, b: 8 }, { c: 7, d: 6 }, 9, 'abcd'],
  ['each once, where the stream has it', { a: 9, b: 8 }, { b: 5, c: 4 }, 9, 'abc'],
  ['none that the stream would have told', { a: 9, b: 5 }, { c: 7, d: 4 }, 9, 'abd'],
  ['no more than there are', { a: 9 }, { b: 8, c: 7 }, 2, 'ab'],
  ['all that was fetched when the stream told none', {}, { b: 8 }, 9, 'b'],
])('merges: %s', (_, told, fetched, most, expected) => {
  expect(ids(merged(timed(told), timed(fetched), most))).toBe(expected);
});
