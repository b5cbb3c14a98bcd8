/** The tasks it can run, and how many of each it has accepted. */

import { useMemo, useState } from 'react';

import type { WorkerDetail } from '~/api/client';
import { IconButton } from '~/components/Button';
import { type Control, useControl } from '~/components/control/useControl';
import { DoorLink } from '~/components/DoorLink';
import { Panel } from '~/components/Panel';
import { Line, TaskName } from '~/components/Plain';
import { SearchField } from '~/components/SearchField';
import table from '~/components/Table.module.css';
import { tasks } from '~/lib/doors';
import { count, plural } from '~/lib/format';
import { registered, statistics } from '~/lib/inspect';
import { clip, visible } from '~/lib/text';

import { Unanswered } from './Unanswered';
import styles from './worker.module.css';

const FILTER_FROM = 12;

export function Registered({ worker: { inspect, hostname } }: { worker: WorkerDetail }) {
  const control = useControl();
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
              <Limits control={control} name={name} hostname={hostname} />
            </li>
          ))}
          {shown.length === 0 && <li className={styles.dim}>No name has this in it.</li>}
        </ul>
        </div>
      )}
    </Panel>
  );
}

const LIMITS = [
  { command: 'rate_limit', icon: 'gauge', words: 'Limit the rate of' },
  { command: 'time_limit', icon: 'clock', words: 'Limit the time of' },
] as const;

function Limits({ control: { may, ask }, name, hostname }: { control: Control; name: string; hostname: string }) {
  return (
    <span className={styles.limits}>
      {LIMITS.filter(({ command }) => may(command)).map(({ command, icon, words }) => (
        <IconButton
          key={command}
          size="sm"
          icon={icon}
          label={`${words} ${visible(clip(name, 80).text)}`}
          data-command={command}
          onClick={() =>
            ask({ command, arguments: { task_name: name }, workers: [hostname], subject: `${name} on ${hostname}` })
          }
        />
      ))}
    </span>
  );
}
