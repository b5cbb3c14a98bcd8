/** Its settings, as far as they are not the defaults. */

import { useMemo, useState } from 'react';

import type { WorkerDetail } from '~/api/client';
import { Ago } from '~/components/Moment';
import { Panel } from '~/components/Panel';
import { Breakable } from '~/components/Plain';
import { SearchField } from '~/components/SearchField';
import { Pieces, Tree } from '~/components/Tree';
import { plural } from '~/lib/format';
import { type Node, onOneLine, treeOf } from '~/lib/pyrepr';
import { clip } from '~/lib/text';

import { Unanswered } from './Unanswered';
import styles from './worker.module.css';

const ONE_LINE = 56; // characters

interface Setting {
  name: string;
  node: Node;
  words: string; // what a filter looks into
}

export function Settings({ worker: { inspect } }: { worker: WorkerDetail }) {
  const [words, setWords] = useState('');
  const settings = useMemo(() => read(inspect?.conf ?? {}), [inspect?.conf]);
  const shown = settings.filter((setting) => setting.words.includes(words.toLowerCase()));
  if (!inspect || settings.length === 0) {
    return (
      <Panel title="Settings">
        <Unanswered inspect={inspect} answer={inspect?.conf} empty="All of them are the defaults" />
      </Panel>
    );
  }
  return (
    <Panel
      title="Settings"
      note={<>{plural(settings.length, 'setting')}, as it answered <Ago at={inspect.at} /></>}
      actions={<SearchField label="Filter settings" value={words} onSearch={setWords} />}
      padded
    >
      <dl className={styles.settings} data-testid="settings">
        {shown.map((setting) => (
          <One key={setting.name} setting={setting} />
        ))}
      </dl>
      {shown.length === 0 && <p className={styles.dim}>No name and no value has this in it.</p>}
    </Panel>
  );
}

function One({ setting: { name, node } }: { setting: Setting }) {
  const [open, setOpen] = useState(false);
  const short = onOneLine(node, ONE_LINE);
  return (
    <div className={styles.setting} data-setting={name} data-open={open || undefined}>
      <dt>
        <Breakable name={clip(name, 120).text} />
      </dt>
      <dd>
        {short !== null ? (
          <Pieces pieces={short} />
        ) : (
          <details open={open} onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
            <summary>{summary(node)}</summary>
            {open && <Tree node={node} label={clip(name, 120).text} />}
          </details>
        )}
      </dd>
    </div>
  );
}

function summary(node: Node): string {
  if (node.kind === 'leaf') return `${clip(node.text, 60).text}…`;
  return plural(node.items.length, node.open === '[' ? 'item' : 'entry', node.open === '[' ? 'items' : 'entries');
}

function read(conf: Readonly<Record<string, unknown>>): Setting[] {
  return Object.entries(conf)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => ({
      name,
      node: treeOf(value),
      words: `${name} ${JSON.stringify(value)}`.toLowerCase(),
    }));
}
