import { expect, it } from 'vitest';

import { COLUMNS, DEFAULT_COLUMNS, fitting, readColumns, template, toggleColumn, writeColumns } from './task-columns';

const all = COLUMNS.map(({ id }) => id);
const ids = (width: number) => fitting(all, width, 12).map(({ id }) => id);

it('shows all that is chosen where there is room', () => {
  expect(ids(3000)).toEqual(all);
});

it('gives up the least needed first, and keeps what a row cannot do without', () => {
  expect(ids(380)).toEqual(['state', 'name', 'runtime']);
  expect(ids(10)).toEqual(['state', 'name', 'runtime']);
  expect(fitting(['state', 'name', 'queue'], 10, 12).map(({ id }) => id)).toEqual(['state', 'name', 'queue']);
});

it('never needs more room than there is', () => {
  for (let width = 380; width < 1800; width += 10) {
    const columns = fitting(all, width, 12);
    if (columns.length === 3) continue;
    expect(columns.reduce((sum, { least }) => sum + least + 12, 0)).toBeLessThanOrEqual(width);
  }
});

it('reads from an address what it wrote there, and nothing else', () => {
  expect(readColumns(writeColumns(DEFAULT_COLUMNS))).toEqual(DEFAULT_COLUMNS);
  expect(readColumns('runtime,nonsense')).toEqual(['state', 'name', 'runtime']);
  expect(readColumns('')).toBeNull();
  expect(readColumns('nonsense')).toBeNull();
});

it('adds and takes away columns, in their order', () => {
  expect(toggleColumn(['state', 'name', 'runtime'], 'queue')).toEqual(['state', 'name', 'queue', 'runtime']);
  expect(toggleColumn(['state', 'name', 'runtime'], 'runtime')).toEqual(['state', 'name']);
  expect(toggleColumn(['state', 'name'], 'name')).toEqual(['state', 'name']);
});

it('lets long names shrink rather than the rest', () => {
  expect(template(fitting(['state', 'name', 'runtime'], 380, 12))).toBe('104px minmax(0, 3fr) 78px');
});
