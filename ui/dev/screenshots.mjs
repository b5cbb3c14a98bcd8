// Makes the pictures of the documentation, docs/images/*.webp: every page in both themes from the
// demo, which it starts and stops, and every section of the gallery.
//   npm run screenshots [-- --url http://127.0.0.1:5555 --seconds 10 --only gallery]
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer as createSocket } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { createServer } from 'vite';

import { CHROMIUM, launch, pagesOf, untilAlive, untilShown, visit } from './stage.mjs';

const { values: flags } = parseArgs({
  options: {
    url: { type: 'string', default: '' }, // of a console that runs; without: the demo
    out: { type: 'string', default: fileURLToPath(new URL('../../docs/images', import.meta.url)) },
    seconds: { type: 'string', default: '180' }, // how long the console has listened by then
    only: { type: 'string', default: '' }, // `pages` or `gallery`
    chromium: { type: 'string', default: CHROMIUM },
  },
});
const DEMO = fileURLToPath(new URL('../../.venv/bin/celeryscope', import.meta.url));
const UI = fileURLToPath(new URL('..', import.meta.url));
const SOURCES = fileURLToPath(new URL('../../src', import.meta.url));
const THEMES = ['light', 'dark'];
const QUALITY = 76;
const LIMIT_BYTES = 1_500_000; // of all pictures: they are in the repository, and stay in its past
const SHOWN = ['overview', 'tasks', 'query', 'drawer', 'task', 'workers', 'worker', 'queues', 'schedules', 'access', 'audit'];

if (!existsSync(flags.chromium)) {
  console.error(`There is no ${flags.chromium}: install Chromium (apt-get install chromium), or name one with --chromium.`);
  process.exit(1);
}
mkdirSync(flags.out, { recursive: true });
const browser = await launch(flags.chromium);
try {
  if (flags.only !== 'pages') await gallery();
  if (flags.only !== 'gallery') await pages();
} finally {
  await browser.close();
}
report();

async function pages() {
  const demo = flags.url ? null : await startDemo();
  const base = flags.url.replace(/\/$/, '') || demo.url;
  try {
    await untilAlive(base, { seconds: Number(flags.seconds) });
    const paths = await pagesOf(base);
    await doSomething(base);
    for (const theme of THEMES) {
      const context = await visit(browser, { width: 1440, height: 900, theme });
      await context.route('**/api/v1/tasks/*', anywhere);
      for (const name of SHOWN) {
        const page = await context.newPage();
        await page.goto(base + paths[name]);
        await untilShown(page);
        await keep(page, `${name}-${theme}`, { x: 0, y: 0, width: 1440, height: 900 });
        await page.close();
      }
      await context.close();
    }
  } finally {
    await demo?.stop();
  }
}

/** Have something done, so that the audit trail has something to show. */
async function doSomething(base) {
  const { workers } = await (await fetch(`${base}/api/v1/workers`)).json();
  const ask = (path, body) =>
    fetch(`${base}/api/v1/${path}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
  await ask('control/pool_grow', { arguments: { n: 1 }, workers: [workers[0]?.hostname] });
  await ask('control/rate_limit', { arguments: { task_name: 'reports.build', rate_limit: '10/m' } });
  await ask('tokens', { name: 'prometheus', role: 'viewer', expires_in: 90 * 86_400 });
}

/** One task, as it would be told on any machine: tracebacks have paths, senders the host's name. */
async function anywhere(route) {
  const response = await route.fetch();
  const told = (await response.text()).replaceAll(SOURCES, '/srv/shop').replaceAll(`@${hostname()}`, '@web-1');
  await route.fulfill({ response, body: told });
}

async function gallery() {
  const server = await createServer({
    root: UI,
    configFile: join(UI, 'vite.config.ts'),
    server: { port: await freePort(), hmr: false, watch: null },
    logLevel: 'warn',
  });
  await server.listen();
  try {
    for (const theme of THEMES) {
      const context = await visit(browser, { width: 1080, height: 900, theme });
      const page = await context.newPage();
      page.on('pageerror', (error) => {
        throw error;
      });
      await page.goto(`http://127.0.0.1:${server.config.server.port}/dev/gallery.html`);
      await page.waitForSelector('[data-ready]', { state: 'attached' });
      await page.evaluate(() => document.fonts.ready);
      for (const section of await page.locator('[data-shot]').all()) {
        const name = await section.getAttribute('data-shot');
        const place = await section.evaluate((element) => {
          const { x, y, width, height } = element.getBoundingClientRect();
          return { x, y: y + window.scrollY, width, height };
        });
        await keep(page, `gallery-${name}-${theme}`, place);
      }
      await context.close();
    }
  } finally {
    await server.close();
  }
}

/** Playwright's own screenshots are PNG or JPEG; Chromium itself writes WebP, a third of the size. */
async function keep(page, name, clip) {
  const session = await page.context().newCDPSession(page);
  const { data } = await session.send('Page.captureScreenshot', {
    format: 'webp',
    quality: QUALITY,
    clip: { ...clip, scale: 1 },
    captureBeyondViewport: true,
  });
  await session.detach();
  writeFileSync(join(flags.out, `${name}.webp`), Buffer.from(data, 'base64'));
}

async function startDemo() {
  if (!existsSync(DEMO)) throw new Error(`${DEMO} is missing: run \`make screenshots\`, which sets it up.`);
  const port = await freePort();
  const demo = spawn(DEMO, ['demo', '--port', String(port)], { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = new Promise((resolve) => demo.once('exit', resolve));
  return {
    url: `http://127.0.0.1:${port}`,
    stop: () => {
      demo.kill('SIGTERM');
      return ended;
    },
  };
}

function freePort() {
  return new Promise((resolve, reject) => {
    const socket = createSocket().once('error', reject);
    socket.listen(0, '127.0.0.1', () => {
      const { port } = socket.address();
      socket.close(() => resolve(port));
    });
  });
}

function report() {
  const pictures = readdirSync(flags.out).filter((name) => name.endsWith('.webp'));
  const sizes = pictures.map((name) => statSync(join(flags.out, name)).size);
  const all = sizes.reduce((sum, size) => sum + size, 0);
  console.log(`${pictures.length} pictures, ${Math.round(all / 1000)} kB, in ${flags.out}`);
  if (all <= LIMIT_BYTES) return;
  console.error(`More than ${LIMIT_BYTES / 1000} kB: show less, or in smaller pictures.`);
  process.exitCode = 1;
}
