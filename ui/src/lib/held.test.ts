import { expect, it } from 'vitest';

import type { TaskRow } from '~/api/client';

import { extend } from './held';

const rows = (ids: string) => Array.from(ids).map((uuid) => ({ uuid }) as TaskRow);
const ids = (list: TaskRow[]) => list.map(({ uuid }) => uuid).join('');

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
