import { describe, expect, it } from 'vitest';

import { calendarDays, countChange, fieldOf, placeWords, shareChange, timeChange, typeWord, windowOf, worstHours } from './insight';
import { readInsightSearch, strippedInsight } from './insight-search';

describe('the address', () => {
  it('keeps what differs from the usual, and nothing that is none', () => {
    expect(readInsightSearch({})).toEqual({});
    expect(readInsightSearch({ span: '24h', sort: 'took', text: '' })).toEqual({});
    expect(readInsightSearch({ span: '7d', sort: 'failed', text: 'shop' })).toEqual({ span: '7d', sort: 'failed', text: 'shop' });
    expect(readInsightSearch({ span: 'toString', sort: 'colour' })).toEqual({});
  });

  it('has a time of one’s own as a whole or not at all', () => {
    const own = { since: '2026-11-01T10:00', until: '2026-11-02T10:00' };
    expect(readInsightSearch({ ...own, span: '7d' })).toEqual(own);
    expect(readInsightSearch({ since: own.since, span: '7d' })).toEqual({ span: '7d' });
    expect(readInsightSearch({ since: own.until, until: own.since })).toEqual({});
    expect(readInsightSearch({ since: '2026-13-01T10:00', until: own.until })).toEqual({});
    expect(strippedInsight({ span: '24h' })).toEqual({});
  });

  it('becomes a time, and the same in a query', () => {
    expect(windowOf({}, 100_000)).toMatchObject({ since: 13_600, until: null, query: 'since:24h', seconds: 86_400 });
    expect(windowOf({ span: '1h' }, 5_000)).toMatchObject({ since: 1_400, words: 'the last hour' });
    const own = windowOf({ since: '2026-11-01T10:00', until: '2026-11-02T10:00' }, 0);
    expect(own.seconds).toBe(86_400);
    expect(fieldOf(own.since)).toBe('2026-11-01T10:00');
    expect(own.query).toMatch(/^since:2026-\S+ until:2026-\S+$/);
  });
});

describe('a change', () => {
  it('of few is not sure', () => {
    expect(countChange(6, 3)).toEqual({ words: '+100 %', direction: 'up', sure: false });
    expect(countChange(600, 300).sure).toBe(true);
    expect(countChange(3, 0)).toMatchObject({ words: 'new', direction: 'up', sure: false });
    expect(countChange(0, 0)).toMatchObject({ words: '±0', direction: 'same' });
    expect(countChange(5_000, 10).words).toBe('×100+');
  });

  it('of a share is in points', () => {
    expect(shareChange(100, 1_000, 50, 1_000)).toEqual({ words: '+5.0', direction: 'up', sure: true });
    expect(shareChange(2, 10, 1, 10)).toMatchObject({ sure: false, direction: 'up' });
    expect(shareChange(0, 1_000, 50, 1_000)).toMatchObject({ direction: 'down', sure: true });
    expect(shareChange(1, 10, 0, 0)).toBeNull();
    expect(shareChange(0, 10, 0, 10)).toEqual({ words: '±0', direction: 'same', sure: false });
  });

  it('of a percentile needs enough tasks, and more than its error', () => {
    expect(timeChange(2, 1, 100, 100)).toEqual({ words: '+100 %', direction: 'up', sure: true });
    expect(timeChange(2, 1, 100, 10)?.sure).toBe(false);
    expect(timeChange(1.05, 1, 1_000, 1_000)?.sure).toBe(false);
    expect(timeChange(null, 1, 5, 5)).toBeNull();
    expect(timeChange(1, 0, 5, 5)).toBeNull();
  });
});

describe('the calendar', () => {
  const day = (date: string, hour: number, tasks: number, failed: number) => ({
    date,
    tasks: Array.from({ length: 24 }, (_, at) => (at === hour ? tasks : 0)),
    failed: Array.from({ length: 24 }, (_, at) => (at === hour ? failed : 0)),
  });
  const days = calendarDays({ days: [day('2026-10-24', 5, 100, 0), day('2026-10-26', 7, 10, 5)] });

  it('has every day between, the newest first', () => {
    expect(days.map(({ date, day: word }) => `${word} ${date}`)).toEqual(['Mon 2026-10-26', 'Sun 2026-10-25', 'Sat 2026-10-24']);
    expect(days.every(({ hours }) => hours.length === 24)).toBe(true);
    expect(calendarDays({ days: [] })).toEqual([]);
  });

  it('says how bad an hour was', () => {
    expect(days[0]?.hours[7]).toMatchObject({ tasks: 10, failed: 5, level: 4, words: '5 of 10 tasks failed (50 %)' });
    expect(days[2]?.hours[5]).toMatchObject({ level: 0, words: '0 of 100 tasks failed (0 %)' });
    expect(days[1]?.hours[0]).toMatchObject({ level: 0, words: 'no task ended' });
    expect(worstHours(days)).toMatchObject([{ date: '2026-10-26', hour: 7 }]);
  });
});

it('says type and place in few words', () => {
  expect(typeWord('shop.errors.OutOfStock')).toBe('OutOfStock');
  expect(typeWord('')).toBe('unknown type');
  expect(placeWords('shop/mail.py', 'send')).toBe('shop/mail.py in send');
  expect(placeWords('', 'send')).toBe('');
});
