/**
 * Lines over time on a canvas, with what a canvas lacks: a description, a legend that is made of
 * buttons, and the same numbers as a table. The drawing itself is `engine.ts`, which comes after
 * the page's first figures; its place is kept.
 */

import { useEffect, useRef, useState } from 'react';

import table from '~/components/Table.module.css';
import { NONE, plural } from '~/lib/format';
import { dayOf, timeOfDay } from '~/lib/time';

import type * as Engine from './engine';
import type { GapSpan, Line, TimePlot } from './engine';
import styles from './TimeChart.module.css';

export type { GapSpan, Line } from './engine';

let loading: Promise<typeof Engine> | null = null;

function load(): Promise<typeof Engine> {
  loading ??= import('./engine').catch((error: unknown) => {
    loading = null; // asked for again by the next chart
    throw error;
  });
  return loading;
}
// Most pages have a chart: it is asked for before the first of them is drawn.
load().catch(() => undefined);

export interface TimeChartProps {
  label: string; // what is drawn, for those who do not see it
  lines: readonly Line[];
  times: readonly number[];
  values: Readonly<Record<string, readonly (number | null)[]>>; // null: a hole
  window: readonly [number, number];
  gaps: readonly GapSpan[];
  format: (value: number) => string;
  unit?: string; // after a value: `/s`
  mark?: (value: number) => string; // at a logarithmic scale; else as `format`
  scale?: 'linear' | 'log';
  fresh?: number; // seconds: how old the newest value may be to count as the latest; else 45
  least?: number; // what a linear scale reaches at least; for counts, with whole numbers as marks
  view: 'chart' | 'table';
  height?: number;
  crosshair?: string; // charts of one name point at the same moment
  /** The tasks of a span: asked for by drawing over the chart, or by a time in the table. */
  onSpan?: (from: number, to: number, shown: readonly string[]) => void;
}

export function TimeChart(props: TimeChartProps) {
  const { label, lines, times, values, format, unit = '', gaps, view, height = 220 } = props;
  const [off, setOff] = useState<ReadonlySet<string>>(new Set());
  const [pointed, setPointed] = useState<number | null>(null);
  const last = times.length - 1;
  const at = pointed !== null && pointed <= last ? pointed : null;
  const toggle = (key: string) => {
    const next = new Set(off);
    if (!next.delete(key)) next.add(key);
    setOff(next);
  };
  const told = (key: string, index: number) => {
    const value = values[key]?.[index] ?? null;
    return value === null ? NONE : format(value);
  };
  const newest = (key: string) => latest(times, values[key] ?? [], props.window[1] - (props.fresh ?? LATEST_SECONDS));
  const isLong = props.window[1] - props.window[0] > DAY_SECONDS;
  const describe = ({ key, label: name }: Line) => `${name} ${told(key, newest(key))}${unit}`;
  return (
    <div className={styles.chart}>
      <div className={styles.legend} role="group" aria-label="Lines shown">
        {lines.map((line) => (
          <button
            key={line.key}
            type="button"
            className={styles.key}
            aria-pressed={!off.has(line.key)}
            onClick={() => toggle(line.key)}
          >
            <Swatch line={line} />
            <span className={styles.label}>{line.label}</span>
            <span className={styles.value}>
              {told(line.key, at ?? newest(line.key))}
              <span className={styles.unit}>{unit}</span>
            </span>
          </button>
        ))}
      </div>
      {view === 'chart' ? (
        <div
          className={styles.plot}
          style={{ height }}
          role="img"
          aria-label={`${label}. Latest: ${lines.map(describe).join(', ')}.${gapWords(gaps)}`}
        >
          <Plot {...props} off={off} height={height} onPoint={setPointed} />
          {at !== null && <span className={styles.moment}>{moment(times[at] ?? 0, gaps, isLong)}</span>}
        </div>
      ) : (
        <Rows {...props} off={off} height={height} />
      )}
    </div>
  );
}

const DAY_SECONDS = 86_400;
const LATEST_SECONDS = 45; // what is older is not how it is now

/** The newest value that is known: the last step may have none. -1: there is none of late. */
function latest(times: readonly number[], values: readonly (number | null)[], oldest: number): number {
  const index = values.findLastIndex((value) => value !== null);
  return (times[index] ?? -Infinity) >= oldest ? index : -1;
}

function clock(at: number): string {
  return timeOfDay(at).slice(0, 8);
}

