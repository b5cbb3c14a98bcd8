/**
 * What Python's repr() writes, and JSON, read into a tree. Pure.
 *
 * The text comes from the cluster and may be anything, cut at any place: reading it never throws,
 * takes time in proportion to its length, and stops at the bounds below. Leaves keep the text as
 * it was written, so that nothing is shown that the worker did not say.
 */

export type Tone = 'string' | 'number' | 'constant' | 'object' | 'cut';

export interface Leaf {
  readonly kind: 'leaf';
  readonly tone: Tone;
  readonly text: string;
}

export interface Item {
  readonly key: Leaf | Box | null;
  readonly sign: ':' | '=' | ''; // between key and value
  readonly value: Node;
}

/** A list, tuple, set or dict, or a call such as `Decimal('1')`. */
export interface Box {
  readonly kind: 'box';
  readonly open: string; // `[`, `(`, `{`, `Decimal(`
  readonly close: string; // empty when the text was cut before it
  readonly items: readonly Item[];
  readonly comma: boolean; // a comma after the last: `(1,)` is a tuple
}

export type Node = Leaf | Box;

const MOST_DEPTH = 40;
const MOST_NODES = 5_000;
const MOST_CHARACTERS = 200_000;

/** The tree; null when the text is something else, like a sentence. */
export function parseRepr(text: string): Node | null {
  const reader = new Reader(text.slice(0, MOST_CHARACTERS), text.length > MOST_CHARACTERS);
  const node = reader.value('', 0);
  return node !== null && reader.atEnd() ? node : null;
}

/** A value that came as JSON, as a tree. */
export function treeOf(value: unknown): Node {
  const left = { nodes: MOST_NODES };
  return toNode(value, 0, left);
}

function toNode(value: unknown, depth: number, left: { nodes: number }): Node {
  left.nodes -= 1;
  if (typeof value === 'string') return leaf('string', JSON.stringify(value));
  if (typeof value === 'number') return leaf('number', String(value));
  if (typeof value !== 'object' || value === null) return leaf('constant', String(value));
  if (depth >= MOST_DEPTH || left.nodes <= 0) return leaf('cut', '…');
  const list = Array.isArray(value);
  const items: Item[] = [];
  for (const [key, inner] of Object.entries(value)) {
    if (left.nodes <= 0) {
      items.push(bare(leaf('cut', '…')));
      break;
    }
    const node = toNode(inner, depth + 1, left);
    items.push(
      list ? bare(node) : { key: leaf('string', JSON.stringify(key)), sign: ':', value: node },
    );
  }
  return { kind: 'box', open: list ? '[' : '{', close: list ? ']' : '}', items, comma: false };
}

