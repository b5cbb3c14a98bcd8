/**
 * One stream for every tab of the browser.
 *
 * A hub runs in a SharedWorker, where one serves all tabs of a console, or inside the page where
 * there are no shared workers. It asks the server for the union of what its tabs show, passes the
 * frames on, and hands a new tab all that is known so far. Web Locks would elect a tab for this
 * too, but they exist in secure contexts only, and consoles are often plain HTTP on a LAN.
 */

import { EMPTY, type LiveState, type Topic, apply, greet } from '~/lib/live-state';

import type { Client, Frame, Hello } from './client';

/**
 * connecting: no stream yet, or trying again · live: frames arrive · polling: streams do not get
 * through, requests do · stale: a stream is open and silent · gone: the server does not answer
 */
export type Link = 'connecting' | 'live' | 'polling' | 'stale' | 'gone';

export type FromTab =
  | { kind: 'want'; base: string; topics: Topic[]; hidden: boolean }
  | { kind: 'alive' }
  | { kind: 'bye' };

export type ToTab =
  | { kind: 'link'; link: Link }
  | { kind: 'known'; state: LiveState }
  | { kind: 'hello'; hello: Hello }
  | { kind: 'frame'; frame: Frame };

/** A tab as the hub sees it. */
export interface Tab {
  post(message: ToTab): void;
}

/** The parts of an EventSource that the hub uses. */
export interface Stream {
  onerror: (() => void) | null;
  addEventListener(type: 'hello' | 'frame', listener: (event: { data: string }) => void): void;
  close(): void;
}

interface Surroundings {
  client: (base: string) => Client;
  stream: (address: string) => Stream;
  now: () => number; // milliseconds, monotonic
}

interface Want {
  topics: Topic[];
  hidden: boolean;
  heard: number;
}

const STALE_AFTER_MS = 6_000;
const STALE_AFTER_HIDDEN_MS = 15_000; // a hidden page gets one frame in five seconds
const REOPEN_AFTER_MS = 20_000; // a silent stream is dead by then, whatever it says
const RETRY_MS = [300, 1_000, 2_000, 4_000] as const;
const POLL_MS = 2_000;
const POLL_HIDDEN_MS = 10_000;
const STREAM_AGAIN_MS = 30_000; // while polling
const SETTLE_MS = 60; // a click that changes page changes topics twice
const TAB_LOST_MS = 200_000; // browsers let a hidden tab's timers run once a minute

export class Hub {
  readonly #around: Surroundings;
  readonly #tabs = new Map<Tab, Want>();
  #client: Client | null = null;
  #state: LiveState = EMPTY;
  #link: Link = 'connecting';
  #stream: Stream | null = null;
  #asked = ''; // the address of the open stream
  #heard = 0;
  #failures = 0;
  #settle: Timer = undefined;
  #retry: Timer = undefined;
  #poll: Timer = undefined;
  #watch: ReturnType<typeof setInterval> | undefined;

  constructor(around: Surroundings) {
    this.#around = around;
  }

