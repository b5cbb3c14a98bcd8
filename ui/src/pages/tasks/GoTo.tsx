/** To a time in the list: it begins with the tasks whose last event came before. */

import { useEffect, useRef, useState } from 'react';

import { useNow } from '~/api/live';
import { useHistoryStatus } from '~/api/queries';
import { Button } from '~/components/Button';
import { Dialog, useClose } from '~/components/Dialog';
import { Decide, Labelled } from '~/components/Form';
import form from '~/components/Form.module.css';
import { dayOf, secondOf } from '~/lib/time';

import styles from './menus.module.css';

const HOUR = 3_600;
const AGO: readonly [string, number][] = [
  ['1 hour ago', HOUR],
  ['1 day ago', 24 * HOUR],
  ['7 days ago', 7 * 24 * HOUR],
  ['30 days ago', 30 * 24 * HOUR],
];

interface GoToProps {
  place: number | null; // where the list begins now
  onGo: (at: number) => void; // epoch seconds
  onClose: () => void;
}

export default function GoTo({ place, onGo, onClose }: GoToProps) {
  return (
    <Dialog title="Go to a time" testId="go-to" onClose={onClose}>
      <Asked place={place} onGo={onGo} />
    </Dialog>
  );
}

function Asked({ place, onGo }: Omit<GoToProps, 'onClose'>) {
  const close = useClose();
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  const now = useNow();
  const oldest = useHistoryStatus().data?.oldest ?? null;
  const [text, setText] = useState(() => local(place ?? now - HOUR));
  const [problem, setProblem] = useState('');
  const go = (at: number) => {
    onGo(at);
    close();
  };
  const goThere = () => {
    const at = Date.parse(text) / 1000; // without a zone it is this browser's
    if (Number.isNaN(at)) setProblem('This is no time: a date and a time of day are needed.');
    else go(at);
  };
  return (
    <form
      className={styles.form}
      onSubmit={(event) => {
        event.preventDefault();
        goThere();
      }}
    >
      <Labelled
        label="Time, in this browser’s zone"
        problem={problem}
        help={oldest === null ? 'The list begins with what happened before.' : `The history begins at ${dayOf(oldest)} ${secondOf(oldest)}.`}
      >
        {(id, described) => (
          <input
            ref={field}
            id={id}
            className={form.input}
            aria-describedby={described}
            type="datetime-local"
            step={1}
            required
            value={text}
            data-testid="go-to-time"
            onChange={({ currentTarget }) => {
              setText(currentTarget.value);
              setProblem('');
            }}
          />
        )}
      </Labelled>
      <div className={styles.chips}>
        {AGO.map(([label, seconds]) => (
          <Button key={label} onClick={() => go(now - seconds)}>
            {label}
          </Button>
        ))}
      </div>
      <Decide word="Go there" doing="Going …" busy={false} testId="go-to-go" onCancel={close} onDo={goThere} />
    </form>
  );
}

/** As the browser's field for a time has it. */
function local(at: number): string {
  return `${dayOf(at)}T${secondOf(at)}`;
}
