import { Flyout } from '~/components/Flyout';

import styles from './QueryBar.module.css';

const LINES: readonly [string, string][] = [
  ['timeout', 'a text in the id, name, arguments, result or exception'],
  ['"card declined"', 'a text with blanks'],
  ['state:failed', 'also running, waiting, retrying, finished, or Celery’s own'],
  ['state:failure,retry', 'one or the other'],
  ['name:send_email', 'the whole name, or its end after a dot'],
  ['name:emails.*', '* stands for anything; also worker: queue: client: uuid:'],
  ['-queue:default', 'not; -queue:* where none is known'],
  ['kwargs:user=7', 'one argument; args: result: exception: for a part of them'],
  ['runtime:>5s', 'also <=200ms, 1s..5s; wait: and retries:>0 likewise'],
  ['since:10m', 'until: and since: take an age or a time: 2026-11-23T03:00'],
  ['a OR b', 'a b is both; (…) groups'],
];

export function QueryHelp() {
  return (
    <Flyout icon="question" label="How to write a query" brief testId="query-help">
      <dl className={styles.help}>
        {LINES.map(([query, meaning]) => (
          <div key={query}>
            <dt>
              <code>{query}</code>
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
    </Flyout>
  );
}