function moment(at: number, gaps: readonly GapSpan[], withDay: boolean): string {
  const deaf = gaps.some(({ start, end }) => at >= start && at <= end);
  const told = withDay ? `${dayOf(at).slice(5)} ${clock(at)}` : clock(at);
  return deaf ? `${told} not listening` : told;
}

function gapWords(gaps: readonly GapSpan[]): string {
  return gaps.length === 0 ? '' : ` ${plural(gaps.length, 'gap')}: ${gaps.map(gapTitle).join('; ')}.`;
}

function gapTitle({ start, end, reason }: GapSpan): string {
  return `nothing was heard from ${clock(start)} to ${clock(end)}${reason === '' ? '' : ` (${reason})`}`;
}

function Swatch({ line: { colour, dash } }: { line: Line }) {
  return (
    <svg className={styles.swatch} width={14} height={4} aria-hidden="true">
      <path
        d="M0 2h14"
        strokeWidth={3}
        style={{ stroke: `var(${colour})` }}
        strokeDasharray={dash?.map((length) => length / 1.5).join(' ')}
      />
    </svg>
  );
}

type ShownProps = TimeChartProps & { off: ReadonlySet<string>; height: number };

function keysOn({ lines, off }: Pick<ShownProps, 'lines' | 'off'>): string[] {
  return lines.map(({ key }) => key).filter((key) => !off.has(key));
}

function Rows(props: ShownProps) {
  const { label, lines, times, values, format, unit, gaps, height, onSpan } = props;
  const newestFirst = times.map((_, index) => times.length - 1 - index);
  const shown = keysOn(props);
  const isLong = props.window[1] - props.window[0] > DAY_SECONDS;
  return (
    <div className={styles.rows} style={{ height }} tabIndex={0} role="region" aria-label={label}>
      <table className={table.table}>
        <thead>
          <tr>
            <th>Time</th>
            {lines.map((line) => (
              <th key={line.key} className={table.number}>
                {line.label} {unit}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {newestFirst.map((index) => {
            const end = times[index] ?? 0;
            const start = times[index - 1] ?? end;
            return (
              <tr key={end}>
                <td>
                  {onSpan && start < end ? (
                    <button type="button" className={styles.span} onClick={() => onSpan(start, end, shown)}>
                      {moment(end, gaps, isLong)}
                    </button>
                  ) : (
                    moment(end, gaps, isLong)
                  )}
                </td>
                {lines.map(({ key }) => {
                  const value = values[key]?.[index] ?? null;
                  return (
                    <td key={key} className={table.number}>
                      {value === null ? NONE : format(value)}
                    </td>
                  );
                })}
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

function Plot(props: ShownProps & { onPoint: (index: number | null) => void }) {
  const { lines, times, values, window, gaps, off, height, scale = 'linear', least = 0, crosshair = null } = props;
  const host = useRef<HTMLDivElement>(null);
  const now = useRef(props); // for what the engine calls back
  const [plot, setPlot] = useState<TimePlot | 'failed' | null>(null);
  const spans = props.onSpan !== undefined;

  useEffect(() => {
    now.current = props;
  });

  useEffect(() => {
    let gone = false;
    let made: TimePlot | null = null;
    load().then(
      (engine) => {
        if (gone || !host.current) return;
        made = new engine.TimePlot(host.current, {
          lines,
          height,
          scale,
          least,
          crosshair,
          mark: (value) => (now.current.mark ?? now.current.format)(value),
          title: gapTitle,
          onPoint: (index) => now.current.onPoint(index),
          onSpan: spans ? (from, to) => now.current.onSpan?.(from, to, keysOn(now.current)) : null,
        });
        setPlot(made);
      },
      () => !gone && setPlot('failed'),
    );
    return () => {
      gone = true;
      made?.destroy();
      setPlot(null);
      now.current.onPoint(null);
    };
  }, [lines, height, scale, least, crosshair, spans]);

  useEffect(() => {
    if (plot === null || plot === 'failed') return;
    plot.draw({ times, values: lines.map(({ key }) => (off.has(key) ? [] : (values[key] ?? []))), window, gaps });
  }, [plot, lines, times, values, window, gaps, off]);

  return (
    <div ref={host}>
      {plot === 'failed' && <p className={styles.failed}>The chart did not load. The table has its numbers.</p>}
    </div>
  );
}
