/**
 * Lines over time on a canvas, with what a canvas lacks: a description, a legend that is made of
 * buttons, and the same numbers as a table.
 */

import { useComputedColorScheme } from '@mantine/core';
import { useEffect, useMemo, useRef, useState } from 'react';
import uPlot from 'uplot';

import table from '~/components/Table.module.css';
import { tick } from '~/lib/format';
import { timeOfDay } from '~/lib/time';

import styles from './TimeChart.module.css';

export interface Line {
  key: string;
  label: string;
  colour: string; // a custom property of tokens.css: `--chart-success`
  filled?: boolean;
}

interface TimeChartProps {
  label: string; // what is drawn, for those who do not see it
  lines: readonly Line[];
  times: readonly number[];
  values: Readonly<Record<string, readonly number[]>>;
  window: readonly [number, number];
  gaps: readonly { start: number; end: number }[];
  format: (value: number) => string;
  view: 'chart' | 'table';
  height?: number;
}

export function TimeChart(props: TimeChartProps) {
  const { label, lines, times, values, format, view, height = 220 } = props;
  const [off, setOff] = useState<ReadonlySet<string>>(new Set());
  const [pointed, setPointed] = useState<number | null>(null);
  const last = times.length - 1;
  const shown = pointed !== null && pointed <= last ? pointed : last;
  const toggle = (key: string) => {
    const next = new Set(off);
    if (!next.delete(key)) next.add(key);
    setOff(next);
  };
  const describe = ({ key, label: name }: Line) =>
    `${name} ${last < 0 ? 'unknown' : format(values[key]?.[last] ?? 0)}`;
  return (
    <div className={styles.chart}>
      <div className={styles.legend} role="group" aria-label="Lines shown">
        {lines.map(({ key, label: name, colour }) => (
          <button
            key={key}
            type="button"
            className={styles.key}
            aria-pressed={!off.has(key)}
            onClick={() => toggle(key)}
          >
            <span className={styles.swatch} style={{ background: `var(${colour})` }} />
            <span className={styles.label}>{name}</span>
            <span className={styles.value}>
              {shown < 0 ? '–' : format(values[key]?.[shown] ?? 0)}
            </span>
          </button>
        ))}
        <span className={styles.moment}>
          {pointed !== null && shown >= 0 ? timeOfDay(times[shown] ?? 0).slice(0, 8) : 'now'}
        </span>
      </div>
      {view === 'chart' ? (
        <div
          className={styles.plot}
          style={{ height }}
          role="img"
          aria-label={`${label}. Latest: ${lines.map(describe).join(', ')}.`}
        >
          <Plot {...props} off={off} height={height} onPoint={setPointed} />
        </div>
      ) : (
        <Rows {...props} height={height} />
      )}
    </div>
  );
}

function Rows({ label, lines, times, values, format, height }: TimeChartProps) {
  const newestFirst = times.map((_, index) => times.length - 1 - index);
  return (
    <div className={styles.rows} style={{ height }} tabIndex={0} role="region" aria-label={label}>
      <table className={table.table}>
        <thead>
          <tr>
            <th>Time</th>
            {lines.map((line) => (
              <th key={line.key} className={table.number}>
                {line.label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {newestFirst.map((index) => (
            <tr key={times[index]}>
              <td>{timeOfDay(times[index] ?? 0).slice(0, 8)}</td>
              {lines.map(({ key }) => (
                <td key={key} className={table.number}>
                  {format(values[key]?.[index] ?? 0)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface PlotProps extends TimeChartProps {
  off: ReadonlySet<string>;
  height: number;
  onPoint: (index: number | null) => void;
}

function Plot({ lines, times, values, window: span, gaps, off, height, onPoint }: PlotProps) {
  const scheme = useComputedColorScheme('light');
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  // What the drawing hooks read; changed in effects, never while rendering.
  const facts = useRef({ span, gaps, onPoint });

  useEffect(() => {
    facts.current = { span, gaps, onPoint };
  });

  useEffect(() => {
    const element = host.current;
    if (!element) return;
    const made = new uPlot(options(lines, facts, element, height), [[]], element);
    plot.current = made;
    const observer = new ResizeObserver(([entry]) => {
      const width = Math.floor(entry?.contentRect.width ?? 0);
      if (width > 0) made.setSize({ width, height });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
    // The scheme is what the colours are read under.
  }, [lines, height, scheme]);

  const data = useMemo(
    () => [[...times], ...lines.map(({ key }) => (off.has(key) ? [] : [...(values[key] ?? [])]))],
    [lines, times, values, off],
  );

  useEffect(() => {
    plot.current?.setData(data as uPlot.AlignedData);
  }, [data, span, gaps, scheme, height, lines]);

  return <div ref={host} />;
}

interface Facts {
  current: {
    span: readonly [number, number];
    gaps: readonly { start: number; end: number }[];
    onPoint: (index: number | null) => void;
  };
}

function options(
  lines: readonly Line[],
  facts: Facts,
  element: HTMLElement,
  height: number,
): uPlot.Options {
  const colour = (name: string) => getComputedStyle(element).getPropertyValue(name).trim();
  const font = '11px "Geist Variable", system-ui, sans-serif';
  const axis = { stroke: colour('--ink-3'), font, ticks: { show: false } };
  return {
    width: Math.max(1, element.clientWidth),
    height,
    padding: [8, 4, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { size: 7 }, drag: { x: false, y: false } },
    scales: {
      x: { time: true, range: () => [...facts.current.span] as [number, number] },
      y: { range: (_, __, top) => [0, ceiling(top)] },
    },
    axes: [
      {
        ...axis,
        size: 26,
        grid: { show: false },
        incrs: [60],
        values: (_, splits) => splits.map((at) => timeOfDay(at).slice(0, 5)),
      },
      {
        ...axis,
        size: 46,
        gap: 6,
        space: 36,
        grid: { stroke: colour('--chart-grid'), width: 1 },
        values: (_, splits) => splits.map(tick),
      },
    ],
    series: [
      {},
      ...lines.map((line) => {
        const stroke = colour(line.colour);
        const fill = line.filled ? `color-mix(in srgb, ${stroke} 14%, transparent)` : undefined;
        return { stroke, fill, width: 1.6, points: { show: false } };
      }),
    ],
    hooks: {
      drawClear: [(u) => drawGaps(u, facts.current.gaps, colour('--chart-gap'))],
      setCursor: [(u) => facts.current.onPoint(u.cursor.left === -10 ? null : (u.cursor.idx ?? null))],
    },
  };
}

/** A round top above the highest value, so that the scale seldom changes. */
function ceiling(top: number | null): number {
  if (top === null || !(top > 0)) return 1;
  const size = 10 ** Math.floor(Math.log10(top));
  const steps = [1.2, 1.5, 2, 3, 4, 5, 6, 8, 10];
  return (steps.find((step) => step * size >= top * 1.05) ?? 12) * size;
}

function drawGaps(u: uPlot, gaps: readonly { start: number; end: number }[], fill: string): void {
  u.ctx.save();
  u.ctx.fillStyle = fill;
  for (const { start, end } of gaps) {
    const left = u.valToPos(start, 'x', true);
    const width = Math.max(2, u.valToPos(end, 'x', true) - left);
    u.ctx.fillRect(left, u.bbox.top, width, u.bbox.height);
  }
  u.ctx.restore();
}
