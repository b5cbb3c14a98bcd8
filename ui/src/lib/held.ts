/** Lists of tasks that the stream, the server and the reader each have a say in. Pure. */

import type { TaskRow } from '~/api/client';

/**
 * Adds what lies below the rows shown. The rows shown keep their places; of a newer, longer
 * answer only what comes after the last of them is taken.
 */
export function extend(shown: readonly TaskRow[], longer: readonly TaskRow[]): TaskRow[] {
  const known = new Set(shown.map(({ uuid }) => uuid));
  let after = longer.length - 1;
  while (after >= 0 && !known.has(longer[after]?.uuid ?? '')) after -= 1;
  return [...shown, ...longer.slice(after + 1)];
}

/**
 * What the stream told last, and below it what was fetched before and is older. Both are in the
 * stream's order, the newest change first; there are not more than `most`.
 */
export function merged(
  told: readonly TaskRow[],
  fetched: readonly TaskRow[],
  most: number,
): readonly TaskRow[] {
  const known = new Set(told.map(({ uuid }) => uuid));
  const oldest = told.at(-1)?.state_at ?? Infinity;
  const below = fetched.filter(({ uuid, state_at }) => state_at <= oldest && !known.has(uuid));
  return [...told, ...below].slice(0, most);
}
