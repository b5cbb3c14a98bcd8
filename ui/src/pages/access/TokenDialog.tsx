/** A new token: what it may do and how long; then its secret, once. */

import { useEffect, useRef, useState } from 'react';

import type { Role, Scope, TokenMade } from '~/api/client';
import { client } from '~/api/queries';
import { CopyButton } from '~/components/CopyButton';
import { Dialog, useClose } from '~/components/Dialog';
import { Button } from '~/components/Button';
import { Decide, Labelled } from '~/components/Form';
import form from '~/components/Form.module.css';
import { Trouble } from '~/components/Notice';
import { Plain } from '~/components/Plain';
import { EXPIRIES, ROLE_WORDS, USUAL_EXPIRY, curlLine, nameProblem, readPatterns } from '~/lib/access';
import { limitWords } from '~/lib/who';

import styles from './access.module.css';

interface DialogProps {
  roles: readonly Role[]; // those that one may give; not empty
  taken: readonly string[]; // names
  own: Scope; // of whoever makes it
  onMade: () => void;
  onClose: () => void;
}

export default function TokenDialog({ onClose, ...rest }: DialogProps) {
  const [made, setMade] = useState<TokenMade | null>(null);
  return (
    <Dialog title={made ? 'The token is made' : 'New API token'} testId="token-dialog" onClose={onClose}>
      {made ? (
        <Secret made={made} />
      ) : (
        <Form
          {...rest}
          onMade={(answer) => {
            setMade(answer);
            rest.onMade();
          }}
        />
      )}
    </Dialog>
  );
}

function Form({ roles, taken, own, onMade }: Omit<DialogProps, 'onClose' | 'onMade'> & { onMade: (made: TokenMade) => void }) {
  const close = useClose();
  const [name, setName] = useState('');
  const [role, setRole] = useState<Role>(roles.includes('viewer') ? 'viewer' : (roles[0] ?? 'viewer'));
  const [queues, setQueues] = useState('');
  const [tasks, setTasks] = useState('');
  const [expiry, setExpiry] = useState(String(USUAL_EXPIRY));
  const [checked, setChecked] = useState(false); // problems are shown from the first try on
  const [state, setState] = useState<'idle' | 'busy' | Error>('idle');
  const first = useRef<HTMLInputElement>(null);
  useEffect(() => first.current?.focus(), []);

  const wrongName = nameProblem(name, taken);
  const queuesRead = readPatterns(queues);
  const tasksRead = readPatterns(tasks);
  const make = () => {
    setChecked(true);
    if (wrongName !== '' || queuesRead.patterns === null || tasksRead.patterns === null || state === 'busy') return;
    setState('busy');
    const expiresIn = expiry === '' ? null : Number(expiry);
    client
      .makeToken({ name: name.trim(), role, queues: queuesRead.patterns, tasks: tasksRead.patterns, expires_in: expiresIn })
      .then(onMade, (error: unknown) => setState(error instanceof Error ? error : new Error(String(error))));
  };
  const limited = limitWords(own);
  return (
    <form
      className={form.form}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        make();
      }}
    >
      <Labelled label="Name" help="Of the program that will show it, as it is told in the audit trail." problem={checked ? wrongName : ''}>
        {(id, described) => (
          <input
            id={id} aria-describedby={described} aria-invalid={(checked && wrongName !== '') || undefined} className={form.input} ref={first}
            value={name} autoComplete="off" spellCheck={false} maxLength={200} placeholder="prometheus"
            onChange={({ currentTarget }) => setName(currentTarget.value)} data-testid="token-name"
          />
        )}
      </Labelled>
      <Labelled label="Role" help={`It ${ROLE_WORDS[role]}.`} problem="">
        {(id, described) => (
          <select
            id={id} aria-describedby={described} className={form.input} value={role}
            onChange={({ currentTarget }) => setRole(currentTarget.value as Role)} data-testid="token-role"
          >
            {roles.map((one) => <option key={one}>{one}</option>)}
          </select>
        )}
      </Labelled>
      <Labelled label="Expires" help="From then on it is refused." problem="">
        {(id, described) => (
          <select
            id={id} aria-describedby={described} className={form.input} value={expiry}
            onChange={({ currentTarget }) => setExpiry(currentTarget.value)} data-testid="token-expiry"
          >
            {EXPIRIES.map(({ seconds, word }) => (
              <option key={word} value={seconds ?? ''}>{seconds === null ? `Never, ${word}` : `In ${word}`}</option>
            ))}
          </select>
        )}
      </Labelled>
      {limited.length > 0 ? (
        <p className={form.help}>It has your own limits: {limited.join('; ')}.</p>
      ) : (
        <details className={styles.limits}>
          <summary>Limit it to queues or tasks</summary>
          <div className={form.form}>
            <Patterns label="Queues" typed={queues} problem={checked ? queuesRead.problem : ''} onChange={setQueues} placeholder="mail*" testId="token-queues" />
            <Patterns label="Task names" typed={tasks} problem={checked ? tasksRead.problem : ''} onChange={setTasks} placeholder="shop.*" testId="token-tasks" />
          </div>
        </details>
      )}
      {state instanceof Error && <Trouble error={state} />}
      <Decide word="Make the token" doing="Making …" busy={state === 'busy'} testId="token-make" onCancel={close} onDo={make} />
    </form>
  );
}

interface PatternsProps {
  label: string;
  typed: string;
  problem: string;
  placeholder: string;
  testId: string;
  onChange: (typed: string) => void;
}

function Patterns({ label, typed, problem, placeholder, testId, onChange }: PatternsProps) {
  return (
    <Labelled label={label} help="One a line; * stands for anything. Empty: all." problem={problem}>
      {(id, described) => (
        <textarea
          id={id} aria-describedby={described} aria-invalid={problem !== '' || undefined} className={form.input} rows={2} spellCheck={false}
          value={typed} placeholder={placeholder} onChange={({ currentTarget }) => onChange(currentTarget.value)} data-testid={testId}
        />
      )}
    </Labelled>
  );
}

/** It is told here and never again. */
function Secret({ made: { token, secret } }: { made: TokenMade }) {
  const close = useClose();
  const line = curlLine(document.baseURI, secret);
  const done = useRef<HTMLDivElement>(null);
  useEffect(() => done.current?.querySelector<HTMLElement>('button')?.focus(), []);
  return (
    <div className={form.form}>
      <p role="status">
        This is the secret of <strong><Plain text={token.name} /></strong>. Copy it now: it is not kept here, and not told
        again.
      </p>
      <div className={styles.secret} ref={done}>
        <code data-testid="token-secret">{secret}</code>
        <CopyButton text={secret} what="the secret" />
      </div>
      <p className={form.help}>A program shows it like this:</p>
      <div className={styles.secret}>
        <code>{line}</code>
        <CopyButton text={line} what="the line" />
      </div>
      <div className={form.actions}>
        <Button look="accent" onClick={close} data-testid="token-done">I have copied it</Button>
      </div>
    </div>
  );
}
