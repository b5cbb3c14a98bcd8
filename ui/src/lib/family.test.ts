import { describe, expect, it } from 'vitest';

import type { FamilyGroup, FamilyTask } from '~/api/client';

import {
  type Line, bars, bins, isOpen, joins, kindWords, lines, panned, stateWords, ticks, timeWords, whole, zoomed,
} from './family';

function task(uuid: string, told: Partial<FamilyTask> = {}): FamilyTask {
  return {
    uuid, known: true, name: 'shop.t', state: 'SUCCESS', parent: null, depth: 0, kind: 'sub', group: null, after: [],
    sent: 0, received: 1, started: 2, finished: 5, wait: null, runtime: 3, retries: 0,
    runs: [{ started: 2, ended: 5, state: 'SUCCESS' }], critical: false, worker: null, queue: null, exception: null, ...told,
  };
}

function group(id: number, size: number, told: Partial<FamilyGroup> = {}): FamilyGroup {
  return { id, kind: 'group', parent: 'r', name: 'shop.t', size, states: { SUCCESS: size }, body: null, sure: false, ...told };
}

const told = (one: FamilyTask, now = 9) =>
  bars(one, now).map(({ kind, start, end, open }) => `${kind} ${start}–${end}${open ? ' …' : ''}`);

describe('what is drawn of a task', () => {
  it.each<[string, Partial<FamilyTask>, string[]]>([
    ['a wait and a run', {}, ['wait 0–2', 'run 2–5']],
    ['a run that goes on', { state: 'STARTED', finished: null, runs: [{ started: 2, ended: null, state: 'STARTED' }] }, ['wait 0–2', 'run 2–9 …']],
    ['a wait that goes on', { state: 'RECEIVED', started: null, finished: null, runs: [] }, ['wait 0–9 …']],
    ['one that never ran', { state: 'REVOKED', started: null, finished: 4, runs: [] }, ['wait 0–4']],
    [
      'attempts with the pauses between them',
      { runs: [{ started: 2, ended: 3, state: 'RETRY' }, { started: 4, ended: 5, state: 'SUCCESS' }] },
      ['wait 0–2', 'run 2–3', 'pause 3–4', 'run 4–5'],
    ],
    [
      'one that waits for its next attempt',
      { state: 'RETRY', finished: null, runs: [{ started: 2, ended: 3, state: 'RETRY' }] },
      ['wait 0–2', 'run 2–3', 'pause 3–9 …'],
    ],
    ['nothing where no time is known', { sent: null, received: null, started: null, runs: [] }, []],
    // Of a run whose end nobody told, and that is over all the same.
    ['a run that was lost', { state: 'LOST', finished: 7, runs: [{ started: 2, ended: null, state: 'STARTED' }] }, ['wait 0–2', 'run 2–7']],
  ])('is %s', (_, facts, expected) => {
    expect(told(task('a', facts))).toEqual(expected);
  });

  it('never ends before it began, whatever clocks say', () => {
    for (const { start, end } of bars(task('a', { sent: 9, runs: [{ started: 2, ended: 1, state: 'SUCCESS' }] }), 1)) {
      expect(end).toBeGreaterThanOrEqual(start);
    }
  });

  it('is told in words', () => {
    expect(timeWords(task('a'), 9)).toBe('waited 2.00 s, ran 3.00 s');
    expect(timeWords(task('a', { finished: null, state: 'STARTED', runs: [{ started: 2, ended: null, state: 'STARTED' }] }), 9)).toBe(
      'waited 2.00 s, ran 7.00 s so far',
    );
  });
});

const drawn = (all: readonly Line[]) =>
  all.map((line) => (line.kind === 'group' ? `${line.group.size} × ${line.open ? 'open' : 'closed'}` : line.task.uuid));

function fan(size: number, lit = -1) {
  const children = Array.from({ length: size }, (_, index) =>
    task(`c${index}`, { parent: 'r', depth: 1, group: 0, critical: index === lit }));
  const below = task('below', { parent: 'c0', depth: 2 });
  const tasks = [task('r', { kind: 'root' }), ...children.slice(0, 1), below, ...children.slice(1), task('body', { depth: 1, kind: 'body', after: ['c1', 'c2'], sent: 8 })];
  return { uuid: 'r', tasks, groups: [group(0, size)] };
}

