/** Arithmetic of colours, for the tests of tokens.css and the gallery. Not part of the page. */

export type Rgb = readonly [number, number, number]; // 0 to 1, as written (gamma-encoded)
type Triple = readonly [number, number, number];
type Matrix = readonly [Triple, Triple, Triple];

export function parse(hex: string): Rgb {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255);
  if (r === undefined || g === undefined || b === undefined || Number.isNaN(r + g + b)) {
    throw new Error(`not a colour of the form #rrggbb: ${hex}`);
  }
  return [r, g, b];
}

const each = ([a, b, c]: Triple, f: (value: number) => number): Triple => [f(a), f(b), f(c)];
const dot = ([a, b, c]: Triple, [x, y, z]: Triple) => a * x + b * y + c * z;
const times = ([p, q, r]: Matrix, v: Triple): Triple => [dot(p, v), dot(q, v), dot(r, v)];

const linear = (rgb: Rgb) =>
  each(rgb, (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
const encoded = (rgb: Triple): Rgb =>
  each(rgb, (v) => {
    const inside = Math.min(1, Math.max(0, v));
    return inside <= 0.0031308 ? 12.92 * inside : 1.055 * inside ** (1 / 2.4) - 0.055;
  });

/** WCAG 2's contrast ratio: 1 to 21. */
export function contrast(one: Rgb, other: Rgb): number {
  const [low = 0, high = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

function luminance(rgb: Rgb): number {
  return dot([0.2126, 0.7152, 0.0722], linear(rgb));
}

/** `top` at `part` opacity over `below`, as browsers mix: on the encoded values. */
export function over(top: Rgb, part: number, below: Rgb): Rgb {
  const mix = (at: 0 | 1 | 2) => top[at] * part + below[at] * (1 - part);
  return [mix(0), mix(1), mix(2)];
}

// Machado, Oliveira, Fernandes 2009, severity 1.0, on linear RGB.
const SEEN: Record<'protanopia' | 'deuteranopia' | 'tritanopia', Matrix> = {
  protanopia: [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
  deuteranopia: [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
  tritanopia: [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
};

export type Sight = 'usual' | keyof typeof SEEN;
export const SIGHTS: readonly Sight[] = ['usual', 'protanopia', 'deuteranopia', 'tritanopia'];

/** The colour as people with that sight see it. */
export function seen(rgb: Rgb, sight: Sight): Rgb {
  return sight === 'usual' ? rgb : encoded(times(SEEN[sight], linear(rgb)));
}

const TO_XYZ: Matrix = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]];
const WHITE: Triple = [0.95047, 1, 1.08883];

/** CIE L*a*b* under D65. */
export function lab(rgb: Rgb): Triple {
  const xyz = times(TO_XYZ, linear(rgb));
  const f = (at: 0 | 1 | 2) => {
    const t = xyz[at] / WHITE[at];
    return t > 216 / 24389 ? Math.cbrt(t) : ((24389 / 27) * t + 16) / 116;
  };
  return [116 * f(1) - 16, 500 * (f(0) - f(1)), 200 * (f(1) - f(2))];
}

const RAD = Math.PI / 180;
const sin = (degrees: number) => Math.sin(degrees * RAD);
const cos = (degrees: number) => Math.cos(degrees * RAD);

/** CIEDE2000 between two colours in L*a*b*: 1 is just visible side by side, 10 at a glance. */
export function difference([l1, a1, b1]: Triple, [l2, a2, b2]: Triple): number {
  const bend = (chroma: number) => Math.sqrt(chroma ** 7 / (chroma ** 7 + 25 ** 7));
  const g = 0.5 * (1 - bend((Math.hypot(a1, b1) + Math.hypot(a2, b2)) / 2));
  const [c1, c2] = [Math.hypot(a1 * (1 + g), b1), Math.hypot(a2 * (1 + g), b2)];
  const hue = (a: number, b: number) => (a === 0 && b === 0 ? 0 : (Math.atan2(b, a * (1 + g)) / RAD + 360) % 360);
  const [h1, h2] = [hue(a1, b1), hue(a2, b2)];
  const grey = c1 * c2 === 0;
  const turn = grey ? 0 : ((h2 - h1 + 540) % 360) - 180;
  const [dL, dC, dH] = [l2 - l1, c2 - c1, 2 * Math.sqrt(c1 * c2) * sin(turn / 2)];
  const [l, c] = [(l1 + l2) / 2, (c1 + c2) / 2];
  const h = grey ? h1 + h2 : (h1 + turn / 2 + 360) % 360;
  const t = 1 - 0.17 * cos(h - 30) + 0.24 * cos(2 * h) + 0.32 * cos(3 * h + 6) - 0.2 * cos(4 * h - 63);
  const sL = 1 + (0.015 * (l - 50) ** 2) / Math.sqrt(20 + (l - 50) ** 2);
  const [sC, sH] = [1 + 0.045 * c, 1 + 0.015 * c * t];
  const rT = -2 * bend(c) * sin(60 * Math.exp(-(((h - 275) / 25) ** 2)));
  return Math.sqrt((dL / sL) ** 2 + (dC / sC) ** 2 + (dH / sH) ** 2 + rT * (dC / sC) * (dH / sH));
}

/** How different two colours look to people with that sight. */
export function apart(one: Rgb, other: Rgb, sight: Sight): number {
  return difference(lab(seen(one, sight)), lab(seen(other, sight)));
}

/** The custom properties of one theme in tokens.css that are plain colours: `--ink` → `#191e14`. */
export function colours(tokens: string, theme: 'light' | 'dark'): Map<string, string> {
  const rules = [...tokens.matchAll(/:root\[data-[\w-]+='(\w+)'\] \{([^}]*)\}/g)];
  const body = rules.filter(([, name]) => name === theme).map(([, , text]) => text).join('');
  return new Map([...body.matchAll(/(--[\w-]+): (#[0-9a-f]{6});/g)].map(([, name = '', hex = '']) => [name, hex]));
}
