/** What the task was called with and what it gave, as the worker wrote it down. */

import { useMemo, useState } from 'react';

import type { TaskDetail } from '~/api/client';
import { CopyButton } from '~/components/CopyButton';
import { Long } from '~/components/Long';
import { Panel } from '~/components/Panel';
import { Tree } from '~/components/Tree';
import { type Node, parseRepr } from '~/lib/pyrepr';

import styles from './task.module.css';
import { Toggle } from './Toggle';

const NARROW = 46; // characters
const WIDE = 84;

export function Values({ task, compact }: { task: TaskDetail; compact: boolean }) {
  const { args, kwargs, result } = task;
  const width = compact ? NARROW : WIDE;
  const called = args !== null || kwargs !== null;
  const missing = task.arguments_kept ? 'no event told them' : 'not kept: store_args is off';
  return (
    <>
      <Panel title="Arguments" note={called ? undefined : missing} padded={called}>
        {called && (
          <div className={styles.values} data-testid="arguments">
            {args !== null && <Argument title="Positional" text={args} width={width} />}
            {kwargs !== null && <Argument title="Keyword" text={kwargs} width={width} />}
            {task.truncated && (
              <p className={styles.note}>Some text was longer than the console keeps, and was cut.</p>
            )}
          </div>
        )}
      </Panel>
      {result !== null && <Result text={result} width={width} />}
    </>
  );
}

interface ArgumentProps {
  title: string;
  text: string;
  width: number;
}

function Argument({ title, text, width }: ArgumentProps) {
  const [raw, setRaw] = useState(false);
  const node = useMemo(() => parseRepr(text), [text]);
  const label = `${title} arguments`;
  return (
    <div>
      <div className={styles.blockHead}>
        <h3>{title}</h3>
        {node && <Controls of={label.toLowerCase()} text={text} raw={raw} onRaw={setRaw} />}
      </div>
      <Value label={label} text={text} node={raw ? null : node} width={width} />
    </div>
  );
}

function Result({ text, width }: { text: string; width: number }) {
  const [raw, setRaw] = useState(false);
  const node = useMemo(() => parseRepr(text), [text]);
  return (
    <Panel
      title="Result"
      actions={node && <Controls of="result" text={text} raw={raw} onRaw={setRaw} />}
      padded
    >
      <div data-testid="result">
        <Value label="What it gave" text={text} node={raw ? null : node} width={width} />
      </div>
    </Panel>
  );
}

interface ControlsProps {
  of: string;
  text: string;
  raw: boolean;
  onRaw: (raw: boolean) => void;
}

/** The raw text has its own button to copy it. */
function Controls({ of, text, raw, onRaw }: ControlsProps) {
  return (
    <>
      <Toggle of={of} on={raw} onToggle={onRaw} />
      {!raw && <CopyButton text={text} what={of} />}
    </>
  );
}

interface ValueProps {
  label: string;
  text: string;
  node: Node | null; // null: as it came
  width: number;
}

function Value({ label, text, node, width }: ValueProps) {
  return node ? <Tree node={node} label={label} width={width} /> : <Long text={text} label={label} />;
}
