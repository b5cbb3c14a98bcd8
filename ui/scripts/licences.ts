import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Plugin } from 'vite';

/**
 * A Vite plugin that writes third-party-licences.txt: the licence of every package that has a
 * module in the bundle. A package without a licence text fails the build.
 */
export function licences(): Plugin {
  return {
    name: 'third-party-licences',
    apply: 'build',
    generateBundle() {
      const roots = new Set<string>();
      for (const id of this.getModuleIds()) {
        const root = /^\0?(.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+)[\\/]/.exec(id)?.[1];
        if (root) roots.add(root);
      }
      const texts = [...roots].map(describe).sort((a, b) => (a.name < b.name ? -1 : 1));
      this.emitFile({
        type: 'asset',
        fileName: 'third-party-licences.txt',
        source: texts.map(({ text }) => text).join(`\n${'-'.repeat(80)}\n\n`),
      });
    },
  };
}

interface Manifest {
  name: string;
  version: string;
  license?: string;
}

function describe(root: string): { name: string; text: string } {
  const manifest = readFileSync(join(root, 'package.json'), 'utf8');
  const { name, version, license } = JSON.parse(manifest) as Manifest;
  const file = readdirSync(root).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
  if (!file && !license) throw new Error(`${name} has no licence`);
  const body = file ? readFileSync(join(root, file), 'utf8').trim() : `Licence: ${license ?? ''}`;
  return { name, text: `${name} ${version} (${license ?? 'see below'})\n\n${body}\n` };
}
