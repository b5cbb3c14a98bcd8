/**
 * The workers as cells: colour and shape tell the status, the filling tells the load. Hundreds of
 * them stay readable, and one key away: the grid is one stop of the tab key, arrows move in it.
 */

import { useRouter } from '@tanstack/react-router';
import {
  type FocusEvent,
  type KeyboardEvent,
  type MouseEvent,
  memo,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from 'react';

import type { Cell } from '~/api/client';
import { useLive } from '~/api/live';
import { DoorLink } from '~/components/DoorLink';
import { Empty, Waiting } from '~/components/Notice';
import { Panel } from '~/components/Panel';
import { Host, Line } from '~/components/Plain';
import { WorkerStatus } from '~/components/State';
import { count } from '~/lib/format';
import { clip, visible } from '~/lib/text';
import { type CellSize, STEPS, cellSize, groups, level, stepTo } from '~/lib/worker-grid';

import styles from './WorkerGrid.module.css';

const LABEL_LIMIT = 300;

export function WorkerGrid() {
  const grid = useLive((state) => state.grid);
  const broker = useLive((state) => state.overview?.broker.state ?? null);
  const total = grid?.size ?? 0;
  return (
    <Panel
      title="Workers"
      actions={total > 0 && <Legend cells={grid} />}
    >
      {grid === null ? (
        <Waiting what="the workers" />
      ) : total > 0 ? (
        <Cells grid={grid} />
      ) : broker === 'connected' ? (
        <Empty title="No worker has been heard of">
          Workers say so every few seconds when they are started with <code>-E</code>, or after{' '}
          <code>celery control enable_events</code>.
        </Empty>
      ) : (
        <Empty title="Unknown">The broker has not been reached.</Empty>
      )}
    </Panel>
  );
}

const STATUSES = ['online', 'offline', 'unknown'] as const;

/** What the colours mean, with how many there are: each a door to those. */
function Legend({ cells }: { cells: ReadonlyMap<string, Cell> | null }) {
  const counts = { online: 0, offline: 0, unknown: 0 };
  for (const [, status] of cells?.values() ?? []) counts[status] += 1;
  return (
    <span className={styles.legend}>
      {STATUSES.filter((status) => status === 'online' || counts[status] > 0).map((status) => (
        <DoorLink key={status} door={{ to: '/workers', status }} className={styles.key} data-status={status}>
          <span className={styles.swatch} data-status={status} aria-hidden="true" />
          {count(counts[status])} {status}
        </DoorLink>
      ))}
    </span>
  );
}

/** The cells alone: the Workers page shows those that its filters let through. */
export function Cells({ grid }: { grid: ReadonlyMap<string, Cell> }) {
  const router = useRouter();
  const host = useRef<HTMLDivElement>(null);
  const [current, setCurrent] = useState<string | null>(null); // the one that the tab key reaches
  const [pointed, setPointed] = useState<Pointed | null>(null);
  // Only a worker that came or went makes groups anew. Its name may have any character in it.
  const names = JSON.stringify([...grid.keys()].sort());
  const grouped = useMemo(() => groups(grid.keys()), [names]); // eslint-disable-line react-hooks/exhaustive-deps -- another grid with each frame
  const flat = useMemo(() => grouped.flatMap(({ hostnames }) => hostnames), [grouped]);
  const size = cellSize(grid.size);
  const reachable = current !== null && grid.has(current) ? current : flat[0];

  const addresses = useMemo(
    () =>
      new Map(
        flat.map((hostname) => {
          const { publicHref } = router.buildLocation({ to: '/workers/$hostname', params: { hostname } });
          return [hostname, router.history.createHref(publicHref)];
        }),
      ),
    [flat, router],
  );

  const open = (event: MouseEvent) => {
    const hostname = cellOf(event.target)?.dataset.worker;
    // A new tab is the browser's.
    if (hostname === undefined || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    void router.navigate({ to: '/workers/$hostname', params: { hostname } });
  };
  const move = (event: KeyboardEvent) => {
    if (event.key === 'Escape') setPointed(null);
    const step = Object.hasOwn(STEPS, event.key) ? STEPS[event.key] : undefined;
    const from = cellOf(event.target);
    if (!step || !from || event.metaKey || event.ctrlKey || event.altKey) return;
    const cells = [...(host.current?.querySelectorAll<HTMLElement>('[data-worker]') ?? [])];
    const places = cells.map((cell) => cell.getBoundingClientRect());
    cells[stepTo(step, cells.indexOf(from), places)]?.focus();
    event.preventDefault();
  };
  const point = (event: MouseEvent | FocusEvent) => {
    const cell = cellOf(event.target);
    setPointed(cell?.dataset.worker === undefined ? null : { hostname: cell.dataset.worker, cell });
    if (cell && event.type === 'focus') setCurrent(cell.dataset.worker ?? null);
  };
  return (
    <>
      {/* The cells are links; keys and clicks are heard here for all of them. */}
      <div
        ref={host}
        className={styles.cells}
        data-size={size}
        data-testid="grid"
        role="group"
        aria-label={`${count(grid.size)} workers. Arrow keys move among them.`}
        onClick={open}
        onKeyDown={move}
        onMouseOver={point}
        onMouseLeave={() => setPointed(null)}
        onFocus={point}
        onBlur={() => setPointed(null)}
        onScroll={() => setPointed(null)}
      >
        {grouped.map(({ name, hostnames }) => (
          <div key={name ?? ''} className={styles.group}>
            {grouped.length > 1 && <GroupHead name={name} hostnames={hostnames} />}
            <div className={styles.flow}>
              {hostnames.map((hostname) => {
                const cell = grid.get(hostname);
                return (
                  cell && (
                    <WorkerCell
                      key={hostname}
                      hostname={hostname}
                      status={cell[1]}
                      full={level(cell[2], cell[3])}
                      lost={cell[4] > 0}
                      size={size}
                      told={size === 'tile' ? cell : null}
                      href={addresses.get(hostname) ?? ''}
                      reachable={hostname === reachable}
                    />
                  )
                );
              })}
            </div>
          </div>
        ))}
      </div>
      {pointed && grid.has(pointed.hostname) && size !== 'tile' && (
        <Tip pointed={pointed} cell={grid.get(pointed.hostname) ?? null} />
      )}
    </>
  );
}

function cellOf(target: EventTarget): HTMLElement | null {
  return target instanceof Element ? target.closest<HTMLElement>('[data-worker]') : null;
}

function GroupHead({ name, hostnames }: { name: string | null; hostnames: readonly string[] }) {
  return (
    <div className={styles.groupHead}>
      {name === null ? 'others' : <Line text={name} />}
      <span className={styles.groupCount}>{count(hostnames.length)}</span>
    </div>
  );
}

interface WorkerCellProps {
  hostname: string;
  status: Cell[1];
  full: number; // eighths
  lost: boolean;
  size: CellSize;
  told: Cell | null; // for a tile: it has its figures
  href: string;
  reachable: boolean;
}

/** Drawn anew only when what it shows has changed. */
const WorkerCell = memo(function WorkerCell(props: WorkerCellProps) {
  const { hostname, status, full, lost, size, told, href, reachable } = props;
  // A tile says it in words; a mere square is told by its label.
  const label = told ? undefined : visible(clip(`${hostname}, ${status}${lost ? ', events lost' : ''}`, LABEL_LIMIT).text);
  return (
    <a
      href={href}
      className={styles.cell}
      aria-label={label}
      tabIndex={reachable ? 0 : -1}
      data-worker={hostname}
      data-status={status}
      data-full={full}
      data-lost={lost || undefined}
      data-size={size}
      draggable={false}
    >
      <span className={styles.fill} />
      {told && (
        <>
          <span className={styles.tileName}>
            <WorkerStatus status={status} brief />
            <Host hostname={hostname} />
          </span>
          <span className={styles.tileLoad}>
            {told[2]}
            {told[3] !== null && <span className={styles.of}>/{told[3]}</span>}
            <span className="sr"> running</span>
          </span>
        </>
      )}
    </a>
  );
});

interface Pointed {
  hostname: string;
  cell: HTMLElement;
}

const EDGE = 8; // pixels kept free around

function Tip({ pointed: { cell: element }, cell }: { pointed: Pointed; cell: Cell | null }) {
  const tip = useRef<HTMLDivElement>(null);
  // Where it goes depends on how large it is: known once it is there, before it is seen.
  useLayoutEffect(() => {
    const box = tip.current;
    if (!box) return;
    const { left, top, bottom, width } = element.getBoundingClientRect();
    const { width: wide, height: high } = box.getBoundingClientRect();
    const middle = left + width / 2 - wide / 2;
    const most = document.documentElement.clientWidth - wide - EDGE;
    box.style.left = `${Math.max(EDGE, Math.min(middle, most))}px`;
    box.style.top = `${top - high - EDGE > 0 ? top - high - EDGE : bottom + EDGE}px`;
  });
  if (!cell) return null;
  const [hostname, status, running, concurrency, lost] = cell;
  return (
    <div ref={tip} className={styles.tip} role="tooltip">
      <strong>
        <Host hostname={hostname} />
      </strong>
      <span className={styles.tipFacts}>
        <WorkerStatus status={status} />
        <span>
          {running} running{concurrency !== null && ` of ${concurrency}`}
        </span>
        {lost > 0 && <span className={styles.tipLost}>{count(lost)} events lost</span>}
      </span>
    </div>
  );
}
