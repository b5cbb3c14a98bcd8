import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { expect, it } from 'vitest';

const SRC = join(import.meta.dirname, '..');
const MANTINE = join(SRC, '../node_modules/@mantine/core/styles');
const files = readdirSync(SRC, { recursive: true })
  .map((name) => join(SRC, String(name)))
  .filter((name) => /\.(tsx?|css)$/.test(name) && !name.endsWith('.test.ts'));

// Components that draw themselves with others: without their sheets they look broken.
const BUILT_OF: Record<string, readonly string[]> = {
  TextInput: ['Input'],
  Autocomplete: ['Input', 'Combobox', 'Popover', 'ScrollArea'],
  Button: ['UnstyledButton', 'Loader'],
  ActionIcon: ['UnstyledButton', 'Loader'],
};

it('takes the style sheet of every Mantine component that is used', () => {
  const taken = readFileSync(join(SRC, 'styles/index.ts'), 'utf8');
  const used = files.flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(/import \{([^}]*)\} from '@mantine\/core'/g)].flatMap(
      ([, names = '']) => names.split(',').map((name) => name.trim()),
    ),
  );
  const sheets = used.flatMap((name) => [name, ...(BUILT_OF[name] ?? [])]);
  const missing = new Set(
    sheets.filter(
      (name) => existsSync(join(MANTINE, `${name}.css`)) && !taken.includes(`styles/${name}.css`),
    ),
  );
  expect([...missing]).toEqual([]);
});

it('names colours in tokens.css only', () => {
  const named = files
    .filter((file) => file.endsWith('.css') && !file.endsWith('tokens.css'))
    .filter((file) => /#[0-9a-f]{3,8}\b|\b(rgb|hsl|oklch)a?\(/i.test(readFileSync(file, 'utf8')));
  expect(named).toEqual([]);
});

it('defines each state colour for both themes', () => {
  const tokens = readFileSync(join(SRC, 'styles/tokens.css'), 'utf8');
  for (const state of ['success', 'failure', 'retry', 'running', 'waiting', 'revoked', 'rejected', 'custom']) {
    expect(tokens.match(new RegExp(`--${state}: #`, 'g')), state).toHaveLength(2);
    expect(tokens.match(new RegExp(`--${state}-soft: #`, 'g')), state).toHaveLength(2);
  }
});
