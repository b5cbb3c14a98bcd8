/** Addresses of Celeryscope's dashboards in someone's Grafana. Pure; `components/GrafanaLink` makes a link of one. */

import { clip, visible } from './text';

/** A dashboard, and what it is to show; without a value, all of it. */
export type Board =
  | { board: 'overview' }
  | { board: 'task'; task: string }
  | { board: 'workers'; worker: string }
  | { board: 'queues'; queue?: string };

/** Where it is; null when there is no Grafana, or only something that is no web address. */
export function boardUrl(grafana: string | null, { board, ...shown }: Board): string | null {
  if (grafana === null || !/^https?:\/\//i.test(grafana)) return null;
  const variables = new URLSearchParams();
  for (const [name, value] of Object.entries(shown)) {
    if (typeof value === 'string') variables.set(`var-${name}`, value);
  }
  // Of a blank `+` is made, which not everything on the way to a dashboard reads as one.
  const query = variables.toString().replaceAll('+', '%20');
  return `${grafana.replace(/\/+$/, '')}/d/celeryscope-${board}${query && `?${query}`}`;
}

/** What one reads, and hears, of the link. */
export function boardLabel({ board, ...shown }: Board): string {
  const what = Object.values(shown).find((value) => typeof value === 'string') ?? `the ${board}`;
  return `Open ${visible(clip(what, 120).text)} in Grafana`;
}
