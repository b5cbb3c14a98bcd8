/**
 * Cuts the fonts to what the page draws at first: two files of 9 to 18 kB instead of 52 kB.
 * Whatever the cut files lack, browsers take from the whole ones, which are part of the page too
 * (src/styles/fonts.css).
 */

import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import subsetFont from 'subset-font';

const path = (name: string) => fileURLToPath(new URL(`../node_modules/${name}`, import.meta.url));
const range = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, n) => first + n);

// Printable ASCII and Latin-1, dashes, quotes, dots, arrows and the signs of our own sentences.
const CHARACTERS = String.fromCodePoint(
  ...range(0x20, 0x7e),
  ...range(0xa0, 0xff),
  ...[0x131, 0x152, 0x153, 0x20ac, 0x2122],
  ...range(0x2010, 0x2027),
  ...[0x2030, 0x2032, 0x2033, 0x2039, 0x203a],
  ...range(0x2190, 0x2193),
  ...[0x2212, 0x2215, 0x2248, 0x2260, 0x2264, 0x2265, 0x221e],
);

// The page's weights; code is of one weight.
const WEIGHTS = { geist: { min: 400, max: 600 }, 'geist-mono': 400 } as const;

/** Writes node_modules/.fonts/*.woff2, unless they are there and made from the fonts installed. */
export async function cutFonts(): Promise<void> {
  mkdirSync(path('.fonts'), { recursive: true });
  for (const [name, wght] of Object.entries(WEIGHTS)) {
    const source = path(`@fontsource-variable/${name}/files/${name}-latin-wght-normal.woff2`);
    const cut = path(`.fonts/${name}.woff2`);
    const made = [source, fileURLToPath(import.meta.url)].map((file) => statSync(file).mtimeMs);
    if (existsSync(cut) && statSync(cut).mtimeMs > Math.max(...made)) continue;
    const options = { targetFormat: 'woff2', variationAxes: { wght } } as const;
    writeFileSync(cut, await subsetFont(readFileSync(source), CHARACTERS, options));
  }
}
