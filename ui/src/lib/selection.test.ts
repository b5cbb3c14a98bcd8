import { describe, expect, it } from 'vitest';

import { MOST_BY_HAND, NOTHING, type Selection, fitting, isEmpty, isFull, isSelected, queryFor, ranged, refreshed, toggled } from './selection';

const LIST = Array.from({ length: 80 }, (_, index) => ({ uuid: `t${index}`, state: index % 2 ? 'SUCCESS' : 'STARTED' }));
const at = (index: number) => LIST[index] ?? { uuid: '', state: '' };
const ids = (selection: Selection) => (selection.kind === 'rows' ? [...selection.rows.keys()] : []);
const ALL: Selection = { kind: 'all', query: 'state:failure' };

describe('choosing tasks', () => {
  it('toggles one', () => {
    const one = toggled(NOTHING, at(3));
    expect(ids(one)).toEqual(['t3']);
    expect(isSelected(one, 't3')).toBe(true);
    expect(isEmpty(toggled(one, at(3)))).toBe(true);
  });

  it.each([
    [3, 6, ['t3', 't4', 't5', 't6']],
    [6, 3, ['t6', 't5', 't4', 't3']],
    [3, 3, ['t3']],
  ])('from %i to %i', (from, to, chosen) => {
    expect(ids(ranged(toggled(NOTHING, at(from)), LIST, `t${to}`))).toEqual(chosen);
  });

  it('begins at the task itself when none was toggled, or the last one is gone', () => {
    expect(ids(ranged(NOTHING, LIST, 't5'))).toEqual(['t5']);
    expect(ids(ranged(toggled(NOTHING, { uuid: 'gone', state: 'SUCCESS' }), LIST, 't5'))).toEqual(['gone', 't5']);
    expect(ranged(NOTHING, LIST, 'gone')).toBe(NOTHING);
  });

  it('stops at what one can choose by hand, nearest to the first one', () => {
    const many = ranged(toggled(NOTHING, at(70)), LIST, 't0');
    expect(ids(many)).toHaveLength(MOST_BY_HAND);
    expect(ids(many).at(-1)).toBe('t21');
    expect(isFull(many)).toBe(true);
    expect(ids(toggled(many, at(1)))).not.toContain('t1');
    expect(ids(toggled(many, at(70)))).not.toContain('t70');
  });

  it('takes over what became of a task in the meantime', () => {
    const one = toggled(NOTHING, at(0));
    expect(refreshed(one, LIST)).toBe(one);
    expect(fitting(refreshed(one, [{ ...at(0), state: 'FAILURE' }, at(1)]))).toEqual(['retry', 'forget']);
    expect(ids(refreshed(one, [{ ...at(0), state: 'FAILURE' }, at(1)]))).toEqual(['t0']);
    expect(refreshed(ALL, LIST)).toBe(ALL);
  });

  it('leaves all that match as they are', () => {
    expect(toggled(ALL, at(1))).toBe(ALL);
    expect(ranged(ALL, LIST, 't1')).toBe(ALL);
    expect(isSelected(ALL, 'whichever')).toBe(true);
    expect(isEmpty(ALL)).toBe(false);
  });
});

describe('the query for them', () => {
  it('names exactly the chosen ones', () => {
    expect(queryFor(toggled(toggled(NOTHING, at(1)), { uuid: 'a b', state: 'SUCCESS' }))).toBe('uuid:t1,"a b"');
    expect(queryFor(ALL)).toBe('state:failure');
  });

  it('holds as many usual ids as can be chosen by hand', () => {
    const usual = (index: number) => `4f9f2f6e-1f3e-4f0a-9f0c-${String(index).padStart(12, '0')}`;
    const many = { kind: 'rows', anchor: null, rows: new Map(LIST.slice(0, MOST_BY_HAND).map((_, index) => [usual(index), 'SUCCESS'])) } as const;
    expect(queryFor(many)?.length).toBeLessThanOrEqual(2_000);
  });

  it('is none when the ids are too long for one', () => {
    expect(queryFor(toggled(NOTHING, { uuid: 'x'.repeat(3_000), state: 'SUCCESS' }))).toBeNull();
  });
});

describe('what fits', () => {
  it.each([
    [['SUCCESS'], ['retry', 'forget']],
    [['FAILURE', 'SUCCESS'], ['retry', 'forget']],
    [['PENDING'], ['revoke']],
    [['STARTED'], ['revoke', 'terminate', 'abort']],
    [['PROGRESS'], ['revoke', 'terminate', 'abort']],
    [['RECEIVED', 'FAILURE'], ['retry', 'revoke', 'forget']],
  ])('%j', (states, commands) => {
    const rows = new Map(states.map((state, index) => [`t${index}`, state]));
    expect(fitting({ kind: 'rows', rows, anchor: null })).toEqual(commands);
  });

  it('all that match: any', () => {
    expect(fitting(ALL)).toHaveLength(5);
  });
});
