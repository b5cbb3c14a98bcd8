import { useState } from 'react';

import { count } from '~/lib/format';
import { clip } from '~/lib/text';

import { CopyButton } from './CopyButton';
import styles from './Long.module.css';
import { Plain } from './Plain';

const FOLD_AT = 4_000; // UTF-16 units

const SHORT = 300;

/** Text that is usually short: in the flow, or folded when it is not. */
export function ShortOrLong({ text, label }: { text: string; label: string }) {
  return text.length > SHORT ? <Long text={text} label={label} /> : <Plain text={text} />;
}

/** Long text from the cluster: wrapped, folded when it is very long, copied as it came. */
export function Long({ text, label }: { text: string; label: string }) {
  const [open, setOpen] = useState(false);
  const { text: head, rest } = clip(text, FOLD_AT);
  return (
    <div className={styles.long}>
      <code
        className={open ? `${styles.text} ${styles.open}` : styles.text}
        // A region that scrolls must be reachable by keyboard.
        tabIndex={0}
        role="region"
        aria-label={label}
      >
        <Plain text={open ? text : head} />
        {!open && rest > 0 && '…'}
      </code>
      <span className={styles.copy}>
        <CopyButton text={text} what={label.toLowerCase()} />
      </span>
      {rest > 0 && (
        <button type="button" className={styles.more} onClick={() => setOpen(!open)}>
          {open ? 'Show less' : `Show ${count(rest)} more characters`}
        </button>
      )}
    </div>
  );
}
