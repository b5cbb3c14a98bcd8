/**
 * Lines over time on a canvas: what is around uPlot. Knows neither React nor the page, so that
 * whatever draws can use it. Colours are custom properties of the theme, read when it changes.
 */

import 'uplot/dist/uPlot.min.css';

import uPlot from 'uplot';

import { tick } from '~/lib/format';
import { dayOf, timeOfDay } from '~/lib/time';

import { type Range, decades, extent, linear, logarithmic, lonely } from './scale';

export interface Line {
  key: string;
  label: string;
  colour: string; // a custom property of tokens.css: `--chart-success`
  filled?: boolean;
  dash?: readonly number[]; // pixels on and off: lines of one colour are told apart
}

export interface GapSpan {
  start: number;
  end: number;
  reason: string;
}

export interface Drawing {
  times: readonly number[];
  values: readonly (readonly (number | null)[])[]; // of each line; of one that is off: empty
  window: Range;
  gaps: readonly GapSpan[];
}

export interface PlotOptions {
  lines: readonly Line[];
  height: number;
  scale: 'linear' | 'log';
  least: number; // what a linear scale reaches at least; from 1 on its marks are whole numbers
  mark: (value: number) => string; // the values at the scale
  title: (gap: GapSpan) => string;
  crosshair: string | null; // charts of one name point at the same moment
  onPoint: (index: number | null) => void;
  onSpan: ((from: number, to: number) => void) | null; // the mouse was drawn over it
}

// An ambient const enum: its value cannot be named in a module of its own.
const LOG: { distr: number } = { distr: 3 };
const FONT = '11px "Geist Variable", system-ui, sans-serif';
const STEPS_SECONDS = [1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 432_000, 864_000, 2_592_000];
const WHOLE_STEPS = Array.from({ length: 10 }, (_, power) => [1, 2, 5].map((step) => step * 10 ** power)).flat();
const SPAN_PIXELS = 6; // less is a click

export class TimePlot {
  readonly #host: HTMLElement;
  readonly #options: PlotOptions;
  readonly #plot: uPlot;
  readonly #bands: HTMLElement;
  readonly #watching: (() => void)[] = [];
  #colours = new Map<string, string>();
  #drawing: Drawing = { times: [], values: [], window: [0, 1], gaps: [] };
  #range: Range | null = null;

  constructor(host: HTMLElement, options: PlotOptions) {
    this.#host = host;
    this.#options = options;
    this.#plot = new uPlot(this.#uplot(), [[]], host);
    this.#bands = document.createElement('div');
    this.#plot.over.prepend(this.#bands);
    this.#watch();
  }

  draw(drawing: Drawing): void {
    const before = this.#drawing;
    this.#drawing = drawing;
    const { scale, least } = this.#options;
    const [low, high] = extent(drawing.values);
    this.#range = scale === 'log' ? logarithmic(this.#range, low, high) : linear(this.#range, Math.max(high ?? 0, least));
    const floor = this.#range[0];
    // Nought has no logarithm: it is drawn at the bottom.
    const shown = (value: number | null) => (value !== null && value < floor ? floor : value);
    const values = drawing.values.map((line) => (scale === 'log' ? line.map(shown) : [...line]));
    this.#plot.setData([[...drawing.times], ...values]);
    if (before.gaps !== drawing.gaps || before.window !== drawing.window) this.#drawGaps();
  }

