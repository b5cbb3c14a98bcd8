import { describe, expect, it } from 'vitest';

import { direction, nextSort, readTaskSearch, stripped, translated } from './task-query';

describe('an address', () => {
  it('is read without its defaults', () => {
    expect(readTaskSearch({ sort: '-seen', query: ' ', task: '' })).toEqual({});
  });

  it('is read whole', () => {
    const search = { query: 'state:failure', sort: 'runtime', task: 'u-1', columns: 'state,name,runtime' };
    expect(readTaskSearch(search)).toEqual(search);
  });

  it.each(['--seen', 'size', '', '-', 'seen;drop'])('may not sort by %j', (sort) => {
    expect(readTaskSearch({ sort })).toEqual({});
  });

  it('drops what it does not know', () => {
    expect(readTaskSearch({ page: '7', state: 7 })).toEqual({});
  });
});

describe('an address with a parameter a field', () => {
  it.each([
    [{ state: 'FAILURE' }, 'state:failure'],
    [{ state: ['FAILURE', 'RETRY'], name: 'a.b' }, 'state:failure,retry name:a.b'],
    [{ worker: 'celery@web1', queue: 'my queue' }, 'worker:celery@web1 queue:"my queue"'],
    [{ search: 'plain' }, 'plain'],
    [{ search: 'two words' }, '"two words"'],
    [{ search: 'state:FAILURE name:a' }, 'state:FAILURE name:a'],
    [{ state: 'RETRY', search: 'name:a OR name:b' }, 'state:retry (name:a OR name:b)'],
    [{ query: 'x', state: 'RETRY' }, 'x'],
  ])('%j asks for %j', (search, query) => {
    expect(translated(search)).toEqual({ query });
  });

  it('keeps the rest of it', () => {
    expect(translated({ name: 'a', sort: 'name', page: '2' })).toEqual({ query: 'name:a', sort: 'name' });
  });

  it('is told from one of today', () => {
    expect(translated({ query: 'x', sort: 'name', task: 'u' })).toBeNull();
    expect(translated({ state: '', search: ' ' })).toBeNull();
  });
});

it('strips the same view to the same address', () => {
  expect(stripped({ sort: '-seen', query: '' })).toEqual(stripped({}));
});

it('sorts down, up, and back to the newest first', () => {
  expect(nextSort('-seen', 'runtime')).toBe('-runtime');
  expect(nextSort('-runtime', 'runtime')).toBe('runtime');
  expect(nextSort('runtime', 'runtime')).toBe('-seen');
  expect(direction('-runtime', 'runtime')).toBe('descending');
  expect(direction('runtime', 'name')).toBe('none');
});
