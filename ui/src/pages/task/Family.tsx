/** Who sent it, and what it sent: chains, groups and chords. */

import { Link } from '@tanstack/react-router';
import { Suspense, lazy } from 'react';

import type { Relative, TaskDetail } from '~/api/client';
import { DoorLink } from '~/components/DoorLink';
import { Empty, Waiting } from '~/components/Notice';
import { Panel } from '~/components/Panel';
import { Line, TaskName } from '~/components/Plain';
import { Glyph, StatePill, toneClass } from '~/components/State';
import { tasks } from '~/lib/doors';
import { count } from '~/lib/format';
import { look, order, stateWord } from '~/lib/states';
import { clip, visible } from '~/lib/text';

import { useFamily } from '../family/useFamily';
import styles from './task.module.css';

// It is drawn once it is known that there is a family.
const Chart = lazy(async () => ({ default: (await import('../family/FamilyChart')).FamilyChart }));

export function Family({ task }: { task: TaskDetail }) {
  const { uuid, children, children_total: total } = task;
  const root = relative(task.root, task.root_id, uuid);
  const parent = relative(task.parent, task.parent_id, uuid);
  const alone = root === null && parent === null && total === 0;
  const rootId = task.root_id ?? uuid;
  return (
    <Panel
      title="Family"
      padded={!alone}
      actions={
        <>
          {!alone && (
            <DoorLink className={styles.door} door={tasks({ root: rootId })}>
              All of it
            </DoorLink>
          )}
          <Link className={styles.door} to="/families/$uuid" params={{ uuid }}>
            {alone ? 'What was sent with it' : 'On an axis of time'}
          </Link>
        </>
      }
    >
      {alone ? (
        <Empty title="On its own">No task sent it, and it has sent none.</Empty>
      ) : (
        <div className={styles.family} data-testid="family">
          <ul>
            {root !== null && root.uuid !== parent?.uuid && <Row role="Root" of={root} />}
            {parent !== null && (
              <Row role={root?.uuid === parent.uuid ? 'Root, parent' : 'Parent'} of={parent} />
            )}
          </ul>
          {total > 0 && <Children of={task} shown={children} total={total} />}
        </div>
      )}
      {!alone && <Drawn uuid={uuid} />}
    </Panel>
  );
}

/** The whole family on an axis of time. Where it cannot be had, what stands above it still holds. */
function Drawn({ uuid }: { uuid: string }) {
  const { data } = useFamily(uuid);
  if (data === undefined || data.tasks.length < 2) return null;
  return (
    <div style={{ marginBlockStart: 'var(--space-3)' }}>
      <Suspense fallback={<Waiting what="the family" />}>
        <Chart family={data} />
      </Suspense>
    </div>
  );
}

/** A retry names the task itself as its parent: that says nothing. */
function relative(found: Relative | null, id: string | null, self: string): Relative | null {
  const known = found ?? (id === null ? null : { uuid: id, name: null, state: null });
  return known?.uuid === self ? null : known;
}

interface ChildrenProps {
  of: TaskDetail;
  shown: readonly Relative[];
  total: number;
}

function Children({ of: { uuid }, shown, total }: ChildrenProps) {
  const states = new Map<string, number>();
  for (const { state } of shown) if (state !== null) states.set(state, (states.get(state) ?? 0) + 1);
  return (
    <>
      <div className={styles.children}>
        <h3>
          <DoorLink door={tasks({ parent: uuid })}>
            {count(total)} {total === 1 ? 'child' : 'children'}
          </DoorLink>
        </h3>
        {total > 1 &&
          order(states.keys()).filter((state) => states.has(state)).map((state) => (
            <DoorLink
              key={state}
              className={`${styles.tally} ${toneClass(look(state).tone)}`}
              door={tasks({ parent: uuid, state })}
              title={visible(clip(stateWord(state), 80).text)}
            >
              <Glyph name={look(state).glyph} size={10} />
              <span className="sr">{visible(clip(stateWord(state), 80).text)} </span>
              {count(states.get(state))}
            </DoorLink>
          ))}
      </div>
      <ul className={styles.scrolled} style={{ maxHeight: '11rem' }} tabIndex={0} aria-label="Children">
        {shown.map((child) => (
          <Row key={child.uuid} role="" of={child} />
        ))}
        {shown.length < total && (
          <li className={styles.rest}>
            <DoorLink door={tasks({ parent: uuid })}>and {count(total - shown.length)} more</DoorLink>
          </li>
        )}
      </ul>
    </>
  );
}

function Row({ role, of: { uuid, name, state } }: { role: string; of: Relative }) {
  return (
    <li className={styles.relative} data-uuid={uuid} data-child={role === '' || undefined}>
      {role !== '' && <span className={styles.role}>{role}</span>}
      <Link to="/tasks/$uuid" params={{ uuid }}>
        {name !== null ? <TaskName name={name} /> : <Line text={uuid} mono />}
      </Link>
      {state !== null ? <StatePill state={state} /> : <span className={styles.host}>not known here</span>}
    </li>
  );
}