const CLOSES: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };
const CONSTANTS: ReadonlySet<string> = new Set([
  'None', 'True', 'False', 'Ellipsis', 'NotImplemented', 'null', 'true', 'false',
]);
const BLANK = /\s*/y;
const NUMBER = /[-+]?(?:0[xob][\da-f_]+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:e[-+]?\d+)?j?|inf(?:inity)?\b|nan\b)(?:[-+][\d.]+(?:e[-+]?\d+)?j)?/iy;
const WORD = /[\p{L}_][\p{L}\p{M}\p{N}_]*(?:\.(?:[\p{L}_][\p{L}\p{M}\p{N}_]*|<locals>|<lambda>))*/uy;
const STRING = /(?:[rbuf]|br|rb|fr|rf)?(?='|")/iy;
const DOTS = /\.\.\.|…/y;
const BRACKET = /[()[\]{}]/;

class Reader {
  #at = 0;
  #nodes = MOST_NODES;

  constructor(
    readonly text: string,
    readonly cut: boolean,
  ) {}

  atEnd(): boolean {
    this.#skip();
    return this.#at >= this.text.length;
  }

  /** The value that starts here; null when none does. `inside` is what closes the box around it. */
  value(inside: string, depth: number): Node | null {
    this.#skip();
    const char = this.text[this.#at] ?? '';
    if (char === '') return this.#rest(inside);
    this.#nodes -= 1;
    if (this.#nodes <= 0) return this.#rest('all');
    const dots = this.#take(DOTS);
    if (dots !== '') return leaf('cut', dots);
    if (this.#sees(STRING)) return this.#string();
    if (Object.hasOwn(CLOSES, char)) return this.#box('', depth);
    if (char === '<') return this.#object();
    // A number that goes on as a word is none: `3rd`, `2026-11-23`.
    const number = this.#whole(NUMBER);
    if (number !== '') return leaf('number', number);
    const word = this.#take(WORD);
    if (word === '') return null;
    if (this.text[this.#at] === '(') return this.#box(word, depth);
    return leaf(CONSTANTS.has(word) ? 'constant' : 'object', word);
  }

  #box(name: string, depth: number): Node | null {
    const bracket = this.text[this.#at] ?? '';
    const closing = CLOSES[bracket] ?? '';
    if (depth >= MOST_DEPTH) return this.#unread(name);
    this.#at += 1;
    const items: Item[] = [];
    let comma = false;
    for (;;) {
      this.#skip();
      const char = this.text[this.#at];
      if (char === closing) {
        this.#at += 1;
        return { kind: 'box', open: name + bracket, close: closing, items, comma };
      }
      if (char === undefined) {
        return { kind: 'box', open: name + bracket, close: '', items, comma: false };
      }
      if (char === ',') {
        // Where Celery cuts a list it leaves an empty place: `14, , ...`.
        this.#at += 1;
        comma = true;
        continue;
      }
      if (items.length > 0 && !comma) return null;
      const item = this.#item(closing, depth);
      if (item === null) return null;
      comma = false;
      items.push(item);
    }
  }

  #item(closing: string, depth: number): Item | null {
    const first = this.value(closing, depth + 1);
    if (first === null) return null;
    this.#skip();
    const sign = this.text[this.#at];
    const keyed = (sign === ':' && closing === '}') || (sign === '=' && closing === ')');
    if (!keyed) return bare(first);
    this.#at += 1;
    const value = this.value(closing, depth + 1);
    return value === null ? null : { key: first, sign, value };
  }

  #string(): Leaf {
    const start = this.#at;
    this.#take(STRING);
    const raw = this.text.slice(start, this.#at);
    const quote = this.text[this.#at] ?? '';
    const triple = quote.repeat(3);
    const end = this.text.startsWith(triple, this.#at) ? triple : quote;
    // `''` is an empty string, not the start of a triple.
    this.#at += end.length;
    while (this.#at < this.text.length) {
      if (this.text[this.#at] === '\\') {
        this.#at += 2;
      } else if (this.text.startsWith(end, this.#at)) {
        this.#at += end.length;
        return leaf('string', this.text.slice(start, this.#at));
      } else {
        this.#at += 1;
      }
    }
    this.#at = this.text.length;
    return leaf('string', raw + this.text.slice(start + raw.length) + (this.cut ? '…' : ''));
  }

  /** `<Order at 0x7f>`, `<class 'list'>`: to where the brackets are even. */
  #object(): Leaf {
    const start = this.#at;
    let open = 0;
    while (this.#at < this.text.length) {
      const char = this.text[this.#at];
      this.#at += 1;
      if (char === '<') open += 1;
      if (char === '>' && this.text[this.#at - 2] !== '-') open -= 1;
      if (open === 0) break;
    }
    return leaf('object', this.text.slice(start, this.#at));
  }

  /** A box too deep to be read: all of it, as it stands. */
  #unread(name: string): Leaf {
    const start = this.#at;
    let open = 0;
    while (this.#at < this.text.length) {
      const char = this.text[this.#at] ?? '';
      if (char === '"' || char === "'") {
        this.#string();
        continue;
      }
      this.#at += 1;
      if (BRACKET.test(char)) open += Object.hasOwn(CLOSES, char) ? 1 : -1;
      if (open === 0) break;
    }
    return leaf('cut', name + this.text.slice(start, this.#at));
  }

  /** Where the text ends within a box it was cut there; where the bound is reached, all that is left. */
  #rest(inside: string): Node | null {
    if (inside === '') return null;
    const rest = this.text.slice(this.#at);
    this.#at = this.text.length;
    return leaf('cut', rest === '' || this.cut ? `${rest}…` : rest);
  }

  #skip(): void {
    BLANK.lastIndex = this.#at;
    BLANK.test(this.text);
    this.#at = BLANK.lastIndex;
  }

  #sees(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    return pattern.test(this.text);
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const [found = ''] = pattern.exec(this.text) ?? [];
    this.#at += found.length;
    return found;
  }

  #whole(pattern: RegExp): string {
    const start = this.#at;
    const found = this.#take(pattern);
    if (/^[^\s,)\]}:=]/.test(this.text.slice(this.#at, this.#at + 1))) {
      this.#at = start;
      return '';
    }
    return found;
  }
}

function leaf(tone: Tone, text: string): Leaf {
  return { kind: 'leaf', tone, text };
}

function bare(value: Node): Item {
  return { key: null, sign: '', value };
}

// ---------------------------------------------------------------------------------- as lines

export interface Piece {
  readonly tone: Tone | 'key' | 'mark';
  readonly text: string;
}

export interface Line {
  readonly depth: number;
  readonly pieces: readonly Piece[];
  readonly fold: string | null; // the path of the box that opens on this line, when it can fold
  readonly folded: boolean;
}

interface Layout {
  lines: Line[];
  most: number;
  width: number;
  isFolded: (path: string, box: Box, depth: number) => boolean;
}

/**
 * The tree as lines of at most about `width` characters where that can be; a box that fits stays
 * on one line. At most `most` lines are laid out; one more says that there are more.
 */
export function layOut(
  node: Node,
  isFolded: (path: string, box: Box, depth: number) => boolean,
  { width = 80, most = 500 }: { width?: number; most?: number } = {},
): { lines: Line[]; more: boolean } {
  const layout: Layout = { lines: [], most, width, isFolded };
  put(layout, node, [], [], '0', 0);
  return { lines: layout.lines.slice(0, most), more: layout.lines.length > most };
}

function put(
  layout: Layout, node: Node, before: Piece[], after: Piece[], path: string, depth: number,
): void {
  if (layout.lines.length > layout.most) return;
  const push = (pieces: Piece[], fold: string | null = null, folded = false) =>
    layout.lines.push({ depth, pieces, fold, folded });
  const flat = onOneLine(node, layout.width - 2 * depth);
  if (node.kind === 'leaf' || flat !== null) {
    push([...before, ...(flat ?? []), ...after]);
    return;
  }
  const { open, close, items } = node;
  if (layout.isFolded(path, node, depth)) {
    const held = { tone: 'cut', text: ` ${items.length} ` } as const;
    push([...before, mark(open), held, mark(close), ...after], path, true);
    return;
  }
  push([...before, mark(open)], path);
  items.forEach(({ key, sign, value }, index) => {
    const last = index === items.length - 1;
    const comma = last && !node.comma ? [] : [mark(',')];
    put(layout, value, keyPieces(key, sign), comma, `${path}.${index}`, depth + 1);
  });
  if (close !== '') push([mark(close), ...after]);
}

/** All of it on one line, when that is not longer than `room`. */
export function onOneLine(node: Node, room: number): Piece[] | null {
  const pieces: Piece[] = [];
  let used = 0;
  const add = (piece: Piece): boolean => {
    pieces.push(piece);
    used += piece.text.length;
    return used <= room;
  };
  const walk = (part: Node): boolean => {
    if (part.kind === 'leaf') return add(part);
    if (!add(mark(part.open))) return false;
    for (const [index, { key, sign, value }] of part.items.entries()) {
      if (index > 0 && !add(mark(', '))) return false;
      if (!keyPieces(key, sign).every(add) || !walk(value)) return false;
    }
    return add(mark(part.comma ? `,${part.close}` : part.close));
  };
  if (node.kind === 'leaf') return [node];
  return walk(node) ? pieces : null;
}

function keyPieces(key: Item['key'], sign: Item['sign']): Piece[] {
  if (key === null) return [];
  const text = key.kind === 'leaf' ? key.text : (onOneLine(key, 200) ?? []).map((p) => p.text).join('');
  return [{ tone: 'key', text: text === '' ? '(…)' : text }, mark(sign === ':' ? ': ' : sign)];
}

function mark(text: string): Piece {
  return { tone: 'mark', text };
}
