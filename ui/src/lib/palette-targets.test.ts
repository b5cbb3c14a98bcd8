import { describe, expect, it } from 'vitest';

import { type Chosen, request, targetsOf } from './palette-targets';

function command(name: string, subject: Parameters<typeof targetsOf>[0]['subject'], more: Partial<Parameters<typeof targetsOf>[0]> = {}, ...names: string[]) {
  const taken = names.map((one) => ({
    name: one, kind: 'text' as const, help: '', required: true, default: null, minimum: null, maximum: null,
    max_bytes: 255, max_items: 1, choices: [], unit: '',
  }));
  return { name, subject, runs: 'here' as const, needs_workers: false, arguments: taken, ...more };
}

const PING = command('ping', 'worker', { runs: 'workers' });
const PURGE = command('purge', 'queue', {}, 'queue');
const ADD = command('add_consumer', 'queue', { runs: 'workers', needs_workers: true }, 'queue', 'exchange');
const RETRY = command('retry', 'task id', {}, 'ids');
const SEND = command('send_task', 'task name', {}, 'task_name', 'args');
const STAMPS = command('revoke_by_stamped_headers', 'task id', { runs: 'workers' }, 'headers');
const ENTRY = command('run_entry', 'schedule', {}, 'entry');

describe('what an action has to be told first', () => {
  it.each([
    [PING, ['worker']],
    [PURGE, ['queue']],
    [ADD, ['queue', 'worker']],
    [RETRY, ['task']],
    [SEND, ['name']],
    [STAMPS, []],
    [ENTRY, []],
  ])('$name', (of, targets) => {
    expect(targetsOf(of)).toEqual(targets);
  });
});

describe('what is asked for then', () => {
  it.each<[typeof PING, Chosen[], object]>([
    [PING, [{ kind: 'worker', value: 'celery@a' }], { workers: ['celery@a'], arguments: {}, subject: 'celery@a' }],
    [PING, [{ kind: 'worker', value: '' }], { arguments: {}, subject: 'every worker' }],
    [PURGE, [{ kind: 'queue', value: 'mail' }], { arguments: { queue: 'mail' }, subject: 'mail' }],
    [
      ADD,
      [{ kind: 'queue', value: 'mail' }, { kind: 'worker', value: 'celery@a' }],
      { arguments: { queue: 'mail' }, workers: ['celery@a'], subject: 'mail' },
    ],
    [RETRY, [{ kind: 'task', value: 'abc' }], { arguments: { ids: ['abc'] }, subject: 'abc' }],
    [SEND, [{ kind: 'name', value: 'shop.pay' }], { arguments: { task_name: 'shop.pay' }, subject: 'shop.pay' }],
  ])('$name with $1', (of, chosen, asked) => {
    expect(request(of, chosen)).toEqual({ command: of.name, ...asked });
  });
});
