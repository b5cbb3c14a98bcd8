import { describe, expect, it } from 'vitest';

import type { Cell, Overview, Queue } from '~/api/client';

import { type Seen, type Standing, sentence, settle, verdict } from './health';

const NOW = 100_000;

type More = Partial<Omit<Overview, 'ingest' | 'workers'>> & {
  ingest?: Partial<Overview['ingest']>;
  workers?: Partial<Overview['workers']>;
};

/** A cluster that does 10 tasks a second and is well. */
function cluster({ ingest, workers, ...more }: More = {}): Overview {
  return {
    now: NOW,
    version: '1',
    grafana_url: null,
    started_at: NOW - 3600,
    broker: { transport: 'redis', url: 'redis://', state: 'connected', since: NOW - 3600, error: null, hint: null },
    ingest: {
      events: 10_000,
      events_per_second: 40,
      lag_seconds: 0.01,
      buffer_bytes: 0,
      buffer_limit_bytes: 1000,
      lost: 0,
      dropped_messages: 0,
      dropped_bytes: 0,
      duplicates: 0,
      rejected: {},
      tasks_in_memory: 10,
      tasks_limit: 1000,
      tasks_forgotten: 0,
      tasks_forgotten_live: 0,
      mask_active: false,
      label_overflow: {},
      ...ingest,
    },
    workers: { online: 3, offline: 0, unknown: 0, ...workers },
    states: {},
    running: 0,
    totals: {},
    rate: { sent: 0, received: 0, started: 0, succeeded: 0, failed: 0, retried: 0, revoked: 0, rejected: 0 },
    activity: activity(0.01, 0.01),
    latency: {
      step_seconds: 10,
      times: [],
      wait: { p50: [], p95: [], p99: [] },
      runtime: { p50: [], p95: [], p99: [] },
    },
    queues: [],
    gaps: [],
    failing: [],
    slowest: [],
    ...more,
  };
}

/** Five minutes of 10 tasks a second; the parts that failed before and in the last minute. */
function activity(before: number, recent: number, perStep = 20): Overview['activity'] {
  const times = Array.from({ length: 150 }, (_, index) => NOW - 2 * (149 - index));
  const failed = times.map((at) => perStep * (at > NOW - 60 ? recent : before));
  return {
    step_seconds: 2,
    times,
    series: {
      received: times.map(() => perStep),
      succeeded: failed.map((count) => perStep - count),
      failed,
      retried: times.map(() => 0),
    },
  };
}

function queue(name: string, more: Partial<Queue>): Queue {
  return {
    name, messages: 0, unacknowledged: null, consumers: null, error: null, growth_per_second: 0,
    in_per_second: 0, out_per_second: 0, drain_seconds: null, ...more,
  };
}

function seen(overview: Overview | null, more: Partial<Seen> = {}): Seen {
  return { overview, cells: null, link: 'live', now: NOW, ...more };
}

const judge = (overview: Overview | null, more: Partial<Seen> = {}) =>
  verdict(settle(null, seen(overview, more)), { overview });

