import { describe, expect, it } from 'vitest';

import { fit, idTyped, item, meant, moved, rank, remembered } from './palette';

const ITEMS = [
  item('page', '/tasks', 'Tasks'),
  item('page', '/queues', 'Queues'),
  item('action', 'shutdown', 'Shut down', 'worker', 'shutdown'),
  item('worker', 'celery@web1'),
  item('worker', 'celery@web12'),
  item('queue', 'orders'),
  item('name', 'shop.orders.place_order'),
  item('name', 'shop.mail.send_receipt'),
];

const found = (query: string, recent = [] as typeof ITEMS) =>
  rank(query, ITEMS, recent, 20).items.map(({ value }) => value);

describe('fuzzy ranking', () => {
  it.each([
    ['orders', 'orders'],
    ['place', 'shop.orders.place_order'],
    ['plor', 'shop.orders.place_order'],
    ['ssr', 'shop.mail.send_receipt'],
    ['web1', 'celery@web1'],
    ['web12', 'celery@web12'],
    ['shut', 'shutdown'],
    ['shutdown', 'shutdown'],
    ['SHUT  Down', 'shutdown'],
    ['que', '/queues'],
    ['mail receipt', 'shop.mail.send_receipt'],
    ['receipt mail', 'shop.mail.send_receipt'],
  ])('%s finds %s first', (query, first) => {
    expect(found(query)[0]).toBe(first);
  });

  it('needs every word to fit', () => {
    expect(found('orders web1')).toEqual([]);
    expect(found('zzz')).toEqual([]);
  });

  it('prefers a start over a part over an inside over scattered letters', () => {
    const scores = ['mail', 'mailing', 'send.mail', 'email', 'm.a.i.l'].map((text) => fit('mail', text));
    expect(scores.every((score) => score !== null)).toBe(true);
    expect(scores).toEqual([...scores].sort((a, b) => (b ?? 0) - (a ?? 0)));
    expect(new Set(scores).size).toBe(scores.length);
  });

  it('takes letters that are far apart for nothing', () => {
    expect(fit('ab', `a${'x'.repeat(40)}b${'x'.repeat(40)}`)).not.toBeNull();
    expect(fit('abcd', ['a', 'b', 'c', 'd'].join('x'.repeat(40)))).toBeNull();
  });

  it('shows what was chosen last first, with nothing typed', () => {
    const [, , , web1] = ITEMS;
    expect(found('', web1 ? [web1] : [])[0]).toBe('celery@web1');
    expect(found('', web1 ? [web1] : [])).toHaveLength(ITEMS.length);
  });

  it('prefers of two that fit alike the one that was chosen last', () => {
    const twins = [item('queue', 'mail-a'), item('queue', 'mail-b')];
    const [, second] = twins;
    expect(rank('mail', twins, [], 5).items[0]?.value).toBe('mail-a');
    expect(rank('mail', twins, second ? [second] : [], 5).items[0]?.value).toBe('mail-b');
  });

  it('says how many more fit', () => {
    const many = Array.from({ length: 70 }, (_, index) => item('worker', `celery@web${index}`));
    expect(rank('web', many, [], 50)).toMatchObject({ left: 20 });
    expect(rank('', many, [], 50).items).toHaveLength(50);
  });

  it('is quick with 500 workers and 2,000 names, long ones among them', () => {
    const many = [
      ...Array.from({ length: 500 }, (_, index) => item('worker', `celery@web${index}.example.org`)),
      ...Array.from({ length: 2_000 }, (_, index) => item('name', `shop.part${index % 40}.${'very_long_'.repeat(90)}${index}`)),
    ];
    const begun = performance.now();
    for (const query of ['w', 'we', 'web', 'web4', 'shop part3', 'vlvlvl', 'sp9']) rank(query, many, [], 50);
    expect((performance.now() - begun) / 7).toBeLessThan(50);
  });
});

describe('Enter', () => {
  it.each([
    ['what is first, when all is known', 'web', ['celery@web12', 'celery@web1'], false, 'celery@web12'],
    ['nothing, when nothing fits', 'zzz', [], false, undefined],
    ['what is first, when nothing is typed', '', ['/tasks', 'celery@web1'], true, '/tasks'],
    ['what is called so, whatever comes', 'Celery@web1 ', ['celery@web1', 'celery@web12'], true, 'celery@web1'],
    ['a page that is called so at its start', 'tas', ['/tasks', 'celery@web1'], true, '/tasks'],
    ['an action, too', 'shut d', ['shutdown'], true, 'shutdown'],
    ['nothing yet, as a better one may come', 'celery@web', ['celery@web1'], true, 'later'],
    ['nothing yet, as one may come', 'media@shop', [], true, 'later'],
  ])('means %s', (_, typed, values, moreToCome, expected) => {
    const fitting = values.flatMap((value) => ITEMS.filter((one) => one.value === value));
    const one = meant(typed, fitting, moreToCome);
    expect(one === 'later' ? one : one?.value).toBe(expected);
  });
});

describe('ids', () => {
  it.each([
    ['4f9f2f6e-1f3e-4f0a-9f0c-0a1b2c3d4e5f', { text: '4f9f2f6e-1f3e-4f0a-9f0c-0a1b2c3d4e5f', whole: true }],
    [' 4F9F2F6E-1F3E-4F0A-9F0C-0A1B2C3D4E5F\n', { text: '4f9f2f6e-1f3e-4f0a-9f0c-0a1b2c3d4e5f', whole: true }],
    ['4f9f', { text: '4f9f', whole: false }],
    ['4f9f2f6e-1f', { text: '4f9f2f6e-1f', whole: false }],
    ['order-2026-11-0042', { text: 'order-2026-11-0042', whole: false }],
    ['abc', null],
    ['place_order', null],
    ['two words 12', null],
    ['queue:*12345', null],
  ])('%j', (typed, read) => {
    expect(idTyped(typed)).toEqual(read);
  });
});

describe('choices', () => {
  it('are remembered once each, the last first, at most six', () => {
    let recent: typeof ITEMS = [];
    for (const one of [...ITEMS, ...ITEMS.slice(0, 1)]) recent = remembered(recent, one);
    expect(recent).toHaveLength(6);
    expect(recent[0]?.value).toBe('/tasks');
    expect(new Set(recent).size).toBe(6);
  });

  it.each([
    [0, 1, 3, 1],
    [2, 1, 3, 0],
    [0, -1, 3, 2],
    [-1, 1, 3, 0],
    [-1, -1, 3, 2],
    [0, 1, 0, -1],
  ])('from %i by %i of %i is %i', (at, by, many, to) => {
    expect(moved(at, by, many)).toBe(to);
  });
});
