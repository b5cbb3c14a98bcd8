/** Numbers and durations as people read them. Pure; nothing here knows the page. */

export const NONE = '–'; // what stands where there is no value

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/** 1234567 → 1,234,567 */
export function count(value: number | null | undefined): string {
  return isNumber(value) ? whole.format(value) : NONE;
}

const STEPS = [
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
] as const;

/** At most four digits: 999, 1.23k, 45.6k, 789k, 1.2M. */
export function compact(value: number | null | undefined): string {
  if (!isNumber(value)) return NONE;
  for (const [size, suffix] of STEPS) {
    // 999,950 would round to 1000k; it is 1.00M.
    if (Math.abs(value) >= size * 0.9995) return `${significant(value / size)}${suffix}`;
  }
  return whole.format(value);
}

/** A rate a second: 0, 0.4, 12.3, 456, 7.89k. */
export function rate(value: number | null | undefined): string {
  if (!isNumber(value)) return NONE;
  if (value === 0) return '0';
  if (Math.abs(value) < 0.05) return '<0.1';
  if (Math.abs(value) < 99.95) return value.toFixed(1);
  return compact(value);
}

/** A mark of an axis: 0, 0.25, 40, 1.5k. */
export function tick(value: number): string {
  return Math.abs(value) < 1000
    ? String(Number(value.toPrecision(6)))
    : compact(value).replace(/\.?0+(?=[kMG])/, '');
}

/** A part of a whole in per cent: 0, <0.1, 2.4, 37. Null when there is no whole. */
export function share(part: number, whole: number): number | null {
  return whole > 0 ? (100 * part) / whole : null;
}

export function percent(value: number | null | undefined): string {
  if (!isNumber(value)) return NONE;
  if (value === 0) return '0';
  if (value < 0.1) return '<0.1';
  return value < 9.95 ? value.toFixed(1) : value.toFixed(0);
}

/** Seconds as one readable figure: 0 s, 850 µs, 12 ms, 1.24 s, 12.4 s, 2 m 05 s, 3 h 20 m, 2 d 4 h. */
export function duration(seconds: number | null | undefined): string {
  if (!isNumber(seconds)) return NONE;
  if (seconds < 0) return `−${duration(-seconds)}`;
  if (seconds === 0) return '0 s';
  if (seconds < 0.0009995) return `${significant(seconds * 1e6)} µs`;
  if (seconds < 0.9995) return `${significant(seconds * 1e3)} ms`;
  if (seconds < 9.995) return `${seconds.toFixed(2)} s`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  return long(Math.round(seconds));
}

/** Seconds without parts of a second, for ages: 0 s, 12 s, 2 m 05 s, 3 h 20 m. */
export function age(seconds: number | null | undefined): string {
  if (!isNumber(seconds)) return NONE;
  const rounded = Math.max(0, Math.floor(seconds));
  return rounded < 60 ? `${rounded} s` : long(rounded);
}

function long(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} m ${pad(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${pad(minutes % 60)} m`;
  return `${whole.format(Math.floor(hours / 24))} d ${hours % 24} h`;
}

const SIZES = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

/** Bytes, decimal: 0 B, 12.3 kB, 4.56 MB. */
export function bytes(value: number | null | undefined): string {
  if (!isNumber(value)) return NONE;
  let size = value;
  let step = 0;
  while (size >= 999.5 && step < SIZES.length - 1) {
    size /= 1000;
    step += 1;
  }
  return `${step === 0 ? whole.format(size) : significant(size)} ${SIZES[step] ?? ''}`;
}

/** `1 task`, `2 tasks` */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${whole.format(value)} ${value === 1 ? one : many}`;
}

function significant(value: number): string {
  const size = Math.abs(value);
  if (size >= 99.95) return value.toFixed(0);
  return size >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}

function pad(value: number): string {
  return String(value).padStart(2, '0');
}

function isNumber(value: number | null | undefined): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}
