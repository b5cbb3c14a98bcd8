import { describe, expect, it } from 'vitest';

import { choiceOf, freed, onlyValue, withValue, withoutValue } from './query-edit';
import { EVERYTHING, analyse, show } from './query-language';

const read = (text: string) => analyse(text).query ?? EVERYTHING;

describe('a click', () => {
  it.each([
    ['', 'name:a'],
    ['timeout', 'timeout name:a'],
    ['name:b timeout', 'timeout name:a'],
    ['name:a,b', 'name:a'],
    ['-name:a', 'name:a'],
    ['name:a timeout', 'timeout'],
    ['a OR b', '(a OR b) name:a'],
  ])('on a value makes of %j %j', (before, after) => {
    expect(show(onlyValue(read(before), 'name', 'a'))).toBe(after);
  });

  it.each([
    ['', 'state:failure'],
    ['state:retry x', 'state:retry,failure x'],
    ['state:retry,failed x', 'state:retry x'],
    ['state:failure x', 'x'],
    ['state:finished', 'state:success,revoked,rejected'],
    ['-state:failure', 'state:failure'],
    ['state:started OR x', '(state:started OR x) state:failure'],
  ])('on a state makes of %j %j', (before, after) => {
    expect(show(withValue(read(before), 'state', 'FAILURE'))).toBe(after);
  });

  it.each([
    ['', '-queue:a'],
    ['queue:a x', 'x -queue:a'],
    ['-queue:a x', 'x'],
    ['-queue:a,b', '-queue:b'],
    ['-queue:b', '-queue:b -queue:a'],
  ])('that excludes makes of %j %j', (before, after) => {
    expect(show(withoutValue(read(before), 'queue', 'a'))).toBe(after);
  });
});

it('quotes what the language would read otherwise', () => {
  for (const value of ['a b', 'a,b', 'x*', '"', '\\', 'k=v', '(', '', 'AND', '-a']) {
    const query = onlyValue(EVERYTHING, 'name', value);
    if (value !== '') expect(read(show(query)), value).toEqual(query);
  }
});

it('chooses a very long value by how it begins, and knows it again', () => {
  const long = 'x '.repeat(5_000);
  const query = onlyValue(EVERYTHING, 'name', long);
  expect(show(query).length).toBeLessThan(250);
  expect(choiceOf(read(show(query)), 'name', long)).toBe('only');
  expect(show(onlyValue(query, 'name', long))).toBe('');
});

it('knows values told in part, as the server does', () => {
  expect(choiceOf(read('name:send_email'), 'name', 'emails.send_email')).toBe('only');
  expect(choiceOf(read('name:email'), 'name', 'emails.send_email')).toBeNull();
  expect(choiceOf(read('name:emails.*'), 'name', 'emails.send_email')).toBe('only');
  expect(choiceOf(read('name:*a*a*'), 'name', 'ba')).toBeNull();
  expect(choiceOf(read('-worker:web1'), 'worker', 'celery@web1')).toBe('not');
  expect(choiceOf(read('worker:CELERY'), 'worker', 'celery@web1')).toBe('only');
  expect(choiceOf(read('state:waiting'), 'state', 'PENDING')).toBe('only');
  expect(choiceOf(read('queue:a OR x'), 'queue', 'a')).toBeNull();
});

it('lets go of all that was asked of a key', () => {
  expect(show(freed(read('state:failure x -state:retry'), 'state'))).toBe('x');
});
