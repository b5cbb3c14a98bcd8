// What the scripts that look at the page share: a browser that is the same on every machine, and
// the addresses of every page, with a task, a worker and a query that have something to show.
import { chromium } from 'playwright-core';

export const CHROMIUM = '/usr/bin/chromium';

export function launch(executablePath) {
  return chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--hide-scrollbars'],
  });
}

export function visit(browser, { width, height, theme = 'light' }) {
  return browser.newContext({
    viewport: { width, height },
    colorScheme: theme,
    reducedMotion: 'reduce', // nothing is caught halfway
    locale: 'en-GB',
    timezoneId: 'UTC',
  });
}

const asker = (base) => async (path) => {
  const response = await fetch(`${base}/api/v1/${path}`);
  if (!response.ok) throw new Error(`${base}/api/v1/${path} answered ${response.status}`);
  return response.json();
};

/** Name → path below `base`, which has no slash at its end. */
export async function pagesOf(base) {
  const ask = asker(base);
  const { workers } = await ask('workers');
  const { tasks } = await ask(`tasks?query=${encodeURIComponent('state:failure')}&limit=200`);
  const [busiest] = workers.toSorted((one, other) => (other.processed ?? 0) - (one.processed ?? 0));
  const worker = encodeURIComponent(busiest?.hostname ?? 'none');
  // One that was tried again has the longest story.
  const [failed] = tasks.toSorted((one, other) => other.retries - one.retries);
  const uuid = encodeURIComponent(failed?.uuid ?? 'none');
  return {
    overview: '/',
    tasks: '/tasks',
    query: '/tasks?query=state:failure,retry%20since:10m',
    drawer: `/tasks?query=state:failure&task=${uuid}`,
    task: `/tasks/${uuid}`,
    workers: '/workers',
    worker: `/workers/${worker}`,
    queues: '/queues',
    schedules: '/schedules',
    access: '/access',
    audit: '/audit',
    missing: '/tasks/there-is-no-such-task',
  };
}

/** Waits until there is something to see: tasks that failed, and a chart with a shape. */
export async function untilAlive(base, { seconds, failures = 8 }) {
  const ask = asker(base);
  const begun = Date.now();
  for (;;) {
    const told = await ask('overview').catch(() => null);
    const failed = told?.totals['task-failed'] ?? 0;
    const waited = (Date.now() - begun) / 1000;
    if (failed >= failures && told.now - told.started_at >= seconds) return;
    if (waited > seconds + 120) throw new Error(`nothing to see at ${base} after ${Math.round(waited)} s`);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
}

/** Until the stream is up and what it brought is drawn. */
export async function untilShown(page) {
  await page.waitForSelector('[data-testid=link][data-value=live]', { timeout: 60_000 });
  await page.waitForTimeout(900);
}
