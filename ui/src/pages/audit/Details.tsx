/** Everything that the trail keeps of one entry, and of those that belong to it. */

import { Link } from '@tanstack/react-router';

import type { AuditEntry } from '~/api/client';
import { CopyButton } from '~/components/CopyButton';
import { type Fact, Facts } from '~/components/Facts';
import { Long } from '~/components/Long';
import { Plain } from '~/components/Plain';
import { type Row, argumentsText, isTaskId } from '~/lib/audit';
import { count } from '~/lib/format';
import { absolute } from '~/lib/time';

import styles from './audit.module.css';

export function Details({ row, onAction }: { row: Row; onAction: (action: string) => void }) {
  // As it happened.
  const entries = [...row.entries].reverse();
  return (
    <div className={styles.details} data-testid="audit-details">
      {entries.map((entry) => (
        <section key={entry.seq} aria-label={`Entry ${entry.seq}`}>
          <h3>
            {entry.kind} <span className={styles.dim}>entry {count(entry.seq)}</span>
          </h3>
          <Facts wide facts={factsOf(entry, onAction)} />
          {argumentsText(entry.arguments) !== '' && (
            <div className={styles.block}>
              <p className={styles.dim}>Arguments</p>
              <Long text={argumentsText(entry.arguments)} label="Arguments" />
            </div>
          )}
          <Hash name="Its hash" value={entry.hash} />
          <Hash name="That of the entry before" value={entry.prev} />
        </section>
      ))}
    </div>
  );
}

function factsOf({ at, by, what, whom, outcome, detail, action }: AuditEntry, onAction: (action: string) => void): Fact[] {
  const facts: (Fact | null)[] = [
    { name: 'When', value: absolute(at) },
    text('Who', by.name),
    text('Role', by.role),
    text('Known by', by.way),
    text('From', by.address),
    text('Session', by.session),
    text('Token', by.token),
    text('What', what),
    whom?.workers ? { name: 'Workers', value: <Names names={whom.workers} leftOut={whom.workers_left_out} /> } : null,
    whom && whom.subjects.length > 0 ? { name: 'At whom', value: <Names names={whom.subjects} leftOut={whom.left_out} /> } : null,
    text('Outcome', outcome),
    text('In words', detail),
    action === '' ? null : {
      name: 'Action',
      value: (
        <button type="button" className={styles.door} onClick={() => onAction(action)} title="All entries of this action">
          <Plain text={action} />
        </button>
      ),
    },
  ];
  return facts.filter((fact) => fact !== null);
}

function text(name: string, value: string): Fact | null {
  return value === '' ? null : { name, value: <Plain text={value} /> };
}

function Names({ names, leftOut }: { names: readonly string[]; leftOut: number }) {
  return (
    <ul className={styles.names}>
      {names.map((name, index) => (
        <li key={`${name} ${index}`}>
          {isTaskId(name) ? (
            <Link to="/tasks/$uuid" params={{ uuid: name }} className={styles.door}><Plain text={name} /></Link>
          ) : (
            <Plain text={name} />
          )}
        </li>
      ))}
      {leftOut > 0 && <li className={styles.dim}>and {count(leftOut)} more</li>}
    </ul>
  );
}

function Hash({ name, value }: { name: string; value: string }) {
  return (
    <p className={styles.hash}>
      <span className={styles.dim}>{name}</span> <code><Plain text={value} /></code> <CopyButton text={value} what="the hash" />
    </p>
  );
}