describe('lines', () => {
  it('has one for each task where the groups are small', () => {
    expect(drawn(lines(fan(3), new Set()))).toEqual(['r', 'c0', 'below', 'c1', 'c2', 'body']);
  });

  it('sums up a group, and closes a large one with all below it', () => {
    expect(drawn(lines(fan(5), new Set()))).toEqual(['r', '5 × open', 'c0', 'below', 'c1', 'c2', 'c3', 'c4', 'body']);
    expect(drawn(lines(fan(47), new Set()))).toEqual(['r', '47 × closed', 'body']);
    expect(drawn(lines(fan(47), new Set([0])))).toHaveLength(51);
    expect(isOpen(group(0, 5), new Set([0]))).toBe(false);
  });

  it('leaves what is on the critical path, and what was asked for, in sight', () => {
    expect(drawn(lines(fan(47, 30), new Set()))).toEqual(['r', '47 × closed', 'c30', 'body']);
    expect(drawn(lines({ ...fan(47), uuid: 'below' }, new Set()))).toEqual(['r', '47 × closed', 'below', 'body']);
  });

  it('leads from each to the one that sent it, once for a group', () => {
    const family = fan(3);
    const led = joins(lines(family, new Set()), family.tasks).map(({ from, to }) => [from, to]);
    expect(led).toEqual([[0, 1], [1, 2], [3, 5], [4, 5]]); // r→c0, c0→below, c1→body, c2→body
  });

  it('leads from a closed group where its tasks are out of sight', () => {
    const family = fan(47);
    const led = joins(lines(family, new Set()), family.tasks).map(({ from, to }) => [from, to]);
    expect(led).toEqual([[0, 1], [1, 2]]);
  });
});

describe('a closed group', () => {
  it('tells how many of it waited and ran', () => {
    const all = bins([task('a'), task('b', { state: 'FAILURE' })], 9, 5);
    expect(all.map(({ running, waiting }) => [running, waiting])).toEqual([[0, 1], [0, 1], [1, 0], [1, 0], [1, 0]]);
    expect(all.map(({ failed }) => failed)).toEqual([false, false, false, false, true]);
    expect(bins([], 9)).toEqual([]);
  });
});

describe('the axis', () => {
  const all = { from: 100, to: 200 };

  it('shows all of it', () => {
    expect(whole({ began: 0, tasks: [task('a'), task('b', { finished: null, runs: [] })] }, 12)).toEqual({ from: 0, to: 12 * 1.015 });
    expect(whole({ began: null, tasks: [] }, 12).to).toBeGreaterThan(12);
  });

  it('zooms around a moment and never beyond what there is', () => {
    expect(zoomed(all, 0.5, 150, all)).toEqual({ from: 125, to: 175 });
    expect(zoomed(all, 0.5, 100, all)).toEqual({ from: 100, to: 150 });
    expect(zoomed({ from: 120, to: 130 }, 1000, 125, all)).toEqual(all);
    const least = zoomed(all, 1e-12, 150, all);
    expect(least.to - least.from).toBeGreaterThan(0);
  });

  it('goes along in time to its ends', () => {
    expect(panned({ from: 120, to: 130 }, 0.5, all)).toEqual({ from: 125, to: 135 });
    expect(panned({ from: 120, to: 130 }, -100, all)).toEqual({ from: 100, to: 110 });
    expect(panned({ from: 120, to: 130 }, 100, all)).toEqual({ from: 190, to: 200 });
  });

  it('has round marks', () => {
    expect(ticks({ from: 10, to: 20 }, 10, 5)).toEqual([10, 12, 14, 16, 18, 20]);
    expect(ticks({ from: 0, to: 0.1 }, 0, 4).map((at) => Number(at.toFixed(3)))).toEqual([0, 0.05, 0.1]);
    expect(ticks({ from: 0, to: 7_200 }, 0, 6)).toEqual([0, 1800, 3600, 5400, 7200]);
    expect(ticks({ from: 0, to: 4e8 }, 0, 6).length).toBeLessThanOrEqual(8);
  });
});

it('says states and kinds in words', () => {
  expect(stateWords({ FAILURE: 2, SUCCESS: 45, MINE: 1 })).toBe('45 succeeded, 2 failed, 1 MINE');
  expect(kindWords(task('a', { kind: 'next' }), [])).toBe('sent when its parent was done');
  expect(kindWords(task('a', { group: 0 }), [group(0, 47)])).toBe('one of 47 sent together');
  expect(kindWords(task('a', { group: 0 }), [group(0, 47, { kind: 'chord' })])).toBe('one of 47 in a chord’s header');
});
