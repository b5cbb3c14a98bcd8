/** Text from the cluster, shown as text: isolated, unsafe characters visible, cut to fit. */

import { Fragment } from 'react';

import { NONE } from '~/lib/format';
import { clip, segments, splitHost, splitName, visible } from '~/lib/text';

import styles from './Plain.module.css';

const LINE_LIMIT = 400; // more does not fit on any screen
const TITLE_LIMIT = 1_000;

function Segments({ text }: { text: string }) {
  return segments(text).map((segment, index) =>
    segment.escaped ? (
      <span key={index} className={styles.escaped}>
        {segment.text}
      </span>
    ) : (
      segment.text
    ),
  );
}

/** Text of any length, in the flow. */
export function Plain({ text }: { text: string }) {
  return (
    <bdi className={styles.plain}>
      <Segments text={text} />
    </bdi>
  );
}

/** A dotted_name that may break after its dots and underscores. */
export function Breakable({ name }: { name: string }) {
  return (
    <bdi className={styles.plain}>
      {visible(name)
        .split(/(?<=[._])/)
        .map((part, index) => (
          <Fragment key={index}>
            {part}
            <wbr />
          </Fragment>
        ))}
    </bdi>
  );
}

interface LineProps {
  text: string | null | undefined;
  mono?: boolean;
}

/** One line that is cut with dots where its place ends; the title has more of it. */
export function Line({ text, mono = false }: LineProps) {
  if (text === null || text === undefined || text === '') return NONE;
  return (
    <bdi
      className={mono ? `${styles.line} ${styles.mono}` : styles.line}
      title={visible(clip(text, TITLE_LIMIT).text)}
    >
      <Segments text={clip(text, LINE_LIMIT).text} />
    </bdi>
  );
}

/**
 * A name whose end says most. It is cut at its start, see the style; its parts are not boxes of
 * their own, so that it is copied and read aloud as one word.
 */
function Parts({ whole, path, leaf }: { whole: string; path: string; leaf: string }) {
  return (
    <span className={path === '' ? styles.line : styles.name} title={visible(clip(whole, TITLE_LIMIT).text)}>
      <bdi dir="ltr">
        {path !== '' && (
          <span className={styles.path}>
            <Segments text={path} />
          </span>
        )}
        <Segments text={leaf} />
      </bdi>
    </span>
  );
}

/** A task's name; null when no event has told it yet. */
export function TaskName({ name }: { name: string | null }) {
  if (name === null) return <span className={styles.path}>name not seen</span>;
  if (name === '') return <span className={styles.path}>empty name</span>;
  return <Parts whole={name} {...splitName(clip(name, LINE_LIMIT).text)} />;
}

/** A node's name. */
export function Host({ hostname }: { hostname: string | null | undefined }) {
  if (!hostname) return NONE;
  return <Parts whole={hostname} {...splitHost(clip(hostname, LINE_LIMIT).text)} />;
}
