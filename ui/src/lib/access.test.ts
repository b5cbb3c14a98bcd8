import { describe, expect, it } from 'vitest';

import type { SessionRow, TokenRow } from '~/api/client';

import { browserWords, curlLine, nameProblem, ownerWords, readPatterns, sortedSessions, sortedTokens } from './access';

describe('a browser', () => {
  it.each([
    ['Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', 'Firefox 140 on Linux'],
    ['Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36 Edg/143.0.0.0', 'Edge 143 on Windows'],
    ['Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.2 Safari/605.1.15', 'Safari 18 on macOS'],
    ['Mozilla/5.0 (iPhone; CPU iPhone OS 18_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.2 Mobile/15E148 Safari/604.1', 'Safari 18 on iOS'],
    ['Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/143.0.0.0 Safari/537.36', 'Chrome 143 on Linux'],
    ['curl/8.5.0', 'curl/8.5.0'],
    ['', ''],
  ])('%s', (told, words) => {
    expect(browserWords(told)).toBe(words);
  });
});

it('puts one’s own session first, then who was seen last', () => {
  const rows = [['a', 5, false], ['b', 9, false], ['c', 1, true]] as const;
  const sessions = rows.map(([id, seen_at, current]) => ({ id, seen_at, current }) as SessionRow);
  expect(sortedSessions(sessions).map(({ id }) => id)).toEqual(['c', 'b', 'a']);
});

it('puts tokens that work before those that do not, the newest first', () => {
  const rows = [['a', 5, false], ['b', 9, true], ['c', 7, false]] as const;
  const tokens = rows.map(([id, created_at, expired]) => ({ id, created_at, expired }) as TokenRow);
  expect(sortedTokens(tokens).map(({ id }) => id)).toEqual(['c', 'a', 'b']);
});

it.each([
  ['', 'made at the command line'],
  ['ada', 'made by ada'],
  ['oidc:ada', 'made by ada (single sign-on)'],
  ['anonymous:anonymous', 'made without a login'],
  ['what:ever', 'made by what:ever'],
])('tells who made a token: %j', (owner, words) => {
  expect(ownerWords(owner)).toBe(words);
});

describe('what is typed for a token', () => {
  it.each([
    ['', /is needed/],
    ['   ', /is needed/],
    ['x'.repeat(129), /At most 128/],
    ['grafana ', /of this name/],
    ['prometheus', /^$/],
  ])('name %j', (name, problem) => {
    expect(nameProblem(name, ['grafana'])).toMatch(problem);
  });

  it.each([
    ['', []],
    [' mail*, sms\n\nmail*,', ['mail*', 'sms']],
  ])('patterns %j', (typed, patterns) => {
    expect(readPatterns(typed)).toEqual({ patterns, problem: '' });
  });

  it.each([
    [Array.from({ length: 101 }, (_, index) => `q${index}`).join(), /At most 100 patterns; these are 101/],
    ['x'.repeat(256), /255 characters/],
    ['*'.repeat(9), /8 stars/],
  ])('too many or too long', (typed, problem) => {
    expect(readPatterns(typed)).toMatchObject({ patterns: null, problem: expect.stringMatching(problem) as string });
  });
});

it('writes a line that a shell takes as it is', () => {
  expect(curlLine("https://ops.example/it's/", 'cscope_ab_cd')).toBe(
    "curl -H 'Authorization: Bearer cscope_ab_cd' 'https://ops.example/it%27s/api/v1/overview'",
  );
});
