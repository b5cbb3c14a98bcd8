/** The one dialog before a command is sent, made from the table of commands. */

import { useEffect, useRef, useState } from 'react';

import type { ArgumentInfo, CommandInfo } from '~/api/client';
import { useCommands } from '~/api/control';
import { useLive } from '~/api/live';
import { client } from '~/api/queries';
import { asksFor, fieldLabel, initial, readField, touched } from '~/lib/control';
import { count, plural } from '~/lib/format';
import { clip, visible } from '~/lib/text';

import { Dialog, useClose } from '../Dialog';
import { Decide, Labelled } from '../Form';
import form from '../Form.module.css';
import { Trouble, Waiting } from '../Notice';
import { Plain, TaskName } from '../Plain';
import styles from './ControlDialog.module.css';
import { type Asked, keep, showTray } from './store';

const SHOWN_WORKERS = 6;
const SUBJECT_LIMIT = 200;

/** Asked for where a command must name its workers and nobody did. */
const WORKERS: ArgumentInfo = {
  name: 'workers', kind: 'texts', help: 'Names of workers, one a line.', required: true, default: null,
  minimum: null, maximum: null, max_bytes: 255, max_items: 10_000, choices: [], unit: '',
};

interface DialogProps {
  asked: Asked;
  onClose: () => void;
}

export default function ControlDialog({ asked, onClose }: DialogProps) {
  const { data, error } = useCommands();
  const command = data?.commands.find(({ name }) => name === asked.command);
  return (
    <Dialog title={command?.title ?? visible(asked.command)} testId="control" onClose={onClose}>
      {command ? (
        <Form key={command.name} command={command} asked={asked} />
      ) : error ? (
        <Trouble error={error} />
      ) : data ? (
        <Trouble error={new Error('This console has no such command.')} />
      ) : (
        <Waiting what="the table of commands" />
      )}
    </Dialog>
  );
}

interface FormProps {
  command: CommandInfo;
  asked: Asked;
}

function Form({ command, asked }: FormProps) {
  const close = useClose();
  const given = asked.arguments ?? {};
  const unnamed = command.runs === 'workers' && command.needs_workers && asked.workers === undefined;
  const fields = [
    ...(unnamed ? [WORKERS] : []),
    ...asksFor(command, given, asked.selection !== undefined),
  ];
  const [typed, setTyped] = useState<Record<string, string>>(() =>
    Object.fromEntries(fields.map((field) => [field.name, initial(field)])));
  const [typedName, setTypedName] = useState('');
  const [checked, setChecked] = useState(false); // problems are shown from the first try on
  const [sending, setSending] = useState(false);
  const [failure, setFailure] = useState<Error | null>(null);
  const first = useRef<HTMLDivElement>(null);

  // The keyboard begins in the first field; with none, on what does no harm.
  useEffect(() => {
    const field = first.current?.querySelector<HTMLElement>('input, select, textarea');
    (field ?? first.current?.querySelector<HTMLElement>('[data-first]'))?.focus();
  }, []);

  const read = new Map(fields.map((field) => [field.name, readField(field, typed[field.name] ?? '')]));
  const values: Record<string, unknown> = { ...given };
  for (const [name, one] of read) {
    if ('value' in one && one.value !== undefined) values[name] = one.value;
  }
  const wanted = command.confirm === '' ? null : values[command.confirm];
  const unconfirmed = wanted !== null && typedName !== wanted;
  const wrong = [...read.values()].some((one) => 'problem' in one);

  const send = () => {
    setChecked(true);
    if (wrong || unconfirmed || sending) return;
    const { workers = asked.workers, ...rest } = values;
    setSending(true);
    setFailure(null);
    client
      .control(command.name, {
        arguments: rest,
        workers: Array.isArray(workers) ? workers.map(String) : null,
        selection: asked.selection?.id ?? null,
        confirm: wanted === null ? null : typedName,
      })
      .then(
        (report) => {
          keep(report);
          showTray(true);
          close();
        },
        (error: unknown) => {
          setSending(false);
          setFailure(error instanceof Error ? error : new Error(String(error)));
        },
      );
  };
  const change = (name: string) => (text: string) => setTyped((before) => ({ ...before, [name]: text }));
  return (
    <form
      className={form.form}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        // Enter in a field never does what cannot be undone.
        if (!command.destructive) send();
      }}
    >
      <Touched command={command} asked={asked} />
      <p className={styles.consequence} data-destructive={command.destructive || undefined}>
        {command.consequence}
      </p>
      <div ref={first} className={form.form}>
        {fields.map((field) => {
          const found = read.get(field.name);
          return (
            <Field
              key={field.name}
              argument={field}
              value={typed[field.name] ?? ''}
              problem={checked && found && 'problem' in found ? found.problem : ''}
              onChange={change(field.name)}
            />
          );
        })}
        {typeof wanted === 'string' && (
          <Labelled
            label={<>Type <strong><Plain text={wanted} /></strong> to confirm</>}
            problem={checked && unconfirmed ? 'This is not the name.' : ''}
          >
            {(id, described) => (
              <input
                id={id}
                aria-describedby={described}
                className={form.input}
                value={typedName}
                autoComplete="off"
                spellCheck={false}
                onChange={({ currentTarget }) => setTypedName(currentTarget.value)}
                data-testid="control-confirm"
              />
            )}
          </Labelled>
        )}
        <p className={styles.confirmed}>How it is seen: {command.confirmed}</p>
        {failure && <Trouble error={failure} />}
        <Decide
          word={command.title}
          doing="Sending …"
          busy={sending}
          disabled={unconfirmed || asked.selection?.count === 0}
          danger={command.destructive}
          testId="control-send"
          onCancel={close}
          onDo={send}
        />
      </div>
    </form>
  );
}

