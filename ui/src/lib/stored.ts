/** What this browser remembers of its owner's choices. Never of the cluster; never needed. */

export function stored(key: string): string | null {
  try {
    return localStorage.getItem(`celeryscope-${key}`);
  } catch {
    return null; // forbidden by the browser
  }
}

export function store(key: string, value: string): void {
  try {
    localStorage.setItem(`celeryscope-${key}`, value);
  } catch {
    // Forbidden, or full: then it is chosen anew the next time.
  }
}

/** A list of texts; empty when there is none, or something else is there. */
export function storedList(key: string): string[] {
  try {
    const list: unknown = JSON.parse(stored(key) ?? '[]');
    return Array.isArray(list) ? list.filter((item): item is string => typeof item === 'string') : [];
  } catch {
    return [];
  }
}
