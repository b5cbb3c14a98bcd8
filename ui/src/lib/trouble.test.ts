import { describe, expect, it } from 'vitest';

import type { Broker } from '~/api/client';

import { inTitle, isGrave, patience, troubles } from './trouble';

const broker = (state: Broker['state'], since = 0): Broker => ({
  transport: 'redis', url: 'redis://somewhere', state, since, error: null, hint: null,
});

const fine = {
  now: 1000,
  started_at: 0,
  broker: broker('connected'),
  ingest: { events: 500 },
  workers: { online: 2 },
  totals: { 'task-sent': 100, 'task-received': 100, 'task-started': 90 },
};

describe('trouble', () => {
  it('is none when frames arrive and tasks are told of', () => {
    expect(troubles('live', fine)).toEqual([]);
  });

  it.each([
    ['a console that is gone hides what it last said of the broker', 'gone', { ...fine, broker: broker('disconnected') }, ['gone']],
    ['a silent stream too', 'stale', { ...fine, broker: broker('disconnected') }, ['stale']],
    ['nothing is known before the first answer', 'connecting', null, ['connecting']],
    ['a broker that cannot be reached', 'live', { ...fine, broker: broker('disconnected') }, ['broker-lost']],
    ['the worst comes first', 'polling', { ...fine, broker: broker('connecting') }, ['broker-connecting', 'polling']],
    ['no event ever', 'live', { ...fine, ingest: { events: 0 }, totals: {} }, ['silent']],
    ['not while it has hardly listened', 'live', { ...fine, broker: broker('connected', 990), ingest: { events: 0 }, totals: {} }, []],
    ['workers that tell of no task', 'live', { ...fine, totals: {} }, ['taskless']],
    ['a cluster without workers has none to tell', 'live', { ...fine, totals: {}, workers: { online: 0 } }, []],
    ['nobody tells of sending', 'live', { ...fine, totals: { 'task-received': 80 } }, ['unsent']],
    ['which a few tasks do not prove', 'live', { ...fine, totals: { 'task-received': 8 } }, []],
  ] as const)('%s', (_, link, overview, expected) => {
    expect(troubles(link, overview)).toEqual(expected);
  });
});

describe('the title of the tab', () => {
  it('carries the page, and the trouble that makes it old', () => {
    expect(inTitle('Tasks', null)).toBe('Tasks · Celeryscope');
    expect(inTitle('Tasks', 'broker-lost')).toBe('(!) Broker unreachable · Tasks · Celeryscope');
    expect(inTitle('Tasks', 'unsent')).toBe('Tasks · Celeryscope');
    expect(isGrave('unsent')).toBe(false);
  });
});

describe('patience', () => {
  it('lets a hiccup pass unseen', () => {
    expect(patience(null, 'connecting', 0)).toBeGreaterThan(patience(null, 'gone', 0));
  });

  it('leaves what is shown there to be read, unless it gets worse', () => {
    expect(patience('gone', null, 500)).toBeGreaterThan(patience('gone', null, 60_000));
    expect(patience('polling', 'gone', 500)).toBeLessThan(patience('polling', null, 500));
  });
});

it('a history that cannot be written is told after what is worse, and can be set aside', () => {
  expect(troubles('live', fine, true)).toEqual(['unkept']);
  expect(troubles('live', { ...fine, broker: broker('disconnected') }, true)).toEqual(['broker-lost', 'unkept']);
  // A console that does not answer says nothing of its history.
  expect(troubles('gone', fine, true)).toEqual(['gone']);
});