describe('what is found', () => {
  const growing = queue('video', { messages: 1204, growth_per_second: 12, out_per_second: 3 });

  it('is nothing when all is well, and it is said on what grounds', () => {
    const { level, findings, grounds } = judge(cluster({ queues: [queue('mail', { messages: 3 })] }));
    expect([level, findings]).toEqual(['good', []]);
    expect(grounds).toEqual([
      '3 workers online',
      '600 tasks done in the last minute, 1.0 % failed',
      'nothing lost',
      '3 messages in 1 queue, none piling up',
    ]);
  });

  it('speaks for the rest of it when something is found, and not against that', () => {
    const queues = [growing];
    const told = judge(cluster({ queues, ingest: { lost: 3 }, workers: { offline: 1 } }));
    expect(told.grounds).toEqual(['600 tasks done in the last minute, 1.0 % failed']);
    expect(judge(cluster({ queues }), { link: 'gone' }).grounds).toEqual(['The figures are from before.']);
  });

  it('is not known before the first figures', () => {
    expect(verdict(null, { overview: null })).toEqual({ level: 'unknown', findings: [], grounds: [] });
  });

  it('does not claim to have listened for long', () => {
    expect(judge(cluster({ started_at: NOW - 12 })).grounds[0]).toBe('listening for 12 s');
  });

  it.each<[string, More, Partial<Seen>, string, string]>([
    ['a console that is gone', {}, { link: 'gone', now: NOW + 9 }, 'bad', 'The console does not answer; the figures are 9 s old'],
    ['a silent stream', {}, { link: 'stale' }, 'warn', 'Nothing has come from the console for a while; the figures are 0 s old'],
    [
      'a broker that is gone',
      { broker: { ...cluster().broker, state: 'disconnected', since: NOW - 75 }, workers: { online: 0, offline: 3 } },
      {},
      'bad',
      'The broker cannot be reached for 1 m 15 s: no events arrive',
    ],
    ['no worker', { workers: { online: 0 } }, {}, 'warn', 'No worker has been heard of'],
    ['all workers offline', { workers: { online: 0, offline: 3 } }, {}, 'bad', 'No worker is online: all 3 are offline'],
    ['a few workers offline', { workers: { online: 30, offline: 2 } }, {}, 'warn', '2 of 32 workers are offline'],
    ['most workers offline', { workers: { online: 1, offline: 2 } }, {}, 'bad', '2 of 3 workers are offline'],
    ['workers not heard of', { workers: { unknown: 1 } }, {}, 'note', '1 worker has not been heard of lately'],
    ['a share of failures that jumped', { activity: activity(0.02, 0.12) }, {}, 'warn', '12 % of the tasks done in the last minute failed, before it was 2.0 %'],
    ['a share that is always high', { activity: activity(0.3, 0.3) }, {}, 'warn', '30 % of the tasks done in the last minute failed'],
    ['nothing that succeeds', { activity: activity(0, 1) }, {}, 'bad', 'Nothing succeeds: all 600 tasks done in the last minute failed, before it was 0 %'],
    ['a queue that grows', { queues: [growing] }, {}, 'warn', 'Queue video grows by 12.0/s and holds 1,204'],
    ['two that grow', { queues: [{ ...growing, name: 'b', messages: 99 }, growing] }, {}, 'warn', 'Queue video grows by 12.0/s and holds 1,204; likewise 1 other'],
    ['a queue without drain', { queues: [{ ...growing, out_per_second: 0 }] }, {}, 'bad', 'Queue video grows by 12.0/s and holds 1,204; nothing is taken from it'],
    ['a queue without readers', { queues: [queue('q', { messages: 2, consumers: 0 })] }, {}, 'bad', 'Queue q holds 2 messages that no worker reads'],
    ['a length that cannot be read', { queues: [queue('q', { messages: null })] }, {}, 'note', 'The length of queue q cannot be read'],
    ['a little that was lost', { ingest: { lost: 3 } }, {}, 'note', '3 events never arrived: figures are too low'],
    ['much that was lost', { ingest: { lost: 900, dropped_messages: 100 } }, {}, 'warn', '1,000 events never arrived: figures are too low'],
    [
      'a gap just now',
      { gaps: [{ start: NOW - 80, end: NOW - 60, reason: 'gone' }, { start: 1, end: 2, reason: 'long ago' }] },
      {},
      'warn',
      'Nothing was heard for 20.0 s, 1 m 00 s ago: what happened then is missing',
    ],
    ['a full buffer', { ingest: { buffer_bytes: 950 } }, {}, 'bad', 'Events come faster than they are read: 950 B wait in the buffer'],
    ['late events', { ingest: { lag_seconds: 42 } }, {}, 'warn', 'Events arrive 42 s late'],
    ['forgotten tasks', { ingest: { tasks_forgotten_live: 1 } }, {}, 'note', '1 unfinished task had to be forgotten for want of room'],
  ])('of %s', (_, more, how, level, says) => {
    const found = judge(cluster(more), how);
    expect([found.level, found.findings.map(sentence)]).toEqual([level, [says]]);
  });

  it.each<[string, More]>([
    ['few failures', { activity: activity(0, 0.5, 0.2) }],
    ['a share that is twice as high and still low', { activity: activity(0.01, 0.04) }],
    ['a gap of long ago', { gaps: [{ start: NOW - 2000, end: NOW - 1990, reason: 'gone' }] }],
    ['a queue that is only long', { queues: [queue('q', { messages: 90_000, growth_per_second: 1 })] }],
    ['a clock that is a little behind', { ingest: { lag_seconds: 4 } }],
  ])('is nothing for %s', (_, more) => {
    expect(judge(cluster(more)).level).toBe('good');
  });

  it('comes worst first', () => {
    const { findings } = judge(cluster({ ingest: { lost: 3 }, workers: { offline: 1 }, queues: [queue('q', { messages: 2, consumers: 0 })] }));
    expect(findings.map(({ id }) => id)).toEqual(['queue-unread', 'workers-offline', 'lost']);
  });

  it('names the one worker, and keeps names apart from words', () => {
    const cells = new Map<string, Cell>([
      ['a@b', ['a@b', 'online', 0, 1, 0]],
      ['c@d', ['c@d', 'offline', 0, 1, 0]],
    ]);
    const { findings } = judge(cluster({ workers: { offline: 1 } }), { cells });
    expect(findings[0]?.say).toEqual([{ name: 'c@d' }, ' is offline']);
  });

  it('leads to the list behind it', () => {
    const [failing] = judge(cluster({ activity: activity(0.02, 0.12) })).findings;
    expect(failing?.door).toEqual({ to: '/tasks', query: 'state:failure since:5m' });
    const [one] = judge(cluster({ queues: [growing] })).findings;
    expect(one?.door).toEqual({ to: '/queues', queue: 'video' });
    const [both] = judge(cluster({ queues: [growing, { ...growing, name: 'b' }] })).findings;
    expect(both?.door).toEqual({ to: '/queues' });
  });
});

