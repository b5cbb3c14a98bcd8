import { describe, expect, it } from 'vitest';

import { cellSize, groups, level, stem, stepTo } from './worker-grid';

const range = (length: number, make: (index: number) => string) => Array.from({ length }, (_, index) => make(index));

describe('groups', () => {
  it('leaves few workers together, in the order of their numbers', () => {
    expect(groups(['celery@web10', 'celery@web2'])).toEqual([
      { name: null, hostnames: ['celery@web2', 'celery@web10'] },
    ]);
  });

  it('groups by host where several workers share one', () => {
    const found = groups(range(40, (index) => `w${index}@host-${index % 4}`));
    expect(found.map(({ name, hostnames }) => [name, hostnames.length])).toEqual([
      ['host-0', 10], ['host-1', 10], ['host-2', 10], ['host-3', 10],
    ]);
  });

  it('groups one worker a host by what the hosts are called', () => {
    const found = groups([...range(20, (index) => `celery@web-${index}`), ...range(9, (index) => `celery@gpu${index}.eu.internal`)]);
    expect(found.map(({ name, hostnames }) => [name, hostnames.length])).toEqual([['gpu', 9], ['web', 20]]);
  });

  it('groups by the name before the @ when hosts tell nothing', () => {
    const found = groups([...range(20, (index) => `mail${index}@10-0-0-${index}x`), ...range(20, (index) => `video${index}@10-1-0-${index}y`)]);
    expect(found.map(({ name }) => name)).toEqual(['mail', 'video']);
  });

  it('puts those without others of their kind at the end', () => {
    const found = groups([...range(30, (index) => `a@h${index % 3}`).map((name, index) => `${index}${name}`), 'b@alone']);
    expect(found.at(-1)).toEqual({ name: null, hostnames: ['b@alone'] });
  });

  it('does not group when no part of the names tells them apart', () => {
    expect(groups(range(100, (index) => `celery@web${index}`))).toHaveLength(1);
  });

  it('loses and doubles no worker', () => {
    const all = range(300, (index) => `w${index % 7}@host-${index % 45}.${index}`);
    expect(groups(all).flatMap(({ hostnames }) => hostnames).sort()).toEqual([...all].sort());
  });
});

it.each([
  ['web-12', 'web'],
  ['mail-6f7d9c5b8-x2k4p', 'mail'],
  ['gpu7.eu.internal', 'gpu'],
  ['12', '12'],
  ['plain', 'plain'],
])('takes what counts off %s', (name, expected) => {
  expect(stem(name)).toBe(expected);
});

it.each([
  [0, 8, 0],
  [1, 100, 1],
  [4, 8, 4],
  [8, 8, 8],
  [11, 8, 8],
  [3, null, 4],
])('fills a cell with %d of %s running to %d eighths', (running, of, expected) => {
  expect(level(running, of)).toBe(expected);
});

describe('steps', () => {
  // Rows of three, then of two that are shifted.
  const places = [
    { left: 0, top: 0 }, { left: 10, top: 0 }, { left: 20, top: 0 },
    { left: 0, top: 10 }, { left: 10, top: 10 },
    { left: 8, top: 30 },
  ];
  it.each([
    ['next', 0, 1],
    ['next', 5, 5],
    ['previous', 0, 0],
    ['down', 2, 4],
    ['down', 3, 5],
    ['down', 5, 5],
    ['up', 5, 4],
    ['up', 1, 1],
    ['first', 4, 0],
    ['last', 1, 5],
  ] as const)('%s from %d is %d', (step, from, expected) => {
    expect(stepTo(step, from, places)).toBe(expected);
  });
});

it('shows names while there is room for them', () => {
  expect([3, 12, 13, 60, 61, 500].map(cellSize)).toEqual(['tile', 'tile', 'square', 'square', 'small', 'small']);
});
