import { describe, expect, it } from 'vitest';

import type { Me } from '~/api/client';

import { limitWords, loginAddress, mayAudit, whoLabel } from './who';

const me = (given: Partial<Me> = {}): Me => ({
  name: 'ada', role: 'operator', way: 'password', scope: { queues: [], tasks: [] }, read_only: false,
  login: true, csrf: 'c', expires_at: null, can_log_out: true, ...given,
});

describe('the way to the login', () => {
  it.each([
    ['https://ops.example/', '/tasks?query=state:failure&sort=-seen', '?next=%2Ftasks%3Fquery%3Dstate%3Afailure%26sort%3D-seen'],
    ['https://ops.example/scope/', '/scope/workers/a%2Fb#top', '?next=%2Fscope%2Fworkers%2Fa%252Fb%23top'],
  ])('is below %s and tells the whole way back', (base, here, query) => {
    const address = loginAddress(base, here);
    expect(address).toBe(`${base}login${query}`);
    expect(new URL(address).searchParams.get('next')).toBe(here);
  });
});

describe('who one is', () => {
  it.each([
    [me(), 'ada: operator'],
    [me({ read_only: true }), 'ada: operator, read-only'],
    [me({ role: 'viewer', scope: { queues: ['mail*'], tasks: [] } }), 'ada: viewer, limited'],
    [me({ way: 'anonymous', name: 'anonymous', role: 'admin' }), 'No login: admin'],
    [undefined, 'Who am I?'],
  ])('is told in a few words', (who, words) => {
    expect(whoLabel(who)).toBe(words);
  });

  it('with what they are limited to', () => {
    expect(limitWords({ queues: [], tasks: [] })).toEqual([]);
    expect(limitWords({ queues: ['mail*'], tasks: ['shop.*', 'img.*'] })).toEqual(['queue: mail*', 'task names: shop.*, img.*']);
  });
});

describe('the audit trail is offered', () => {
  it.each([
    [me({ role: 'admin' }), true],
    [me({ role: 'admin', way: 'anonymous' }), true],
    [me({ role: 'admin', scope: { queues: [], tasks: ['shop.*'] } }), false],
    [me({ role: 'operator' }), false],
    [undefined, false],
  ])('to administrators without limits', (who, offered) => {
    expect(mayAudit(who)).toBe(offered);
  });
});
