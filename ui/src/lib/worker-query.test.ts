import { describe, expect, it } from 'vitest';

import type { WorkerRow } from '~/api/client';

import { nextWorkerSort, readWorkerSearch, selectWorkers } from './worker-query';

function worker(hostname: string, facts: Partial<WorkerRow> = {}): WorkerRow {
  return {
    hostname, status: 'online', last_heartbeat: 100, heartbeat_interval: 2, active: 0, running: 0,
    processed: 0, loadavg: null, version: null, software: null, pool: null, concurrency: null,
    queues: [], pid: null, skew_seconds: 0, restarts: 0, lost: 0, counts: {}, first_seen: 0,
    inspected_at: null, ...facts,
  };
}

const FLEET = [
  worker('celery@web10', { lost: 3 }),
  worker('celery@web2', { status: 'offline', queues: ['mail'] }),
  worker('celery@web1', { status: 'unknown', active: 4 }),
];
const names = (rows: WorkerRow[]) => rows.map(({ hostname }) => hostname.replace('celery@web', ''));

describe('workers are', () => {
  it.each([
    [{}, ['1', '2', '10']],
    [{ sort: '-hostname' as const }, ['10', '2', '1']],
    [{ sort: 'status' as const }, ['2', '1', '10']],
    [{ sort: '-lost' as const }, ['10', '1', '2']],
    [{ sort: '-active' as const }, ['1', '2', '10']],
    [{ status: ['offline' as const] }, ['2']],
    [{ search: 'MAIL' }, ['2']],
    [{ search: 'web1' }, ['1', '10']],
  ])('chosen and ordered by %j', (search, expected) => {
    expect(names(selectWorkers(FLEET, search))).toEqual(expected);
  });
});

it('reads only what it knows from an address', () => {
  expect(readWorkerSearch({ status: ['offline', 'dead'], sort: 'age', search: 'x' })).toEqual({
    status: ['offline'],
    search: 'x',
  });
});

it('keeps the view in the address when it is not the table', () => {
  expect(readWorkerSearch({ view: 'grid' })).toEqual({ view: 'grid' });
  expect(readWorkerSearch({ view: 'table' })).toEqual({});
  expect(readWorkerSearch({ view: 'map' })).toEqual({});
});

it('sorts names up first, numbers down first', () => {
  expect(nextWorkerSort('hostname', 'lost')).toBe('-lost');
  expect(nextWorkerSort('-lost', 'lost')).toBe('lost');
  expect(nextWorkerSort('lost', 'lost')).toBe('hostname');
  expect(nextWorkerSort('hostname', 'hostname')).toBe('-hostname');
});
