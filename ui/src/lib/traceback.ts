/**
 * Python tracebacks as frames. Pure; the text is hostile and may be cut anywhere: reading it never
 * throws, and takes one pass over its lines.
 */

export interface Frame {
  readonly file: string;
  readonly line: number;
  readonly name: string | null; // of the function; none where a file does not compile
  readonly code: readonly string[]; // its lines, without their common indent
  readonly marks: string; // `^^^^` under the last line of the code
  readonly repeated: number; // times it was there again, and left out
  readonly own: boolean; // the user's own code, as far as its path tells
}

/** How an exception belongs to the one that came of it. */
export type Bond = 'cause' | 'context';

export interface Raised {
  readonly frames: readonly Frame[]; // outermost first, as Python writes them
  readonly type: string; // `shop.errors.OutOfStock`; empty when cut before it
  readonly message: string;
  readonly rest: string; // the exceptions of a group, as text
  readonly bond: Bond | null; // to the next of the list
}

export interface Traceback {
  readonly raised: readonly Raised[]; // the first cause first, what the task failed of last
  readonly before: string; // what stands before the first traceback
}

const MOST_FRAMES = 2_000;
const START = /^(?: {2}\+ Exception Group )?Traceback \(most recent call last\):$/;
const GROUP = /^ {2}\+ Exception Group/;
const FRAME = /^ {2}File "(.*)", line (\d+)(?:, in (.*))?$/;
const REPEATED = /^ {2}\[Previous line repeated (\d+) more times?\]$/;
const MARKS = /^ {4,}[~^][ ~^]*$/;
const SUBGROUP = /^ *\+-[-+]* \d+ -+$/;
const BONDS: Readonly<Record<string, Bond>> = {
  'The above exception was the direct cause of the following exception:': 'cause',
  'During handling of the above exception, another exception occurred:': 'context',
};

/** The traceback; null when the text has no frame. `packages`: names that are the user's own. */
export function parseTraceback(text: string, packages: readonly string[] = []): Traceback | null {
  const lines = text.split('\n').map((line) => line.replace(/\r$/, ''));
  const first = lines.findIndex((line) => START.test(line));
  if (first < 0) return null;
  const before = lines.slice(0, first).join('\n').trim();
  const raised: Raised[] = [];
  let at = first;
  while (at < lines.length) {
    const end = endOf(lines, at);
    const bond = BONDS[lines[end]?.trim() ?? ''] ?? null;
    raised.push(block(lines.slice(at, end), packages, bond));
    at = end + 1;
    while (at < lines.length && !START.test(lines[at] ?? '')) at += 1;
  }
  return raised.some(({ frames }) => frames.length > 0) ? { raised, before } : null;
}

/** The line that binds this exception to the next one, or the end. */
function endOf(lines: readonly string[], start: number): number {
  for (let at = start + 1; at < lines.length; at += 1) {
    const line = lines[at] ?? '';
    // A message may quote such a line; Python sets it between blank ones.
    if (Object.hasOwn(BONDS, line) && lines[at - 1] === '' && lines[at + 1] === '') return at;
  }
  return lines.length;
}

function block(lines: readonly string[], packages: readonly string[], bond: Bond | null): Raised {
  const inner = GROUP.test(lines[0] ?? '') ? ungroup(lines.slice(1)) : { lines: lines.slice(1), rest: '' };
  const frames: Frame[] = [];
  let at = 0;
  while (at < inner.lines.length) {
    const line = inner.lines[at] ?? '';
    const found = FRAME.exec(line);
    const again = REPEATED.exec(line);
    if (found) {
      let end = at + 1;
      while (end < inner.lines.length && isCode(inner.lines[end] ?? '')) end += 1;
      frames.push(frame(found, inner.lines.slice(at + 1, end), packages));
      at = end;
    } else if (again) {
      const last = frames.at(-1);
      if (last) frames[frames.length - 1] = { ...last, repeated: Number(again[1]) };
      at += 1;
    } else {
      break;
    }
  }
  const words = inner.lines.slice(at).join('\n').trim();
  return { frames: bounded(frames), ...exception(words), rest: inner.rest, bond };
}

/** The outer frames of a group, and the exceptions in it as they stand. */
function ungroup(lines: readonly string[]): { lines: string[]; rest: string } {
  const start = lines.findIndex((line) => SUBGROUP.test(line));
  const own = start < 0 ? lines : lines.slice(0, start);
  const rest = start < 0 ? '' : lines.slice(start).join('\n').trimEnd();
  return { lines: own.map((line) => line.replace(/^ {2}\| ?/, '')), rest };
}