  receive(tab: Tab, message: FromTab): void {
    if (message.kind === 'bye') return this.#remove(tab);
    const want = this.#tabs.get(tab);
    if (message.kind === 'alive') {
      if (want) want.heard = this.#around.now();
      return;
    }
    this.#client ??= this.#around.client(message.base);
    this.#tabs.set(tab, {
      topics: message.topics,
      hidden: message.hidden,
      heard: this.#around.now(),
    });
    if (!want) this.#welcome(tab);
    this.#watch ??= setInterval(() => this.#look(), 1_000);
    clearTimeout(this.#settle);
    this.#settle = setTimeout(() => this.#ask(), this.#stream ? SETTLE_MS : 0);
  }

  #welcome(tab: Tab): void {
    tab.post({ kind: 'link', link: this.#link });
    if (this.#state.server !== null) tab.post({ kind: 'known', state: this.#state });
  }

  #remove(tab: Tab): void {
    if (!this.#tabs.delete(tab)) return;
    if (this.#tabs.size > 0) return this.#ask();
    this.#close();
    clearInterval(this.#watch);
    this.#watch = undefined;
    clearTimeout(this.#settle);
    clearTimeout(this.#retry);
    clearTimeout(this.#poll);
    // What was known grows old while no tab looks.
    this.#state = EMPTY;
    this.#link = 'connecting';
    this.#failures = 0;
  }

  get #hidden(): boolean {
    return [...this.#tabs.values()].every(({ hidden }) => hidden);
  }

  /** Opens the stream that the tabs want now, unless it is the open one. */
  #ask(): void {
    if (!this.#client || this.#tabs.size === 0) return;
    const topics = [...new Set([...this.#tabs.values()].flatMap(({ topics }) => topics))].sort();
    const address = this.#client.liveAddress(topics, this.#hidden);
    if (this.#stream && address === this.#asked) return;
    this.#close();
    this.#asked = address;
    this.#heard = this.#around.now();
    const stream = this.#around.stream(address);
    this.#stream = stream;
    stream.onerror = () => this.#fail(stream);
    stream.addEventListener('hello', ({ data }) => {
      if (this.#stream === stream) this.#greet(JSON.parse(data) as Hello);
    });
    stream.addEventListener('frame', ({ data }) => {
      if (this.#stream === stream) this.#take(JSON.parse(data) as Frame);
    });
  }

  #greet(hello: Hello): void {
    this.#heard = this.#around.now();
    this.#failures = 0;
    clearTimeout(this.#poll);
    this.#state = greet(this.#state, hello);
    this.#post({ kind: 'hello', hello });
    this.#say('live');
  }

  #take(frame: Frame): void {
    this.#heard = this.#around.now();
    this.#state = apply(this.#state, frame);
    this.#post({ kind: 'frame', frame });
    if (this.#stream) this.#say('live');
  }

  #fail(stream: Stream): void {
    if (this.#stream !== stream) return;
    this.#close();
    const wait = RETRY_MS[Math.min(this.#failures, RETRY_MS.length - 1)] ?? 0;
    this.#failures += 1;
    if (this.#link === 'live' || this.#link === 'stale') this.#say('connecting');
    // The second failure in a row is no hiccup: find out whether requests get through at least.
    if (this.#failures >= 2) void this.#pollOnce();
    clearTimeout(this.#retry);
    this.#retry = setTimeout(
      () => this.#ask(),
      this.#link === 'polling' ? STREAM_AGAIN_MS : wait * (0.8 + 0.4 * Math.random()),
    );
  }

  /** One round of requests instead of the stream; goes on while it works and no stream opens. */
  async #pollOnce(): Promise<void> {
    const client = this.#client;
    if (!client || this.#tabs.size === 0) return;
    clearTimeout(this.#poll);
    try {
      const [overview, workers] = await Promise.all([client.overview(), client.workers()]);
      if (this.#link === 'live') return;
      if (this.#link !== 'polling') {
        clearTimeout(this.#retry);
        this.#retry = setTimeout(() => this.#ask(), STREAM_AGAIN_MS);
      }
      // Without a stream there is no server id; the start time of the process tells it as well.
      const server = `started ${overview.started_at}`;
      this.#hear({ server, version: overview.version, now: overview.now });
      this.#take({ now: overview.now, overview, workers: { set: workers.workers, gone: [] } });
      this.#say('polling');
    } catch {
      // Whatever went wrong, the server gives no figures; the stream's retry finds it again.
      if (this.#link === 'live') return;
      if (this.#link === 'polling') {
        clearTimeout(this.#retry);
        this.#retry = setTimeout(() => this.#ask(), RETRY_MS[0]);
      }
      this.#say('gone');
      return;
    }
    this.#poll = setTimeout(() => void this.#pollOnce(), this.#hidden ? POLL_HIDDEN_MS : POLL_MS);
  }

  #hear(hello: Hello): void {
    this.#state = greet(this.#state, hello);
    this.#post({ kind: 'hello', hello });
  }

  /** Once a second: is the stream silent, is a tab lost? */
  #look(): void {
    const now = this.#around.now();
    for (const [tab, { heard }] of this.#tabs) if (now - heard > TAB_LOST_MS) this.#remove(tab);
    if (!this.#stream) return;
    const silent = now - this.#heard;
    const limit = this.#hidden ? STALE_AFTER_HIDDEN_MS : STALE_AFTER_MS;
    if (silent > limit && this.#link === 'live') this.#say('stale');
    // An open that is neither refused nor answered counts as silent too.
    if (silent > Math.max(limit, REOPEN_AFTER_MS) || (silent > limit && this.#link !== 'stale')) {
      this.#fail(this.#stream);
    }
  }

  #say(link: Link): void {
    if (this.#link === link) return;
    this.#link = link;
    this.#post({ kind: 'link', link });
  }

  #post(message: ToTab): void {
    for (const tab of this.#tabs.keys()) tab.post(message);
  }

  #close(): void {
    if (!this.#stream) return;
    this.#stream.onerror = null;
    this.#stream.close();
    this.#stream = null;
  }
}

type Timer = ReturnType<typeof setTimeout> | undefined;
