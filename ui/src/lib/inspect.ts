/** What a worker's own answer to `inspect` holds, read without trusting its shape. Pure. */

import type { Inspection } from '~/api/client';

/** Nested records as one level of `a.b.c` → text; lists and leaves as JSON. */
export function flatten(value: unknown, path = ''): [string, string][] {
  if (isRecord(value)) {
    return Object.entries(value).flatMap(([key, inner]) =>
      flatten(inner, path === '' ? key : `${path}.${key}`),
    );
  }
  return [[path, typeof value === 'string' ? value : JSON.stringify(value)]];
}

export interface Held {
  uuid: string;
  name: string;
  eta: string;
}

/** Reserved and scheduled tasks; the latter are wrapped in `request`. */
export function held(list: readonly unknown[] | null): Held[] {
  return (list ?? []).map((item) => {
    const outer = isRecord(item) ? item : {};
    const request = isRecord(outer.request) ? outer.request : outer;
    return { uuid: text(request.id), name: text(request.name ?? request.type), eta: text(outer.eta) };
  });
}

export interface ActiveQueue {
  name: string;
  exchange: string;
  routing_key: string;
}

export function activeQueues(inspection: Inspection): ActiveQueue[] {
  const answered: readonly unknown[] = inspection.active_queues ?? [];
  return answered.filter(isRecord).map((queue) => ({
    name: text(queue.name),
    exchange: isRecord(queue.exchange) ? text(queue.exchange.name) : text(queue.exchange),
    routing_key: text(queue.routing_key),
  }));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}
