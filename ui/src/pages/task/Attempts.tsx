/** Its runs one by one: where each ran, how long, and why the next one was needed. */

import { Link } from '@tanstack/react-router';
import { useMemo, useState } from 'react';

import type { Attempt, TaskDetail } from '~/api/client';
import { ShortOrLong } from '~/components/Long';
import { Clock } from '~/components/Moment';
import { Panel } from '~/components/Panel';
import { Host } from '~/components/Plain';
import { StatePill } from '~/components/State';
import { NONE, count, duration, plural } from '~/lib/format';
import { ownPackages, parseTraceback } from '~/lib/traceback';

import styles from './attempts.module.css';
import { Frames } from './Traceback';

const MOST = 50; // the first and the last of many tell enough

export default function Attempts({ task }: { task: TaskDetail }) {
  const { attempts, name } = task;
  const hidden = Math.max(0, attempts.length - MOST);
  const shown = hidden > 0 ? [...attempts.slice(0, 1), ...attempts.slice(1 - MOST)] : attempts;
  return (
    <Panel title="Attempts" note={plural(attempts.length, 'run')}>
      <ol className={styles.attempts} data-testid="runs">
        {shown.map((attempt) => (
          <One key={attempt.number} attempt={attempt} name={name} />
        ))}
      </ol>
      {hidden > 0 && <p className={styles.note}>{plural(hidden, 'run')} after the first not shown.</p>}
    </Panel>
  );
}

function One({ attempt, name }: { attempt: Attempt; name: string | null }) {
  const { number, state, worker, received, started, ended, runtime, wait, exception, traceback } = attempt;
  return (
    <li className={styles.attempt} data-attempt={number} data-state={state}>
      <div className={styles.head}>
        <strong>{count(number)}</strong>
        <StatePill state={state} />
        {worker === '' ? (
          <span className={styles.dim}>no worker is known</span>
        ) : (
          <Link to="/workers/$hostname" params={{ hostname: worker }}>
            <Host hostname={worker} />
          </Link>
        )}
      </div>
      <dl className={styles.times}>
        <Time name={started === null ? 'Received' : 'Started'} value={started ?? received} />
        <Time name="Ended" value={ended} />
        <div>
          <dt>Waited</dt>
          <dd>{duration(wait)}</dd>
        </div>
        <div>
          <dt>Ran</dt>
          <dd>{duration(runtime)}</dd>
        </div>
      </dl>
      {exception !== null && (
        <div className={styles.exception}>
          <ShortOrLong text={exception} label={`Exception of attempt ${number}`} />
        </div>
      )}
      {traceback !== null && <Trace text={traceback} name={name} />}
    </li>
  );
}

function Time({ name, value }: { name: string; value: number | null }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value === null ? NONE : <Clock at={value} />}</dd>
    </div>
  );
}

/** Read when it is wanted: there may be many. */
function Trace({ text, name }: { text: string; name: string | null }) {
  const [open, setOpen] = useState(false);
  const read = useMemo(() => (open ? parseTraceback(text, ownPackages(name)) : null), [open, text, name]);
  return (
    <details className={styles.trace} open={open} onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>Traceback</summary>
      {open && (read ? <Frames read={read} /> : <ShortOrLong text={text} label="Traceback" />)}
    </details>
  );
}
