/**
 * One stream for every tab of the browser.
 *
 * A hub runs in a SharedWorker, where one serves all tabs of a console, or inside the page where
 * there are no shared workers. It asks the server for the union of what its tabs show, passes to
 * each tab what that tab shows, and hands a new tab all of it that is known so far. A stream that
 * breaks, or is opened anew for another union, goes on where the last one stopped. Web Locks
 * would elect a tab for this too, but they exist in secure contexts only, and consoles are often
 * plain HTTP on a LAN.
 */

import {
  EMPTY,
  type LiveState,
  TOPICS,
  type Topic,
  apply,
  greet,
  restrict,
} from '~/lib/live-state';

import { ApiError, type Cell, type Client, type Frame, type Hello, type Tasks, type WorkerRow, isStranger } from './client';

/**
 * connecting: no stream yet, or trying again · live: frames arrive · polling: streams do not get
 * through, requests do · stale: a stream is open and silent · gone: the server does not answer
 */
export type Link = 'connecting' | 'live' | 'polling' | 'stale' | 'gone';

export type FromTab =
  | { kind: 'want'; base: string; topics: Topic[]; views: string[]; hidden: boolean }
  | { kind: 'alive' }
  | { kind: 'bye' };

export type ToTab =
  | { kind: 'link'; link: Link }
  | { kind: 'stranger' } // the console does not know, or no longer, who looks
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
  addEventListener(
    type: 'hello' | 'frame',
    listener: (event: { data: string; lastEventId: string }) => void,
  ): void;
  close(): void;
}

interface Surroundings {
  client: (base: string) => Client;
  stream: (address: string) => Stream;
  now: () => number; // milliseconds, monotonic
}

