import { describe, expect, it } from 'vitest';

import type { Activity, Frame, Hello, Overview, TaskRow, WorkerRow } from '~/api/client';

import { EMPTY, type LiveState, MOST_ROWS, type View, apply, greet, restrict } from './live-state';

const HELLO: Hello = {
  server: 'one', version: '1', grafana_url: null, now: 10, topics: [], views: [],
};
const overview = (facts: Partial<Overview>) => facts as Frame['overview'];
const workers = (...names: string[]) => names.map((hostname) => ({ hostname }) as WorkerRow);
const row = (uuid: string, state = 'SUCCESS') => ({ uuid, state }) as TaskRow;
type Part = NonNullable<Frame['views']>[string];
const part = (told: Partial<Part> = {}): Part => ({ rows: [], gone: [], changed: 0, in_memory: 5, ...told });
const view = (now: number, told: Partial<Part>): Frame => ({ now, views: { '': part(told) } });

function after(...frames: Frame[]): LiveState {
  return frames.reduce(apply, greet(EMPTY, HELLO));
}

function shown(state: LiveState, query = ''): View {
  const found = state.views.get(query);
  if (!found) throw new Error(`no view ${query}`);
  return found;
}

const ids = (state: LiveState) => shown(state).rows.map(({ uuid }) => uuid);

describe('the overview', () => {
  it('keeps what a frame leaves out, with its identity', () => {
    const queues: Overview['queues'] = [];
    const state = after(
      { now: 11, overview: overview({ running: 1, queues }) },
      { now: 12, overview: overview({ running: 2 }) },
    );
    expect(state.overview).toEqual({ now: 12, running: 2, queues });
    expect(state.overview?.queues).toBe(queues);
  });

  it('stays the same thing when a frame does not speak of it', () => {
    const before = after({ now: 11, overview: overview({ running: 1 }) });
    const state = apply(before, { now: 12 });
    expect(state.overview).toBe(before.overview);
    expect(state.now).toBe(12);
  });
});

describe('a series in steps', () => {
  const activity = (...times: number[]): Activity => ({
    step_seconds: 2,
    times,
    series: { received: times, succeeded: times, failed: times, retried: times },
  });
  const told = (...parts: Activity[]) =>
    after(...parts.map((steps, index) => ({ now: index, overview: overview({ activity: steps }) })))
      .overview?.activity;

  it('grows by the steps that are new', () => {
    expect(told(activity(100, 102), activity(104), activity(106))).toEqual(activity(100, 102, 104, 106));
  });

  it('takes steps anew that had not ended', () => {
    const again = { ...activity(102, 104), series: { ...activity(102, 104).series, failed: [7, 8] } };
    expect(told(activity(100, 102), again)?.series.failed).toEqual([100, 7, 8]);
    expect(told(activity(100, 102), again)?.times).toEqual([100, 102, 104]);
  });

  it('lets go of what is older than five minutes', () => {
    expect(told(activity(100, 102, 104), activity(403))?.times).toEqual([104, 403]);
  });

  it('begins anew when the clock was set back', () => {
    expect(told(activity(100, 102), activity(50))?.times).toEqual([50]);
  });

  it('is what a new stream says', () => {
    const before = after({ now: 11, overview: overview({ activity: activity(100, 102) }) });
    const state = apply(greet(before, HELLO), { now: 12, overview: overview({ activity: activity(104) }) });
    expect(state.overview?.activity.times).toEqual([104]);
  });
});

describe('workers', () => {
  it('are set and go', () => {
    const state = after(
      { now: 11, workers: { set: workers('a', 'b'), gone: [] } },
      { now: 12, workers: { set: workers('c'), gone: ['a'] } },
    );
    expect([...(state.workers?.keys() ?? [])]).toEqual(['b', 'c']);
  });

  it('that did not change keep their identity', () => {
    const before = after({ now: 11, workers: { set: workers('a', 'b'), gone: [] } });
    const state = apply(before, { now: 12, workers: { set: workers('b'), gone: [] } });
    expect(state.workers?.get('a')).toBe(before.workers?.get('a'));
    expect(state.workers?.get('b')).not.toBe(before.workers?.get('b'));
  });

  it('are the same map when nothing happened', () => {
    const before = after({ now: 11, workers: { set: workers('a'), gone: [] } });
    expect(apply(before, { now: 12, workers: { set: [], gone: [] } }).workers).toBe(before.workers);
  });

  it('that went while nobody listened are gone with the first frame of a stream that begins anew', () => {
    const before = after({ now: 11, workers: { set: workers('a', 'b'), gone: [] } });
    const again = greet(before, { ...HELLO, now: 60 });
    expect(again.workers?.size).toBe(2); // shown until better is known
    const state = apply(again, { now: 60, workers: { set: workers('b'), gone: [] } });
    expect([...(state.workers?.keys() ?? [])]).toEqual(['b']);
  });

  it('stay when the stream goes on', () => {
    const before = after({ now: 11, workers: { set: workers('a', 'b'), gone: [] } });
    const again = greet(before, { ...HELLO, now: 60, topics: ['workers'] });
    const state = apply(again, { now: 60, workers: { set: workers('c'), gone: ['a'] } });
    expect([...(state.workers?.keys() ?? [])]).toEqual(['b', 'c']);
  });

  it('none is a fact, not a blank', () => {
    expect(after({ now: 11, workers: { set: [], gone: [] } }).workers?.size).toBe(0);
    expect(after({ now: 11 }).workers).toBeNull();
  });
});

