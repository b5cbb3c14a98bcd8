import { describe, expect, it } from 'vitest';

import { clip, segments, splitHost, splitName, visible } from './text';

describe('unsafe characters are shown as Python writes them', () => {
  it.each([
    ['nul', 'a\u0000b', 'a\\x00b'],
    ['escape sequences', '\u001b[31mred', '\\x1b[31mred'],
    ['carriage return', 'good\rbad', 'good\\x0dbad'],
    ['right-to-left override', 'exe\u202efdp', 'exe\\u202efdp'],
    ['isolates', '\u2066x\u2069', '\\u2066x\\u2069'],
    ['zero-width space', 'pay\u200bpal', 'pay\\u200bpal'],
    ['byte order mark', '\ufeffx', '\\ufeffx'],
    ['line separator', 'a\u2028b', 'a\\u2028b'],
    ['tag characters', 'x\u{e0041}', 'x\\U000e0041'],
    ['joiners between letters', 'pay\u200d\u200cpal', 'pay\\u200d\\u200cpal'],
    ['a joiner at an end', 'سلام\u200d', 'سلام\\u200d'],
    ['fillers that look like nothing', 'a\u3164\u115f\uffa0b', 'a\\u3164\\u115f\\uffa0b'],
    ['a grapheme joiner', 'a\u034fb', 'a\\u034fb'],
    ['variation selectors without a font', 'x\u{e0100}', 'x\\U000e0100'],
    ['half a surrogate pair', 'x\ud800y', 'x\\ud800y'],
  ])('%s', (_, text, shown) => expect(visible(text)).toBe(shown));
});

it.each(['tab\tand\nnewline', 'Grüße 你好 שלום', 'e\u0301', '👩‍👩‍👧 family', '❤️‍🔥', 'می\u200cخواهم', 'क्\u200dष', '<b>&amp;</b>'])(
  'leaves %j as it is',
  (text) => expect(visible(text)).toBe(text),
);

it('tells what was escaped from what was there, runs joined', () => {
  expect(segments('a\u0000\u0001b\\x00')).toEqual([
    { text: 'a', escaped: false },
    { text: '\\x00\\x01', escaped: true },
    { text: 'b\\x00', escaped: false },
  ]);
  expect(segments('')).toEqual([]);
});

it('clips without halving a character, and says how much is left', () => {
  expect(clip('abcdef', 6)).toEqual({ text: 'abcdef', rest: 0 });
  expect(clip('abcdef', 4)).toEqual({ text: 'abcd', rest: 2 });
  expect(clip('ab😀cd', 3)).toEqual({ text: 'ab', rest: 4 });
});

it.each([
  ['proj.mail.send', 'proj.mail.', 'send'],
  ['send', '', 'send'],
  ['odd.', '', 'odd.'],
  ['', '', ''],
])('splits the name %j', (name, path, leaf) => expect(splitName(name)).toEqual({ path, leaf }));

it.each([
  ['celery@web1', 'celery@', 'web1'],
  ['web1', '', 'web1'],
  ['odd@', '', 'odd@'],
])('splits the host %j', (host, path, leaf) => expect(splitHost(host)).toEqual({ path, leaf }));