describe('calm', () => {
  const well = cluster();
  const ill = cluster({ workers: { offline: 1 } });
  const run = (steps: readonly (readonly [at: number, Overview])[]) =>
    steps.reduce<{ standing: Standing | null; said: string[][] }>(
      ({ standing, said }, [at, overview]) => {
        const next = settle(standing, seen(overview, { now: NOW + at }));
        return { standing: next, said: [...said, verdict(next, { overview }).findings.map(({ id }) => id)] };
      },
      { standing: null, said: [] },
    ).said;

  it('says at once what is so on the first look', () => {
    expect(run([[0, ill]])).toEqual([['workers-offline']]);
  });

  it('says nothing of what does not last', () => {
    expect(run([[0, well], [1, ill], [3, ill], [4, well], [9, ill]]).flat()).toEqual([]);
  });

  it('says what lasts, and takes it back when it has been gone for a while', () => {
    const said = run([[0, well], [1, ill], [6, ill], [7, well], [30, well], [36, well], [37, well]]);
    expect(said.map(({ length }) => length)).toEqual([0, 0, 1, 1, 1, 0, 0]);
  });

  it('keeps saying what comes and goes', () => {
    const steps = Array.from({ length: 40 }, (_, index) => [index * 4, index % 3 === 0 ? ill : well] as const);
    expect(new Set(run(steps).map(String))).toEqual(new Set(['workers-offline']));
  });

  it('says of the connections what they are now', () => {
    const gone = cluster({ broker: { ...well.broker, state: 'disconnected' } });
    expect(run([[0, well], [1, gone], [2, well]])).toEqual([[], ['broker'], []]);
  });

  it('has a lower line to take a share of failures back than to raise it', () => {
    const constant = (part: number) => cluster({ activity: activity(part, part) });
    expect(run([[0, constant(0.17)]])).toEqual([[]]);
    expect(run([[0, constant(0.25)], [60, constant(0.17)], [120, constant(0.17)]]).at(-1)).toEqual(['failing']);
    expect(run([[0, constant(0.25)], [60, constant(0.1)], [120, constant(0.1)]]).at(-1)).toEqual([]);
  });

  it('tells a loss that happens from one of before', () => {
    const before = settle(null, seen(cluster({ ingest: { lost: 3 } })));
    const grown = cluster({ ingest: { lost: 5 } });
    const now = settle(before, seen(grown, { now: NOW + 10 }));
    expect(verdict(now, { overview: grown }).findings.map(sentence)).toEqual([
      '5 events never arrived, some of them just now: figures are too low',
    ]);
    const later = settle(now, seen(grown, { now: NOW + 400 }));
    expect(verdict(later, { overview: grown }).level).toBe('note');
  });

  it('forgets what another server process told', () => {
    const before = settle(null, seen(ill));
    const other = cluster({ started_at: NOW });
    expect(verdict(settle(before, seen(other, { now: NOW + 1 })), { overview: other }).findings).toEqual([]);
  });
});
