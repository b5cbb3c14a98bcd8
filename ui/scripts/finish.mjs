// After `vite build`: writes a .gz and a .br beside every file that compresses, and fails the
// build when what a browser fetches at first exceeds the budget.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const DIST = fileURLToPath(new URL('../../src/celeryscope/web/dist', import.meta.url));
const FIRST_LOAD_LIMIT_BYTES = 220_000; // gzipped: HTML, its scripts, styles and font, the live worker
const COMPRESSES = /\.(html|js|css|svg|txt|json)$/;

const files = readdirSync(DIST, { recursive: true })
  .map((name) => join(DIST, String(name)))
  .filter((name) => statSync(name).isFile());

const gzipped = new Map();
for (const file of files) {
  if (!COMPRESSES.test(file)) continue;
  const content = readFileSync(file);
  const gz = gzipSync(content, { level: 9 });
  gzipped.set(file, gz.length);
  writeFileSync(`${file}.gz`, gz);
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11 };
  writeFileSync(`${file}.br`, brotliCompressSync(content, { params }));
}

const html = readFileSync(join(DIST, 'index.html'), 'utf8');
const linked = [...html.matchAll(/(?:src|href)="\.\/([^"]+\.(?:js|css|woff2))"/g)].map(
  ([, name]) => join(DIST, name),
);
const workers = files.filter((file) => /hub\.worker[^/\\]*\.js$/.test(file));
const first = [join(DIST, 'index.html'), ...linked, ...workers];

let total = 0;
for (const file of first) {
  const size = gzipped.get(file) ?? statSync(file).size; // a font is packed by itself
  total += size;
  console.log(`${kilobytes(size).padStart(9)} gz  ${relative(DIST, file)}`);
}
console.log(`${kilobytes(total).padStart(9)} gz  first load, of ${kilobytes(FIRST_LOAD_LIMIT_BYTES)} allowed`);
if (linked.length === 0) throw new Error('index.html links no script: is the build whole?');
if (total > FIRST_LOAD_LIMIT_BYTES) {
  console.error('The first load is over its budget: load something later, or drop it.');
  process.exitCode = 1;
}

function kilobytes(bytes) {
  return `${(bytes / 1000).toFixed(1)} kB`;
}
