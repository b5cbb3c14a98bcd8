import type { WorkerDetail } from '~/api/client';
import { Facts } from '~/components/Facts';
import { Ago } from '~/components/Moment';
import { Panel } from '~/components/Panel';
import { Plain } from '~/components/Plain';
import { Tree } from '~/components/Tree';
import { bytes, count, duration } from '~/lib/format';
import { type Figure, statistics } from '~/lib/inspect';
import { treeOf } from '~/lib/pyrepr';
import { clip } from '~/lib/text';

import { Unanswered } from './Unanswered';
import styles from './worker.module.css';

/** What it counts of itself. */
export function Statistics({ worker: { inspect } }: { worker: WorkerDetail }) {
  const stats = inspect?.stats;
  if (!inspect || !stats) {
    return (
      <Panel title="Statistics">
        <Unanswered inspect={inspect} answer={stats} empty="" />
      </Panel>
    );
  }
  const { groups, rest } = statistics(stats);
  const others = Object.keys(rest).length;
  return (
    <Panel title="Statistics" note={<>as it answered <Ago at={inspect.at} /></>} padded>
      <div className={styles.groups} data-testid="statistics">
        {groups.map(({ title, figures }) => (
          <section key={title} className={styles.group}>
            <h3>{title}</h3>
            <Facts
              facts={figures.map((figure) => ({ name: figure.name, value: <Plain text={shown(figure)} /> }))}
            />
          </section>
        ))}
      </div>
      {others > 0 && (
        <details className={styles.others}>
          <summary>{count(others)} more</summary>
          <Tree node={treeOf(rest)} label="More statistics" />
        </details>
      )}
    </Panel>
  );
}

function shown({ value, unit }: Figure): string {
  if (typeof value === 'string') return clip(value, 200).text;
  switch (unit) {
    case 'seconds':
      return duration(value);
    case 'kibibytes':
      return bytes(value * 1024);
    default:
      return count(value);
  }
}
