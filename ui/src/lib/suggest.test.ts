import { describe, expect, it } from 'vitest';

import { KEYS } from './query-language';
import { type Known, caretIn, remembered, suggestions, taken } from './suggest';

/** `|` is the caret. */
function at(marked: string): [string, number] {
  return [marked.replace('|', ''), marked.indexOf('|')];
}

const known: Known = {
  values: {
    state: [{ value: 'SUCCESS', count: 90 }, { value: 'FAILURE', count: 7 }, { value: 'RETRY', count: 1 }],
    name: [{ value: 'payments.charge', count: 50 }, { value: 'emails.send email', count: 20 }, { value: 'recharge', count: 2 }],
    queue: [{ value: 'a,b', count: 4 }],
  },
  recent: ['state:failure', 'runtime:>5s'],
};

const labels = (marked: string) => suggestions(...at(marked), known).map(({ label }) => label);

function accept(marked: string, label: string): string {
  const [text, caret] = at(marked);
  const found = suggestions(text, caret, known).find((one) => one.label === label);
  if (!found) throw new Error(`${label} is not offered at ${marked}`);
  const after = taken(text, found);
  return `${after.text.slice(0, after.caret)}|${after.text.slice(after.caret)}`;
}

describe('the place of the caret', () => {
  it.each([
    ['|', null, ''],
    ['sta|', null, 'sta'],
    ['a sta|te:x', null, 'sta'],
    ['-sta|', null, 'sta'],
    ['(na|', null, 'na'],
    ['(a OR na|)', null, 'na'],
    ['state:|', 'state', ''],
    ['state:fai|l', 'state', 'fai'],
    ['-State:failure,re|', 'state', 're'],
    ['name:"a b|', 'name', 'a b'],
    ['name:"a b",c|', 'name', 'c'],
    ['task:x|', 'name', 'x'],
    ['a |b', null, ''],
  ])('%j', (marked, key, typed) => {
    expect(caretIn(...at(marked))).toMatchObject({ key, typed });
  });

  it('is nowhere in a quoted text, nor after what is no key', () => {
    expect(caretIn(...at('"a st|'))).toBeNull();
    expect(caretIn(...at('nmae:a|'))).toBeNull();
  });
});

describe('what is offered', () => {
  it('is keys first, and what was asked lately', () => {
    const offered = labels('|');
    expect(offered.slice(0, 3)).toEqual(['state:', 'name:', 'runtime:']);
    expect(offered.slice(8, 10)).toEqual(['state:failure', 'runtime:>5s']);
    for (const key of KEYS) expect(offered).toContain(`${key}:`);
    expect(labels('x |')).not.toContain('runtime:>5s');
  });

  it('is the keys that begin so, then values that may be meant', () => {
    expect(labels('re|')).toEqual(['result:', 'retries:', 'state:retry', 'name:recharge']);
    expect(labels('charge|')).toEqual(['name:payments.charge', 'name:recharge']);
  });

  it('is the values of the key, the most frequent first, those beginning so before others', () => {
    expect(labels('state:|')).toEqual(['success', 'failure', 'retry']);
    expect(labels('name:charge|')).toEqual(['payments.charge', 'recharge']);
    expect(labels('state:f|')).toContain('finished');
  });

  it('leaves out what is there already', () => {
    expect(labels('state:failure,|')).toEqual(['success', 'retry']);
    expect(labels('name:payments.charge|')).toEqual([]);
  });

  it('is examples where values cannot be listed', () => {
    expect(labels('runtime:|')).toContain('>5s');
    expect(labels('since:|')).toContain('5m');
  });
});

describe('taking one', () => {
  it.each([
    ['st|', 'state:', 'state:|'],
    ['x -st|', 'state:', 'x -state:|'],
    ['s|tate:failure', 'state:', 'state:|failure'],
    ['state:f|', 'failure', 'state:failure |'],
    ['state:f| x', 'failure', 'state:failure| x'],
    ['state:retry,|', 'failure', 'state:retry,failure |'],
    ['name:ema|', 'emails.send email', 'name:"emails.send email" |'],
    ['queue:|', 'a,b', 'queue:"a,b" |'],
    ['(char|) x', 'name:payments.charge', '(name:payments.charge|) x'],
    ['|', 'runtime:>5s', 'runtime:>5s|'],
  ])('at %j: %j', (before, label, after) => {
    expect(accept(before, label)).toBe(after);
  });
});

it('remembers the last queries, each once', () => {
  expect(remembered(['b', 'a'], 'a')).toEqual(['a', 'b']);
  expect(remembered(['1', '2', '3', '4', '5', '6', '7', '8'], '9')).toHaveLength(8);
});
