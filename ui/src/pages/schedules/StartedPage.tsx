import { Link, getRouteApi } from '@tanstack/react-router';

import type { Started } from '~/api/client';
import { Ago } from '~/components/Moment';
import { Empty, Trouble, Waiting } from '~/components/Notice';
import { Panel } from '~/components/Panel';
import { Host, TaskName } from '~/components/Plain';
import { Page } from '~/components/shell/Page';
import { StatePill } from '~/components/State';
import table from '~/components/Table.module.css';
import { stateWords } from '~/lib/family';
import { NONE, count, duration, plural } from '~/lib/format';
import { clip, visible } from '~/lib/text';

import styles from './schedules.module.css';
import { useStarted } from './useStarted';

const route = getRouteApi('/schedules/$entry');

/** What an entry of a schedule started, and what came of it. */
export function StartedPage() {
  const { entry } = route.useParams();
  const { data, error } = useStarted(entry);
  const name = visible(clip(entry.slice(entry.indexOf(':') + 1), 200).text);
  return (
    <Page title={`Started by ${name}`} parent={<Link to="/schedules">Schedules</Link>} heading={name}>
      <Panel title="What it started" note={data && note(data)}>
        {data ? <Tasks told={data} /> : error ? <Trouble error={error} /> : <Waiting what="its tasks" />}
      </Panel>
    </Page>
  );
}

function note({ tasks, more, sure }: Started): string {
  const shown = more ? `the newest ${plural(tasks.length, 'task')}` : plural(tasks.length, 'task');
  return `${shown}, found by ${sure ? 'name and arguments' : 'the name alone'}`;
}

function Tasks({ told }: { told: Started }) {
  return (
    <>
      {told.tasks.length === 0 ? (
        <Empty title="Nothing is known that it started">No task of its name and arguments is here that no other task sent.</Empty>
      ) : (
        <table className={table.table} data-testid="started">
          <thead>
            <tr>
              <th style={{ width: '9rem' }}>Sent</th>
              <th>Task</th>
              <th style={{ width: '9rem' }}>State</th>
              <th style={{ width: '6rem' }} className={table.number}>Waited</th>
              <th style={{ width: '6rem' }} className={table.number}>Ran</th>
              <th>Its family</th>
              <th className={styles.late}>Sent by</th>
            </tr>
          </thead>
          <tbody>
            {told.tasks.map((task) => (
              <tr key={task.uuid} data-uuid={task.uuid}>
                <td>
                  <Ago at={task.sent ?? task.received ?? task.started} />
                </td>
                <td>
                  <Link to="/tasks/$uuid" params={{ uuid: task.uuid }} className={table.link}>
                    <TaskName name={task.name} />
                  </Link>
                </td>
                <td>
                  <StatePill state={task.state} />
                </td>
                <td className={table.number}>{duration(task.wait)}</td>
                <td className={table.number}>{duration(task.runtime)}</td>
                <td>
                  {task.family > 1 ? (
                    <Link to="/families/$uuid" params={{ uuid: task.uuid }} className={table.link} title={stateWords(task.family_states)}>
                      {count(task.family)} tasks: {stateWords(task.family_states)}
                      {task.family_ended !== null && task.sent !== null && ` in ${duration(task.family_ended - task.sent)}`}
                    </Link>
                  ) : (
                    NONE
                  )}
                </td>
                <td className={styles.late}>
                  <Host hostname={task.client} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {told.notes.map((text) => (
        <p key={text} className={styles.noted}>
          {text}
        </p>
      ))}
    </>
  );
}
