/** The value scales of charts: round, and still while the lines move. Pure. */

export type Range = readonly [low: number, high: number];

const STEPS = [1, 1.2, 1.5, 2, 3, 4, 5, 6, 8, 10];

/** A round top with a little room above the highest value. */
export function ceiling(top: number | null): number {
  if (top === null || !(top > 0) || !Number.isFinite(top)) return 1;
  const size = 10 ** Math.floor(Math.log10(top));
  return (STEPS.find((step) => step * size >= top * 1.05) ?? 12) * size;
}

/** From nought. It grows when it must, and shrinks only when half of it would do. */
export function linear(before: Range | null, top: number | null): Range {
  const wanted = ceiling(top);
  const had = before?.[1] ?? 0;
  return [0, wanted > had || wanted <= had / 2 ? wanted : had];
}

const FEWEST_DECADES = 2;

/** Whole powers of ten around all values; wider at once, narrower by two decades only. */
export function logarithmic(before: Range | null, low: number | null, high: number | null): Range {
  if (low === null || high === null || !(low > 0)) return before ?? [0.001, 10];
  const from = Math.floor(Math.log10(low) + 1e-9);
  const to = Math.max(Math.ceil(Math.log10(high) - 1e-9), from + FEWEST_DECADES);
  if (!before) return [10 ** from, 10 ** to];
  const [hadFrom, hadTo] = [Math.round(Math.log10(before[0])), Math.round(Math.log10(before[1]))];
  return [
    10 ** (from < hadFrom || from >= hadFrom + 2 ? from : hadFrom),
    10 ** (to > hadTo || to <= hadTo - 2 ? to : hadTo),
  ];
}

/** The powers of ten of a range; every other one when there are too many for the room. */
export function decades([low, high]: Range, most: number): number[] {
  const from = Math.round(Math.log10(low));
  const to = Math.round(Math.log10(high));
  const step = Math.max(1, Math.ceil((to - from) / Math.max(1, most - 1)));
  const marks: number[] = [];
  for (let power = from; power <= to; power += step) marks.push(Number((10 ** power).toPrecision(1)));
  return marks;
}

/** The least value above nought and the greatest of several lines; what a log scale can show. */
export function extent(lines: readonly (readonly (number | null)[])[]): [low: number | null, high: number | null] {
  let low: number | null = null;
  let high: number | null = null;
  for (const values of lines) {
    for (const value of values) {
      if (value === null || !Number.isFinite(value)) continue;
      if (value > 0 && (low === null || value < low)) low = value;
      if (high === null || value > high) high = value;
    }
  }
  return [low, high];
}

/** Values with nothing on either side: a line through them alone is not seen. */
export function lonely(values: readonly (number | null | undefined)[]): number[] {
  const empty = (index: number) => values[index] === null || values[index] === undefined;
  return values.flatMap((_, index) => (!empty(index) && empty(index - 1) && empty(index + 1) ? [index] : []));
}
