import { expect, it } from 'vitest';

import { many, one, parseSearch, stringifySearch } from './url';

it('reads repeated keys as lists and everything as text', () => {
  expect(parseSearch('?state=A&state=B&state=C&n=5')).toEqual({ state: ['A', 'B', 'C'], n: '5' });
});

it('is not misled by the names of built-in properties', () => {
  expect(parseSearch('?__proto__=x&constructor=y&toString=z').constructor).toBe('y');
});

it('writes plain words and leaves out what is empty', () => {
  const search = { state: ['A', 'B'], name: '', worker: 'celery@web1', gone: undefined };
  expect(stringifySearch(search)).toBe('?state=A&state=B&worker=celery@web1');
  expect(stringifySearch({})).toBe('');
});

it.each(['a&b=c', 'ü 你 %', '"quoted"', 'a+b', '\u202e\u0000', '1,2'])(
  'brings %j back as it was',
  (text) => expect(parseSearch(stringifySearch({ search: text }))).toEqual({ search: text }),
);

it('takes one or many of a key', () => {
  expect(one(['a', 'b'])).toBe('a');
  expect(one(undefined)).toBe('');
  expect(many(['a', 'b', 'a', ''])).toEqual(['a', 'b']);
  expect(many('a')).toEqual(['a']);
  expect(many(3)).toEqual([]);
});
