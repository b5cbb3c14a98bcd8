/**
 * What became of the commands of late, worker by worker. Beside the page, never over all of it:
 * it follows on while one goes elsewhere, closed or open.
 */

import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useEffect, useRef, useState } from 'react';

import { type ActionReport, type ActionSummary, ApiError } from '~/api/client';
import { client } from '~/api/queries';
import { type Line, isOver, itemLine, progress, summary, tone, workerLine } from '~/lib/control';
import { count, plural } from '~/lib/format';
import { clip } from '~/lib/text';

import { Button, IconButton } from '../Button';
import { Icon, type IconName } from '../Icon';
import { Meter } from '../Meter';
import { Ago } from '../Moment';
import { Empty, Trouble, Waiting } from '../Notice';
import { Plain } from '../Plain';
import { toneClass } from '../State';
import { useKeys } from '../useKeys';
import styles from './Tray.module.css';
import { keep, showTray } from './store';

const NOTHING = -1; // as a sequence: nothing was seen yet
const WAIT_SECONDS = 20;
const AGAIN_MS = 2_000;
const LIST_MS = 5_000;
const WORDS_LIMIT = 300;
const MOST_LINES = 1_000;

const ICONS: Record<Line['tone'], IconName> = {
  waiting: 'info', running: 'play', success: 'check', failure: 'close', retry: 'warning',
};

interface TrayProps {
  open: boolean;
  reports: readonly ActionReport[];
}

export default function Tray({ open, reports }: TrayProps) {
  const newest = reports[0];
  return (
    <>
      {/* Always there: a region that comes with its text is not announced by every browser. */}
      <p className="sr" role="status" data-testid="tray-announcement">
        {newest && `${newest.title}: ${isOver(newest) ? summary(newest) : 'sent'}.`}
      </p>
      {reports.filter((report) => !isOver(report)).map(({ id }) => (
        <Follow key={id} id={id} reports={reports} />
      ))}
      {open && <Panel reports={reports} />}
    </>
  );
}

/** Asks on until the action is over; the console answers when something changed. */
function Follow({ id, reports }: { id: string; reports: readonly ActionReport[] }) {
  const after = useRef(NOTHING);
  useEffect(() => {
    after.current = reports.find((report) => report.id === id)?.sequence ?? NOTHING;
  });
  useEffect(() => {
    const reading = new AbortController();
    const { signal } = reading;
    const read = async () => {
      let known = after.current;
      while (!signal.aborted) {
        try {
          const report = await client.action(id, known, known > NOTHING ? WAIT_SECONDS : 0, signal);
          known = report.sequence;
          keep(report);
          if (isOver(report)) return;
        } catch (error) {
          // Forgotten, or forbidden by now: another try changes nothing.
          if (error instanceof ApiError && error.status < 500) return;
          await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
        }
      }
    };
    void read();
    return () => reading.abort();
  }, [id]);
  return null;
}

function Panel({ reports }: { reports: readonly ActionReport[] }) {
  const panel = useRef<HTMLElement>(null);
  const { data, error } = useQuery({
    queryKey: ['actions'],
    queryFn: ({ signal }) => client.actions(signal),
    refetchInterval: LIST_MS,
  });
  const [chosen, setChosen] = useState<{ id: string; open: boolean } | null>(null);
  const close = () => {
    // The keyboard does not stay in what is gone.
    if (panel.current?.contains(document.activeElement)) {
      document.querySelector<HTMLElement>('h1')?.focus({ preventScroll: true });
    }
    showTray(false);
  };
  useKeys('Actions', [{ keys: 'Escape', does: 'Close the actions', run: close }]);
  const all = merged(data?.actions ?? [], reports);
  const newest = all[0]?.id;
  // A new one opens by itself, whatever was folded before.
  const isOpen = (id: string) => (chosen !== null && chosen.id === id ? chosen.open : chosen?.open !== true && id === newest);
  return (
    <aside ref={panel} className={styles.tray} aria-labelledby="tray-title" data-testid="tray">
      <header className={styles.head}>
        <h2 id="tray-title">Actions</h2>
        <IconButton icon="close" size="sm" label="Close (Esc)" onClick={close} />
      </header>
      <div className={styles.body}>
        {error && all.length === 0 ? (
          <Trouble error={error} />
        ) : all.length === 0 && !data ? (
          <Waiting what="the actions" />
        ) : all.length === 0 ? (
          <Empty title="Nothing was done yet">Commands that are sent show here, with what became of them.</Empty>
        ) : (
          <ul>
            {all.map((action) => (
              <One
                key={action.id}
                action={action}
                report={reports.find(({ id }) => id === action.id) ?? null}
                reports={reports}
                open={isOpen(action.id)}
                onToggle={(open) => setChosen({ id: action.id, open })}
              />
            ))}
          </ul>
        )}
      </div>
    </aside>
  );
}

/** Each action once, as it was told last; the newest first. */
function merged(listed: readonly ActionSummary[], reports: readonly ActionReport[]): ActionSummary[] {
  const all = new Map<string, ActionSummary>(listed.map((action) => [action.id, action]));
  for (const report of reports) {
    const other = all.get(report.id);
    if (!other || other.sequence <= report.sequence) all.set(report.id, report);
  }
  return [...all.values()].sort((one, other) => other.created_at - one.created_at);
}

