/** Tokens and shared components in their states, for our eyes and docs/design/page.md. */

import '~/styles';

import {
  RouterProvider,
  createMemoryHistory,
  createRootRoute,
  createRouter,
} from '@tanstack/react-router';
import { type CSSProperties, type ReactNode, useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';

import { ApiError, type Broker } from '~/api/client';
import { TimeChart } from '~/charts/TimeChart';
import { Button, IconButton } from '~/components/Button';
import { CopyButton } from '~/components/CopyButton';
import { Facts } from '~/components/Facts';
import { FilterChip } from '~/components/FilterChip';
import { Icon } from '~/components/Icon';
import { Logo } from '~/components/Logo';
import { Long } from '~/components/Long';
import { Meter } from '~/components/Meter';
import { Empty, Trouble, Waiting } from '~/components/Notice';
import { Panel } from '~/components/Panel';
import { Breakable, Host, Line, Plain, TaskName } from '~/components/Plain';
import { SearchField } from '~/components/SearchField';
import { SortHead } from '~/components/SortHead';
import { Glyph, StatePill, WorkerStatus, toneClass } from '~/components/State';
import table from '~/components/Table.module.css';
import toolbar from '~/components/Toolbar.module.css';
import { BannerView } from '~/components/shell/Banners';
import { KeyList } from '~/components/shell/KeysDialog';
import { useScheme } from '~/components/theme';
import { count, duration } from '~/lib/format';
import { type Tone, look } from '~/lib/states';
import type { Trouble as TroubleKind } from '~/lib/trouble';
import { SIGHTS, type Rgb, contrast, parse, seen } from '~/styles/colour';

import styles from './gallery.module.css';

const STATES = ['PENDING', 'RECEIVED', 'STARTED', 'SUCCESS', 'FAILURE', 'RETRY', 'REVOKED', 'REJECTED', 'PROGRESS'];
const TONES: readonly Tone[] = ['waiting', 'running', 'success', 'failure', 'retry', 'revoked', 'rejected', 'custom'];
const INKS = ['ink', 'ink-2', 'ink-3', 'accent', 'accent-strong', ...TONES];
const GROUNDS = ['ground', 'surface', 'surface-2', 'surface-3'];
const CHART = ['chart-success', 'chart-failure', 'chart-retry', 'chart-waiting', 'chart-p50', 'chart-p95', 'chart-p99'];
const NOW = Date.now() / 1000;
const HOSTILE = '\u202eevil<script>alert(1)</script>\u0000.name';
const LONG_NAME = `reports.${'very_long_'.repeat(1000)}end`;

function Gallery() {
  useScheme(); // the colours are read anew
  return (
    <main className={styles.gallery}>
      <h1 className="sr">Gallery</h1>
      <Section name="colours" title="Colours"><Colours /></Section>
      <Section name="sights" title="State and chart colours, as people see them"><Sights /></Section>
      <Section name="type" title="Type and distances"><Type /></Section>
      <Section name="states" title="States"><States /></Section>
      <Section name="controls" title="Controls"><Controls /></Section>
      <Section name="panels" title="Panels: content, nothing, not yet, trouble"><Panels /></Section>
      <Section name="table" title="Tables and meters"><Rows /></Section>
      <Section name="text" title="Text from the cluster"><Text /></Section>
      <Section name="chart" title="Chart"><Chart /></Section>
      <Section name="banners" title="Trouble that concerns every page"><Banners /></Section>
      <Section name="keys" title="Keys"><Keys /></Section>
      <Ready />
    </main>
  );
}

function Section({ name, title, children }: { name: string; title: string; children: ReactNode }) {
  return (
    <section className={styles.section} data-shot={name}>
      <h2>{title}</h2>
      {children}
    </section>
  );
}

/** When the fonts are there and the chart's engine has drawn. */
function Ready() {
  const [ready, setReady] = useState(false);
  useEffect(() => {
    const look = window.setInterval(() => {
      if (document.querySelector('canvas') && document.fonts.status === 'loaded') setReady(true);
    }, 300);
    return () => window.clearInterval(look);
  }, []);
  return ready && <span data-ready />;
}

function value(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

const colour = (name: string): Rgb => parse(value(name));
const variables = (set: Record<`--${string}`, string>): CSSProperties => set;

function Colours() {
  return (
    <div className={styles.swatches}>
      {GROUNDS.map((name) => <Swatch key={name} name={name} back={name} front="ink" />)}
      {INKS.map((name) => {
        const soft = value(`${name}-soft`) ? `${name}-soft` : 'surface';
        return <Swatch key={name} name={name} back={soft} front={name} />;
      })}
    </div>
  );
}

function Swatch({ name, back, front }: { name: string; back: string; front: string }) {
  const worst = Math.min(...[...GROUNDS, back].map((ground) => contrast(colour(front), colour(ground))));
  return (
    <div className={styles.swatch} style={variables({ '--back': `var(--${back})`, '--front': `var(--${front})` })}>
      <strong>{name}</strong>
      <code>{value(name)} on {back}</code>
      <code>{contrast(colour(front), colour(back)).toFixed(1)}, at least {worst.toFixed(1)}</code>
    </div>
  );
}

function Sights() {
  return (
    <>
      {[TONES, CHART].map((names) => (
        <div key={names[0]} className={styles.sights}>
          <span />
          {[...names, ...Array<string>(9 - names.length).fill('')].map((name, index) => (
            <span key={index}>{name.replace('chart-', '')}</span>
          ))}
          {SIGHTS.map((sight) => [
            <span key={sight}>{sight}</span>,
            ...names.map((name) => (
              <span key={`${sight} ${name}`} style={variables({ '--back': css(seen(colour(name), sight)) })} />
            )),
            ...Array.from({ length: 9 - names.length }, (_, index) => <i key={`${sight} ${index}`} />),
          ])}
        </div>
      ))}
    </>
  );
}

function css(rgb: Rgb): string {
  return `rgb(${rgb.map((part) => Math.round(part * 255)).join(' ')})`;
}

function Type() {
  return (
    <div className={styles.columns}>
      <div>
        {['figure', 'xl', 'lg', 'md', 'sm', 'xs'].map((size) => (
          <div key={size} className={styles.row}>
            <h3>{size} {parseFloat(value(`text-${size}`)) * 16} px</h3>
            <span style={{ fontSize: `var(--text-${size})` }}>1,284,003 tasks in 0.25 s</span>
          </div>
        ))}
        <div className={styles.row}>
          <h3>mono</h3>
          <code>0Oo 1Il 5dbe3f7a-21c4</code>
        </div>
        <div className={styles.row}>
          <h3>weights</h3>
          {['normal', 'medium', 'strong'].map((weight) => (
            <span key={weight} style={{ fontWeight: `var(--weight-${weight})` }}>{weight}</span>
          ))}
        </div>
      </div>
      <div>
        {[1, 2, 3, 4, 5, 6].map((step) => (
          <div key={step} className={styles.row}>
            <h3>space-{step}</h3>
            <span className={styles.bar} style={variables({ '--size': `var(--space-${step})` })} />
          </div>
        ))}
        <div className={styles.row}>
          <h3>logo</h3>
          <Logo size={16} /> <Logo size={22} /> <Logo size={32} /> <Logo size={64} />
          <img src="/favicon.svg" width={32} height={32} alt="" />
          <img src="/favicon-trouble.svg" width={32} height={32} alt="" />
        </div>
      </div>
    </div>
  );
}

function States() {
  return (
    <>
      <div className={styles.row}>
        <h3>a task</h3>
        {STATES.map((state) => <StatePill key={state} state={state} />)}
      </div>
      <div className={styles.row}>
        <h3>a worker</h3>
        {(['online', 'offline', 'unknown'] as const).map((status) => <WorkerStatus key={status} status={status} pill />)}
        {(['online', 'offline', 'unknown'] as const).map((status) => <WorkerStatus key={status} status={status} />)}
        {(['online', 'offline', 'unknown'] as const).map((status) => <WorkerStatus key={status} status={status} brief />)}
      </div>
    </>
  );
}

function Controls() {
  const [on, setOn] = useState(true);
  const nothing = () => undefined;
  return (
    <>
      <div className={styles.row}>
        <h3>buttons</h3>
        <Button>Plain</Button>
        <Button icon="pause">With an icon</Button>
        <Button look="accent">The one to press</Button>
        <Button look="quiet" icon="table">Quiet</Button>
        <Button aria-pressed>Pressed</Button>
        <Button disabled>Not now</Button>
        <IconButton icon="sun" label="An icon" />
        <IconButton icon="moon" label="An icon, pressed" aria-pressed />
        <CopyButton text="text" what="the text" />
      </div>
      <div className={styles.row}>
        <h3>search</h3>
        <SearchField label="Search" value="" onSearch={nothing} />
        <SearchField label="Search with text" value="state:failure" onSearch={nothing} />
      </div>
      <div className={styles.row}>
        <h3>filters</h3>
        <div className={toolbar.chips}>
          {STATES.slice(2, 6).map((state, index) => {
            const { tone, glyph } = look(state);
            return (
              <FilterChip
                key={state}
                label={state.toLowerCase()}
                glyph={<Glyph name={glyph} />}
                tone={tone}
                count={[31, 12_840, 17, 4][index] ?? 0}
                on={on && index === 2}
                onToggle={() => setOn(!on)}
              />
            );
          })}
        </div>
      </div>
    </>
  );
}

function Panels() {
  const refused = new ApiError(503, 'unavailable', 'The broker cannot be asked.', 'Is it running, and is its port open from this machine?');
  return (
    <div className={styles.columns}>
      <Panel title="Facts" note="names and values" padded>
        <Facts
          facts={[
            { name: 'Pool', value: 'prefork, 8 processes' },
            { name: 'Queues', value: 'orders, mail' },
            { name: 'worker_prefetch_multiplier', value: '4' },
          ]}
        />
      </Panel>
      <Panel title="Nothing there">
        <Empty title="No task has failed.">Failures of the last five minutes come here.</Empty>
      </Panel>
      <Panel title="Not there yet">
        <Waiting what="the first figures" />
      </Panel>
      <Panel title="In trouble">
        <Trouble error={refused} />
      </Panel>
    </div>
  );
}

function Rows() {
  const rows = [
    ['shop.orders.charge_card', 'STARTED', 4.25, 0.8],
    ['shop.media.transcode_video', 'RETRY', 61.3, 0.35],
    [LONG_NAME, 'FAILURE', 0.002, 0.02],
  ] as const;
  return (
    <Panel title="Tasks" note="columns keep their places, numbers end at one edge">
      <table className={table.table}>
        <thead>
          <tr>
            <th style={{ width: '8rem' }}>State</th>
            <th><SortHead label="Task" direction="none" onSort={() => undefined} /></th>
            <th className={table.number} style={{ width: '8rem' }} aria-sort="descending">
              <SortHead label="Runtime" direction="descending" onSort={() => undefined} end />
            </th>
            <th style={{ width: '8rem' }}>Load</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(([name, state, runtime, load]) => (
            <tr key={name}>
              <td><StatePill state={state} /></td>
              <td><TaskName name={name} /></td>
              <td className={table.number}>{duration(runtime)}</td>
              <td><Meter value={load} max={1} tone={toneClass(look(state).tone)} /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
}

function Text() {
  return (
    <div className={styles.columns}>
      <div>
        {[HOSTILE, LONG_NAME, 'z\u0300\u0301\u0302\u0303\u0304\u0305\u0306.שלום.👩‍👩‍👧'].map((name) => (
          <div key={name} className={styles.row}>
            <div className={styles.narrow}><TaskName name={name} /></div>
          </div>
        ))}
        <div className={styles.narrow}>
          <Host hostname={`celery@${'autoscaled-pod-'.repeat(9)}5f7c`} /><br />
          <Line text={'a\nb\tc \u202e d'} mono /><br />
          <Breakable name="task_soft_time_limit_of_a_long_name" /><br />
          <Plain text={'<b>no markup</b> \u0007'} />
        </div>
      </div>
      <Long text={`ConnectionError('${'no_blank_in_here_'.repeat(60)}')`} label="Exception" />
    </div>
  );
}

const TIMES = Array.from({ length: 150 }, (_, index) => NOW - 300 + 2 * index);
const wave = (height: number, turn: number) =>
  TIMES.map((_, index) => (index > 60 && index < 68 ? 0 : height * (1.4 + Math.sin(index / turn))));
const LINES = [
  { key: 'received', label: 'Received', colour: '--chart-waiting' },
  { key: 'succeeded', label: 'Succeeded', colour: '--chart-success', filled: true },
  { key: 'failed', label: 'Failed', colour: '--chart-failure', filled: true },
  { key: 'retried', label: 'Retried', colour: '--chart-retry' },
];
const VALUES = { received: wave(40, 9), succeeded: wave(34, 9), failed: wave(9, 17), retried: wave(3, 5) };

function Chart() {
  return (
    <Panel title="Throughput" note="tasks a second; the band is a time in which the console was cut off" padded>
      <TimeChart
        label="Throughput"
        lines={LINES}
        times={TIMES}
        values={VALUES}
        window={[NOW - 300, NOW]}
        gaps={[{ start: NOW - 180, end: NOW - 164, reason: 'Connection closed by server.' }]}
        format={(tasks) => count(Math.round(tasks))}
        view="chart"
      />
    </Panel>
  );
}

const BROKER: Broker = {
  transport: 'redis',
  url: 'redis://cache-1.internal:6379/0',
  state: 'disconnected',
  since: NOW - 95,
  error: 'Error 111 connecting to cache-1.internal:6379. Connection refused.',
  hint: 'Nothing listens there. Is the broker running, and is the port right?',
};
const TROUBLES: readonly TroubleKind[] = ['broker-lost', 'gone', 'stale', 'connecting', 'polling', 'crowded', 'silent', 'taskless', 'unsent'];

function Banners() {
  return TROUBLES.map((trouble) => (
    <div key={trouble} className={styles.stage}>
      <BannerView trouble={trouble} since={NOW - 95} heard={NOW - 95} broker={BROKER} hide={() => undefined} />
    </div>
  ));
}

function Keys() {
  const run = () => undefined;
  const bindings = (pairs: Record<string, string>) =>
    Object.entries(pairs).map(([keys, does]) => ({ keys, does, run }));
  return (
    <>
      <div className={styles.row}><Icon name="keyboard" /> <span className={styles.caption}>the list behind ?</span></div>
      <KeyList
        groups={[
          { title: 'Everywhere', bindings: bindings({ 'g o': 'Overview', 'g t': 'Tasks', '/': 'Search on this page', '?': 'This list' }) },
          { title: 'Tasks', bindings: bindings({ j: 'Next task', k: 'Task before', Enter: 'Open the task', Escape: 'Close the task' }) },
        ]}
      />
    </>
  );
}

const root = document.getElementById('root');
if (!root) throw new Error('gallery.html has no #root');
const router = createRouter({
  routeTree: createRootRoute({ component: Gallery }),
  history: createMemoryHistory(),
});
createRoot(root).render(<RouterProvider router={router as never} />);
