/** The query part of an address as plain words: repeated keys are lists, no JSON in sight. */

export type Search = Record<string, string | string[]>;

export function parseSearch(query: string): Search {
  const search: Search = {};
  for (const [key, value] of new URLSearchParams(query)) {
    const known = Object.hasOwn(search, key) ? search[key] : undefined;
    if (known === undefined) search[key] = value;
    else search[key] = Array.isArray(known) ? [...known, value] : [known, value];
  }
  return search;
}

export function stringifySearch(search: Record<string, unknown>): string {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(search)) {
    for (const item of Array.isArray(value) ? (value as unknown[]) : [value]) {
      if (typeof item === 'string' && item !== '') parameters.append(key, item);
    }
  }
  const query = parameters.toString().replaceAll('%40', '@').replaceAll('%2C', ',').replaceAll('%3A', ':');
  return query ? `?${query}` : '';
}

/** One value of a key that may be missing or repeated. */
export function one(value: unknown): string {
  const first: unknown = Array.isArray(value) ? value[0] : value;
  return typeof first === 'string' ? first : '';
}

export function many(value: unknown): string[] {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return [...new Set(list.filter((item): item is string => typeof item === 'string' && item !== ''))];
}
