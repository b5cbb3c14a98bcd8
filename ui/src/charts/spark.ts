/** A line without scales, as the path of an SVG. Pure. */

export interface SparkPaths {
  line: string;
  area: string; // under the line, per run of values: a hole stays a hole
}

interface SparkInput {
  times: readonly number[];
  values: readonly (number | null)[];
  window: readonly [number, number];
  width: number;
  height: number;
}

/** Nought lies at the bottom; the highest value at the top, and never less than one. */
export function sparkPaths({ times, values, window: [from, to], width, height }: SparkInput): SparkPaths {
  const top = Math.max(1, ...values.map((value) => value ?? 0));
  const x = (at: number) => round(((at - from) / (to - from)) * width);
  const y = (value: number) => round(height - (value / top) * height);
  const lines: string[] = [];
  const areas: string[] = [];
  for (const run of runs(times, values, from)) {
    const points = run.map(([at, value]) => `${x(at)} ${y(value)}`);
    const [first, last] = [run[0], run.at(-1)];
    if (!first || !last) continue;
    // One value alone is a dot: a line of no length with round ends.
    lines.push(points.length === 1 ? `M${points[0] ?? ''}h0` : `M${points.join('L')}`);
    areas.push(`M${x(first[0])} ${height}L${points.join('L')}L${x(last[0])} ${height}Z`);
  }
  return { line: lines.join(''), area: areas.join('') };
}

function runs(
  times: readonly number[],
  values: readonly (number | null)[],
  from: number,
): [at: number, value: number][][] {
  const found: [number, number][][] = [];
  let open = false;
  for (const [index, at] of times.entries()) {
    const value = values[index] ?? null;
    if (value === null || at < from) {
      open = false;
      continue;
    }
    if (!open) found.push([]);
    open = true;
    found.at(-1)?.push([at, value]);
  }
  return found;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
