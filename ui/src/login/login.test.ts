import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

const UI = join(import.meta.dirname, '../..');
const login = readFileSync(join(UI, 'login.html'), 'utf8');
const page = readFileSync(join(UI, 'index.html'), 'utf8');

/** What the server does with its marks. */
function cut(html: string, mark: string): string {
  return html.replace(new RegExp(`<!--${mark}-->.*<!--/${mark}-->`, 's'), '');
}

describe('the page to log in', () => {
  it.each(['<!--error-->', '<!--password-->', '<!--/password-->', '<!--provider-->', '<!--/provider-->', '<!--label-->', '<base href="/" />'])(
    'has %s once, for the server',
    (mark) => {
      expect(login.split(mark)).toHaveLength(2);
    },
  );

  it('comes back to where one was, by either way', () => {
    expect(login).toContain('name="next" value="__NEXT__"');
    expect(login).toContain('href="./login/start?next=__NEXT__"');
    expect(login.split('__NEXT__')).toHaveLength(3);
  });

  it('loses one way in without losing the other', () => {
    expect(cut(login, 'password')).not.toContain('<form');
    expect(cut(login, 'password')).toContain('./login/start');
    expect(cut(login, 'provider')).not.toContain('./login/start');
    expect(cut(login, 'provider')).toContain('<form method="post" action="./login">');
  });

  it('lets a browser and its keeper of passwords know what is what', () => {
    expect(login).toMatch(/name="name"[^>]*autocomplete="username"/);
    expect(login).toMatch(/type="password"[^>]*autocomplete="current-password"/);
  });
});

it.each([
  ['index.html', page],
  ['login.html', login],
])('%s has no script, style or handler in it that the policy would refuse', (_, html) => {
  expect(html).not.toMatch(/<style|\sstyle=|\son[a-z]+=|javascript:/i);
  for (const [script] of html.matchAll(/<script\b[^>]*>[^<]*/g)) expect(script).toMatch(/^<script\b[^>]*\ssrc="[^"]+"[^>]*>$/);
});