interface Want {
  topics: Topic[];
  views: string[];
  hidden: boolean;
  heard: number;
  told: number; // when it was told all that is known; counts while hidden
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
const TELL_HIDDEN_MS = 4_500; // a hidden tab beside a visible one
const MOST_VIEWS = 8; // of one stream

export class Hub {
  readonly #around: Surroundings;
  readonly #tabs = new Map<Tab, Want>();
  #client: Client | null = null;
  #state: LiveState = EMPTY;
  #link: Link = 'connecting';
  #stream: Stream | null = null;
  #asked = ''; // the address of the open stream, but for where it goes on
  #views: string[] = []; // in that address
  #greeted = false; // did the open stream say hello?
  #last = ''; // the id of the last frame: the state is what was told up to it
  readonly #refused = new Set<string>(); // queries that the server does not understand
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
    const before = this.#tabs.get(tab);
    const now = this.#around.now();
    if (message.kind === 'alive') {
      if (before) before.heard = now;
      return;
    }
    this.#client ??= this.#around.client(message.base);
    const { topics, views, hidden } = message;
    const want = { topics, views, hidden, heard: now, told: before?.told ?? now };
    this.#tabs.set(tab, want);
    this.#drop();
    if (!before) tab.post({ kind: 'link', link: this.#link });
    if (!before || this.#lacks(before, want)) this.#tellAll(tab, want);
    this.#watch ??= setInterval(() => this.#look(), 1_000);
    clearTimeout(this.#settle);
    this.#settle = setTimeout(() => this.#ask(), this.#stream ? SETTLE_MS : 0);
  }

  /** Does a tab lack something that is known? A hidden one was told little. */
  #lacks(before: Want, want: Want): boolean {
    return (
      (before.hidden && !want.hidden) ||
      want.topics.some((topic) => !before.topics.includes(topic) && this.#state[topic] !== null) ||
      want.views.some((view) => !before.views.includes(view) && this.#state.views.has(view))
    );
  }

  #tellAll(tab: Tab, want: Want): void {
    if (this.#state.server === null) return;
    want.told = this.#around.now();
    tab.post({ kind: 'known', state: restrict(this.#state, want.topics, want.views) });
  }

  #remove(tab: Tab): void {
    if (!this.#tabs.delete(tab)) return;
    if (this.#tabs.size > 0) {
      this.#drop();
      return this.#ask();
    }
    this.#close();
    clearInterval(this.#watch);
    this.#watch = undefined;
    clearTimeout(this.#settle);
    clearTimeout(this.#retry);
    clearTimeout(this.#poll);
    // What was known grows old while no tab looks.
    this.#state = EMPTY;
    this.#last = '';
    this.#link = 'connecting';
    this.#failures = 0;
    this.#refused.clear();
  }

  /** Forgets what no tab shows any more. */
  #drop(): void {
    const wants = [...this.#tabs.values()];
    const topics = TOPICS.filter((topic) => wants.some((want) => want.topics.includes(topic)));
    const views = new Set(wants.flatMap((want) => want.views));
    const lost = TOPICS.some((topic) => !topics.includes(topic) && this.#state[topic] !== null);
    if (lost || [...this.#state.views.keys()].some((view) => !views.has(view))) {
      this.#state = restrict(this.#state, topics, [...views]);
    }
    for (const view of this.#refused) if (!views.has(view)) this.#refused.delete(view);
  }

  get #hidden(): boolean {
    return [...this.#tabs.values()].every(({ hidden }) => hidden);
  }

  /** What the visible tabs show; all tabs, where none is visible. */
  #union(): { topics: Topic[]; views: string[]; hidden: boolean } {
    const hidden = this.#hidden;
    const wants = [...this.#tabs.values()].filter((want) => hidden || !want.hidden);
    const views = new Set(wants.flatMap((want) => want.views));
    return {
      topics: TOPICS.filter((topic) => wants.some((want) => want.topics.includes(topic))),
      views: [...views].filter((view) => !this.#refused.has(view)).slice(-MOST_VIEWS).sort(),
      hidden,
    };
  }

  /** Opens the stream that the tabs want now, unless it is the open one. */
  #ask(): void {
    if (!this.#client || this.#tabs.size === 0) return;
    const union = this.#union();
    const asked = this.#client.liveAddress({ ...union, resume: '' });
    if (this.#stream && asked === this.#asked) return;
    this.#close();
    this.#asked = asked;
    this.#views = union.views;
    this.#greeted = false;
    this.#heard = this.#around.now();
    const stream = this.#around.stream(this.#client.liveAddress({ ...union, resume: this.#last }));
    this.#stream = stream;
    stream.onerror = () => this.#fail(stream);
    stream.addEventListener('hello', ({ data }) => {
      if (this.#stream === stream) this.#greet(JSON.parse(data) as Hello);
    });
    stream.addEventListener('frame', ({ data, lastEventId }) => {
      if (this.#stream === stream) this.#take(JSON.parse(data) as Frame, lastEventId);
    });
  }

  #greet(hello: Hello): void {
    this.#heard = this.#around.now();
    this.#failures = 0;
    this.#greeted = true;
    clearTimeout(this.#poll);
    this.#hear(hello);
    this.#say('live');
  }

  #take(frame: Frame, id: string): void {
    this.#heard = this.#around.now();
    this.#last = id;
    this.#pass(frame);
    if (this.#stream) this.#say('live');
  }

  #hear(hello: Hello): void {
    this.#state = greet(this.#state, hello);
    this.#post({ kind: 'hello', hello });
  }

  /** Gives each tab its part of a frame; to a hidden one, now and then, how things stand. */
  #pass(frame: Frame): void {
    this.#state = apply(this.#state, frame);
    const now = this.#around.now();
    for (const [tab, want] of this.#tabs) {
      if (!want.hidden) tab.post({ kind: 'frame', frame: partOf(frame, want) });
      else if (now - want.told >= TELL_HIDDEN_MS) this.#tellAll(tab, want);
    }
  }

  #fail(stream: Stream): void {
    if (this.#stream !== stream) return;
    this.#close();
    if (!this.#greeted) void this.#examine(this.#views);
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

  /** Is it a query that the server refuses? One must not cost all tabs their stream. */
  async #examine(views: readonly string[]): Promise<void> {
    const client = this.#client;
    if (!client) return;
    const answers = await Promise.allSettled(views.map((view) => client.view(view)));
    for (const [index, answer] of answers.entries()) {
      const refused = answer.status === 'rejected' && isRefusal(answer.reason);
      const view = views[index];
      if (refused && view !== undefined) this.#refused.add(view);
    }
  }

  /** One round of requests instead of the stream; goes on while it works and no stream opens. */
  async #pollOnce(): Promise<void> {
    const client = this.#client;
    if (!client || this.#tabs.size === 0) return;
    clearTimeout(this.#poll);
    const { views } = this.#union();
    try {
      const [overview, workers, ...answers] = await Promise.all([
        client.overview(),
        client.workers(),
        ...views.map((view) => client.view(view)),
      ]);
      if (this.#link === 'live') return;
      if (this.#link !== 'polling') {
        clearTimeout(this.#retry);
        this.#retry = setTimeout(() => this.#ask(), STREAM_AGAIN_MS);
      }
      // Without a stream there is no server id; the start time of the process tells it as well.
      const server = `started ${overview.started_at}`;
      const { version, grafana_url, now } = overview;
      // A round is whole, and no stream goes on from it.
      this.#last = '';
      this.#hear({ server, version, grafana_url, now, topics: [], views: [] });
      const parts = views.flatMap((view, index) => {
        const answer = answers[index];
        return answer ? [[view, this.#asPart(view, answer)] as const] : [];
      });
      this.#heard = this.#around.now();
      this.#pass({
        now,
        overview,
        workers: { set: workers.workers, gone: [] },
        grid: { set: workers.workers.map(asCell), gone: [] },
        views: Object.fromEntries(parts),
      });
      this.#say('polling');
    } catch (error) {
      // Whatever went wrong, the server gives no figures; the stream's retry finds it again.
      if (this.#link === 'live') return;
      if (isStranger(error)) this.#post({ kind: 'stranger' });
      if (this.#link === 'polling') {
        clearTimeout(this.#retry);
        this.#retry = setTimeout(() => this.#ask(), RETRY_MS[0]);
      }
      this.#say('gone');
      return;
    }
    this.#poll = setTimeout(() => void this.#pollOnce(), this.#hidden ? POLL_HIDDEN_MS : POLL_MS);
  }

  #asPart(view: string, { tasks, total, in_memory, facets }: Tasks): ViewPart {
    const before = new Map(this.#state.views.get(view)?.rows.map((row) => [row.uuid, row]));
    const news = tasks.filter(({ uuid, state_at }) => before.get(uuid)?.state_at !== state_at);
    const changed = before.size > 0 ? news.length : 0;
    return { rows: tasks, gone: [], changed, total, in_memory, ...(facets && { facets }) };
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
type ViewPart = NonNullable<Frame['views']>[string];

function partOf(frame: Frame, { topics, views }: Want): Frame {
  const shown = Object.entries(frame.views ?? {}).filter(([query]) => views.includes(query));
  return {
    now: frame.now,
    ...(frame.overview && topics.includes('overview') && { overview: frame.overview }),
    ...(frame.workers && topics.includes('workers') && { workers: frame.workers }),
    ...(frame.grid && topics.includes('grid') && { grid: frame.grid }),
    ...(shown.length > 0 && { views: Object.fromEntries(shown) }),
  };
}

function asCell({ hostname, status, running, concurrency, lost }: WorkerRow): Cell {
  return [hostname, status, running, concurrency, lost];
}

function isRefusal(error: unknown): boolean {
  return error instanceof ApiError && error.status === 400;
}
