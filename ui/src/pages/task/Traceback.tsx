/** A traceback with the user's own frames in sight and the libraries' folded, the innermost first. */

import { Plain } from '~/components/Plain';
import { count, plural } from '~/lib/format';
import { clip } from '~/lib/text';
import { type Bond, type Frame, type Raised, type Run, type Traceback, runs } from '~/lib/traceback';

import styles from './traceback.module.css';

const MOST_FRAMES = 60; // in one run
const LINE_LIMIT = 1_000; // UTF-16 units
const MESSAGE_LIMIT = 4_000;

const BONDS: Readonly<Record<Bond, string>> = {
  cause: 'Caused by',
  context: 'While handling',
};

export function Frames({ read: { raised, before } }: { read: Traceback }) {
  const last = raised.length - 1;
  return (
    <div className={styles.traceback}>
      {before !== '' && <p className={styles.message}><Plain text={clip(before, MESSAGE_LIMIT).text} /></p>}
      {raised.map((_, index) => raised[last - index]).map(
        (one, index) => one && <Block key={index} raised={one} first={index === 0} />,
      )}
    </div>
  );
}

function Block({ raised, first }: { raised: Raised; first: boolean }) {
  const { type, message, frames, rest, bond } = raised;
  const found = runs(frames);
  const anyOwn = found.some(({ own }) => own);
  return (
    <section className={styles.block}>
      <p className={styles.raised} data-first={first || undefined}>
        {bond !== null && <span className={styles.bond}>{BONDS[bond]} </span>}
        <strong><Plain text={clip(type === '' ? 'an exception that was cut' : type, LINE_LIMIT).text} /></strong>
        {/* The task's own exception stands above in the worker's words. */}
        {!first && message !== '' && <>: <Plain text={clip(message, MESSAGE_LIMIT).text} /></>}
        {first && <span className={styles.order}>innermost call first</span>}
      </p>
      {rest !== '' && <pre className={styles.rest}><Plain text={clip(rest, MESSAGE_LIMIT).text} /></pre>}
      <ol className={styles.runs}>
        {found.map((run, index) => (
          <li key={index}>
            {run.own ? <List frames={run.frames} /> : <Library run={run} open={!anyOwn && index === 0} />}
          </li>
        ))}
      </ol>
    </section>
  );
}

function Library({ run: { frames, libraries }, open }: { run: Run; open: boolean }) {
  const named = libraries.slice(0, 4).join(', ');
  return (
    <details className={styles.library} open={open}>
      <summary>
        {plural(frames.length, 'frame')} of{' '}
        <Plain text={clip(named, 120).text} />
        {libraries.length > 4 && ` and ${count(libraries.length - 4)} more`}
      </summary>
      <List frames={frames} />
    </details>
  );
}

function List({ frames }: { frames: readonly Frame[] }) {
  return (
    <ol>
      {frames.slice(0, MOST_FRAMES).map((frame, index) => (
        <One key={index} frame={frame} />
      ))}
      {frames.length > MOST_FRAMES && (
        <li className={styles.more}>
          and {plural(frames.length - MOST_FRAMES, 'more frame')}: the raw text has them
        </li>
      )}
    </ol>
  );
}

function One({ frame }: { frame: Frame }) {
  const { file, line, name, code, marks, repeated, own } = frame;
  const cut = Math.max(file.lastIndexOf('/'), file.lastIndexOf('\\')) + 1;
  const shown = clip(file, LINE_LIMIT).text;
  return (
    <li className={styles.frame} data-own={own}>
      <p className={styles.where}>
        <span className={styles.path}><Plain text={shown.slice(0, cut)} /></span>
        <span className={styles.file}><Plain text={shown.slice(cut)} /></span>
        <span className={styles.path}>:</span>
        <span className={styles.line}>{line}</span>
        {name !== null && (
          <>
            <span className={styles.path}> in </span>
            <span className={styles.name}><Plain text={clip(name, 200).text} /></span>
          </>
        )}
      </p>
      {code.length > 0 && (
        <code className={styles.code}>
          {code.map((text, index) => (
            <span key={index} className={styles.source}>
              {index === code.length - 1 ? <Marked text={text} marks={marks} /> : <Plain text={clip(text, LINE_LIMIT).text} />}
            </span>
          ))}
        </code>
      )}
      {repeated > 0 && (
        <p className={styles.more}>and again {plural(repeated, 'time')}</p>
      )}
    </li>
  );
}

/** The line, with what the carets under it point at. */
function Marked({ text, marks }: { text: string; marks: string }) {
  const shown = clip(text, LINE_LIMIT).text;
  const start = marks.search(/\S/);
  if (start < 0 || start >= shown.length) return <Plain text={shown} />;
  // A mark under all of the line points at nothing.
  const end = marks.length;
  if (start === 0 && end >= shown.length) return <Plain text={shown} />;
  return (
    <>
      <Plain text={shown.slice(0, start)} />
      <mark className={styles.mark}><Plain text={shown.slice(start, end)} /></mark>
      <Plain text={shown.slice(end)} />
    </>
  );
}
