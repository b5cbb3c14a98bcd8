import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { ApiError, createClient } from './client';

const BASE = 'https://ops.example/scope/';
const me = { name: 'ada', role: 'operator', csrf: 'first' };

interface Asked {
  method: string;
  path: string;
  token: string | null;
}

let asked: Asked[];
let answers: ((asked: Asked) => Response)[]; // one after the other; the last again and again
let strangers: number;

const json = (body: object, status = 200) => new Response(JSON.stringify(body), { status });
const refusal = (status: number, code: string) => json({ error: { code, message: 'No.', hint: null } }, status);
const client = () => createClient(BASE, () => (strangers += 1));
const paths = () => asked.map(({ method, path }) => `${method} ${path}`);

beforeEach(() => {
  asked = [];
  answers = [];
  strangers = 0;
  vi.stubGlobal('fetch', (address: URL, options: RequestInit) => {
    const headers = new Headers(options.headers);
    const one = {
      method: options.method ?? 'GET',
      path: address.href.replace(BASE, ''),
      token: headers.get('X-Celeryscope-CSRF'),
    };
    asked.push(one);
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    return Promise.resolve(answer ? answer(one) : json({}));
  });
});

afterEach(() => vi.unstubAllGlobals());

describe('a change', () => {
  it('carries what our page was told, which is asked for once', async () => {
    answers = [({ path }) => json(path === 'api/v1/me' ? me : {})];
    const ours = client();
    await ours.stopAction('a');
    await ours.revokeToken('b/c');
    await ours.logOut();
    expect(asked).toEqual([
      { method: 'GET', path: 'api/v1/me', token: null },
      { method: 'POST', path: 'api/v1/actions/a/stop', token: 'first' },
      { method: 'POST', path: 'api/v1/tokens/b%2Fc/revoke', token: 'first' },
      { method: 'POST', path: 'logout', token: 'first' },
    ]);
  });

  it('asks nothing more where the page told already', async () => {
    answers = [({ path }) => json(path === 'api/v1/me' ? me : {})];
    const ours = client();
    await ours.me();
    await ours.stopAction('a');
    expect(paths()).toEqual(['GET api/v1/me', 'POST api/v1/actions/a/stop']);
  });

  it('carries nothing where nothing is needed', async () => {
    answers = [({ path }) => json(path === 'api/v1/me' ? { ...me, csrf: null } : {})];
    await client().stopAction('a');
    expect(asked.map(({ token }) => token)).toEqual([null, null]);
  });

  it('is tried once more when another session began since', async () => {
    answers = [
      () => json(me),
      () => refusal(403, 'csrf'),
      () => json({ ...me, csrf: 'second' }),
      () => json({ id: 'a' }),
    ];
    await expect(client().stopAction('a')).resolves.toMatchObject({ id: 'a' });
    expect(asked.map(({ token }) => token)).toEqual([null, 'first', null, 'second']);
  });

  it('is not tried for ever', async () => {
    answers = [({ path }) => (path === 'api/v1/me' ? json(me) : refusal(403, 'csrf'))];
    await expect(client().stopAction('a')).rejects.toBeInstanceOf(ApiError);
    expect(paths().filter((path) => path.startsWith('POST'))).toHaveLength(2);
  });

  it('that is forbidden is not tried again', async () => {
    answers = [({ path }) => (path === 'api/v1/me' ? json(me) : refusal(403, 'forbidden'))];
    await expect(client().stopAction('a')).rejects.toMatchObject({ status: 403, code: 'forbidden' });
    expect(paths().filter((path) => path.startsWith('POST'))).toHaveLength(1);
    expect(strangers).toBe(0);
  });

  it('asks anew after an answer that did not come', async () => {
    answers = [() => refusal(503, 'unavailable'), () => json(me), () => json({})];
    const ours = client();
    await expect(ours.stopAction('a')).rejects.toMatchObject({ status: 503 });
    await ours.stopAction('a');
    expect(paths()).toEqual(['GET api/v1/me', 'GET api/v1/me', 'POST api/v1/actions/a/stop']);
  });
});

it('tells when the console does not know who asks, and only then', async () => {
  answers = [() => refusal(401, 'not_logged_in')];
  await expect(client().overview()).rejects.toMatchObject({ status: 401 });
  await expect(client().control('revoke', {})).rejects.toMatchObject({ status: 401 });
  expect(strangers).toBe(2);
  answers = [() => refusal(404, 'not_found')];
  await expect(client().task('x')).rejects.toMatchObject({ status: 404 });
  expect(strangers).toBe(2);
});

it('asks for the audit trail with each kind of its own, and for its file', async () => {
  answers = [() => json({ entries: [] })];
  const filter = { who: 'a&b', text: '', kind: ['login', 'login failed'], since: 60 };
  await client().audit(filter, { before: 7, limit: 100 });
  await client().audit({}, { before: null, limit: 1 });
  expect(paths()).toEqual([
    'GET api/v1/audit?who=a%26b&since=60&before=7&limit=100&kind=login&kind=login+failed',
    'GET api/v1/audit?limit=1',
  ]);
  expect(client().auditExport({ what: 'revoke' }, 'csv')).toBe(`${BASE}api/v1/audit/export?what=revoke&format=csv`);
});
