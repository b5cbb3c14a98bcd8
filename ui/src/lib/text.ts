/**
 * Text from the cluster is hostile. React keeps markup out; this module makes the characters
 * visible that could hide, reverse or fake what a person reads.
 */

export type Segment = { readonly text: string; readonly escaped: boolean };

// C0 (but tab and newline), DEL, C1, soft hyphen, grapheme joiner, direction marks and overrides,
// fillers that look like nothing, zero-width space, line and paragraph separators, word joiner,
// invisible operators and shaping controls, byte order mark, annotations, tag characters and
// variation selectors that no font draws, lone surrogates. Joiners (U+200C, U+200D) stay where
// scripts and emoji need them; beside Latin letters or at an end they only hide.
const UNSAFE =
  // Each stands for itself.
  // eslint-disable-next-line no-control-regex, no-misleading-character-class
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\ufffe\uffff\u{e0000}-\u{e0fff}]|[\ud800-\udfff]|(?<=^|[\0-\u024f])[\u200c\u200d]+|[\u200c\u200d]+(?=$|[\0-\u024f])/gu;

/** Splits text into runs to show as they are and runs that stand for unsafe characters. */
export function segments(text: string): Segment[] {
  const found: Segment[] = [];
  let end = 0;
  for (const match of text.matchAll(UNSAFE)) {
    if (match.index > end) found.push({ text: text.slice(end, match.index), escaped: false });
    end = match.index + match[0].length;
    const last = found.at(-1);
    const name = symbols(match[0]);
    if (last?.escaped) found[found.length - 1] = { text: last.text + name, escaped: true };
    else found.push({ text: name, escaped: true });
  }
  if (end < text.length) found.push({ text: text.slice(end), escaped: false });
  return found;
}

/** The text with every unsafe character made visible, as one string (titles, labels, copies). */
export function visible(text: string): string {
  return text.replace(UNSAFE, symbols);
}

function symbols(characters: string): string {
  return Array.from(characters, symbol).join('');
}

/** As Python writes it: `\x1b`, `\u202e`. */
function symbol(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  const digits = code.toString(16);
  if (code <= 0xff) return `\\x${digits.padStart(2, '0')}`;
  return code <= 0xffff ? `\\u${digits.padStart(4, '0')}` : `\\U${digits.padStart(8, '0')}`;
}

/** At most `limit` UTF-16 units, never half a character; says how many were left out. */
export function clip(text: string, limit: number): { text: string; rest: number } {
  if (text.length <= limit) return { text, rest: 0 };
  const code = text.charCodeAt(limit - 1);
  const cut = code >= 0xd800 && code <= 0xdbff ? limit - 1 : limit;
  return { text: text.slice(0, cut), rest: text.length - cut };
}

/** `proj.mail.send_digest` → `proj.mail.` and `send_digest`: the end is what people read. */
export function splitName(name: string): { path: string; leaf: string } {
  const dot = name.lastIndexOf('.', name.length - 2);
  return { path: name.slice(0, dot + 1), leaf: name.slice(dot + 1) };
}

/** `celery@web1` → `celery@` and `web1`. */
export function splitHost(hostname: string): { path: string; leaf: string } {
  const at = hostname.indexOf('@');
  return at < 0 || at === hostname.length - 1
    ? { path: '', leaf: hostname }
    : { path: hostname.slice(0, at + 1), leaf: hostname.slice(at + 1) };
}
