import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { type Query, analyse, canonical, show } from './query-language';

interface Case {
  text: string;
  canonical?: string;
  ast?: Query;
  error?: { position: number; contains: string };
}

const FILE = join(import.meta.dirname, '../../../tests/fixtures/query_cases.json');
const { cases } = JSON.parse(readFileSync(FILE, 'utf8')) as { cases: Case[] };
const good = cases.filter(({ error }) => !error);
const bad = cases.filter(({ error }) => error);

const short = (text: string) => (text.length > 60 ? `${text.slice(0, 60)}…` : text);

describe('agrees with the server', () => {
  it('has cases of both kinds', () => {
    expect(good.length).toBeGreaterThan(60);
    expect(bad.length).toBeGreaterThan(30);
  });

  it.each(good.map((one) => [short(one.text), one] as const))('on %j', (_, { text, canonical: written, ast }) => {
    const { query, problem } = analyse(text);
    expect(problem).toBeNull();
    expect(query).toEqual(ast);
    expect(query && show(query)).toBe(written);
  });

  it.each(bad.map((one) => [short(one.text), one] as const))('that %j is no query', (_, { text, error }) => {
    const { query, problem } = analyse(text);
    expect(query).toBeNull();
    // The server counts characters, the browser UTF-16 units.
    expect(Array.from(text.slice(0, problem?.from)).length).toBe(error?.position);
    expect(`${problem?.message} ${problem?.hint}`).toContain(error?.contains);
  });
});

it.each(good.map(({ text }) => text))('writes what it has read so that it reads the same: %j', (text) => {
  const { query } = analyse(text);
  expect(query && analyse(show(query)).query).toEqual(query);
});

it('has one text for all that mean the same', () => {
  expect(canonical('state:FAILED   AND NOT name:a')).toBe(canonical('state:failure -task:a'));
  expect(canonical('state:')).toBeNull();
});

describe('the runs to colour', () => {
  it('are keys, values, texts and operators', () => {
    const text = '-state:failed (a OR "b c")';
    expect(analyse(text).spans.map(({ kind, from, to }) => [kind, text.slice(from, to)])).toEqual([
      ['operator', '-'], ['key', 'state:'], ['value', 'failed'], ['operator', '('], ['text', 'a'],
      ['operator', 'OR'], ['text', '"b c"'], ['operator', ')'],
    ]);
  });

  it('show where a problem is, and the rest as it is', () => {
    const text = 'a nmae:b runtime:>5s';
    expect(analyse(text).spans.map(({ kind, from, to }) => [kind, text.slice(from, to)])).toEqual([
      ['text', 'a'], ['bad', 'nmae:'], ['value', 'b'], ['key', 'runtime:'], ['value', '>5s'],
    ]);
  });

  it.each(cases.map(({ text }) => [short(text), text] as const))('are in order in %j', (_, text) => {
    let end = 0;
    for (const { from, to } of analyse(text).spans) {
      expect(from).toBeGreaterThanOrEqual(end);
      expect(to).toBeGreaterThan(from);
      end = to;
    }
    expect(end).toBeLessThanOrEqual(text.length);
  });
});