/** To what, how many, and who of them. */
function Touched({ command, asked }: { command: CommandInfo; asked: Asked }) {
  const online = useLive((state) => state.overview?.workers.online ?? null);
  const { workers, selection, subject } = asked;
  const everyone = command.runs === 'workers' && !command.needs_workers && workers === undefined;
  const counted = asked.count === undefined ? undefined : plural(asked.count, command.subject === 'queue' ? 'message' : 'thing');
  const number = touched(workers, selection?.count, asked.arguments?.ids, counted);
  const names = workers ?? [];
  return (
    <div className={styles.touched} data-testid="control-touched">
      <p>
        <strong><Plain text={clip(subject, SUBJECT_LIMIT).text} /></strong>
        {number !== null && number !== subject && <> · {number}</>}
        {everyone && <> · asks every worker{online !== null && <>, {plural(online, 'is', 'are')} online</>}</>}
      </p>
      {names.length > 1 && (
        <p className={styles.names}>
          {names.slice(0, SHOWN_WORKERS).map((name, index) => (
            <span key={name}>{index > 0 && ', '}<Plain text={clip(name, SUBJECT_LIMIT).text} /></span>
          ))}
          {names.length > SHOWN_WORKERS && ` and ${count(names.length - SHOWN_WORKERS)} more`}
        </p>
      )}
      {selection && (
        <>
          <ul className={styles.names}>
            {selection.names.map(({ name, count: many }) => (
              <li key={name ?? ''}><span>{count(many)}</span> <TaskName name={name} /></li>
            ))}
          </ul>
          {selection.left_out.map(({ reason, count: many }) => (
            <p key={reason} className={styles.leftOut}>{count(many)} of {count(selection.matching)} left out: <Plain text={reason} /></p>
          ))}
          {selection.count === 0 && <p className={styles.leftOut}>Nothing is left to do this to.</p>}
        </>
      )}
    </div>
  );
}

interface FieldProps {
  argument: ArgumentInfo;
  value: string;
  problem: string;
  onChange: (text: string) => void;
}

function Field({ argument, value, problem, onChange }: FieldProps) {
  const { name, required, unit, help } = argument;
  const label = `${fieldLabel(name)}${unit === '' ? '' : `, ${unit}`}${required ? '' : ' (optional)'}`;
  return (
    <Labelled label={label} help={help} problem={problem}>
      {(id, described) => <Input argument={argument} value={value} onChange={onChange} id={id} described={described} wrong={problem !== ''} />}
    </Labelled>
  );
}

interface InputProps extends Omit<FieldProps, 'problem'> {
  id: string;
  described: string;
  wrong: boolean;
}

function Input({ argument: { name, kind, minimum, maximum, choices, required }, value, onChange, id, described, wrong }: InputProps) {
  const common = {
    id,
    className: form.input,
    'aria-describedby': described,
    'aria-invalid': wrong || undefined,
    'aria-required': required || undefined,
    'data-argument': name,
    value,
    onChange: ({ currentTarget }: { currentTarget: { value: string } }) => onChange(currentTarget.value),
  };
  switch (kind) {
    case 'integer':
    case 'number':
      return <input {...common} type="number" min={minimum ?? undefined} max={maximum ?? undefined} step={kind === 'integer' ? 1 : 'any'} />;
    case 'boolean':
      return <select {...common}><option value="false">No</option><option value="true">Yes</option></select>;
    case 'texts':
    case 'args':
    case 'kwargs':
    case 'options':
    case 'stamps':
      return <textarea {...common} rows={kind === 'texts' ? 2 : 3} spellCheck={false} placeholder={PLACEHOLDERS[kind]} />;
    default:
      return choices.length > 0 ? (
        <select {...common}>{choices.map((choice) => <option key={choice}>{choice}</option>)}</select>
      ) : (
        <input {...common} type="text" autoComplete="off" spellCheck={false} placeholder={PLACEHOLDERS[kind]} />
      );
  }
}

const PLACEHOLDERS: Partial<Record<ArgumentInfo['kind'], string>> = {
  args: '[1, "two"]',
  kwargs: '{"name": "value"}',
  options: '{"durable": true}',
  stamps: '{"order": ["7", "8"]}',
  rate: '10/m',
  time: '2026-12-31T18:00:00Z',
};
