import { describe, expect, it } from 'vitest';

import { type Node, layOut, parseRepr, treeOf } from './pyrepr';

/** The tree, short: leaves as `tone text`, boxes as lists. */
function short(node: Node | null): unknown {
  if (node === null) return null;
  if (node.kind === 'leaf') return `${node.tone} ${node.text}`;
  const items = node.items.map(({ key, sign, value }) =>
    key === null ? short(value) : [short(key), sign, short(value)],
  );
  return [node.open, ...items, node.close];
}

const read = (text: string) => short(parseRepr(text));

/** One line, as it would be shown. */
function shown(text: string, width = 10_000): string {
  const node = parseRepr(text);
  if (node === null) return 'no tree';
  return layOut(node, () => false, { width, most: 20_000 })
    .lines.map(({ depth, pieces }) => ' '.repeat(depth) + pieces.map((p) => p.text).join(''))
    .join('\n');
}

describe('reads what Python writes', () => {
  it.each<[string, unknown]>([
    ['()', ['(', ')']],
    ["('a', 1)", ['(', "string 'a'", 'number 1', ')']],
    ["{'a': 1, 2: None}", ['{', ["string 'a'", ':', 'number 1'], ['number 2', ':', 'constant None'], '}']],
    ['{1, 2}', ['{', 'number 1', 'number 2', '}']],
    ['set()', ['set(', ')']],
    ['frozenset({1})', ['frozenset(', ['{', 'number 1', '}'], ')']],
    ["'it\\'s'", "string 'it\\'s'"],
    ['"say \'hi\'"', 'string "say \'hi\'"'],
    ["b'\\x00\\''", "string b'\\x00\\''"],
    ["r'\\d'", "string r'\\d'"],
    ["''", "string ''"],
    ["'''a\n'b'''", "string '''a\n'b'''"],
    ['[-1, 1.5e-7, 0x1f, 1_000, inf, nan, -inf, 3j]', ['[', 'number -1', 'number 1.5e-7', 'number 0x1f', 'number 1_000', 'number inf', 'number nan', 'number -inf', 'number 3j', ']']],
    ['(1+2j)', ['(', 'number 1+2j', ')']],
    ['[True, False, None]', ['[', 'constant True', 'constant False', 'constant None', ']']],
    ["Decimal('1.10')", ['Decimal(', "string '1.10'", ')']],
    ['datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc)', ['datetime.datetime(', 'number 2026', 'number 1', 'number 2', ['object tzinfo', '=', 'object datetime.timezone.utc'], ')']],
    ["defaultdict(<class 'list'>, {})", ['defaultdict(', "object <class 'list'>", ['{', '}'], ')']],
    ["[<Order: it's 5 > 3>]", null],
    ['<bound method A.b of <A object at 0x7f>>', 'object <bound method A.b of <A object at 0x7f>>'],
    ['<Color.RED: 1>', 'object <Color.RED: 1>'],
    ['f.<locals>.g', 'object f.<locals>.g'],
    ['{(1, 2): 3}', ['{', [['(', 'number 1', 'number 2', ')'], ':', 'number 3'], '}']],
    ['Größe(1)', ['Größe(', 'number 1', ')']],
  ])('%s', (text, tree) => expect(read(text)).toEqual(tree));
});

it.each<[string, unknown]>([
  ['{"a": [true, null, 1.5]}', ['{', ['string "a"', ':', ['[', 'constant true', 'constant null', 'number 1.5', ']']], '}']],
  ['  [ ]\n', ['[', ']']],
])('reads the JSON %s', (text, tree) => expect(read(text)).toEqual(tree));

describe('reads what was cut', () => {
  it.each<[string, unknown]>([
    ["{'a': 'xx...', ...}", ['{', ["string 'a'", ':', "string 'xx...'"], 'cut ...', '}']],
    ['[13, 14, , ...]', ['[', 'number 13', 'number 14', 'cut ...', ']']],
    ["{'c': {...}}", ['{', ["string 'c'", ':', ['{', 'cut ...', '}']], '}']],
    ["('a', 'bc…", ['(', "string 'a'", "string 'bc…", '']],
    ["('a', [1, 2", ['(', "string 'a'", ['[', 'number 1', 'number 2', ''], '']],
    ["{'a': ", ['{', ["string 'a'", ':', 'cut …'], '']],
    ["{'a': 1, …", ['{', ["string 'a'", ':', 'number 1'], 'cut …', '']],
    ["'abc", "string 'abc"],
    ["'abc\\", "string 'abc\\"],
    ['<Order at 0x7', 'object <Order at 0x7'],
  ])('%s', (text, tree) => expect(read(text)).toEqual(tree));
});

