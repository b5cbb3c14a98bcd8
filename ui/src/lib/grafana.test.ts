import { describe, expect, it } from 'vitest';

import { type Board, boardLabel, boardUrl } from './grafana';

const GRAFANA = 'https://grafana.example/sub';
const OVERVIEW: Board = { board: 'overview' };

describe('the address of a dashboard', () => {
  it.each<[Board, string]>([
    [OVERVIEW, '/d/celeryscope-overview'],
    [{ board: 'queues' }, '/d/celeryscope-queues'],
    [{ board: 'queues', queue: 'mail' }, '/d/celeryscope-queues?var-queue=mail'],
    [{ board: 'workers', worker: 'celery@web1' }, '/d/celeryscope-workers?var-worker=celery%40web1'],
    [{ board: 'task', task: 'shop.orders.charge' }, '/d/celeryscope-task?var-task=shop.orders.charge'],
    [{ board: 'task', task: 'a b+c&d=e#f?g%h"i\\/' }, '/d/celeryscope-task?var-task=a%20b%2Bc%26d%3De%23f%3Fg%25h%22i%5C%2F'],
    [{ board: 'task', task: 'ä🙂' }, '/d/celeryscope-task?var-task=%C3%A4%F0%9F%99%82'],
    [{ board: 'task', task: 'half \ud83d' }, '/d/celeryscope-task?var-task=half%20%EF%BF%BD'],
    [{ board: 'task', task: '' }, '/d/celeryscope-task?var-task='],
  ])('of %j', (board, path) => {
    expect(boardUrl(GRAFANA, board)).toBe(GRAFANA + path);
  });

  it('carries a value that Grafana reads as it was', () => {
    const task = ' a+b %20 c&var-job=x\n';
    const url = new URL(boardUrl(GRAFANA, { board: 'task', task }) ?? '');
    expect([...url.searchParams]).toEqual([['var-task', task]]);
  });

  it('has one slash where the setting ends in some', () => {
    expect(boardUrl('http://g//', OVERVIEW)).toBe('http://g/d/celeryscope-overview');
  });

  it.each([null, '', 'javascript:alert(1)//', 'data:text/html,x', '//elsewhere', '/grafana', ' https://g', 'ftp://g'])(
    'is none for %j',
    (grafana) => {
      expect(boardUrl(grafana, OVERVIEW)).toBeNull();
    },
  );
});

describe('the name of the link', () => {
  it.each<[Board, string]>([
    [OVERVIEW, 'Open the overview in Grafana'],
    [{ board: 'queues' }, 'Open the queues in Grafana'],
    [{ board: 'queues', queue: 'mail' }, 'Open mail in Grafana'],
    [{ board: 'workers', worker: 'celery@web1' }, 'Open celery@web1 in Grafana'],
    [{ board: 'task', task: 'checkout' }, 'Open checkout in Grafana'],
  ])('of %j', (board, label) => {
    expect(boardLabel(board)).toBe(label);
  });

  it('shows no control characters and does not run on', () => {
    const label = boardLabel({ board: 'task', task: `\u202e${'x'.repeat(9999)}` });
    expect(label).not.toContain('\u202e');
    expect(label.length).toBeLessThan(200);
  });
});
