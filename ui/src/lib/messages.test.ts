import { describe, expect, it } from 'vitest';

import type { MessagePage } from '~/api/client';

import { beside, mayPutBack, placeOf, readOffset } from './messages';

const page = (offset: number, many: number, total: number) => ({
  offset,
  total,
  messages: new Array<MessagePage['messages'][number]>(many),
});

describe('a refused look', () => {
  it.each([
    ['not_possible', 'If that may be, ask with put_back=1.', true],
    ['not_possible', 'If that may be, ask with POST.', true],
    ['not_possible', 'One may take them out and put them back.', true],
    ['not_possible', 'Enable the plugin rabbitmq_management.', false],
    ['not_possible', null, false],
    ['unavailable', 'If that may be, ask with put_back=1.', false],
  ])('%s with %j can be had with putting back: %s', (code, hint, may) => {
    expect(mayPutBack({ code, hint })).toBe(may);
  });
});

describe('pages of messages', () => {
  it.each([
    [page(0, 50, 1234), '1–50 of 1,234', { before: null, after: 50 }],
    [page(50, 50, 100), '51–100 of 100', { before: 0, after: null }],
    [page(20, 50, 100), '21–70 of 100', { before: 0, after: 70 }],
    [page(0, 0, 0), 'none of 0', { before: null, after: null }],
    [page(100, 0, 40), 'none of 40', { before: 50, after: null }],
  ])('%#', (one, place, others) => {
    expect(placeOf(one)).toBe(place);
    expect(beside(one)).toEqual(others);
  });

  it.each([['0', 0], ['150', 150], ['', null], ['-1', null], ['1e3', null], ['99999999', null]])(
    'reads the offset %j as %j',
    (text, offset) => {
      expect(readOffset(text)).toBe(offset);
    },
  );
});
