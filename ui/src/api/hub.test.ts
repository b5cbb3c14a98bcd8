import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { Topic } from '~/lib/live-state';

import { ApiError, type Client, type LiveQuestion } from './client';
import { type FromTab, Hub, type Link, type Stream, type Tab, type ToTab } from './hub';

class FakeStream implements Stream {
  onerror: (() => void) | null = null;
  closed = false;
  readonly #listeners: Record<string, (event: { data: string; lastEventId: string }) => void> = {};

  constructor(readonly address: string) {}

  addEventListener(
    type: string,
    listener: (event: { data: string; lastEventId: string }) => void,
  ): void {
    this.#listeners[type] = listener;
  }

  close(): void {
    this.closed = true;
  }

  tell(type: 'hello' | 'frame', data: unknown, lastEventId = ''): void {
    this.#listeners[type]?.({ data: JSON.stringify(data), lastEventId });
  }
}

class FakeTab implements Tab {
  readonly heard: ToTab[] = [];

  post(message: ToTab): void {
    this.heard.push(message);
  }

  get link(): Link | undefined {
    return this.heard.findLast((message) => message.kind === 'link')?.link;
  }
}

let streams: FakeStream[];
let answers: boolean; // whether plain requests get through
let unknown: boolean; // whether the console knows who asks
let refused: string[]; // queries that the server does not understand
let hub: Hub;

const stream = () => streams.at(-1) as FakeStream;
const want = (topics: Topic[], hidden = false, views: string[] = []): FromTab => ({
  kind: 'want',
  base: '/',
  topics,
  views,
  hidden,
});
const hello = (server = 'one', topics: Topic[] = [], views: string[] = []) => ({
  server,
  version: '1',
  grafana_url: 'https://grafana.example',
  now: 1,
  topics,
  views,
});
const part = (...uuids: string[]) => ({
  rows: uuids.map((uuid) => ({ uuid, state_at: 1 })),
  gone: [],
  changed: uuids.length,
  in_memory: 9,
});

beforeEach(() => {
  vi.useFakeTimers();
  streams = [];
  answers = false;
  unknown = false;
  refused = [];
  const client = {
    liveAddress: ({ topics, views, hidden, resume }: LiveQuestion) =>
      [topics.join(','), ...views, hidden, ...(resume ? [`from ${resume}`] : [])].join(' '),
    view: (query: string) => {
      if (refused.includes(query)) return Promise.reject(new ApiError(400, 'bad_argument', '', null));
      if (!answers) return Promise.reject(new Error());
      return Promise.resolve({ tasks: part('a').rows, total: 1, in_memory: 3, facets: null });
    },
    overview: () =>
      answers
        ? Promise.resolve({ now: 1, started_at: 5, version: '1', grafana_url: 'https://grafana.example' })
        : Promise.reject(unknown ? new ApiError(401, 'not_logged_in', '', null) : new Error()),
    workers: () =>
      Promise.resolve({
        workers: [{ hostname: 'w', status: 'online', running: 2, concurrency: 4, lost: 0 }],
      }),
  };
  hub = new Hub({
    client: () => client as unknown as Client,
    stream: (address) => {
      streams.push(new FakeStream(address));
      return stream();
    },
    now: () => Date.now(),
  });
});

afterEach(() => {
  vi.useRealTimers();
});

async function open(tab: FakeTab, topics: Topic[] = ['overview']): Promise<void> {
  hub.receive(tab, want(topics));
  await vi.advanceTimersByTimeAsync(1);
  stream().tell('hello', hello());
}

