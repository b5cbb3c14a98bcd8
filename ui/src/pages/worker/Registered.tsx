/** The tasks it can run, and how many of each it has accepted. */

import { useMemo, useState } from 'react';

import type { WorkerDetail } from '~/api/client';
import { DoorLink } from '~/components/DoorLink';
import { Panel } from '~/components/Panel';
import { Line, TaskName } from '~/components/Plain';
import { SearchField } from '~/components/SearchField';
import table from '~/components/Table.module.css';
import { tasks } from '~/lib/doors';
import { count, plural } from '~/lib/format';
import { registered, statistics } from '~/lib/inspect';

import { Unanswered } from './Unanswered';
import styles from './worker.module.css';

const FILTER_FROM = 12;

export function Registered({ worker: { inspect, hostname } }: { worker: WorkerDetail }) {
  const [words, setWords] = useState('');
  const all = useMemo(() => registered(inspect?.registered ?? null), [inspect?.registered]);
  const accepted = useMemo(() => new Map(statistics(inspect?.stats ?? {}).totals), [inspect?.stats]);
  const shown = all.filter(({ name }) => name.toLowerCase().includes(words.toLowerCase()));
  return (
    <Panel
      title="Registered tasks"
      note={all.length > 0 ? `${plural(all.length, 'task')}, and how many it accepted` : undefined}
      actions={all.length >= FILTER_FROM && <SearchField label="Filter tasks" value={words} onSearch={setWords} />}
    >
      {all.length === 0 ? (
        <Unanswered inspect={inspect} answer={inspect?.registered} empty="It can run no task" />
      ) : (
        <div className={styles.names} tabIndex={0} role="region" aria-label="Names of tasks">
        <ul data-testid="registered">
          {shown.map(({ name, options }) => (
            <li key={name} data-name={name}>
              <DoorLink className={table.link} door={tasks({ name, worker: hostname })}>
                <TaskName name={name} />
              </DoorLink>
              {options !== '' && <span className={styles.options}><Line text={options} /></span>}
              <span className={styles.accepted}>{count(accepted.get(name) ?? 0)}</span>
            </li>
          ))}
          {shown.length === 0 && <li className={styles.dim}>No name has this in it.</li>}
        </ul>
        </div>
      )}
    </Panel>
  );
}
