// Looks at every page as a person would: screenshots in both themes and several widths, axe, console
// errors, and whether anything sticks out sideways. Exits with 1 when something is wrong.
//   npm run shots -- [--url http://127.0.0.1:6200] [--out DIR] [--widths 1440,390] [--themes light,dark]
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { chromium } from 'playwright-core';

const { values: flags } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://127.0.0.1:6200' },
    out: { type: 'string', default: '/tmp/celeryscope-shots' },
    widths: { type: 'string', default: '1440,390' },
    themes: { type: 'string', default: 'light,dark' },
    only: { type: 'string', default: '' },
    chromium: { type: 'string', default: '/usr/bin/chromium' },
  },
});
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const base = flags.url.replace(/\/$/, '');
mkdirSync(flags.out, { recursive: true });

const answer = async (path) => (await fetch(`${base}/api/v1/${path}`)).json();
const [worker] = (await answer('workers')).workers;
const [failed] = (await answer('tasks?state=FAILURE&limit=1')).tasks;
const pages = {
  overview: '/',
  workers: '/workers',
  worker: `/workers/${encodeURIComponent(worker.hostname)}`,
  tasks: '/tasks',
  filtered: '/tasks?state=FAILURE&state=RETRY',
  task: failed ? `/tasks/${encodeURIComponent(failed.uuid)}` : '/tasks/none',
  nothing: '/tasks/there-is-no-such-task',
};

const browser = await chromium.launch({
  executablePath: flags.chromium,
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
});
let wrong = 0;
const complain = (where, what) => {
  wrong += 1;
  console.log(`${where}: ${what}`);
};

for (const width of flags.widths.split(',').map(Number)) {
  for (const theme of flags.themes.split(',')) {
    const context = await browser.newContext({
      viewport: { width, height: width < 600 ? 844 : 900 },
      colorScheme: theme,
      bypassCSP: false,
    });
    for (const [name, path] of Object.entries(pages)) {
      if (flags.only && !flags.only.split(',').includes(name)) continue;
      const where = `${name}-${theme}-${width}`;
      const page = await context.newPage();
      page.on('pageerror', (error) => complain(where, error.message));
      page.on('console', (message) => {
        const expected = name === 'nothing' && message.text().includes('404');
        if (message.type() === 'error' && !expected) complain(where, message.text());
      });
      await page.goto(base + path);
      await page.waitForSelector('[data-testid=link][data-value=live]', { timeout: 8000 });
      await page.waitForTimeout(900);
      await page.screenshot({ path: join(flags.out, `${where}.png`), fullPage: name !== 'tasks' });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (wide > 0) complain(where, `is ${wide} px wider than the window`);
      // Not as a script element: the page's policy forbids those.
      await page.evaluate(AXE);
      const { violations } = await page.evaluate(() => window.axe.run(document));
      for (const { id, impact, nodes } of violations) {
        complain(where, `axe ${impact} ${id}: ${nodes.slice(0, 3).map(({ html }) => html.slice(0, 160)).join(' | ')}`);
      }
      await page.close();
    }
    await context.close();
  }
}
await browser.close();
console.log(wrong === 0 ? 'nothing wrong' : `${wrong} things wrong`);
process.exitCode = wrong === 0 ? 0 : 1;
