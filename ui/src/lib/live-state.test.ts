import { describe, expect, it } from 'vitest';

import type { Frame, Hello, Overview, TaskRow, WorkerRow } from '~/api/client';

import { EMPTY, type LiveState, apply, greet } from './live-state';

const HELLO: Hello = { server: 'one', version: '1', now: 10 };
const overview = (facts: Partial<Overview>) => facts as Frame['overview'];
const workers = (...names: string[]) => names.map((hostname) => ({ hostname }) as WorkerRow);
const tasks = (changed: number): NonNullable<Frame['tasks']> => ({
  rows: [{ uuid: 'a' } as TaskRow],
  changed,
  total: 5,
});

function after(...frames: Frame[]): LiveState {
  return frames.reduce(apply, greet(EMPTY, HELLO));
}

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

  it('that went while nobody listened are gone with the first frame of the next stream', () => {
    const before = after({ now: 11, workers: { set: workers('a', 'b'), gone: [] } });
    const again = greet(before, { ...HELLO, now: 60 });
    expect(again.workers?.size).toBe(2); // shown until better is known
    const state = apply(again, { now: 60, workers: { set: workers('b'), gone: [] } });
    expect([...(state.workers?.keys() ?? [])]).toEqual(['b']);
  });

  it('none is a fact, not a blank', () => {
    expect(after({ now: 11, workers: { set: [], gone: [] } }).workers?.size).toBe(0);
    expect(after({ now: 11 }).workers).toBeNull();
  });
});

describe('tasks', () => {
  it('change at a rate', () => {
    const state = after({ now: 11, tasks: tasks(100) }, { now: 11.25, tasks: tasks(50) });
    expect(state.tasks?.changed_per_second).toBe(200);
    expect(state.tasks?.frames).toBe(2);
  });

  it('have no rate after the first frame of a stream', () => {
    expect(after({ now: 11, tasks: tasks(100) }).tasks?.changed_per_second).toBeNull();
  });
});

it('forgets everything when another server process answers', () => {
  const before = after({ now: 11, overview: overview({ running: 1 }), tasks: tasks(1) });
  const state = greet(before, { server: 'two', version: '2', now: 1 });
  expect(state).toEqual({ ...EMPTY, server: 'two', version: '2', now: 1 });
});

it('keeps everything when the same server process answers again', () => {
  const before = after({ now: 11, overview: overview({ running: 1 }) });
  expect(greet(before, { ...HELLO, now: 20 }).overview).toBe(before.overview);
});