describe('tabs share one stream', () => {
  it('of all that they show, and a new tab is told what is known', async () => {
    const [first, second] = [new FakeTab(), new FakeTab()];
    await open(first);
    stream().tell('frame', { now: 2, overview: { running: 7 } });
    hub.receive(second, want(['overview', 'workers']));
    await vi.advanceTimersByTimeAsync(100);
    expect(second.heard[1]).toMatchObject({ kind: 'known', state: { overview: { running: 7 } } });
    expect(streams.filter(({ closed }) => !closed)).toHaveLength(1);
    expect(stream().address).toBe('overview,workers false');
  });

  it('that is hidden only when every tab is', async () => {
    const [first, second] = [new FakeTab(), new FakeTab()];
    await open(first);
    hub.receive(second, want(['overview'], true));
    await vi.advanceTimersByTimeAsync(100);
    expect(stream().address).toBe('overview false');
    hub.receive(first, want(['overview'], true));
    await vi.advanceTimersByTimeAsync(100);
    expect(stream().address).toBe('overview true');
  });

  it('that stays open when a change of page wants the same in the end', async () => {
    const tab = new FakeTab();
    await open(tab);
    hub.receive(tab, want(['overview', 'workers']));
    hub.receive(tab, want(['overview']));
    await vi.advanceTimersByTimeAsync(100);
    expect(streams).toHaveLength(1);
  });

  it('that ends with the last tab', async () => {
    const tab = new FakeTab();
    await open(tab);
    hub.receive(tab, { kind: 'bye' });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(stream().closed).toBe(true);
    expect(streams).toHaveLength(1);
  });

  it('and a tab that was lost without a word is let go', async () => {
    const [first, lost] = [new FakeTab(), new FakeTab()];
    await open(first);
    hub.receive(lost, want(['overview', 'workers']));
    for (let beat = 0; beat < 10; beat += 1) {
      await vi.advanceTimersByTimeAsync(30_000);
      hub.receive(first, { kind: 'alive' });
      stream().tell('hello', hello());
    }
    await vi.advanceTimersByTimeAsync(1_000);
    expect(stream().address).toBe('overview false');
  });
});

describe('a tab is told', () => {
  const frames = (tab: FakeTab) => tab.heard.flatMap((told) => (told.kind === 'frame' ? [told.frame] : []));
  const known = (tab: FakeTab) => tab.heard.flatMap((told) => (told.kind === 'known' ? [told.state] : []));

  it('what it shows, and no more', async () => {
    const [first, second] = [new FakeTab(), new FakeTab()];
    await open(first);
    hub.receive(second, want(['overview', 'grid'], false, ['state:failure']));
    await vi.advanceTimersByTimeAsync(100);
    stream().tell('hello', hello());
    stream().tell('frame', {
      now: 2,
      overview: { running: 7 },
      grid: { set: [], gone: [] },
      views: { 'state:failure': part('a') },
    });
    expect(frames(first).at(-1)).toEqual({ now: 2, overview: { running: 7 } });
    expect(Object.keys(frames(second).at(-1) ?? {})).toEqual(['now', 'overview', 'grid', 'views']);
    stream().tell('frame', { now: 3, views: { 'state:failure': part('b') } });
    expect(frames(first).at(-1)).toEqual({ now: 3 });
  });

  it('at once what another tab shows already', async () => {
    const [first, second] = [new FakeTab(), new FakeTab()];
    hub.receive(first, want(['overview'], false, ['']));
    await vi.advanceTimersByTimeAsync(1);
    stream().tell('hello', hello());
    stream().tell('frame', { now: 2, views: { '': part('a') } });
    hub.receive(second, want(['overview']));
    expect(known(second)[0]?.views.size).toBe(0);
    hub.receive(second, want(['overview'], false, ['']));
    expect(known(second)[1]?.views.get('')?.rows).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(100);
    expect(streams).toHaveLength(1); // nothing new to ask for
  });

  it('little while hidden beside a visible one, and all that is known when it returns', async () => {
    const [first, second] = [new FakeTab(), new FakeTab()];
    await open(first);
    hub.receive(second, want(['overview'], true));
    await vi.advanceTimersByTimeAsync(100);
    for (let n = 1; n <= 40; n += 1) {
      await vi.advanceTimersByTimeAsync(250);
      stream().tell('frame', { now: n, overview: { running: n } });
    }
    expect(frames(second)).toHaveLength(0);
    expect(known(second).length).toBeLessThanOrEqual(3);
    hub.receive(second, want(['overview']));
    expect(known(second).at(-1)?.overview?.running).toBe(40);
  });

  it('nothing that it showed before and shows no more', async () => {
    const tab = new FakeTab();
    hub.receive(tab, want(['overview', 'workers'], false, ['']));
    await vi.advanceTimersByTimeAsync(1);
    stream().tell('hello', hello());
    stream().tell('frame', { now: 2, workers: { set: [{ hostname: 'w' }], gone: [] }, views: { '': part('a') } });
    hub.receive(tab, want(['overview']));
    await vi.advanceTimersByTimeAsync(100);
    hub.receive(tab, want(['overview', 'workers'], false, ['']));
    expect(known(tab)).toHaveLength(0); // it is old by now: the stream says it anew
  });
});

