import { describe, expect, it } from 'vitest';

import { canonical } from './query-language';
import { direction, nextSort, readTaskSearch, stripped, translated } from './task-query';
import { parseSearch } from './url';

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

// As Grafana's data links are written: it fills in names, percent-encoded or not.
describe('a link from elsewhere', () => {
  it.each([
    ['query=name:app.bill+state:failure', 'name:app.bill state:failure'],
    ['query=name%3Aapp.bill%20state%3Afailure', 'name:app.bill state:failure'],
    ['query=name:%22app%2Ebill%22%20state:failure', 'name:"app.bill" state:failure'],
    ['query=name:"my task (1), 50 %25*"', 'name:"my task (1), 50 %*"'],
    ['query=worker:"celery%40web1"&from=now-1h', 'worker:"celery@web1"'],
    ['query=exception:"KeyError("*%20queue:"mail"', 'exception:"KeyError("* queue:"mail"'],
    ['query=name:"a"%20since:2026-11-23T03:00:00.000Z', 'name:"a" since:2026-11-23T03:00:00.000Z'],
  ])('%s asks for %s', (address, query) => {
    expect(translated(parseSearch(address))).toBeNull();
    expect(readTaskSearch(parseSearch(address))).toEqual({ query });
    expect(canonical(query)).not.toBeNull();
  });

  it.each([
    ['name=app.bill&state=FAILURE', 'state:failure name:app.bill'],
    ['name=a%22b%5Cc%20d%2A%26&state=FAILURE', String.raw`state:failure name:"a\"b\\c d*&"`],
  ])('%s needs no quotes of its own', (address, query) => {
    expect(translated(parseSearch(address))).toEqual({ query });
    expect(canonical(query)).not.toBeNull();
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
