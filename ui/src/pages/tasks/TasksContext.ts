/** What the parts of the page share: the facets change with each count, the rest does not. */

import { createContext, use } from 'react';

import type { Facets } from '~/api/client';

export const FacetsContext = createContext<Facets | null>(null);
export const FacetsWholeContext = createContext(true);

export function useFacets(): Facets | null {
  return use(FacetsContext);
}

/** Whether all tasks that match were counted, or the newest alone. */
export function useFacetsWhole(): boolean {
  return use(FacetsWholeContext);
}
