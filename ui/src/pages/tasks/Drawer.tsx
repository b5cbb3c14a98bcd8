/** One task beside the list, or over it where there is no room beside. */

import { Link } from '@tanstack/react-router';
import { type KeyboardEvent, type PointerEvent, memo, useEffect, useRef, useState } from 'react';

import { IconButton } from '~/components/Button';
import { Icon } from '~/components/Icon';
import { store, stored } from '~/lib/stored';
import { TaskView } from '~/pages/task/TaskView';

import styles from './Drawer.module.css';

const WIDTH = 'drawer-width';
const USUAL_PX = 520;
const LEAST_PX = 380;
const STEP_PX = 24;

// It asks for its task itself; the list beside it is drawn far oftener.
const View = memo(TaskView);

interface DrawerProps {
  uuid: string;
  over: boolean; // over the list, not beside it
  place: string | null; // in the list: `2 of 263`
  onBefore: (() => void) | null;
  onNext: (() => void) | null;
  onClose: () => void;
}

export default function Drawer({ uuid, over, place, onBefore, onNext, onClose }: DrawerProps) {
  const box = useRef<HTMLElement>(null);
  const title = useRef<HTMLHeadingElement>(null);
  const { width, onResize } = useWidth(box);

  // The keyboard goes where the eye goes; the keys of the list work from there, too.
  useEffect(() => {
    title.current?.focus({ preventScroll: true });
  }, []);

  return (
    <>
      {over && <div className={styles.veil} onClick={onClose} />}
      <aside
        ref={box}
        className={styles.drawer}
        aria-label="One task"
        data-testid="drawer"
        data-uuid={uuid}
        data-over={over || undefined}
        style={over ? undefined : { width }}
      >
        {!over && <Edge width={width} onResize={onResize} />}
        <header className={styles.head}>
          <h2 ref={title} tabIndex={-1}>
            Task {place !== null && <span className={styles.place}>{place}</span>}
          </h2>
          <div className={styles.tools}>
            <IconButton icon="up" label="Task before (k)" disabled={!onBefore} onClick={onBefore ?? undefined} />
            <IconButton icon="down" label="Next task (j)" disabled={!onNext} onClick={onNext ?? undefined} />
            <Link to="/tasks/$uuid" params={{ uuid }} className={styles.whole} aria-label="Open its page (o)" title="Open its page (o)">
              <Icon name="expand" />
            </Link>
            <IconButton icon="close" label="Close (Esc)" onClick={onClose} data-testid="drawer-close" />
          </div>
        </header>
        <div className={styles.body} key={uuid} tabIndex={0} role="region" aria-label="The task">
          <View uuid={uuid} compact />
        </div>
      </aside>
    </>
  );
}

/** As wide as it was made last; the list keeps enough to be read. */
function useWidth(box: React.RefObject<HTMLElement | null>) {
  const [width, setWidth] = useState(() => Number(stored(WIDTH)) || USUAL_PX);
  const onResize = (wanted: number) => {
    const room = box.current?.parentElement?.clientWidth ?? Infinity;
    const next = Math.round(Math.max(LEAST_PX, Math.min(wanted, room * 0.65)));
    setWidth(next);
    store(WIDTH, String(next));
  };
  return { width, onResize };
}

function Edge({ width, onResize }: { width: number; onResize: (width: number) => void }) {
  const start = useRef<{ x: number; width: number } | null>(null);
  const onPointerDown = (event: PointerEvent<HTMLDivElement>) => {
    event.currentTarget.setPointerCapture(event.pointerId);
    start.current = { x: event.clientX, width };
    event.preventDefault();
  };
  const onPointerMove = ({ clientX }: PointerEvent) => {
    if (start.current) onResize(start.current.width + start.current.x - clientX);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const by = { ArrowLeft: STEP_PX, ArrowRight: -STEP_PX }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    onResize(width + by);
  };
  return (
    <div
      className={styles.edge}
      role="separator"
      aria-orientation="vertical"
      aria-label="Width of the task"
      aria-valuenow={width}
      aria-valuemin={LEAST_PX}
      tabIndex={0}
      onPointerDown={onPointerDown}
      onPointerMove={onPointerMove}
      onPointerUp={() => {
        start.current = null;
      }}
      onDoubleClick={() => onResize(USUAL_PX)}
      onKeyDown={onKeyDown}
    />
  );
}
