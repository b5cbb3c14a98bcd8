import { Fragment, memo, useState } from 'react';

import { Icon, type IconName } from '~/components/Icon';
import { Line } from '~/components/Plain';
import { toneClass } from '~/components/State';
import table from '~/components/Table.module.css';
import { type Row, byWords, ended, fromWords, outcomeTone, took, whomWords } from '~/lib/audit';
import type { Kind } from '~/lib/audit-search';
import { duration } from '~/lib/format';
import { absolute, dayOf, machine, secondOf } from '~/lib/time';
import { visible } from '~/lib/text';

import styles from './audit.module.css';
import { Details } from './Details';

const ICONS: Record<Kind, IconName> = {
  command: 'actions', outcome: 'actions', denied: 'exclude', login: 'person', 'login failed': 'warning', logout: 'leave',
  token: 'key', session: 'key', user: 'person', look: 'search', console: 'info',
};

interface TableProps {
  rows: readonly Row[];
  onAction: (action: string) => void;
}

export function AuditTable({ rows, onAction }: TableProps) {
  const [open, setOpen] = useState<ReadonlySet<number>>(new Set());
  const toggle = (id: number) => setOpen((before) => (before.has(id) ? new Set([...before].filter((other) => other !== id)) : new Set([...before, id])));
  return (
    <table className={`${table.table} ${styles.table}`} data-testid="audit">
      <thead>
        <tr>
          <th className={styles.when}>When</th>
          <th className={styles.who}>Who</th>
          <th>What</th>
          <th className={styles.whom}>At whom</th>
          <th className={styles.outcome}>Outcome</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <Fragment key={row.id}>
            <Entry row={row} open={open.has(row.id)} onToggle={toggle} />
            {open.has(row.id) && (
              <tr className={styles.detailRow}>
                <td colSpan={5}>
                  <Details row={row} onAction={onAction} />
                </td>
              </tr>
            )}
          </Fragment>
        ))}
      </tbody>
    </table>
  );
}

interface EntryProps {
  row: Row;
  open: boolean;
  onToggle: (id: number) => void;
}

const Entry = memo(function Entry({ row, open, onToggle }: EntryProps) {
  const { asked } = row;
  const at = row.entries[0]?.at ?? asked.at;
  const outcome = ended(row);
  const seconds = took(row);
  return (
    <tr className={styles.row} data-seq={asked.seq} data-kind={asked.kind} data-open={open || undefined} onClick={() => onToggle(row.id)}>
      <td>
        <time dateTime={machine(at)} title={absolute(at)}>
          {secondOf(at)}
          <span className={styles.below}>{dayOf(at)}</span>
        </time>
      </td>
      <td className={styles.who}>
        <Line text={byWords(asked.by)} />
        <span className={styles.below}><Line text={fromWords(asked.by)} /></span>
      </td>
      <td>
        <button
          type="button"
          className={styles.what}
          aria-expanded={open}
          aria-label={`${visible(asked.what)} by ${visible(byWords(asked.by))}, ${visible(outcome)}: show everything`}
          onClick={(event) => {
            event.stopPropagation();
            onToggle(row.id);
          }}
        >
          <Icon name={ICONS[asked.kind]} size={14} />
          <Line text={asked.what} />
        </button>
        <span className={styles.below}>
          <span className={styles.by}><Line text={byWords(asked.by)} /> · </span>
          <Line text={(row.outcome ?? asked).detail || asked.kind} />
        </span>
      </td>
      <td className={styles.whom}><Line text={whomWords(asked.whom)} /></td>
      <td>
        <span className={`${styles.ended} ${toneClass(outcomeTone(outcome))}`} data-testid="ended" data-outcome={outcome}>
          <Line text={outcome} />
        </span>
        <span className={styles.below}>{seconds === null ? '' : `in ${duration(seconds)}`}</span>
      </td>
    </tr>
  );
});
