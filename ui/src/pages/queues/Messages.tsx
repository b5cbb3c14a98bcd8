/** The messages that wait in a queue, next one first; one of them opens to all that it carries. */

import { useMutation, useQuery } from '@tanstack/react-query';
import { Fragment, useEffect, useState } from 'react';

import { ApiError, type MessagePage } from '~/api/client';
import { useCommands } from '~/api/control';
import { client } from '~/api/queries';
import { Button, IconButton } from '~/components/Button';
import { DoorLink } from '~/components/DoorLink';
import { type Fact, Facts } from '~/components/Facts';
import { Long } from '~/components/Long';
import { Empty, Trouble, Waiting } from '~/components/Notice';
import { Panel } from '~/components/Panel';
import { Line, Plain, TaskName } from '~/components/Plain';
import table from '~/components/Table.module.css';
import { useKeys } from '~/components/useKeys';
import { tasks } from '~/lib/doors';
import { NONE, age, bytes, count } from '~/lib/format';
import { MESSAGES_SHOWN, beside, mayPutBack, placeOf } from '~/lib/messages';

import styles from './Messages.module.css';

type Message = MessagePage['messages'][number];

interface MessagesProps {
  queue: string;
  offset: number;
  onPage: (offset: number) => void;
  onClose: () => void;
}

export default function Messages({ queue, offset, onPage, onClose }: MessagesProps) {
  const asked = useQuery({
    queryKey: ['messages', queue, offset],
    queryFn: ({ signal }) => client.messages(queue, offset, MESSAGES_SHOWN, signal),
    staleTime: 0,
  });
  const taking = useMutation({ mutationFn: () => client.lookAt(queue, offset, MESSAGES_SHOWN) });
  const { reset } = taking;
  useEffect(() => reset(), [offset, reset]);
  const page = taking.data ?? asked.data;
  const error = taking.error ?? (taking.data ? null : asked.error);
  const { before, after } = page ? beside(page) : { before: null, after: null };
  const again = () => {
    reset();
    void asked.refetch();
  };
  useKeys('The queue', [
    { keys: ']', does: 'Messages further back', run: () => after !== null && onPage(after), when: after !== null },
    { keys: '[', does: 'Messages further ahead', run: () => before !== null && onPage(before), when: before !== null },
    { keys: 'r', does: 'Look at the messages again', run: again },
  ]);
  return (
    <Panel
      title="Waiting messages"
      note={page ? placeOf(page) : 'the next that a worker takes comes first'}
      actions={
        <>
          <IconButton icon="left" label="Further ahead ([)" size="sm" disabled={before === null} onClick={() => before !== null && onPage(before)} />
          <IconButton icon="right" label="Further back (])" size="sm" disabled={after === null} onClick={() => after !== null && onPage(after)} />
          <Button look="quiet" onClick={again}>
            Look again
          </Button>
          <IconButton icon="close" label="Close the messages" size="sm" onClick={onClose} />
        </>
      }
    >
      <div data-testid="messages" data-total={page?.total}>
        {error ? (
          <Refused error={error} busy={taking.isPending} onTake={() => taking.mutate()} />
        ) : !page ? (
          <Waiting what="the messages" />
        ) : (
          <>
            {page.notes.map((note) => (
              <p key={note} className={styles.note}>
                <Plain text={note} />
              </p>
            ))}
            {page.messages.length === 0 ? (
              <Empty title={page.total === 0 ? 'No message waits in this queue' : 'No message waits so far back any more'} />
            ) : (
              <Rows page={page} />
            )}
          </>
        )}
      </div>
    </Panel>
  );
}

interface RefusedProps {
  error: Error;
  busy: boolean;
  onTake: () => void;
}

/** Why one cannot look; and, where it is possible in another way, that way for who may go it. */
function Refused({ error, busy, onTake }: RefusedProps) {
  const table = useCommands().data;
  const may = table !== undefined && table.role !== 'viewer' && !table.read_only;
  const possible = error instanceof ApiError && mayPutBack(error);
  if (!possible) return <Trouble error={error} />;
  return (
    <>
      <Empty title="This broker shows no message where it lies">
        <Plain text={error.message} /> {error.hint !== null && <Plain text={error.hint} />}{' '}
        {!may && 'You may not do that here.'}
      </Empty>
      {may && (
        <p className={styles.take}>
          <Button onClick={onTake} disabled={busy} data-testid="take">
            {busy ? 'Looking …' : 'Take them and put them back'}
          </Button>
        </p>
      )}
    </>
  );
}