describe('leaves alone what is no repr', () => {
  it.each([
    '', ' ', 'sent to a@b.example', 'reject requeue=False: 410 Gone', '1 2', "('a' 'b')", '(]', '[1)',
    '2026-11-23 10:00', '{1: }', "['a'] and more", ')', '=', '3rd', '\u0000', '\ud800', 'a,b',
  ])('%j', (text) => expect(parseRepr(text)).toBeNull());
});

describe('is bounded', () => {
  it.each<[string, string]>([
    ['deep', '['.repeat(100_000)],
    ['deep and closed', '['.repeat(50_000) + ']'.repeat(50_000)],
    ['deep calls', 'f('.repeat(60_000)],
    ['wide', `[${'1,'.repeat(90_000)}]`],
    ['a long string', `'${'x'.repeat(1_000_000)}'`],
    ['backslashes', `'${'\\'.repeat(199_999)}`],
    ['quotes', "'".repeat(199_999)],
    ['open brackets', '<'.repeat(199_999)],
    ['blanks', `[${' '.repeat(199_990)}1]`],
    ['a long word', 'a.'.repeat(100_000)],
    ['digits', '1'.repeat(199_999) + 'x'],
    ['plus and minus', '+-'.repeat(99_999)],
  ])('%s', (_, text) => {
    const node = parseRepr(text);
    if (node === null) return;
    const { lines } = layOut(node, () => false, { most: 100 });
    expect(lines.length).toBeLessThanOrEqual(100);
    expect(nodesIn(node)).toBeLessThanOrEqual(5_100);
  });

  it('shows all of what it did not read', () => {
    const text = '['.repeat(60) + ']'.repeat(60);
    expect(shown(text)).toBe(text);
    const long = `[${Array.from({ length: 8_000 }, (_, n) => n).join(', ')}]`;
    expect(shown(long).replaceAll(/\s/g, '') === long.replaceAll(/\s/g, '')).toBe(true);
  });
});

function nodesIn(node: Node): number {
  if (node.kind === 'leaf') return 1;
  return node.items.reduce((sum, { value }) => sum + nodesIn(value), 1);
}

it('never throws, whatever it is fed', () => {
  const alphabet = ['(', ')', '[', ']', '{', '}', '<', '>', "'", '"', '\\', ',', ':', '=', '.', '…', ' ', '\n', 'b', 'None', '-', '1', 'e', 'j', '\u202e', '😀'];
  let seed = 7;
  const next = () => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31);
  for (let round = 0; round < 3_000; round += 1) {
    const length = next() % 24;
    const text = Array.from({ length }, () => alphabet[next() % alphabet.length] ?? '').join('');
    const node = parseRepr(text);
    if (node === null) continue;
    // What is shown is what was written, but for blanks, empty places and dots where it was cut.
    const bare = (some: string) => some.replaceAll(/[\s,…]/g, '');
    expect(bare(shown(text))).toBe(bare(text));
  }
});

describe('lays out', () => {
  it('keeps on one line what fits', () => {
    expect(shown("({'a': 1}, [2, 3],)", 80)).toBe("({'a': 1}, [2, 3],)");
    expect(shown('(1,)')).toBe('(1,)');
  });

  it('breaks what does not', () => {
    expect(shown("{'order': 'R1', 'lines': [1, 2, 3]}", 24)).toBe(
      ["{", " 'order': 'R1',", " 'lines': [1, 2, 3]", '}'].join('\n'),
    );
  });

  it('folds a box to the number of its items', () => {
    const node = parseRepr("[[1, 2, 3], ['a long text that breaks the line']]");
    const { lines } = layOut(node ?? treeOf(null), (path) => path === '0.1', { width: 12 });
    expect(lines.map(({ pieces }) => pieces.map((p) => p.text).join(''))).toEqual([
      '[', '[1, 2, 3],', '[ 1 ]', ']',
    ]);
    expect(lines[2]).toMatchObject({ fold: '0.1', folded: true, depth: 1 });
  });

  it('says that there is more than it lays out', () => {
    const { lines, more } = layOut(treeOf(Array.from({ length: 300 }, () => 'x'.repeat(40))), () => false, { most: 50 });
    expect([lines.length, more]).toEqual([50, true]);
  });
});

it('takes values that came as JSON, bounded like texts', () => {
  expect(short(treeOf({ a: [1, null, 'x"'] }))).toEqual(['{', ['string "a"', ':', ['[', 'number 1', 'constant null', 'string "x\\""', ']']], '}']);
  expect(nodesIn(treeOf(Array.from({ length: 20_000 }, () => [1])))).toBeLessThanOrEqual(5_100);
});
