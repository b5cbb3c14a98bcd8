// After `vite build`: writes a .gz and a .br beside every file that compresses, and fails the
// build when what a browser fetches at first exceeds the budget, on whichever page it begins.
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const DIST = process.env.CELERYSCOPE_UI_OUT ?? process.argv[2] ?? fileURLToPath(new URL('../../src/celeryscope/web/dist', import.meta.url));
const FIRST_LOAD_LIMIT_BYTES = 220_000; // gzipped
const COMPRESSES = /\.(html|js|css|svg|txt|json)$/;
const ENTRY = 'index.html';
const PAGE = /^src\/pages\/.+Page\.tsx$/;
// Not there until asked for, or in sight; the hub, only where it cannot be a shared worker.
const AT_A_CLICK =
  /^src\/(api\/hub\.ts|(components\/(shell\/(KeysDialog|WhoMenu)|control\/(ControlDialog|Tray)|palette\/Palette)|pages\/(queues\/Messages|tasks\/(BulkBar|Drawer|Export|GoTo|Saved|SortMenu)|overview\/History|access\/TokenDialog))\.tsx)$/;
// Fetched by every page, and not in the manifest: the cut fonts, the icon, the live stream's worker.
const ALWAYS = /^(favicon\.svg|theme\.js|assets\/geist(-mono)?-[\w-]{8}\.woff2|assets\/hub\.worker-[^/]+\.js)$/;

const manifest = JSON.parse(readFileSync(join(DIST, 'manifest.json'), 'utf8'));
rmSync(join(DIST, 'manifest.json'));
const files = readdirSync(DIST, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && !/\.(gz|br)$/.test(entry.name))
  .map((entry) => join(entry.parentPath, entry.name));

const sizes = new Map(); // path below DIST → bytes on the wire
for (const file of files) {
  const name = file.slice(DIST.length).replace(/^[/\\]/, '').replaceAll('\\', '/');
  if (!COMPRESSES.test(file)) {
    sizes.set(name, statSync(file).size); // a font is packed by itself
    continue;
  }
  const content = readFileSync(file);
  const packed = gzipSync(content, { level: 9 });
  sizes.set(name, packed.length);
  writeFileSync(`${file}.gz`, packed);
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11 };
  writeFileSync(`${file}.br`, brotliCompressSync(content, { params }));
}

const isPage = (key) => PAGE.test(manifest[key]?.src ?? '');
const always = [...sizes.keys()].filter((name) => name === ENTRY || ALWAYS.test(name));
const entry = needs([ENTRY], (key) => !isPage(key));
const pages = Object.keys(manifest).filter((key) => manifest[key].isDynamicEntry && isPage(key));

if (pages.length === 0) throw new Error('the manifest has no pages: where are they now?');
const table = [];
for (const key of pages) {
  table.push([manifest[key].name, new Set([...entry, ...needs([key], (other) => !isPage(other))])]);
}
report();

/** The files that begin to load when these chunks do: what they import, at once or soon after. */
function needs(keys, allowed) {
  const found = new Set();
  const seen = new Set();
  const queue = [...keys];
  for (let key = queue.pop(); key !== undefined; key = queue.pop()) {
    const chunk = manifest[key];
    if (!chunk || seen.has(key) || AT_A_CLICK.test(chunk.src ?? '')) continue;
    seen.add(key);
    for (const file of [chunk.file, ...(chunk.css ?? [])]) found.add(file);
    queue.push(...(chunk.imports ?? []), ...(chunk.dynamicImports ?? []).filter(allowed));
  }
  return found;
}

function report() {
  const kind = (names, pattern) => sum(names.filter((name) => pattern.test(name)));
  console.log('first load, kB gzipped      scripts  styles  fonts  other    all');
  for (const [page, chunks] of table) {
    const names = [...new Set([...always, ...chunks])];
    const [js, css, fonts, all] = [/\.js$/, /\.css$/, /\.woff2$/, /./].map((type) => kind(names, type));
    const cells = [js, css, fonts, all - js - css - fonts, all].map((size) => kilobytes(size).padStart(7));
    console.log(page.padEnd(27), cells.join(' '));
    if (js === 0) throw new Error('index.html links no script: is the build whole?');
    if (all > FIRST_LOAD_LIMIT_BYTES) {
      console.error(`${page} is over the budget of ${kilobytes(FIRST_LOAD_LIMIT_BYTES)} kB: load something later, or drop it.`);
      process.exitCode = 1;
    }
  }
}

function sum(names) {
  return names.reduce((total, name) => total + sizes.get(name), 0);
}

function kilobytes(bytes) {
  return (bytes / 1000).toFixed(1);
}
