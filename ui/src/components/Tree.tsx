/** A value of the cluster as a tree that folds. Copies and raw views are its surroundings' matter. */

import { useState } from 'react';

import { type Box, type Line, type Node, type Piece, layOut } from '~/lib/pyrepr';
import { count } from '~/lib/format';

import { Icon } from './Icon';
import { Plain } from './Plain';
import styles from './Tree.module.css';

const LINES = 200;
const OPEN_DEPTH = 3;
const OPEN_ITEMS = 60;
const PIECE_LIMIT = 2_000; // UTF-16 units of one leaf; the raw text has all of it

interface TreeProps {
  node: Node;
  label: string;
  width?: number; // characters, about
}

export function Tree({ node, label, width = 80 }: TreeProps) {
  const [turned, setTurned] = useState<ReadonlySet<string>>(new Set());
  const [most, setMost] = useState(LINES);
  const isFolded = (path: string, { items }: Box, depth: number) =>
    (depth >= OPEN_DEPTH || (depth > 0 && items.length > OPEN_ITEMS)) !== turned.has(path);
  const { lines, more } = layOut(node, isFolded, { width, most });
  const turn = (path: string) => {
    const next = new Set(turned);
    if (!next.delete(path)) next.add(path);
    setTurned(next);
  };
  return (
    <div className={styles.tree} data-flat={lines.length === 1 || undefined} tabIndex={0} role="region" aria-label={label}>
      {lines.map((line, index) => (
        <Row key={index} line={line} onTurn={turn} />
      ))}
      {more && (
        <button type="button" className={styles.more} onClick={() => setMost(most * 5)}>
          Show more than {count(most)} lines
        </button>
      )}
    </div>
  );
}

function Row({ line, onTurn }: { line: Line; onTurn: (path: string) => void }) {
  const { depth, pieces, fold, folded } = line;
  return (
    <div className={styles.row} style={{ paddingInlineStart: `${1.25 + Math.min(depth, 16)}rem` }}>
      {fold !== null && (
        <button
          type="button"
          className={styles.fold}
          style={{ insetInlineStart: `${Math.min(depth, 16)}rem` }}
          aria-expanded={!folded}
          aria-label={folded ? 'Unfold' : 'Fold'}
          onClick={() => onTurn(fold)}
        >
          <Icon name={folded ? 'right' : 'unfolded'} size={12} />
        </button>
      )}
      <Coloured pieces={pieces} />
    </div>
  );
}

/** A value that fits on one line, in the flow. */
export function Pieces({ pieces }: { pieces: readonly Piece[] }) {
  return (
    <code className={styles.pieces}>
      <Coloured pieces={pieces} />
    </code>
  );
}

function Coloured({ pieces }: { pieces: readonly Piece[] }) {
  return pieces.map(({ tone, text }, index) => (
    <span key={index} className={styles[tone]}>
      {tone === 'mark' ? text : <Plain text={shortened(text)} />}
    </span>
  ));
}

function shortened(text: string): string {
  const rest = text.length - PIECE_LIMIT;
  return rest > 0 ? `${text.slice(0, PIECE_LIMIT)}… (${count(rest)} more)` : text;
}
