/** The tab's end of the live stream: says what the tab shows, keeps what it is told, draws calmly. */

import { useEffect, useSyncExternalStore } from 'react';

import { EMPTY, type LiveState, type Topic, type View, apply, greet } from '~/lib/live-state';

import { createClient } from './client';
import type { FromTab, Link, Stream, ToTab } from './hub';
import { goToLogin } from './login';

export type { Link } from './hub';
export type { View } from '~/lib/live-state';

const ALIVE_MS = 30_000;
const TICK_MS = 1_000;
const AGAIN_MS = 5_000; // after the hub could not be fetched

interface Snapshot {
  state: LiveState;
  link: Link;
}

export class LiveStore {
  readonly #base: string;
  readonly #topics = new Map<Topic, number>([['overview', 1]]); // topic → how many show it
  readonly #views = new Map<string, number>(); // query → how many show it
  readonly #listeners = new Set<() => void>();
  #send: (message: FromTab) => void = () => undefined;
  #waiting: Exclude<ToTab, { kind: 'stranger' }>[] = [];
  #drawing = 0;
  #snapshot: Snapshot = { state: EMPTY, link: 'connecting' };
  #heard = 0; // performance.now() of the last message that told the server's time
  #left = false; // the page is gone, for good or into the back/forward cache

  constructor(base: string) {
    this.#base = base;
  }

  start(): void {
    this.#connect();
    document.addEventListener('visibilitychange', () => {
      this.#draw();
      this.#tell();
    });
    // A page that goes is hidden after that, and must not be heard of again.
    window.addEventListener('pagehide', () => {
      this.#send({ kind: 'bye' });
      this.#left = true;
    });
    window.addEventListener('pageshow', ({ persisted }) => {
      this.#left = false;
      if (persisted) this.#tell();
    });
    window.setInterval(() => this.#send({ kind: 'alive' }), ALIVE_MS);
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  snapshot = (): Snapshot => this.#snapshot;

  /** The server's clock now, in epoch seconds; the browser's until the server told. */
  now = (): number => {
    const { now } = this.#snapshot.state;
    return now === null ? Date.now() / 1000 : now + (performance.now() - this.#heard) / 1000;
  };

  /** Asks for a topic until the returned function is called. */
  want(topic: Topic): () => void {
    return this.#hold(this.#topics, topic);
  }

  /** Follows the tasks that a query matches until the returned function is called. */
  follow(query: string): () => void {
    return this.#hold(this.#views, query);
  }

  #hold<K>(counts: Map<K, number>, key: K): () => void {
    const count = (by: 1 | -1) => {
      const before = counts.get(key) ?? 0;
      if (before + by > 0) counts.set(key, before + by);
      else counts.delete(key);
      if (before === 0 || before + by === 0) this.#tell();
    };
    count(1);
    return () => count(-1);
  }

  #tell(): void {
    if (this.#left) return;
    this.#send({
      kind: 'want',
      base: this.#base,
      topics: [...this.#topics.keys()],
      views: [...this.#views.keys()],
      hidden: document.hidden,
    });
  }

  #connect(): void {
    if (typeof SharedWorker === 'undefined') return this.#connectHere();
    try {
      const worker = new SharedWorker(new URL('./hub.worker.ts', import.meta.url), {
        type: 'module',
        name: 'celeryscope-live',
      });
      worker.onerror = () => this.#connectHere();
      worker.port.onmessage = ({ data }: MessageEvent<ToTab>) => this.#receive(data);
      this.#send = (message) => worker.port.postMessage(message);
    } catch {
      // Forbidden by a policy of the browser: then each tab has a stream of its own.
      return this.#connectHere();
    }
    this.#tell();
  }

  #connectHere(): void {
    // It is of no use where there are shared workers.
    import('./hub').then(
      ({ Hub }) => {
        const hub = new Hub({
          client: createClient,
          stream: (address) => new EventSource(address) as Stream,
          now: () => performance.now(),
        });
        const tab = { post: (message: ToTab) => this.#receive(message) };
        this.#send = (message) => hub.receive(tab, message);
        this.#tell();
      },
      () => window.setTimeout(() => this.#connectHere(), AGAIN_MS),
    );
  }

  #receive(message: ToTab): void {
    if (message.kind === 'stranger') return goToLogin();
    this.#waiting.push(message);
    // A hidden page has no animation frames; what it is told must not pile up.
    if (document.hidden) this.#draw();
    else if (this.#drawing === 0) this.#drawing = requestAnimationFrame(() => this.#draw());
  }

  #draw(): void {
    cancelAnimationFrame(this.#drawing);
    this.#drawing = 0;
    if (this.#waiting.length === 0) return;
    const messages = this.#waiting;
    this.#waiting = [];
    this.#snapshot = messages.reduce(fold, this.#snapshot);
    if (messages.some(({ kind }) => kind !== 'link')) this.#heard = performance.now();
    for (const listener of this.#listeners) listener();
  }
}

function fold(snapshot: Snapshot, message: Exclude<ToTab, { kind: 'stranger' }>): Snapshot {
  switch (message.kind) {
    case 'link':
      return { ...snapshot, link: message.link };
    case 'known':
      return { ...snapshot, state: message.state };
    case 'hello':
      return { ...snapshot, state: greet(snapshot.state, message.hello) };
    case 'frame':
      return { ...snapshot, state: apply(snapshot.state, message.frame) };
  }
}

export const live = new LiveStore(document.baseURI);

/** A part of the live state. `select` must return a part that keeps its identity. */
export function useLive<T>(select: (state: LiveState) => T): T {
  return useSyncExternalStore(live.subscribe, () => select(live.snapshot().state));
}

export function useLink(): Link {
  return useSyncExternalStore(live.subscribe, () => live.snapshot().link);
}

/** Asks for a topic while the component is mounted. */
export function useTopic(topic: Topic): void {
  useEffect(() => live.want(topic), [topic]);
}

/**
 * The tasks that a query matches, while the component is mounted; null until the first of it
 * came, and for `query === null`. The query has to be one that the server understands.
 */
export function useView(query: string | null): View | null {
  useEffect(() => (query === null ? undefined : live.follow(query)), [query]);
  return useLive((state) => (query === null ? null : (state.views.get(query) ?? null)));
}

const ticker = {
  listeners: new Set<() => void>(),
  timer: 0,
  now: live.now(),
  subscribe: (listener: () => void): (() => void) => {
    if (ticker.listeners.size === 0) ticker.start();
    ticker.listeners.add(listener);
    return () => {
      ticker.listeners.delete(listener);
      if (ticker.listeners.size === 0) window.clearInterval(ticker.timer);
    };
  },
  start(): void {
    ticker.now = live.now();
    ticker.timer = window.setInterval(() => {
      ticker.now = live.now();
      for (const listener of ticker.listeners) listener();
    }, TICK_MS);
  },
};

/** The server's clock, told once a second; all ages on a page change together. */
export function useNow(): number {
  return useSyncExternalStore(ticker.subscribe, () => ticker.now);
}