interface OneProps {
  action: ActionSummary;
  report: ActionReport | null; // null: nobody asked for it yet
  reports: readonly ActionReport[];
  open: boolean;
  onToggle: (open: boolean) => void;
}

function One({ action, report, reports, open, onToggle }: OneProps) {
  const colour = tone(action);
  return (
    <li className={`${styles.action} ${toneClass(colour)}`} data-action={action.command} data-state={action.state} data-tone={colour}>
      <button type="button" className={styles.summary} aria-expanded={open} onClick={() => onToggle(!open)}>
        <span className={styles.glyph}><Icon name={ICONS[colour]} size={14} /></span>
        <span className={styles.what}>
          <strong>{action.title}</strong> <Subject action={action} />
          <span className={styles.said}>{summary(action)}</span>
        </span>
        <span className={styles.when}><Ago at={action.created_at} /></span>
        <Icon name={open ? 'unfolded' : 'right'} size={12} />
      </button>
      {!isOver(action) && action.total > 1 && (
        <div className={styles.bar}><Meter value={progress(action)} max={1} tone={toneClass('running')} /></div>
      )}
      {open && (
        <div className={styles.detail}>
          {report === null && <Follow id={action.id} reports={reports} />}
          {action.error !== '' && (
            <div className={styles.failure}>
              <p><Plain text={clip(action.error, WORDS_LIMIT).text} /></p>
              {action.hint !== '' && <p className={styles.dim}><Plain text={clip(action.hint, WORDS_LIMIT).text} /></p>}
            </div>
          )}
          {report && <Lines report={report} />}
          {action.stoppable && !isOver(action) && <Stop id={action.id} />}
        </div>
      )}
    </li>
  );
}

/** What it was done to, as far as its arguments say. */
function Subject({ action: { arguments: given, everyone, runs } }: { action: ActionSummary }) {
  const all = Object.entries(given);
  const words = all.flatMap(([name, value]) => {
    if (value === null || value === undefined || value === false) return [];
    if (Array.isArray(value)) return [name === 'ids' ? plural(value.length, 'task') : `${name} ${count(value.length)}`];
    return [isPlain(value) ? `${name} ${String(value)}` : name];
  });
  const text = [...words, ...(everyone && runs === 'workers' ? ['every worker'] : [])].join(', ');
  return <span className={styles.dim}><Plain text={clip(text, 120).text} /></span>;
}

function isPlain(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

const GRAVITY: readonly Line['tone'][] = ['failure', 'retry', 'running', 'waiting', 'success'];

function Lines({ report }: { report: ActionReport }) {
  const lines = [
    ...report.workers.map((worker) => ({ name: worker.hostname, task: null, line: workerLine(worker, report.timeout_seconds) })),
    ...report.items.map((item) => ({ name: item.subject, task: item.task_id, line: itemLine(item, isOver(report)) })),
  ].sort((one, other) => GRAVITY.indexOf(one.line.tone) - GRAVITY.indexOf(other.line.tone));
  if (lines.length === 0) return <p className={styles.dim}>{isOver(report) ? 'Nobody was there to be asked.' : 'Nobody has answered yet.'}</p>;
  const shown = lines.slice(0, MOST_LINES);
  const rest = lines.length - shown.length + report.items_left_out;
  return (
    <ul className={styles.lines} tabIndex={0} aria-label="Who did what">
      {shown.map(({ name, task, line }, index) => (
        <li key={`${name} ${index}`} className={`${styles.line} ${toneClass(line.tone)}`} data-tone={line.tone}>
          <span className={styles.glyph}><Icon name={ICONS[line.tone]} size={12} /></span>
          <div>
            <p>
              <span className={styles.who}><Plain text={clip(name, WORDS_LIMIT).text} /></span>{' '}
              <span className={styles.word}>{line.word}</span>
            </p>
            {line.words !== '' && <p className={styles.own}><Plain text={clip(line.words, WORDS_LIMIT).text} /></p>}
            {line.effect !== '' && <p className={styles.effect}><Plain text={clip(line.effect, WORDS_LIMIT).text} /></p>}
            {task !== null && (
              <p><Link className={styles.door} to="/tasks/$uuid" params={{ uuid: task }}>Its task</Link></p>
            )}
          </div>
        </li>
      ))}
      {rest > 0 && <li className={styles.dim}>and {count(rest)} more</li>}
    </ul>
  );
}

function Stop({ id }: { id: string }) {
  const [state, setState] = useState<'idle' | 'stopping' | Error>('idle');
  const stop = () => {
    setState('stopping');
    client.stopAction(id).then(keep, (error: unknown) => setState(error instanceof Error ? error : new Error(String(error))));
  };
  return (
    <div>
      <Button icon="close" onClick={stop} disabled={state === 'stopping'}>{state === 'stopping' ? 'Stopping …' : 'Stop'}</Button>
      {state instanceof Error && <Trouble error={state} />}
    </div>
  );
}
