import { describe, expect, it } from 'vitest';

import type { AuditEntry } from '~/api/client';

import { argumentsText, auditFilter, byWords, ended, filtersSet, fromLocal, fromWords, outcomeTone, rowsOf, toLocal, took, whomWords } from './audit';
import { readAuditSearch, strippedAudit } from './audit-search';

const entry = (seq: number, given: Partial<AuditEntry> = {}): AuditEntry => ({
  seq, at: seq, kind: 'command', what: 'revoke', whom: null, arguments: {}, outcome: 'asked', detail: '', action: '',
  by: { name: 'ada', role: 'operator', way: 'password', address: '10.0.0.7', session: 's', token: '' },
  prev: '0'.repeat(64), hash: 'f'.repeat(64), ...given,
});
const outcome = (seq: number, action: string, given: Partial<AuditEntry> = {}) =>
  entry(seq, { kind: 'outcome', action, outcome: 'done', ...given });

describe('what the address asks for', () => {
  it.each([
    [{}, {}],
    [{ who: 'ada', text: ['a', 'b'], junk: 'x', kind: 'login' }, { who: 'ada', text: 'a', kind: ['login'] }],
    [{ kind: ['login', 'nothing', 'denied', 'login'] }, { kind: ['login', 'denied'] }],
    [{ since: '24h', until: 'never' }, { since: '24h' }],
    [{ since: '2026-11-23T10:00:00+01:00' }, { since: '2026-11-23T09:00:00Z' }],
    [{ since: '3 weeks' }, {}],
    [{ who: 'x'.repeat(500) }, { who: 'x'.repeat(200) }],
    [{ who: '', kind: '' }, {}],
  ])('%j', (search, read) => {
    expect(readAuditSearch(search)).toEqual(read);
    // What was read is read the same again.
    expect(readAuditSearch({ ...readAuditSearch(search) })).toEqual(read);
  });

  it('a span counts back from the server’s clock, an instant stands', () => {
    expect(auditFilter({ since: '1h', who: 'ada' }, 10_000.7)).toEqual({ since: 6400, who: 'ada' });
    expect(auditFilter({ since: '1970-01-01T00:01:00Z', until: '1970-01-01T00:02:00Z' }, 10_000)).toEqual({ since: 60, until: 120 });
    expect(auditFilter({}, 10_000)).toEqual({});
  });

  it('is without what is not asked for, and counts what is', () => {
    expect(strippedAudit({ who: '', kind: [], since: undefined, text: 'x' })).toEqual({ text: 'x' });
    expect(filtersSet({ text: 'x', who: 'ada', kind: ['login'], what: '' })).toBe(2);
  });

  it('local time goes into a field and comes out as it went in', () => {
    const typed = toLocal('2026-11-23T10:00:00Z');
    expect(typed).toMatch(/^2026-11-2\dT\d\d:00:00$/);
    expect(fromLocal(typed)).toBe('2026-11-23T10:00:00Z');
    expect([toLocal(undefined), toLocal('x'), fromLocal('')]).toEqual(['', '', '']);
  });
});

describe('a command and its outcome', () => {
  it('are one row, where the newer of them is', () => {
    const rows = rowsOf([outcome(4, 'a', { detail: 'all did' }), entry(3, { kind: 'login' }), entry(2, { action: 'a' }), entry(1, { action: 'b' })]);
    expect(rows.map(({ id, entries }) => [id, entries.map(({ seq }) => seq)])).toEqual([[4, [4, 2]], [3, [3]], [1, [1]]]);
    const [first] = rows;
    if (!first) throw new Error('no row');
    expect([first.asked.seq, first.outcome?.detail, ended(first), took(first)]).toEqual([2, 'all did', 'done', 2]);
  });

  it('keep their place while older entries are loaded', () => {
    const newer = [outcome(4, 'a'), outcome(3, 'b')];
    const [before, after] = [rowsOf(newer), rowsOf([...newer, entry(2, { action: 'b' }), entry(1, { action: 'a' })])];
    expect(after.map(({ id }) => id)).toEqual(before.map(({ id }) => id));
    expect(before.map(took)).toEqual([null, null]);
    expect(after.map(({ asked }) => asked.seq)).toEqual([1, 2]);
  });

  it('a command without an outcome is as it was asked', () => {
    const [row] = rowsOf([entry(1, { action: 'a' })]);
    expect(row && [ended(row), took(row)]).toEqual(['asked', null]);
  });

  it('what belongs to no action stands alone, and so does another kind of the same action', () => {
    expect(rowsOf([entry(3), entry(2), entry(1)])).toHaveLength(3);
    expect(rowsOf([entry(2, { kind: 'denied', action: 'a' }), entry(1, { action: 'a' })])).toHaveLength(2);
  });
});

describe('words', () => {
  const whom = (given: Partial<NonNullable<AuditEntry['whom']>>) => ({ workers: null, workers_left_out: 0, subjects: [], left_out: 0, ...given });
  const id = '0f2c9b1e-0000-4000-8000-000000000001';

  it.each([
    [null, ''],
    [whom({}), ''],
    [whom({ workers: ['w1'] }), 'w1'],
    [whom({ workers: ['w1', 'w2'] }), 'w1 and 1 more'],
    [whom({ workers: ['w1', 'w2', 'w3'], workers_left_out: 9 }), '12 workers'],
    [whom({ subjects: ['mail'], workers: ['w1'] }), 'mail · w1'],
    [whom({ subjects: ['mail', 'media'], left_out: 3 }), 'mail and 4 more'],
    [whom({ subjects: [id] }), id],
    [whom({ subjects: [id, id], left_out: 40 }), '42 tasks'],
  ])('at whom', (of, words) => {
    expect(whomWords(of)).toBe(words);
  });

  it('who, and where from', () => {
    const { by } = entry(1);
    expect([byWords(by), byWords({ ...by, token: 'grafana' }), byWords({ ...by, token: 'ada' })]).toEqual(['ada', 'ada by grafana', 'ada']);
    expect([fromWords(by), fromWords({ ...by, role: '', way: 'console', address: '' })]).toEqual(['operator · 10.0.0.7', 'console']);
  });

  it('an outcome has a colour, one that nobody knows too', () => {
    expect(['done', 'failed', 'partly', 'asked', 'odd'].map(outcomeTone)).toEqual(['success', 'failure', 'retry', 'waiting', 'custom']);
  });

  it('arguments are indented, and none are nothing', () => {
    expect(argumentsText({})).toBe('');
    expect(argumentsText({ n: 1 })).toBe('{\n  "n": 1\n}');
  });
});
