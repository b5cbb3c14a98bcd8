/** Which count of tasks is told: that of the memory, which is of now, or that of the history. Pure. */

export interface Known {
  everything: boolean; // no query: every task matches
  ofMemory: number | null; // match, and are in memory
  inMemory: number | null; // tasks
  stored: number | null; // tasks in the history, as of a minute ago
  count: { total: number; total_whole: boolean } | null; // in the history, up to a limit
}

export interface Told {
  total: number | null;
  whole: boolean; // there are no more
  beyond: boolean; // the memory has not all of them
}

export function told({ everything, ofMemory, inMemory, stored, count }: Known): Told {
  const allInMemory = stored !== null && inMemory !== null && stored <= inMemory;
  const beyond = count !== null && !allInMemory && count.total > (ofMemory ?? 0);
  if (!beyond) {
    // What is counted up to a limit may be more than that, and more than the memory has.
    const more = everything && count?.total_whole === false && stored !== null && stored > (ofMemory ?? 0);
    return more ? { total: stored, whole: true, beyond } : { total: ofMemory, whole: true, beyond };
  }
  // All that there are is counted already, about.
  const all = everything && !count.total_whole && stored !== null && stored > count.total;
  return { total: all ? stored : count.total, whole: count.total_whole || all, beyond };
}
