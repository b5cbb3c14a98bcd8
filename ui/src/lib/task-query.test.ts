import { describe, expect, it } from 'vitest';

import { direction, isFiltered, nextSort, readTaskSearch, stripped, toggleState } from './task-query';

describe('an address', () => {
  it('is read without its defaults', () => {
    expect(readTaskSearch({ sort: '-seen', name: '', state: [] })).toEqual({});
  });

  it('is read whole', () => {
    const search = { state: ['FAILURE'], name: 'a.b', worker: 'w', queue: 'q', search: 's' };
    expect(readTaskSearch({ ...search, sort: 'runtime' })).toEqual({ ...search, sort: 'runtime' });
  });

  it('may say one state as a word, in any case', () => {
    expect(readTaskSearch({ state: 'failure' })).toEqual({ state: ['FAILURE'] });
  });

  it.each(['--seen', 'size', '', '-', 'seen;drop'])('may not sort by %j', (sort) => {
    expect(readTaskSearch({ sort })).toEqual({});
  });

  it('drops what it does not know', () => {
    expect(readTaskSearch({ page: '7', state: 7 })).toEqual({});
  });
});

it('is not filtered by an order alone', () => {
  expect(isFiltered({ sort: 'name' })).toBe(false);
  expect(isFiltered({ state: ['RETRY'] })).toBe(true);
});

it('toggles states, and leaves the rest alone', () => {
  const one = toggleState({ name: 'n' }, ['RETRY']);
  expect(one).toEqual({ name: 'n', state: ['RETRY'] });
  expect(toggleState(one, ['RETRY', 'FAILURE'])).toEqual({ name: 'n', state: ['RETRY', 'FAILURE'] });
  expect(toggleState(one, ['RETRY'])).toEqual({ name: 'n' });
});

it('strips the same view to the same address', () => {
  expect(stripped({ sort: '-seen', search: '' })).toEqual(stripped({}));
});

it('sorts down, up, and back to the newest first', () => {
  expect(nextSort('-seen', 'runtime')).toBe('-runtime');
  expect(nextSort('-runtime', 'runtime')).toBe('runtime');
  expect(nextSort('runtime', 'runtime')).toBe('-seen');
  expect(direction('-runtime', 'runtime')).toBe('descending');
  expect(direction('runtime', 'name')).toBe('none');
});
