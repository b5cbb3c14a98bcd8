/** What forms are made of: a label, its field, and a line below that helps or says what is wrong. */

import { type ReactNode, useId } from 'react';

import { Button } from './Button';
import styles from './Form.module.css';

interface LabelledProps {
  label: ReactNode;
  help?: ReactNode;
  problem: string; // empty: none
  children: (id: string, described: string) => ReactNode;
}

export function Labelled({ label, help = '', problem, children }: LabelledProps) {
  const id = useId();
  return (
    <div className={styles.field}>
      <label htmlFor={id}>{label}</label>
      {children(id, `${id}-help`)}
      <p id={`${id}-help`} className={problem === '' ? styles.help : styles.problem} role={problem === '' ? undefined : 'alert'}>
        {problem === '' ? help : problem}
      </p>
    </div>
  );
}

interface DecideProps {
  word: string; // of what is done
  doing: string; // while it is
  busy: boolean;
  disabled?: boolean;
  danger?: boolean; // the keyboard begins at Cancel
  testId: string;
  onCancel: () => void;
  onDo: () => void;
}

/** The end of a form: do it, or not. */
export function Decide({ word, doing, busy, disabled = false, danger = false, testId, onCancel, onDo }: DecideProps) {
  return (
    <div className={styles.actions}>
      <Button look="quiet" onClick={onCancel} data-first={danger || undefined}>
        Cancel
      </Button>
      <Button
        look={danger ? 'plain' : 'accent'}
        className={danger ? styles.danger : undefined}
        onClick={onDo}
        disabled={busy || disabled}
        data-first={danger ? undefined : true}
        data-testid={testId}
      >
        {busy ? doing : word}
      </Button>
    </div>
  );
}