function Rows({ page }: { page: MessagePage }) {
  const [open, setOpen] = useState<number | null>(null);
  return (
    <div className={table.tall} tabIndex={0} role="region" aria-label="Messages, the next one first">
      <table className={`${table.table} ${styles.table}`}>
        <thead>
          <tr>
            <th style={{ width: '5rem' }}>Place</th>
            <th>Task</th>
            <th className={table.optional}>Arguments</th>
            <th className={table.number} style={{ width: '5.5rem' }} title="Since it was sent">
              Age
            </th>
            <th className={table.number} style={{ width: '5.5rem' }}>
              Size
            </th>
            <th className={`${table.number} ${table.optional}`} style={{ width: '4.5rem' }}>
              Priority
            </th>
            <th className={styles.marks}>Marks</th>
          </tr>
        </thead>
        <tbody>
          {page.messages.map((message) => (
            <Fragment key={message.position}>
              <Row
                message={message}
                open={open === message.position}
                onToggle={() => setOpen(open === message.position ? null : message.position)}
              />
              {open === message.position && (
                <tr className={styles.opened} data-testid="message">
                  <td colSpan={7}>
                    <Whole message={message} />
                  </td>
                </tr>
              )}
            </Fragment>
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface RowProps {
  message: Message;
  open: boolean;
  onToggle: () => void;
}

function Row({ message, open, onToggle }: RowProps) {
  const { position, name, args, kwargs, age_seconds, size_bytes, priority, redelivered, problem } = message;
  return (
    <tr className={styles.row} data-position={position} data-open={open || undefined} onClick={onToggle}>
      <td>
        <button
          type="button"
          className={styles.place}
          aria-expanded={open}
          aria-label={`Message ${count(position + 1)}`}
          onClick={(event) => {
            event.stopPropagation();
            onToggle();
          }}
        >
          <span className={styles.turn} data-open={open || undefined} aria-hidden="true">
            ›
          </span>
          {count(position + 1)}
        </button>
      </td>
      <td>{name === null ? <span className={table.dim}>no task, or not readable</span> : <TaskName name={name} />}</td>
      <td className={table.optional}>
        <Line text={argumentsOf(args, kwargs)} mono />
      </td>
      <td className={table.number} title={age_seconds === null ? 'Nobody tells when it was sent' : undefined}>
        {age(age_seconds)}
      </td>
      <td className={table.number}>{bytes(size_bytes)}</td>
      <td className={`${table.number} ${table.optional}`}>{priority ?? NONE}</td>
      <td>
        {redelivered && (
          <span className={table.warn} title="A consumer had it before">
            redelivered{' '}
          </span>
        )}
        {problem !== null && (
          <span className={table.bad}>
            <Line text={problem} />
          </span>
        )}
      </td>
    </tr>
  );
}

function argumentsOf(args: string | null, kwargs: string | null): string {
  return [args, kwargs].filter((part) => part !== null && part !== '' && part !== '{}').join(' ');
}

/** All that a message carries. */
function Whole({ message }: { message: Message }) {
  const { uuid, args, kwargs, problem } = message;
  return (
    <div className={styles.whole}>
      {problem !== null && (
        <p className={table.bad}>
          <Plain text={problem} />
        </p>
      )}
      <Facts facts={factsOf(message)} wide />
      {uuid !== null && (
        <p>
          <DoorLink className={styles.door} door={tasks({ uuid })}>
            What is known of this task
          </DoorLink>
        </p>
      )}
      {args !== null && (
        <section>
          <h3>Arguments</h3>
          <Long text={args} label="Arguments" />
        </section>
      )}
      {kwargs !== null && (
        <section>
          <h3>Keyword arguments</h3>
          <Long text={kwargs} label="Keyword arguments" />
        </section>
      )}
      <section>
        <h3>Headers</h3>
        {Object.keys(message.headers).length === 0 ? (
          <p className={table.dim}>None beside those above.</p>
        ) : (
          <Facts facts={Object.entries(message.headers).map(([name, text]) => ({ name, value: value(text) }))} wide />
        )}
      </section>
    </div>
  );
}

function factsOf(message: Message): Fact[] {
  const texts: [string, string | null][] = [
    ['id', message.uuid],
    ['root', message.root_id],
    ['parent', message.parent_id],
    ['eta', message.eta],
    ['expires', message.expires],
    ['retries', message.retries === null ? null : count(message.retries)],
    ['sent by', message.origin],
    ['content type', message.content_type],
  ];
  return texts.filter(([, text]) => text !== null).map(([name, text]) => ({ name, value: value(text ?? '') }));
}

function value(text: string) {
  return text === '' ? <span className={table.dim}>empty</span> : <Plain text={text} />;
}
