/** The two ends of the line: is the page fed, is the console fed. */

import { type Link, useLink, useLive } from '~/api/live';
import type { Broker } from '~/api/client';
import { rate } from '~/lib/format';
import type { Tone } from '~/lib/states';
import { visible } from '~/lib/text';

import { Line } from '../Plain';
import { toneClass } from '../State';
import styles from './Shell.module.css';

const LINKS: Record<Link, { word: string; tone: Tone; title: string }> = {
  live: { word: 'Live', tone: 'success', title: 'New figures arrive as they happen' },
  polling: {
    word: 'Polling',
    tone: 'retry',
    title: 'Something on the way holds the live stream back; figures are asked for every 2 s',
  },
  connecting: { word: 'Connecting', tone: 'waiting', title: 'Waiting for the live stream' },
  stale: { word: 'Stale', tone: 'retry', title: 'Nothing has come for more than 6 s' },
  gone: {
    word: 'Server gone',
    tone: 'failure',
    title: 'The console does not answer; what is shown is old. Trying again.',
  },
};

export function LinkChip() {
  const link = useLink();
  const pace = useLive((state) => state.overview?.ingest.events_per_second ?? null);
  const { word, tone, title } = LINKS[link];
  return (
    <span
      className={`${styles.chip} ${toneClass(tone)}`}
      title={title}
      data-testid="link"
      data-value={link}
    >
      <span
        className={styles.dot}
        data-beat={link === 'live' || undefined}
        data-hollow={link !== 'live' || undefined}
      />
      <strong>{word}</strong>
      {link === 'live' && pace !== null && <span className={styles.pace}>{rate(pace)} ev/s</span>}
    </span>
  );
}

const BROKERS: Record<Broker['state'], { word: string; tone: Tone }> = {
  connected: { word: 'Connected', tone: 'success' },
  connecting: { word: 'Connecting', tone: 'retry' },
  disconnected: { word: 'Disconnected', tone: 'failure' },
};

const UNKNOWN = { word: 'Unknown', tone: 'waiting' } as const;

export function BrokerChip() {
  const broker = useLive((state) => state.overview?.broker ?? null);
  const link = useLink();
  if (!broker) return null;
  // What the broker is now, only a console that answers knows.
  const known = link === 'live' || link === 'polling';
  const { word, tone } = known ? BROKERS[broker.state] : UNKNOWN;
  return (
    <span
      className={`${styles.chip} ${styles.brokerChip} ${toneClass(tone)}`}
      title={`Broker ${visible(broker.url)}: ${word.toLowerCase()}`}
      data-testid="broker"
      data-value={broker.state}
    >
      <span className={styles.dot} data-hollow={!known || broker.state !== 'connected' || undefined} />
      <span className="sr">Broker, {word.toLowerCase()}:</span>
      <span className={styles.url}>
        <Line text={broker.url} />
      </span>
    </span>
  );
}
