import { Link, getRouteApi } from '@tanstack/react-router';
import { useState } from 'react';

import type { Family, FamilyTask } from '~/api/client';
import { useNow } from '~/api/live';
import { DoorLink } from '~/components/DoorLink';
import { Clock } from '~/components/Moment';
import { Empty, Trouble, Waiting } from '~/components/Notice';
import { Panel } from '~/components/Panel';
import { Host, Line, TaskName } from '~/components/Plain';
import { Page } from '~/components/shell/Page';
import { StatePill } from '~/components/State';
import table from '~/components/Table.module.css';
import { tasks as tasksDoor } from '~/lib/doors';
import { beganAt, kindWords, stateWords, timeWords } from '~/lib/family';
import { NONE, count, duration, percent, plural, share } from '~/lib/format';
import { clip, splitName, visible } from '~/lib/text';

import { FamilyChart } from './FamilyChart';
import styles from './family.module.css';
import { useFamily } from './useFamily';

const route = getRouteApi('/families/$uuid');

/** A task's whole family: who sent whom, how long each waited and ran, and what its end waited for. */
export function FamilyPage() {
  const { uuid } = route.useParams();
  const { data: family, error } = useFamily(uuid);
  const root = family?.tasks.find((task) => task.uuid === family.root);
  const name = root?.name ?? null;
  const title = name === null ? 'Family' : `Family of ${visible(splitName(clip(name, 120).text).leaf)}`;
  return (
    <Page
      title={title}
      parent={<Link to="/tasks/$uuid" params={{ uuid }}>Task</Link>}
      heading="Family"
    >
      <div className={styles.page}>
        {family ? <Known family={family} /> : (
          <Panel title="Family">{error ? <Trouble error={error}>It is tried again every few seconds.</Trouble> : <Waiting what="the family" />}</Panel>
        )}
      </div>
    </Page>
  );
}

function Known({ family }: { family: Family }) {
  const [asTable, setTable] = useState(false);
  return (
    <>
      <Summary family={family} />
      <Panel
        title="On an axis of time"
        note={family.cut ? `the first ${count(family.tasks.length)} tasks` : plural(family.total, 'task')}
        actions={
          <>
            <button type="button" className={styles.toggle} aria-pressed={asTable} onClick={() => setTable(!asTable)}>
              As a table
            </button>{' '}
            <DoorLink className={styles.toggle} door={tasksDoor({ root: family.root })}>
              In the list of tasks
            </DoorLink>
          </>
        }
      >
        {asTable ? <Table family={family} /> : <FamilyChart family={family} tall />}
      </Panel>
      {family.critical.length > 1 && <Critical family={family} />}
      {family.together_total > 0 && <Together family={family} />}
      {family.notes.length > 0 && (
        <ul className={styles.notes} aria-label="What is inferred and what is missing">
          {family.notes.map((note) => (
            <li key={note}>{note}</li>
          ))}
        </ul>
      )}
    </>
  );
}

function Summary({ family }: { family: Family }) {
  const now = useNow();
  const took = family.began === null ? null : (family.ended ?? now) - family.began;
  const waited = took === null ? null : share(family.waited, took);
  return (
    <dl className={styles.summary}>
      <div>
        <dt>Tasks</dt>
        <dd>
          {count(family.total)} <span className={styles.beside}>{stateWords(family.states)}</span>
        </dd>
      </div>
      <div>
        <dt>Began</dt>
        <dd>
          <Clock at={family.began} />
        </dd>
      </div>
      <div>
        <dt>Took</dt>
        <dd>
          {duration(took)} {family.ended === null && <span className={styles.beside}>so far</span>}
        </dd>
      </div>
      <div>
        <dt>Waited, on the critical path</dt>
        <dd>
          {duration(family.waited)} {waited !== null && <span className={styles.beside}>{percent(Math.min(100, waited))} %</span>}
        </dd>
      </div>
      {family.started_by.length > 0 && (
        <div>
          <dt>{family.started_by[0]?.sure === true ? 'As the schedule sends it' : 'Of its name the schedule has'}</dt>
          <dd>
            {family.started_by.map(({ id, name }) => (
              <Link key={id} to="/schedules/$entry" params={{ entry: id }} className={table.link}>
                <Line text={name} />
              </Link>
            ))}{' '}
            <span className={styles.beside}>inferred</span>
          </dd>
        </div>
      )}
    </dl>
  );
}

