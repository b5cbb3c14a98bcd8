import { expect, it } from 'vitest';

import { compared } from './usual';

it.each<[number, number | null, number | null, unknown]>([
  [0.2, 0.24, 0.5, { words: 'usually 240 ms', over: false, share: 0.4 }],
  [0.4, 0.24, 0.5, { words: 'usually 240 ms', over: false, share: 0.8 }],
  [0.768, 0.24, 0.5, { words: '3.2× its usual 240 ms', over: true, share: 1.536 }],
  [24, 0.24, 0.5, { words: '100× its usual 240 ms', over: true, share: 48 }],
  // Always the same time: a little more is not worth a word.
  [0.25, 0.24, 0.24, { words: 'usually 240 ms', over: false, share: 0.25 / 0.24 }],
  [1, 0.24, null, { words: '4.2× its usual 240 ms', over: true, share: 1 / 0.24 }],
  [1, null, null, null],
  [1, 0, 0, null],
  [NaN, 1, 1, null],
])('%f s, usually %f s and at most %f s', (seconds, p50, p95, found) => {
  expect(compared(seconds, p50, p95)).toEqual(found);
});
