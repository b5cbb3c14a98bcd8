import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { Topic } from '~/lib/live-state';

import type { Client } from './client';
import { type FromTab, Hub, type Link, type Stream, type Tab, type ToTab } from './hub';

class FakeStream implements Stream {
  onerror: (() => void) | null = null;
  closed = false;
  readonly #listeners: Record<string, (event: { data: string }) => void> = {};

  constructor(readonly address: string) {}

  addEventListener(type: string, listener: (event: { data: string }) => void): void {
    this.#listeners[type] = listener;
  }

  close(): void {
    this.closed = true;
  }

  tell(type: 'hello' | 'frame', data: unknown): void {
    this.#listeners[type]?.({ data: JSON.stringify(data) });
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
let hub: Hub;

const stream = () => streams.at(-1) as FakeStream;
const want = (topics: Topic[], hidden = false): FromTab => ({ kind: 'want', base: '/', topics, hidden });
const hello = (server = 'one') => ({ server, version: '1', now: 1 });

beforeEach(() => {
  vi.useFakeTimers();
  streams = [];
  answers = false;
  const client = {
    liveAddress: (topics: string[], hidden: boolean) => `${topics.join(',')} ${hidden}`,
    overview: () => (answers ? Promise.resolve({ now: 1, started_at: 5, version: '1' }) : Promise.reject(new Error())),
    workers: () => Promise.resolve({ workers: [] }),
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
    hub.receive(second, want(['overview', 'tasks']));
    await vi.advanceTimersByTimeAsync(100);
    expect(second.heard[1]).toMatchObject({ kind: 'known', state: { overview: { running: 7 } } });
    expect(streams.filter(({ closed }) => !closed)).toHaveLength(1);
    expect(stream().address).toBe('overview,tasks false');
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
    hub.receive(tab, want(['overview', 'tasks']));
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
    hub.receive(lost, want(['overview', 'tasks']));
    for (let beat = 0; beat < 10; beat += 1) {
      await vi.advanceTimersByTimeAsync(30_000);
      hub.receive(first, { kind: 'alive' });
      stream().tell('hello', hello());
    }
    await vi.advanceTimersByTimeAsync(1_000);
    expect(stream().address).toBe('overview false');
  });
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
    hub.receive(tab, want(['overview']));
    await vi.advanceTimersByTimeAsync(1);
    stream().onerror?.();
    await vi.advanceTimersByTimeAsync(400);
    stream().onerror?.();
    await vi.advanceTimersByTimeAsync(10);
    expect(tab.link).toBe('polling');
    const frames = () => tab.heard.filter(({ kind }) => kind === 'frame').length;
    const before = frames();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(frames()).toBeGreaterThan(before + 3);
    await vi.advanceTimersByTimeAsync(25_000);
    expect(stream().closed).toBe(false); // it tries the stream again
    stream().tell('hello', hello());
    expect(tab.link).toBe('live');
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
