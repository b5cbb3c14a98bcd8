/**
 * Trouble that concerns every page: what is wrong, since when, what to do. It floats over the end
 * of the page, so that nothing moves when it comes and goes, and can be folded to one line.
 */

import { type ReactNode, useState } from 'react';

import { useLive } from '~/api/live';
import { useHistoryStatus } from '~/api/queries';
import type { Broker, HistoryStatus } from '~/api/client';
import { plural } from '~/lib/format';
import type { Tone } from '~/lib/states';
import type { Trouble } from '~/lib/trouble';

import { IconButton } from '../Button';
import { Icon, type IconName } from '../Icon';
import { Ago, Since } from '../Moment';
import { Plain } from '../Plain';
import { toneClass } from '../State';
import styles from './Shell.module.css';
import type { Told } from './useTrouble';

interface Notice {
  tone: Tone;
  icon: IconName;
  title: string; // is announced
  brief?: ReactNode; // goes on after the title, on the same line
  detail: ReactNode; // what to do
  testId?: string;
}

export function Banner({ told, onHide }: { told: Told; onHide?: () => void }) {
  const heard = useLive((state) => state.now);
  const broker = useLive((state) => state.overview?.broker ?? null);
  const history = useHistoryStatus().data ?? null;
  return <BannerView {...told} heard={heard} broker={broker} history={history} hide={onHide ?? told.hide} />;
}

interface BannerViewProps extends Told {
  heard: number | null;
  broker: Broker | null;
  history?: HistoryStatus | null;
}

export function BannerView({ trouble, since, heard, broker, history = null, hide }: BannerViewProps) {
  const [folded, setFolded] = useState(false);
  const notice = trouble === null ? null : describe(trouble, since, heard, broker, history);
  return (
    <>
      {/* Always there: a region that comes with its text is not announced by every browser. */}
      <p className="sr" role="status" data-testid="announcement">
        {notice?.title}
      </p>
      {notice && (
        <div
          className={`${styles.banner} ${toneClass(notice.tone)}`}
          data-testid={notice.testId ?? 'banner'}
          data-value={trouble}
        >
          <Icon name={notice.icon} size={18} />
          <div className={styles.bannerText}>
            <p>
              <strong>{notice.title}</strong> {notice.brief}
            </p>
            {!folded && <div className={styles.bannerDetail}>{notice.detail}</div>}
          </div>
          <IconButton
            icon={folded ? 'unfold' : 'fold'}
            size="sm"
            label={folded ? 'Say what to do' : 'Fold to one line'}
            aria-expanded={!folded}
            onClick={() => setFolded(!folded)}
          />
          {notice.tone !== 'failure' && notice.testId === undefined && (
            <IconButton icon="close" size="sm" label="Hide this" onClick={hide} />
          )}
        </div>
      )}
    </>
  );
}

/** What waits to be written, and what had no room to wait. */
function unwritten(history: HistoryStatus | null): string {
  if (history === null) return '';
  const waiting = history.waiting > 0 ? `${plural(history.waiting, 'event waits', 'events wait')} to be written. ` : '';
  return history.dropped > 0 ? `${waiting}${plural(history.dropped, 'event')} had no room and will be missing.` : `${waiting}None is lost so far.`;
}

function describe(
  trouble: Trouble,
  since: number,
  heard: number | null,
  broker: Broker | null,
  history: HistoryStatus | null,
): Notice {
  const from = heard === null ? 'Nothing is known yet.' : <>What you see is from <Ago at={heard} />.</>;
  const lasting = <>For <Since at={since} />.</>;
  switch (trouble) {
    case 'gone':
      return {
        tone: 'failure', icon: 'warning', testId: 'banner-link',
        title: 'The console does not answer.',
        brief: from,
        detail: <p>Check that celeryscope is running and can be reached from here. The page connects again by itself.</p>,
      };
    case 'stale':
      return {
        tone: 'retry', icon: 'warning', testId: 'banner-link',
        title: 'Nothing has come for a while.',
        brief: from,
        detail: <p>The connection is open and silent: the console may be busy, or a proxy on the way holds it. The page opens a new one by itself.</p>,
      };
    case 'connecting':
      return {
        tone: 'waiting', icon: 'unplugged', testId: 'banner-link',
        title: 'Connecting to the console …',
        brief: from,
        detail: <p>{lasting} The page goes on trying by itself.</p>,
      };
    case 'broker-lost':
    case 'broker-connecting': {
      const lost = trouble === 'broker-lost';
      return {
        tone: lost ? 'failure' : 'retry', icon: 'unplugged', testId: 'banner-broker',
        title: lost ? 'The broker cannot be reached.' : 'Connecting to the broker …',
        brief: broker && <><Plain text={broker.url} /> since <Ago at={broker.since} />.</>,
        detail: (
          <>
            <p>No events arrive meanwhile; the figures are from before.</p>
            {broker?.error != null && <p className={styles.error}><Plain text={broker.error} /></p>}
            {broker?.hint != null && <p><Plain text={broker.hint} /></p>}
          </>
        ),
      };
    }
    case 'unkept':
      return {
        tone: 'failure', icon: 'warning', testId: 'banner-history',
        title: 'The history cannot be written.',
        brief: <>What you see goes on, and is kept in memory{history?.trouble_since != null && <>, since <Ago at={history.trouble_since} /></>}.</>,
        detail: (
          <>
            {history?.trouble != null && <p><Plain text={history.trouble} /></p>}
            <p>{unwritten(history)} It is tried again by itself.</p>
          </>
        ),
      };
    case 'polling':
      return {
        tone: 'retry', icon: 'warning',
        title: 'The live stream does not get through.',
        brief: lasting,
        detail: <p>Figures are asked for every 2 s instead; lists of tasks stand still. A proxy on the way holds the stream back: have it pass <code>api/v1/live</code> on unbuffered (nginx: <code>proxy_buffering off</code>).</p>,
      };
    case 'crowded':
      return {
        tone: 'retry', icon: 'warning',
        title: 'The console has too many live pages open.',
        brief: lasting,
        detail: <p>This one asks for figures every 2 s instead. Close pages that nobody looks at; a stream is tried again every half minute.</p>,
      };
    case 'silent':
      return {
        tone: 'waiting', icon: 'info',
        title: 'No event has arrived yet.',
        brief: <>The broker is connected since <Ago at={broker?.since} />.</>,
        detail: <p>Is a worker running on this broker? Start one with events: <code>celery -A proj worker -E</code>. If one runs, check that it uses the same broker address and database.</p>,
      };
    case 'taskless':
      return {
        tone: 'waiting', icon: 'info',
        title: 'Workers are there, and none tells of tasks.',
        brief: lasting,
        detail: <p>If tasks do run, their events are off: start the workers with <code>-E</code>, or set <code>worker_send_task_events = True</code>.</p>,
      };
    case 'unsent':
      return {
        tone: 'waiting', icon: 'info',
        title: 'Nobody tells when tasks are sent.',
        brief: 'Waiting times and queue rates stay unknown.',
        detail: <p>Set <code>task_send_sent_event = True</code> in the project that sends them.</p>,
      };
  }
}
