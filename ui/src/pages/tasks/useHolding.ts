/** Whether the list is held still, and why: someone reads in it, points at it, or said so. */

import { type RefObject, useCallback, useEffect, useState } from 'react';

const POINTING_MS = 3_000; // after the pointer moved last

export type Hold = 'frozen' | 'scrolled' | 'selecting' | 'chosen' | 'pointing' | 'placed';

export interface Holding {
  hold: Hold | null;
  deep: boolean; // scrolled so far that more rows are wanted
  freeze: () => void;
  follow: () => void;
  onScroll: () => void;
}

/** `chosen`: what is chosen in the list, if anything; another choice holds anew. */
export function useHolding(list: RefObject<HTMLElement | null>, chosen: string | null): Holding {
  const [frozen, setFrozen] = useState(false);
  const [scrolled, setScrolled] = useState(false);
  const [deep, setDeep] = useState(false);
  const [released, setReleased] = useState<string | null>(null);
  const selecting = useSelecting(list);
  const pointing = usePointing(list);

  const onScroll = useCallback(() => {
    const { scrollTop, clientHeight, scrollHeight } = list.current ?? document.body;
    setScrolled(scrollTop > 0);
    setDeep((was) => scrollTop > 0 && (was || scrollTop > (scrollHeight - clientHeight) / 2));
  }, [list]);
  const follow = useCallback(() => {
    setFrozen(false);
    setReleased(chosen);
    window.getSelection()?.removeAllRanges();
    list.current?.scrollTo({ top: 0 });
  }, [list, chosen]);
  const freeze = useCallback(() => setFrozen(true), []);

  let hold: Hold | null = null;
  if (frozen) hold = 'frozen';
  else if (selecting) hold = 'selecting';
  else if (scrolled) hold = 'scrolled';
  else if (chosen !== null && chosen !== released) hold = 'chosen';
  else if (pointing) hold = 'pointing';
  return { hold, deep, freeze, follow, onScroll };
}

/** Whether text in the list is selected: it must not move under the pointer. */
function useSelecting(list: RefObject<HTMLElement | null>): boolean {
  const [selecting, setSelecting] = useState(false);
  useEffect(() => {
    const look = () => {
      const selection = document.getSelection();
      setSelecting(
        selection !== null &&
          !selection.isCollapsed &&
          (list.current?.contains(selection.anchorNode) ?? false),
      );
    };
    document.addEventListener('selectionchange', look);
    return () => document.removeEventListener('selectionchange', look);
  }, [list]);
  return selecting;
}

/** Whether a pointer moves over the list: the row must still be there when it is pressed. */
function usePointing(list: RefObject<HTMLElement | null>): boolean {
  const [pointing, setPointing] = useState(false);
  useEffect(() => {
    const area = list.current;
    if (!area) return;
    let timer = 0;
    const rest = () => {
      window.clearTimeout(timer);
      setPointing(false);
    };
    const move = ({ pointerType }: PointerEvent) => {
      if (pointerType !== 'mouse') return;
      window.clearTimeout(timer);
      timer = window.setTimeout(rest, POINTING_MS);
      setPointing(true);
    };
    area.addEventListener('pointermove', move);
    area.addEventListener('pointerleave', rest);
    return () => {
      window.clearTimeout(timer);
      area.removeEventListener('pointermove', move);
      area.removeEventListener('pointerleave', rest);
    };
  }, [list]);
  return pointing;
}
