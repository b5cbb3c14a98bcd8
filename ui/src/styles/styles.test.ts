import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { expect, it } from 'vitest';

const SRC = join(import.meta.dirname, '..');
const files = readdirSync(SRC, { recursive: true })
  .map((name) => join(SRC, String(name)))
  .filter((name) => /\.(tsx?|css)$/.test(name) && !name.endsWith('.test.ts'));

it('names colours in tokens.css only', () => {
  const named = files
    .filter((file) => file.endsWith('.css') && !file.endsWith('tokens.css'))
    .filter((file) => /#[0-9a-f]{3,8}\b|\b(rgb|hsl|oklch)a?\(/i.test(readFileSync(file, 'utf8')));
  expect(named).toEqual([]);
});

it('defines each state colour for both themes', () => {
  const tokens = readFileSync(join(SRC, 'styles/tokens.css'), 'utf8');
  for (const state of ['success', 'failure', 'retry', 'running', 'waiting', 'revoked', 'rejected', 'lost', 'custom']) {
    expect(tokens.match(new RegExp(`--${state}: #`, 'g')), state).toHaveLength(2);
    expect(tokens.match(new RegExp(`--${state}-soft: #`, 'g')), state).toHaveLength(2);
  }
});
