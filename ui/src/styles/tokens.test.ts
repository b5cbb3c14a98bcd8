import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { type Glyph, type Tone, look } from '~/lib/states';

import { SIGHTS, apart, colours, contrast, parse } from './colour';

const TOKENS = readFileSync(join(import.meta.dirname, 'tokens.css'), 'utf8');
// One state for each tone that tells of something.
const STATES = ['PENDING', 'STARTED', 'SUCCESS', 'FAILURE', 'RETRY', 'REVOKED', 'REJECTED', 'LOST', 'CUSTOM'];
const TONES = STATES.map((state) => look(state).tone);
// What an operator looks for all day: told apart by colour alone, whoever looks.
const DAILY: readonly Tone[] = ['waiting', 'running', 'success', 'failure', 'retry'];
const CHARTS = [
  ['success', 'failure', 'retry', 'waiting'],
  ['p50', 'p95', 'p99'],
] as const;

const AT_A_GLANCE = 9; // CIEDE2000
const BESIDE_A_SHAPE = 5; // for pairs that are seldom side by side, and differ in shape too
const TEXT = 4.5; // WCAG 2 AA
const GRAPHICS = 3;

describe.each(['light', 'dark'] as const)('in the %s theme', (theme) => {
  const named = colours(TOKENS, theme);
  const colour = (name: string) => {
    const hex = named.get(`--${name}`);
    if (!hex) throw new Error(`tokens.css has no plain colour --${name} for ${theme}`);
    return parse(hex);
  };
  const pairs = (names: readonly string[]) =>
    names.flatMap((one, index) => names.slice(index + 1).map((other) => [one, other] as const));

  it.each(['ink', 'ink-2', 'ink-3', 'accent', 'accent-strong', ...TONES])('--%s is readable on every ground', (ink) => {
    const own = TONES.some((tone) => tone === ink) ? [`${ink}-soft`] : [];
    for (const ground of ['ground', 'surface', 'surface-2', 'surface-3', ...own]) {
      expect(contrast(colour(ink), colour(ground)), `on ${ground}`).toBeGreaterThanOrEqual(TEXT);
    }
  });

  it('text that explains a pill or a banner is readable on it', () => {
    for (const tone of [...TONES, 'accent']) {
      for (const ink of ['ink', 'ink-2']) {
        expect(contrast(colour(ink), colour(`${tone}-soft`)), `${ink} on ${tone}`).toBeGreaterThanOrEqual(TEXT);
      }
    }
    expect(contrast(colour('accent-ink'), colour('accent'))).toBeGreaterThanOrEqual(TEXT);
    expect(contrast(colour('accent-ink'), colour('accent-strong'))).toBeGreaterThanOrEqual(TEXT);
  });

  it('the focus ring stands out from every ground', () => {
    for (const ground of ['ground', 'surface', 'surface-2', 'surface-3']) {
      expect(contrast(colour('accent'), colour(ground)), ground).toBeGreaterThanOrEqual(GRAPHICS);
    }
  });

  it.each(SIGHTS)('the daily states are told apart by colour alone with %s sight', (sight) => {
    for (const [one, other] of pairs(DAILY)) {
      const far = apart(colour(one), colour(other), sight);
      expect(far, `${one} and ${other}`).toBeGreaterThanOrEqual(AT_A_GLANCE);
    }
  });

  it.each(SIGHTS)('no two states look the same with %s sight', (sight) => {
    for (const [one, other] of pairs(TONES)) {
      const far = apart(colour(one), colour(other), sight);
      expect(far, `${one} and ${other}`).toBeGreaterThanOrEqual(BESIDE_A_SHAPE);
    }
  });

  it.each(SIGHTS)('the lines of a chart are told apart with %s sight', (sight) => {
    for (const [one, other] of CHARTS.flatMap(pairs)) {
      const far = apart(colour(`chart-${one}`), colour(`chart-${other}`), sight);
      expect(far, `${one} and ${other}`).toBeGreaterThanOrEqual(AT_A_GLANCE);
    }
  });

  it('the lines of a chart stand out from the panel', () => {
    for (const name of CHARTS.flat()) {
      expect(contrast(colour(`chart-${name}`), colour('surface')), name).toBeGreaterThanOrEqual(GRAPHICS);
    }
  });
});

it('every state has a shape of its own', () => {
  const shapes = new Set<Glyph>([...STATES, 'RECEIVED'].map((state) => look(state).glyph));
  expect(shapes.size).toBe(STATES.length + 1);
});
