import { describe, expect, it } from 'vitest';

import type { HistoryGap, HistoryPage, TaskRow } from '~/api/client';

import { type Making, PART_ROWS, type Pages, UNKNOWN, type Wanted, added, countOf, itemAt, letGo, movedBy, placeOf, rowsOf, wanted, withGaps } from './task-pages';

const NEWEST: Making = { order: 'newest', known: new Set(), above: false };
const MIDDLE: Making = { ...NEWEST, above: true };

/** The tasks `u0`, `u1` …; the first is the newest. */
function row(index: number, more: Partial<TaskRow> = {}): TaskRow {
  return { uuid: `u${index}`, state: 'SUCCESS', state_at: 10_000 - index, ...more } as TaskRow;
}

function gap(start: number, end: number | null, kind = 'disconnected'): HistoryGap {
  return { start, end, kind, worker: null, events: null, reason: '' } as HistoryGap;
}

/** What the server tells of a history of so many tasks, whose cursors are their numbers. */
function server(size: number, change: (index: number) => TaskRow = row) {
  return (asked: Wanted): HistoryPage => {
    const after = asked.kind === 'above' ? null : asked.after;
    const before = asked.kind === 'below' ? null : asked.before;
    const [from, to] = before === null
      ? [after === null ? 0 : Number(after) + 1, Math.min(size, (after === null ? 0 : Number(after) + 1) + asked.limit)]
      : [Math.max(0, Number(before) - asked.limit), Number(before)];
    const tasks = Array.from({ length: to - from }, (_, step) => change(from + step));
    return {
      now: 0, tasks, whole: true, gaps: [],
      after: tasks.length > 0 ? String(to - 1) : null,
      before: tasks.length > 0 ? String(from) : null,
      more: before === null ? to < size : from > 0,
    };
  };
}

function sure(asked: Wanted | null): Wanted {
  if (asked === null) throw new Error('nothing is wanted');
  return asked;
}

/** Looks at lines of the list until nothing more is wanted for them. */
function look(pages: Pages, first: number, last: number, making: Making, answer: (asked: Wanted) => HistoryPage): Pages {
  let now = pages;
  for (let times = 0; times < 20; times += 1) {
    const next = wanted(now, first, last, making);
    if (next === null) return letGo(now, first, last);
    now = added(now, next, answer(next), making);
  }
  throw new Error('it wants more and more');
}