it('keeps the grid as cells by name', () => {
  const state = after(
    { now: 11, grid: { set: [['a', 'online', 1, 4, 0], ['b', 'offline', 0, null, 2]], gone: [] } },
    { now: 12, grid: { set: [['a', 'online', 3, 4, 0]], gone: ['b'] } },
  );
  expect([...(state.grid ?? [])]).toEqual([['a', ['a', 'online', 3, 4, 0]]]);
});

describe('a view', () => {
  it('has the newest change on top, and each task once', () => {
    const state = after(
      view(11, { rows: [row('b'), row('a', 'STARTED')] }),
      view(12, { rows: [row('c'), row('a')] }),
    );
    expect(ids(state)).toEqual(['c', 'a', 'b']);
    expect(shown(state).rows[1]?.state).toBe('SUCCESS');
  });

  it('lets go of tasks that no longer match', () => {
    const state = after(view(11, { rows: [row('b'), row('a')] }), view(12, { gone: ['b'] }));
    expect(ids(state)).toEqual(['a']);
  });

  it('has room for so many rows', () => {
    const rows = (from: number) => Array.from({ length: MOST_ROWS }, (_, n) => row(`${from + n}`));
    const state = after(view(11, { rows: rows(0) }), view(12, { rows: rows(1000).slice(0, 10) }));
    expect(ids(state)).toHaveLength(MOST_ROWS);
    expect(ids(state).slice(9, 11)).toEqual(['1009', '0']);
  });

  it('keeps its counts until they are counted anew', () => {
    const facets = { state: [{ value: 'SUCCESS', count: 2 }], name: [], worker: [], queue: [] };
    const state = after(view(11, { total: 2, facets }), view(12, { changed: 1 }));
    expect(shown(state).total).toBe(2);
    expect(shown(state).facets).toBe(facets);
    expect(shown(after(view(11, {}))).total).toBeNull();
  });

  it('changes at a rate that does not jump, and that ends', () => {
    const frames = Array.from({ length: 40 }, (_, n) => view(11 + n / 4, { changed: n % 2 ? 500 : 400 }));
    let state = after(view(10.75, {}), ...frames);
    const rate = shown(state).changed_per_second ?? 0;
    expect(rate).toBeGreaterThan(1700);
    expect(rate).toBeLessThan(1900);
    for (let n = 0; n < 100; n += 1) state = apply(state, { now: 22 + n / 4 });
    expect(shown(state).changed_per_second).toBe(0);
    expect(apply(state, { now: 60 }).views).toBe(state.views);
  });

  it('has no rate after its first frame', () => {
    expect(shown(after(view(11, { changed: 0 }))).changed_per_second).toBeNull();
  });

  it('counts its frames and all its changes, also over a stream that begins anew', () => {
    const before = after(view(11, { rows: [row('a')] }), view(12, { changed: 3 }));
    const state = apply(greet(before, HELLO), view(13, { rows: [row('b')], changed: 2 }));
    expect(shown(state)).toMatchObject({ frames: 3, changes: 5 });
    expect(ids(state)).toEqual(['b']);
  });

  it('goes on where the stream does', () => {
    const before = after(view(11, { rows: [row('a')] }));
    const state = apply(greet(before, { ...HELLO, views: [''] }), view(13, { rows: [row('b')] }));
    expect(ids(state)).toEqual(['b', 'a']);
  });

  it('that had not begun anew yet does not go on, whatever the next stream says', () => {
    const before = greet(after(view(11, { rows: [row('a')] })), HELLO);
    const state = apply(greet(before, { ...HELLO, views: [''] }), view(13, { rows: [row('b')] }));
    expect(ids(state)).toEqual(['b']);
  });

  it('may be called anything', () => {
    const names = ['__proto__', 'constructor', 'toString'];
    const views = Object.fromEntries(names.map((name) => [name, part({ changed: 0, rows: [row('a')] })]));
    const state = after({ now: 11, views: JSON.parse(JSON.stringify(views)) as Frame['views'] }, { now: 12 });
    expect([...state.views.keys()]).toEqual(expect.arrayContaining(['constructor', 'toString']));
  });

  it('that did not change keeps its identity', () => {
    const before = after({ now: 11, views: { a: part({ rows: [row('a')] }), b: part({ rows: [row('b')] }) } });
    const state = apply(before, { now: 12, views: { b: part({ changed: 1 }) } });
    expect(shown(state, 'a')).toBe(shown(before, 'a'));
    expect(shown(state, 'b').rows).toBe(shown(before, 'b').rows);
  });
});

it('forgets everything when another server process answers', () => {
  const before = after({ now: 11, overview: overview({ running: 1 }), views: { '': part() } });
  const state = greet(before, {
    ...HELLO, server: 'two', version: '2', grafana_url: 'http://g', now: 1, topics: ['overview'],
  });
  expect(state).toEqual({ ...EMPTY, server: 'two', version: '2', grafana: 'http://g', now: 1 });
});

it('keeps everything when the same server process answers again', () => {
  const before = after({ now: 11, overview: overview({ running: 1 }) });
  expect(greet(before, { ...HELLO, now: 20 }).overview).toBe(before.overview);
});

it('is restricted to what a tab shows', () => {
  const state = after({
    now: 11,
    overview: overview({ running: 1 }),
    workers: { set: workers('a'), gone: [] },
    views: { a: part(), b: part() },
  });
  const restricted = restrict(state, ['overview'], ['b', 'c']);
  expect(restricted.overview).toBe(state.overview);
  expect(restricted.workers).toBeNull();
  expect([...restricted.views.keys()]).toEqual(['b']);
});
