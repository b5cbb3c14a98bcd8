import { createContext, useEffect, useRef, useState } from 'react';

import { live, useLink, useLive } from '~/api/live';
import { client, useHistoryStatus } from '~/api/queries';
import { HIDEABLE, type Trouble, patience, troubles } from '~/lib/trouble';

export interface Told {
  trouble: Trouble | null; // the worst, once it has lasted
  since: number; // when it began, the server's clock
  hide: () => void;
}

/** The worst trouble of all pages, told calmly: see `patience`. */
export function useTrouble(): Told {
  const link = useLink();
  const overview = useLive((state) => state.overview);
  const [hidden, setHidden] = useState<ReadonlySet<Trouble>>(new Set());
  const unkept = useHistoryStatus().data?.trouble != null;
  const crowded = useCrowded(link === 'polling');
  const found = troubles(link, overview, unkept)
    .map((trouble) => (trouble === 'polling' && crowded ? 'crowded' : trouble))
    .find((trouble) => !hidden.has(trouble));
  const wanted = found ?? null;

  const [told, setTold] = useState<{ trouble: Trouble | null; since: number }>({ trouble: null, since: 0 });
  const shownAt = useRef(0);
  useEffect(() => {
    if (wanted === told.trouble) return;
    const since = live.now();
    const wait = patience(told.trouble, wanted, performance.now() - shownAt.current);
    const timer = window.setTimeout(() => {
      shownAt.current = performance.now();
      setTold({ trouble: wanted, since });
    }, wait);
    return () => window.clearTimeout(timer);
  }, [wanted, told.trouble]);

  const hide = () => {
    const { trouble } = told;
    if (trouble === null || !HIDEABLE.has(trouble)) return;
    setHidden(new Set([...hidden, trouble]));
    setTold({ trouble: null, since: 0 });
  };
  return { ...told, hide };
}

/** While streams do not get through: is it the server that has no room for one more? */
function useCrowded(polling: boolean): boolean {
  const [crowded, setCrowded] = useState(false);
  useEffect(() => {
    if (!polling) return setCrowded(false);
    let current = true;
    client.streamRefusal().then(
      (refused) => current && setCrowded(refused?.code === 'unavailable'),
      () => undefined, // no answer at all is the link's to tell
    );
    return () => {
      current = false;
    };
  }, [polling]);
  return crowded;
}

export const TroubleContext = createContext<Trouble | null>(null);
