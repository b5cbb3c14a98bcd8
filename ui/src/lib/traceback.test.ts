import { describe, expect, it } from 'vitest';

import { isOwn, libraryOf, ownPackages, parseTraceback, runs } from './traceback';

const LIB = '/srv/.venv/lib/python3.12/site-packages';
const PLAIN = `Traceback (most recent call last):
  File "${LIB}/celery/app/trace.py", line 564, in trace_task
    R = retval = fun(*args, **kwargs)
                 ^^^^^^^^^^^^^^^^^^^^
  File "/srv/shop/tasks.py", line 42, in charge
    return gateway.charge(
           ...<3 lines>...
    )
  File "/usr/lib/python3.12/json/decoder.py", line 355, in raw_decode
    raise JSONDecodeError("x", s, err.value) from None
shop.errors.Declined: insufficient funds
`;

it('reads frames, code, marks and the exception', () => {
  const [raised] = parseTraceback(PLAIN)?.raised ?? [];
  expect(raised?.frames.map(({ file, line, name, own }) => [file, line, name, own])).toEqual([
    [`${LIB}/celery/app/trace.py`, 564, 'trace_task', false],
    ['/srv/shop/tasks.py', 42, 'charge', true],
    ['/usr/lib/python3.12/json/decoder.py', 355, 'raw_decode', false],
  ]);
  expect(raised?.frames[0]).toMatchObject({
    code: ['R = retval = fun(*args, **kwargs)'],
    marks: '             ^^^^^^^^^^^^^^^^^^^^',
  });
  expect(raised?.frames[1]?.code).toEqual(['return gateway.charge(', '       ...<3 lines>...', ')']);
  expect(raised).toMatchObject({
    type: 'shop.errors.Declined', message: 'insufficient funds', bond: null, rest: '',
  });
});

describe('chains', () => {
  const chained = (words: string) =>
    `${PLAIN}\n${words}\n\nTraceback (most recent call last):\n  File "/srv/a.py", line 1, in run\n    x\nKeyError: 'a'\n`;
  it.each([
    ['cause', 'The above exception was the direct cause of the following exception:'],
    ['context', 'During handling of the above exception, another exception occurred:'],
  ])('by %s', (bond, words) => {
    const { raised = [] } = parseTraceback(chained(words)) ?? {};
    expect(raised.map(({ type, bond }) => [type, bond])).toEqual([
      ['shop.errors.Declined', bond],
      ['KeyError', null],
    ]);
  });

  it('are not made by a message that quotes a traceback', () => {
    const quoting = 'Traceback (most recent call last):\n  File "/srv/a.py", line 1, in run\n    x\nRemoteError: it said\nTraceback (most recent call last):\n  File "/srv/b.py", line 2, in run\nKeyError\n';
    const { raised = [] } = parseTraceback(quoting) ?? {};
    expect(raised).toHaveLength(1);
    expect(raised[0]).toMatchObject({ type: 'RemoteError' });
    expect(raised[0]?.message).toContain('/srv/b.py');
  });
});

it('reads a file that does not compile', () => {
  const text = `Traceback (most recent call last):
  File "/srv/a.py", line 1, in <module>
    import b
  File "/srv/b.py", line 3
        def x(:
              ^
SyntaxError: invalid syntax
`;
  const [raised] = parseTraceback(text)?.raised ?? [];
  expect(raised?.frames[1]).toEqual({
    file: '/srv/b.py', line: 3, name: null, code: ['def x(:'], marks: '      ^', repeated: 0, own: true,
  });
  expect(raised).toMatchObject({ type: 'SyntaxError', message: 'invalid syntax' });
});

it('reads a recursion', () => {
  const frame = '  File "/srv/a.py", line 2, in again\n    again()\n';
  const text = `Traceback (most recent call last):\n${frame}${frame}  [Previous line repeated 989 more times]\nRecursionError: maximum recursion depth exceeded\n`;
  const [raised] = parseTraceback(text)?.raised ?? [];
  expect(raised?.frames.map(({ repeated }) => repeated)).toEqual([0, 989]);
  expect(raised?.type).toBe('RecursionError');
});

it('reads the outer frames of a group, and keeps the exceptions in it as text', () => {
  const text = `  + Exception Group Traceback (most recent call last):
  |   File "/srv/a.py", line 9, in run
  |     raise ExceptionGroup("two", both)
  | ExceptionGroup: two (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | ValueError: one
    +---------------- 2 ----------------
    | KeyError: 'two'
    +------------------------------------
`;
  const [raised] = parseTraceback(text)?.raised ?? [];
  expect(raised?.frames).toHaveLength(1);
  expect(raised).toMatchObject({ type: 'ExceptionGroup', message: 'two (2 sub-exceptions)' });
  expect(raised?.rest).toContain("| KeyError: 'two'");
});

