import { expect, it } from 'vitest';

import { sparkPaths } from './spark';

const paper = { window: [0, 10] as const, width: 100, height: 20 };

it('draws from nought to the highest value', () => {
  const { line, area } = sparkPaths({ ...paper, times: [0, 5, 10], values: [0, 4, 2] });
  expect(line).toBe('M0 20L50 0L100 10');
  expect(area).toBe('M0 20L0 20L50 0L100 10L100 20Z');
});

it('draws an empty queue along the bottom, not along the top', () => {
  expect(sparkPaths({ ...paper, times: [0, 10], values: [0, 0] }).line).toBe('M0 20L100 20');
});

it('leaves a hole where nothing could be read', () => {
  const { line } = sparkPaths({ ...paper, times: [0, 2, 4, 6, 8], values: [1, 1, null, 1, 1] });
  expect(line).toBe('M0 0L20 0M60 0L80 0');
});

it('shows a value that stands alone as a dot', () => {
  expect(sparkPaths({ ...paper, times: [0, 5, 10], values: [null, 3, null] }).line).toBe('M50 0h0');
});

it('leaves out what lies before the window', () => {
  expect(sparkPaths({ ...paper, times: [-5, 5, 10], values: [9, 1, 1] }).line).toMatch(/^M50 /);
});

it('draws nothing of nothing', () => {
  expect(sparkPaths({ ...paper, times: [], values: [] })).toEqual({ line: '', area: '' });
});