describe('a long list', () => {
  it('asks for the next part shortly before its end is seen, and for nothing at the end', () => {
    const answer = server(450);
    const one = look(UNKNOWN, 0, 30, NEWEST, answer);
    expect([countOf(one), one.below]).toEqual([PART_ROWS, true]);
    expect(wanted(one, 0, 79, NEWEST)).toBeNull();
    expect(wanted(one, 60, 90, NEWEST)).toEqual({ kind: 'below', after: '199', limit: PART_ROWS });
    const all = look(look(one, 170, 199, NEWEST, answer), 370, 399, NEWEST, answer);
    expect([countOf(all), all.below]).toEqual([450, false]);
    expect(wanted(all, 420, 449, NEWEST)).toBeNull();
    expect(itemAt(all, 449)).toEqual({ kind: 'task', task: row(449) });
  });

  it('holds the rows of a few parts, however far one goes, and has again those that it let go', () => {
    const answer = server(100_000);
    let pages = UNKNOWN;
    let most = 0;
    for (let at = 0; at < 20_000; at += 150) {
      pages = look(pages, at, at + 30, NEWEST, answer);
      most = Math.max(most, rowsOf(pages).length);
    }
    expect(countOf(pages)).toBeGreaterThan(20_000);
    expect(most).toBeLessThanOrEqual(10 * PART_ROWS);
    expect(itemAt(pages, 5_000)).toBeNull();
    expect(wanted(pages, 5_000, 5_030, NEWEST)).toEqual({ kind: 'part', index: 25, after: '4999', before: null, limit: PART_ROWS });
    const back = look(pages, 5_000, 5_030, NEWEST, answer);
    expect(itemAt(back, 5_000)).toEqual({ kind: 'task', task: row(5_000) });
    const top = look(back, 0, 30, NEWEST, answer);
    expect(itemAt(top, 0)).toEqual({ kind: 'task', task: row(0) });
    expect(countOf(top)).toBe(countOf(pages));
  });

  it('begins in the middle and grows at both ends; what came above is told', () => {
    const answer = server(1_000);
    const begun = added(UNKNOWN, { kind: 'below', after: '499', limit: PART_ROWS }, answer({ kind: 'below', after: '499', limit: PART_ROWS }), MIDDLE);
    expect(itemAt(begun, 0)).toEqual({ kind: 'task', task: row(500) });
    const next = wanted(begun, 0, 30, MIDDLE);
    expect(next).toEqual({ kind: 'above', before: '500', limit: PART_ROWS });
    const both = added(begun, sure(next), answer(sure(next)), MIDDLE);
    expect([both.shifted, both.above]).toEqual([PART_ROWS, true]);
    expect(itemAt(both, PART_ROWS)).toEqual({ kind: 'task', task: row(500) });
    const top = look(look(both, 0, 30, MIDDLE, answer), 0, 30, MIDDLE, answer);
    expect([itemAt(top, 0), top.above]).toEqual([{ kind: 'task', task: row(0) }, false]);
    expect(rowsOf(top).map(({ uuid }) => uuid)).toEqual(Array.from({ length: 700 }, (_, index) => `u${index}`));
  });

  it('shows no task twice: what is newer takes the place of what was told before', () => {
    const making = { ...NEWEST, known: new Set(['u1']) };
    const first = added(UNKNOWN, { kind: 'below', after: null, limit: 3 }, { ...server(3)({ kind: 'below', after: null, limit: 3 }), more: true }, making);
    expect(rowsOf(first).map(({ uuid }) => uuid)).toEqual(['u0', 'u2']);
    const again = row(2, { state: 'FAILURE', state_at: 20_000 });
    const next = added(first, { kind: 'below', after: '2', limit: 3 }, { now: 0, tasks: [again, row(3)], after: '3', before: '2', more: false, whole: true, gaps: [] }, making);
    expect(rowsOf(next).map(({ uuid, state }) => [uuid, state])).toEqual([['u0', 'SUCCESS'], ['u2', 'FAILURE'], ['u3', 'SUCCESS']]);
  });

  it('tells by how much the list moved when a part came back shorter above what is seen', () => {
    const answer = server(2_000);
    let pages = UNKNOWN;
    for (let at = 0; at < 1_800; at += 100) pages = look(pages, at, at + 30, NEWEST, answer);
    const asked = sure(wanted(pages, 150, 1_500, NEWEST));
    expect(asked.kind).toBe('part');
    // Three of its tasks ended meanwhile, and stand elsewhere.
    const fewer = { ...answer(asked), tasks: answer(asked).tasks.slice(3) };
    const after = added(pages, asked, fewer, NEWEST);
    expect(countOf(after)).toBe(countOf(pages) - 3);
    expect(movedBy(pages, after, asked, 1_400)).toBe(-3);
    expect(movedBy(pages, after, asked, 10)).toBe(0);
  });

  it('says that a search gave up where nothing leads on', () => {
    const gaveUp: HistoryPage = { now: 0, tasks: [], after: null, before: null, more: true, whole: false, gaps: [] };
    const pages = added(UNKNOWN, { kind: 'below', after: null, limit: PART_ROWS }, gaveUp, NEWEST);
    expect([pages.cut, wanted(pages, 0, 30, NEWEST)]).toEqual([true, null]);
  });

  it('goes on behind a part in which the search found nothing in its time', () => {
    const nothing: HistoryPage = { now: 0, tasks: [], after: '77', before: null, more: true, whole: false, gaps: [] };
    const pages = added(UNKNOWN, { kind: 'below', after: null, limit: PART_ROWS }, nothing, NEWEST);
    expect(wanted(pages, 0, 30, NEWEST)).toEqual({ kind: 'below', after: '77', limit: PART_ROWS });
  });
});

describe('gaps', () => {
  const words = (items: ReturnType<typeof withGaps>) =>
    items.map((item) => (item.kind === 'task' ? item.task.uuid : `(${item.gaps.map(({ start }) => start).join(' ')})`));
  const rows = [row(0), row(10), row(20)]; // at 10,000, 9,990 and 9,980

  it('lie between the tasks of before and after', () => {
    expect(words(withGaps(rows, [gap(9_985, 9_989)], 'newest'))).toEqual(['u0', 'u10', '(9985)', 'u20']);
    expect(words(withGaps(rows.toReversed(), [gap(9_985, 9_989)], 'oldest'))).toEqual(['u20', '(9985)', 'u10', 'u0']);
  });

  it('share a line where no task is between them, and stand nowhere below the last', () => {
    expect(words(withGaps(rows, [gap(9_981, 9_983), gap(9_985, 9_989), gap(1, 2)], 'newest'))).toEqual(['u0', 'u10', '(9985 9981)', 'u20']);
  });

  it('that go on stand above all; in an order that is none of time there are none', () => {
    expect(words(withGaps(rows, [gap(9_999, null)], 'newest'))).toEqual(['(9999)', 'u0', 'u10', 'u20']);
    expect(words(withGaps(rows, [gap(9_999, null)], null))).toEqual(['u0', 'u10', 'u20']);
  });

  it('are told once, though two parts reach into them', () => {
    const told = [gap(9_985, 9_995)];
    const first = added(UNKNOWN, { kind: 'below', after: null, limit: 2 }, { now: 0, tasks: [row(0), row(10)], after: '10', before: '0', more: true, whole: true, gaps: told }, NEWEST);
    const next = added(first, { kind: 'below', after: '10', limit: 2 }, { now: 0, tasks: [row(20)], after: '20', before: '20', more: false, whole: true, gaps: told }, NEWEST);
    expect([0, 1, 2, 3].map((index) => itemAt(next, index)?.kind)).toEqual(['task', 'gaps', 'task', 'task']);
    expect(placeOf(next, 'u20')).toBe(3);
  });
});