  destroy(): void {
    for (const stop of this.#watching) stop();
    this.#plot.destroy();
  }

  #watch(): void {
    const resized = new ResizeObserver(([entry]) => {
      const width = Math.floor(entry?.contentRect.width ?? 0);
      if (width <= 0 || width === this.#plot.width) return;
      this.#plot.setSize({ width, height: this.#options.height });
      this.#drawGaps();
    });
    resized.observe(this.#host);
    const themed = new MutationObserver(() => {
      this.#colours.clear();
      this.#plot.redraw(false);
    });
    themed.observe(document.documentElement, { attributeFilter: ['data-theme', 'data-theme'] });
    this.#watching.push(() => resized.disconnect(), () => themed.disconnect());
  }

  #colour(name: string): string {
    const known = this.#colours.get(name);
    if (known !== undefined) return known;
    const read = getComputedStyle(this.#host).getPropertyValue(name).trim();
    this.#colours.set(name, read);
    return read;
  }

  #uplot(): uPlot.Options {
    const { lines, height, mark, scale, least, crosshair, onPoint } = this.#options;
    const axis: uPlot.Axis = { stroke: () => this.#colour('--ink-3'), font: FONT, ticks: { show: false } };
    const log = scale === 'log';
    return {
      width: Math.max(1, this.#host.clientWidth),
      height,
      padding: [8, 18, 0, 0], // half of a time on the right
      legend: { show: false },
      cursor: this.#cursor(crosshair),
      select: { show: true, left: 0, top: 0, width: 0, height: 0 },
      scales: {
        x: { time: true, range: () => [...this.#drawing.window] },
        y: { ...(log && LOG), range: () => [...(this.#range ?? [0, 1])] },
      },
      axes: [
        {
          ...axis,
          size: 26,
          grid: { show: false },
          incrs: STEPS_SECONDS,
          space: 88,
          values: (_, splits, __, ___, step) => splits.map((at) => moment(at, step)),
        },
        {
          ...axis,
          size: log ? 56 : 46,
          gap: 6,
          space: 36,
          grid: { stroke: () => this.#colour('--chart-grid'), width: 1 },
          ...(least >= 1 && { incrs: WHOLE_STEPS }),
          ...(log && { splits: (u) => decades(this.#range ?? [0.001, 10], 1 + Math.floor(u.over.clientHeight / 30)), filter: (_, splits) => splits }),
          values: (_, splits) => splits.map((value) => (log ? mark(value) : tick(value))),
        },
      ],
      series: [{}, ...lines.map((line) => this.#series(line))],
      hooks: {
        setCursor: [({ cursor }) => onPoint((cursor.left ?? -1) < 0 ? null : (cursor.idx ?? null))],
        setSelect: [(u) => this.#selected(u)],
      },
    };
  }

  #series({ colour, filled = false, dash }: Line): uPlot.Series {
    const stroke = () => this.#colour(colour);
    return {
      stroke,
      width: 1.6,
      ...(filled && { fill: () => `color-mix(in srgb, ${stroke()} 14%, transparent)` }),
      ...(dash && { dash: [...dash] }),
      // Points are drawn where no line is: between two holes.
      points: { show: false, size: 4, fill: stroke, filter: (u, index) => lonely(u.data[index] as (number | null)[]) },
    };
  }

  #cursor(crosshair: string | null): uPlot.Cursor {
    // A span drawn over one chart is that chart's own.
    const pointing = (type: string) => type === 'mousemove' || type === 'mouseleave';
    return {
      y: false,
      points: { size: 7 },
      drag: { x: this.#options.onSpan !== null, y: false, setScale: false, dist: SPAN_PIXELS },
      ...(crosshair !== null && {
        sync: { key: crosshair, setSeries: false, scales: ['x', null], filters: { pub: pointing } },
      }),
    };
  }

  #selected(u: uPlot): void {
    const { left, width } = u.select;
    if (width < SPAN_PIXELS) return;
    const [from, to] = [u.posToVal(left, 'x'), u.posToVal(left + width, 'x')];
    u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.#options.onSpan?.(from, to);
  }

  /** Elements, not strokes: they have titles, and follow the theme by themselves. */
  #drawGaps(): void {
    const { gaps, window: [from, to] } = this.#drawing;
    const percent = (at: number) => (100 * (Math.min(Math.max(at, from), to) - from)) / (to - from);
    this.#bands.replaceChildren(
      ...gaps.map((gap) => {
        const band = document.createElement('div');
        band.className = 'chart-gap';
        band.title = this.#options.title(gap);
        band.style.left = `${percent(gap.start)}%`;
        band.style.width = `${percent(gap.end) - percent(gap.start)}%`;
        return band;
      }),
    );
  }
}

/** A mark of the time axis: `14:03`; at midnight, and where the marks are days, `11-23`. */
function moment(at: number, step: number): string {
  const clock = timeOfDay(at).slice(0, step < 60 ? 8 : 5);
  return step >= 86_400 || (step >= 3_600 && clock === '00:00') ? dayOf(at).slice(5) : clock;
}