/** What the end waited for, in the order of time. */
function Critical({ family }: { family: Family }) {
  const byId = new Map(family.tasks.map((task) => [task.uuid, task]));
  return (
    <Panel title="Critical path" note={`${plural(family.critical.length, 'task')} that the end waited for, one after the other`}>
      <ol className={`${styles.steps} ${styles.scrolled}`} tabIndex={0} aria-label="Critical path">
        {family.critical.map(({ uuid, sent, started, until }) => (
          <li key={uuid} className={styles.step}>
            <Link to="/tasks/$uuid" params={{ uuid }}>
              <TaskName name={byId.get(uuid)?.name ?? null} />
            </Link>
            <span className={styles.dim}>{sent === null || started === null ? NONE : `waited ${duration(Math.max(0, started - sent))}`}</span>
            <span className={styles.dim}>
              {started === null ? 'not started' : `ran ${duration(Math.max(0, (until ?? family.now) - started))}${until === null ? ' so far' : ''}`}
            </span>
          </li>
        ))}
      </ol>
    </Panel>
  );
}

function Together({ family }: { family: Family }) {
  return (
    <Panel title="Sent at the same moment" note={`${plural(family.together_total, 'task')} by the same client, each a family of its own`}>
      <ul className={`${styles.steps} ${styles.scrolled}`} tabIndex={0} aria-label="Sent at the same moment">
        {family.together.map(({ uuid, name, state }) => (
          <li key={uuid} className={`${styles.step} ${styles.pair}`}>
            <Link to="/families/$uuid" params={{ uuid }}>
              <TaskName name={name} />
            </Link>
            <StatePill state={state} />
          </li>
        ))}
      </ul>
      <p className={styles.inline}>
        A group that a client sends looks like this: its tasks have nothing in common that an event tells.
      </p>
    </Panel>
  );
}

// ---------------------------------------------------------------------------------- as a table

function Table({ family }: { family: Family }) {
  const now = useNow();
  if (family.tasks.length === 0) return <Empty title="No task is known" />;
  return (
    <div className={styles.scrolled} tabIndex={0} role="group" aria-label="The family as a table">
      <table className={table.table} data-testid="family-table">
        <thead>
          <tr>
            <th>Task</th>
            <th style={{ width: '8rem' }}>State</th>
            <th>Sent by</th>
            <th style={{ width: '21%' }}>How</th>
            <th style={{ width: '7.5rem' }}>Began</th>
            <th style={{ width: '19%' }}>Time</th>
            <th>Worker</th>
          </tr>
        </thead>
        <tbody>
          {family.tasks.map((task) => (
            <Row key={task.uuid} task={task} family={family} now={now} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ task, family, now }: { task: FamilyTask; family: Family; now: number }) {
  const { uuid, name, state, parent, worker, critical } = task;
  return (
    <tr data-uuid={uuid}>
      <td>
        <Link to="/tasks/$uuid" params={{ uuid }} className={table.link}>
          {task.known ? <TaskName name={name} /> : <Line text={uuid} mono />}
        </Link>
      </td>
      <td>{state === null ? 'not known' : <StatePill state={state} />}</td>
      <td>{parent === null ? 'a client' : <Line text={family.tasks.find(({ uuid }) => uuid === parent)?.name ?? parent} />}</td>
      <td>
        <Line text={[kindWords(task, family.groups), critical && 'on the critical path'].filter(Boolean).join(', ')} />
      </td>
      <td>
        <Clock at={beganAt(task)} />
      </td>
      <td>
        <Line text={timeWords(task, now)} />
      </td>
      <td>
        <Host hostname={worker} />
      </td>
    </tr>
  );
}
