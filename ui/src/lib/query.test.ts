import { describe, expect, it } from 'vitest';

import { queryOf } from './query';
import { analyse, canonical } from './query-language';

describe('the query of a link', () => {
  it('asks for all of its parts, and for any value of each', () => {
    const parts = { state: ['FAILURE', 'RETRY'], name: 'a.b', since: '5m', runtime: '>5s', text: 'x' };
    expect(queryOf(parts)).toBe('state:failure,retry name:a.b runtime:>5s since:5m x');
    expect(queryOf({})).toBe('');
    expect(queryOf({ state: [], name: '' })).toBe('');
  });

  it('is canonical', () => {
    const query = queryOf({ state: ['FAILURE'], name: 'a b', worker: 'celery@web1', text: 'k:v' });
    expect(canonical(query)).toBe(query);
  });

  it('asks for how a very long value begins: a query has its limit', () => {
    const query = queryOf({ name: `a b${'x'.repeat(10_000)}` });
    expect(query.length).toBeLessThan(250);
    expect(canonical(query)).toBe(query);
  });

  it.each(['a b', 'a,b', 'x*y', '"', '\\', '\\"', 'k=v', '(a)', 'AND', '-a', 'a:b', 'ü 🙂', '\u00a0', ','])(
    'means the value %j and nothing else',
    (value) => {
      expect(analyse(queryOf({ name: value })).query).toEqual({ kind: 'match', key: 'name', values: [[value]] });
      expect(analyse(queryOf({ text: value })).query).toEqual({ kind: 'text', text: value });
    },
  );
});
