/** Which lines of a long list are in sight. All lines are of one height. */

import { type RefObject, useEffect, useState } from 'react';

const AROUND = 12; // lines drawn before and after those in sight
const STEP = 4; // lines; the list is drawn anew when it was scrolled by so many

export interface Window {
  first: number;
  last: number; // in sight; -1: none
  from: number;
  to: number; // drawn: up to it, without it
}

interface WindowOptions {
  count: number;
  linePx: number;
  headPx: number; // in front of the first line, and over it when it is scrolled
}

export function useWindow(list: RefObject<HTMLElement | null>, { count, linePx, headPx }: WindowOptions): Window {
  const [top, setTop] = useState(0); // lines above, in steps
  const [room, setRoom] = useState(30); // lines that have room
  // Not a layout effect: those of a child run before the ref of what is around it is there.
  useEffect(() => {
    const area = list.current;
    if (!area) return;
    const look = () => {
      setTop(Math.floor(area.scrollTop / linePx / STEP) * STEP);
      setRoom(Math.ceil((area.clientHeight - headPx) / linePx));
    };
    look();
    const observer = new ResizeObserver(look);
    observer.observe(area);
    area.addEventListener('scroll', look, { passive: true });
    return () => {
      observer.disconnect();
      area.removeEventListener('scroll', look);
    };
  }, [list, linePx, headPx]);
  // A list that got shorter is scrolled by the browser, which may not tell.
  useEffect(() => {
    const area = list.current;
    if (area) setTop(Math.floor(area.scrollTop / linePx / STEP) * STEP);
  }, [list, linePx, count]);
  const first = Math.max(0, Math.min(top, count - 1));
  const last = Math.min(count - 1, first + room + STEP);
  return { first, last, from: Math.max(0, first - AROUND), to: Math.min(count, last + 1 + AROUND) };
}