it('keeps messages of many lines, notes, and messages that look like code', () => {
  const text = 'Traceback (most recent call last):\n  File "/srv/a.py", line 1, in f\nValueError: one\n    two\n\nthree\nadded note\n';
  const [raised] = parseTraceback(text)?.raised ?? [];
  expect(raised?.message).toBe('one\n    two\n\nthree\nadded note');
  expect(raised?.frames[0]?.code).toEqual([]);
});

it.each([
  ['nothing', ''],
  ['words', 'it broke'],
  ['a head alone', 'Traceback (most recent call last):\nKeyError: 1'],
  ['markup', '<img src=x onerror=alert(1)>'],
])('%s is no traceback', (_, text) => expect(parseTraceback(text)).toBeNull());

describe('a traceback that was cut', () => {
  it.each(Array.from({ length: PLAIN.length }, (_, at) => at).filter((at) => at % 7 === 0))(
    'after %i characters is read as far as it goes',
    (at) => {
      const { raised } = parseTraceback(`${PLAIN.slice(0, at)}…`) ?? { raised: [] };
      expect(raised.length).toBeLessThanOrEqual(1);
    },
  );
});

it('takes a line of any length and lines of any number', () => {
  const frame = '  File "/srv/a.py", line 2, in again\n    again()\n';
  const { raised } = parseTraceback(`Traceback (most recent call last):\n${frame.repeat(20_000)}`) ?? { raised: [] };
  expect(raised[0]?.frames.length).toBe(2_000);
  const long = `Traceback (most recent call last):\n  File "${'", line 1, in '.repeat(20_000)}x\nE: ${'('.repeat(100_000)}`;
  expect(parseTraceback(long)?.raised[0]?.frames).toHaveLength(1);
});

describe('whose code it is', () => {
  it.each([
    ['/srv/shop/tasks.py', true],
    ['shop/tasks.py', true],
    ['C:\\apps\\shop\\tasks.py', true],
    ['/app/celery/tasks.py', true], // a folder of the user's that is called like that
    ['/home/lib/shop/x.py', true],
    [`${LIB}/requests/api.py`, false],
    ['/usr/lib/python3/dist-packages/yaml/__init__.py', false],
    ['/usr/lib/python3.12/asyncio/runners.py', false],
    ['/usr/lib64/python3.9/json/decoder.py', false],
    ['/opt/pypy/lib/pypy3.10/json.py', false],
    ['C:\\Python312\\Lib\\json\\decoder.py', false],
    ['C:\\shop\\venv\\Lib\\site-packages\\kombu\\x.py', false],
    ['/usr/lib/python311.zip/json/decoder.py', false],
    ['/src/celery/app/trace.py', false],
    ['/src/celery/worker/request.py', false],
    ['/bundle/kombu/connection.py', false],
    ['<frozen importlib._bootstrap>', false],
    ['<string>', false],
    ['', false],
  ])('%s: %s', (file, own) => expect(isOwn(file)).toBe(own));

  it('is own when installed under the name that the task has', () => {
    expect(ownPackages('shop.mail.send')).toEqual(['shop']);
    expect(isOwn(`${LIB}/shop/mail.py`, ['shop'])).toBe(true);
    expect(isOwn(`${LIB}/shop.py`, ['shop'])).toBe(true);
    expect(isOwn(`${LIB}/shopify/mail.py`, ['shop'])).toBe(false);
  });

  it.each([null, '', 'send', 'celery.backend_cleanup', 'tasks.add', '.odd'])(
    'the name %j tells nothing of it',
    (name) => expect(ownPackages(name)).toEqual([]),
  );

  it.each([
    [`${LIB}/celery/app/trace.py`, 'celery'],
    [`${LIB}/six.py`, 'six'],
    ['/usr/lib/python3.12/json/decoder.py', 'json'],
    ['/bundle/kombu/connection.py', 'kombu'],
    ['<frozen runpy>', '<frozen runpy>'],
  ])('%s is of %s', (file, library) => expect(libraryOf(file)).toBe(library));
});

it('groups frames into runs, the innermost first', () => {
  const [raised] = parseTraceback(PLAIN)?.raised ?? [];
  expect(runs(raised?.frames ?? []).map(({ own, frames, libraries }) => [own, frames.length, libraries])).toEqual([
    [false, 1, ['json']],
    [true, 1, []],
    [false, 1, ['celery']],
  ]);
});