describe('a stream goes on', () => {
  it('where it broke, with nothing lost or told twice', async () => {
    const tab = new FakeTab();
    hub.receive(tab, want(['overview'], false, ['']));
    await vi.advanceTimersByTimeAsync(1);
    stream().tell('hello', hello());
    stream().tell('frame', { now: 2, overview: { running: 7, totals: {} }, views: { '': part('a') } }, 'one.5');
    stream().onerror?.();
    await vi.advanceTimersByTimeAsync(500);
    expect(stream().address).toBe('overview  false from one.5');
    stream().tell('hello', hello('one', ['overview'], ['']));
    stream().tell('frame', { now: 3, overview: { running: 8 }, views: { '': part('b') } }, 'one.9');
    const late = new FakeTab();
    hub.receive(late, want(['overview'], false, ['']));
    const told = late.heard.find(({ kind }) => kind === 'known');
    if (told?.kind !== 'known') throw new Error('it was not told');
    expect(told.state.overview).toMatchObject({ running: 8, totals: {} });
    expect(told.state.views.get('')?.rows.map(({ uuid }) => uuid)).toEqual(['b', 'a']);
  });

  it('when another tab asks for more', async () => {
    const [first, second] = [new FakeTab(), new FakeTab()];
    await open(first);
    stream().tell('frame', { now: 2, overview: {} }, 'one.5');
    hub.receive(second, want(['overview', 'grid']));
    await vi.advanceTimersByTimeAsync(100);
    expect(stream().address).toBe('overview,grid false from one.5');
  });

  it('but not from what was polled', async () => {
    const tab = new FakeTab();
    await open(tab);
    stream().tell('frame', { now: 2, overview: {} }, 'one.5');
    answers = true;
    stream().onerror?.();
    await vi.advanceTimersByTimeAsync(500);
    stream().onerror?.();
    await vi.advanceTimersByTimeAsync(31_000);
    expect(stream().address).toBe('overview false');
  });

  it('and asks for what hidden tabs show only while no tab is visible', async () => {
    const [first, second] = [new FakeTab(), new FakeTab()];
    await open(first);
    hub.receive(second, want(['overview', 'workers'], true, ['name:x']));
    await vi.advanceTimersByTimeAsync(100);
    expect(stream().address).toBe('overview false');
    hub.receive(first, want(['overview'], true));
    await vi.advanceTimersByTimeAsync(100);
    expect(stream().address).toBe('overview,workers name:x true');
  });
});

it('lets no query that the server refuses cost the tabs their stream', async () => {
  const [first, second] = [new FakeTab(), new FakeTab()];
  await open(first);
  refused = ['colour:red'];
  hub.receive(second, want(['overview'], false, ['colour:red', 'state:failure']));
  await vi.advanceTimersByTimeAsync(100);
  expect(stream().address).toBe('overview colour:red state:failure false');
  stream().onerror?.();
  await vi.advanceTimersByTimeAsync(500);
  expect(stream().address).toBe('overview state:failure false');
  stream().tell('hello', hello());
  expect(first.link).toBe('live');
});

it('follows no more views than a stream carries', async () => {
  const tab = new FakeTab();
  const queries = Array.from({ length: 12 }, (_, n) => `name:n${n}`);
  hub.receive(tab, want(['overview'], false, queries));
  await vi.advanceTimersByTimeAsync(1);
  expect(stream().address.match(/name:/g)).toHaveLength(8);
});

