/** A list that is held still while someone reads it. Pure. */

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
