// Looks at every page of a running console as a person would: axe, errors in the browser's console,
// and whether anything sticks out sideways; from a telephone to a wall, in both themes. Leaves
// screenshots. Exits with 1 when something is wrong.
//   npm run shots -- --url http://127.0.0.1:5555 [--out DIR] [--only tasks,drawer]
//                    [--widths 1440] [--themes dark]
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { CHROMIUM, launch, pagesOf, untilShown, visit } from './stage.mjs';

const { values: flags } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://127.0.0.1:5555' },
    out: { type: 'string', default: '/tmp/celeryscope-shots' },
    widths: { type: 'string', default: '380,768,1440,2560' },
    themes: { type: 'string', default: 'light,dark' },
    only: { type: 'string', default: '' },
    chromium: { type: 'string', default: CHROMIUM },
  },
});
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const base = flags.url.replace(/\/$/, '');
const only = flags.only.split(',').filter(Boolean);
const themes = flags.themes.split(',');
mkdirSync(flags.out, { recursive: true });

const pages = Object.entries(await pagesOf(base)).filter(([name]) => only.length === 0 || only.includes(name));
const browser = await launch(flags.chromium);
let wrong = 0;

for (const width of flags.widths.split(',').map(Number)) {
  const context = await visit(browser, { width, height: width < 600 ? 844 : 900 });
  for (const [name, path] of pages) await look(context, name, path, width);
  await context.close();
}
await browser.close();
console.log(wrong === 0 ? `nothing wrong; screenshots in ${flags.out}` : `${wrong} things wrong`);
process.exitCode = wrong === 0 ? 0 : 1;

async function look(context, name, path, width) {
  const page = await context.newPage();
  let where = `${name}-${width}`;
  const complain = (what) => {
    wrong += 1;
    console.log(`${where}: ${what}`);
  };
  page.on('pageerror', (error) => complain(error.message));
  page.on('console', (message) => {
    const expected = name === 'missing' && message.text().includes('404');
    if (message.type() === 'error' && !expected) complain(message.text());
  });
  try {
    await page.goto(base + path);
    await untilShown(page);
    for (const theme of themes) {
      where = `${name}-${theme}-${width}`;
      await page.emulateMedia({ colorScheme: theme });
      await page.waitForTimeout(200);
      await page.screenshot({ path: join(flags.out, `${where}.png`) });
      for (const what of await faults(page)) complain(what);
    }
  } catch (error) {
    complain(error.message);
  }
  await page.close();
}

async function faults(page) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  // Not as a script element: the page's policy forbids those.
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run(document));
  return [
    ...(wide > 0 ? [`is ${wide} px wider than the window`] : []),
    ...violations.map(({ id, impact, nodes }) =>
      `axe ${impact} ${id}: ${nodes.slice(0, 3).map(({ html }) => html.slice(0, 160)).join(' | ')}`),
  ];
}