describe('the link is', () => {
  it('live once the server greets', async () => {
    const tab = new FakeTab();
    hub.receive(tab, want(['overview']));
    expect(tab.link).toBe('connecting');
    await open(tab);
    expect(tab.link).toBe('live');
  });

  it('stale after six silent seconds, and live with the next frame', async () => {
    const tab = new FakeTab();
    await open(tab);
    await vi.advanceTimersByTimeAsync(5_900);
    expect(tab.link).toBe('live');
    await vi.advanceTimersByTimeAsync(1_200);
    expect(tab.link).toBe('stale');
    stream().tell('frame', { now: 9 });
    expect(tab.link).toBe('live');
  });

  it('opened anew when a stale stream stays silent', async () => {
    const tab = new FakeTab();
    await open(tab);
    await vi.advanceTimersByTimeAsync(25_000);
    expect(streams.length).toBeGreaterThan(1);
    expect(streams[0]?.closed).toBe(true);
  });

  it('not stale when a hidden page hears little', async () => {
    const tab = new FakeTab();
    await open(tab);
    hub.receive(tab, want(['overview'], true));
    await vi.advanceTimersByTimeAsync(100);
    stream().tell('hello', hello());
    await vi.advanceTimersByTimeAsync(10_000);
    expect(tab.link).toBe('live');
  });

  it('connecting after one failure, gone when requests fail too, live when the server is back', async () => {
    const tab = new FakeTab();
    await open(tab);
    stream().onerror?.();
    expect(tab.link).toBe('connecting');
    await vi.advanceTimersByTimeAsync(500);
    stream().onerror?.();
    await vi.advanceTimersByTimeAsync(10);
    expect(tab.link).toBe('gone');
    for (let tries = 0; tries < 5; tries += 1) {
      await vi.advanceTimersByTimeAsync(5_000);
      if (tries < 4) stream().onerror?.();
    }
    expect(streams.length).toBeGreaterThan(4); // it never gives up
    stream().tell('hello', hello('two'));
    expect(tab.link).toBe('live');
  });

  it('polling when streams fail and requests do not', async () => {
    const tab = new FakeTab();
    answers = true;
    hub.receive(tab, want(['overview', 'grid'], false, ['']));
    await vi.advanceTimersByTimeAsync(1);
    stream().onerror?.();
    await vi.advanceTimersByTimeAsync(400);
    stream().onerror?.();
    await vi.advanceTimersByTimeAsync(10);
    expect(tab.link).toBe('polling');
    expect(tab.heard.filter(({ kind }) => kind === 'hello')).toMatchObject([
      { hello: { version: '1', grafana_url: 'https://grafana.example' } },
    ]);
    const told = () => tab.heard.flatMap((said) => (said.kind === 'frame' ? [said.frame] : []));
    expect(told()[0]).toMatchObject({ overview: { started_at: 5 }, views: { '': { total: 1 } } });
    expect(told()[0]?.grid?.set).toEqual([['w', 'online', 2, 4, 0]]);
    const frames = () => told().length;
    const before = frames();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(frames()).toBeGreaterThan(before + 3);
    await vi.advanceTimersByTimeAsync(25_000);
    expect(stream().closed).toBe(false); // it tries the stream again
    stream().tell('hello', hello());
    expect(tab.link).toBe('live');
  });
});

describe('a session that is over', () => {
  const told = (tab: FakeTab) => tab.heard.some(({ kind }) => kind === 'stranger');

  it('is told to every tab within a second of the stream’s end', async () => {
    const [first, second] = [new FakeTab(), new FakeTab()];
    await open(first);
    hub.receive(second, want(['overview']));
    unknown = true;
    stream().onerror?.(); // the console ends the stream
    await vi.advanceTimersByTimeAsync(500);
    stream().onerror?.(); // and opens no other
    await vi.advanceTimersByTimeAsync(10);
    expect([told(first), told(second)]).toEqual([true, true]);
  });

  it('is no server that is gone', async () => {
    const tab = new FakeTab();
    await open(tab);
    stream().onerror?.();
    await vi.advanceTimersByTimeAsync(500);
    stream().onerror?.();
    await vi.advanceTimersByTimeAsync(10);
    expect([tab.link, told(tab)]).toEqual(['gone', false]);
  });
});

it('ignores what a closed stream still says', async () => {
  const tab = new FakeTab();
  await open(tab);
  const old = stream();
  hub.receive(tab, want(['overview', 'workers']));
  await vi.advanceTimersByTimeAsync(100);
  const heard = tab.heard.length;
  old.tell('frame', { now: 99 });
  old.onerror?.();
  expect(tab.heard).toHaveLength(heard);
});