/** Source lines stand four deep; a blank one may be there, too. */
function isCode(line: string): boolean {
  return line.startsWith('    ');
}

function frame(
  [, file = '', line = '', name]: RegExpExecArray,
  lines: readonly string[],
  packages: readonly string[],
): Frame {
  const marked = MARKS.test(lines.at(-1) ?? '');
  const code = (marked ? lines.slice(0, -1) : lines).map((text) => text.slice(4));
  const marks = marked ? (lines.at(-1) ?? '').slice(4).trimEnd() : '';
  // Where a file does not compile the code keeps the indent that it has there.
  const indent = Math.min(...code.map((text) => text.length - text.trimStart().length));
  const by = Number.isFinite(indent) ? indent : 0;
  return {
    file,
    line: Number(line),
    name: name ?? null,
    code: code.map((text) => text.slice(by)),
    marks: marks.slice(Math.min(by, marks.length - marks.trimStart().length)),
    repeated: 0,
    own: isOwn(file, packages),
  };
}

/** A recursion without end: its two ends tell enough. */
function bounded(frames: readonly Frame[]): readonly Frame[] {
  if (frames.length <= MOST_FRAMES) return frames;
  return [...frames.slice(0, MOST_FRAMES / 2), ...frames.slice(-MOST_FRAMES / 2)];
}

/** `shop.OutOfStock: 3 left` → its type and its message. */
function exception(words: string): { type: string; message: string } {
  const [, type, message] = /^([\p{L}_][\p{L}\p{N}_.<>]*)(?::\s?([^]*))?$/u.exec(words) ?? [];
  return type === undefined ? { type: '', message: words } : { type, message: message ?? '' };
}

// ---------------------------------------------------------------------------------- whose code

// Installed packages, and what comes with Python: in a prefix, a zip, a Windows or a framework
// install.
const INSTALLED = /\/(?:site|dist)-packages\//;
const STANDARD = /\/lib(?:32|64)?\/(?:python|pypy)3?(?:\.\d+)?\/|\/python3\d*\.zip\/|\/python3?\d*\/lib\//i;
// What runs a task, where it lies beside the user's code: a checkout, a bundle, a zip.
const RUNNERS =
  /\/(?:celery\/(?:app\/(?:autoretry|base|task|trace)\.py|canvas\.py|result\.py|local\.py|(?:backends|concurrency|utils|worker)\/)|(?:amqp|billiard|kombu|vine)\/)/;

/**
 * Whether a file is the user's own code. Own code may be installed as a package, too: those named
 * in `packages` are told by their folder.
 */
export function isOwn(file: string, packages: readonly string[] = []): boolean {
  const path = `/${file.replaceAll('\\', '/')}`;
  if (file === '' || file.startsWith('<')) return false; // `<frozen importlib._bootstrap>`
  const [, installed] = path.split(INSTALLED);
  if (installed !== undefined) {
    const top = installed.replace(/(?:\.py|\/.*)$/, '');
    return packages.includes(top);
  }
  return !STANDARD.test(path) && !RUNNERS.test(path);
}

const NOBODYS = new Set(['celery', 'tasks', '__main__']);

/** The packages that a task's name says are the user's own: `shop.mail.send` → `shop`. */
export function ownPackages(taskName: string | null): string[] {
  const [top = '', ...rest] = (taskName ?? '').split('.');
  return rest.length > 0 && top !== '' && !NOBODYS.has(top) ? [top] : [];
}

/** What a library's file is called in a list: `celery`, `json`. */
export function libraryOf(file: string): string {
  const path = `/${file.replaceAll('\\', '/')}`;
  const after = path.split(INSTALLED)[1] ?? path.split(STANDARD)[1];
  const runner = /\/(celery|amqp|billiard|kombu|vine)\//.exec(path)?.[1];
  const top = after?.replace(/(?:\.py|\/.*)$/, '') ?? runner ?? file.replace(/^.*\//, '');
  return top === '' ? file : top;
}

/** Frames in a row that are all own, or all of libraries. */
export interface Run {
  readonly own: boolean;
  readonly frames: readonly Frame[];
  readonly libraries: readonly string[];
}

/** The frames in runs, the innermost first. */
export function runs(frames: readonly Frame[]): Run[] {
  const found: { own: boolean; frames: Frame[] }[] = [];
  for (const frame of [...frames].reverse()) {
    const last = found.at(-1);
    if (last?.own === frame.own) last.frames.push(frame);
    else found.push({ own: frame.own, frames: [frame] });
  }
  return found.map(({ own, frames }) => ({
    own,
    frames,
    libraries: own ? [] : [...new Set(frames.map(({ file }) => libraryOf(file)))],
  }));
}
