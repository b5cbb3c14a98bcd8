/** Trouble that concerns every page, said in full: what is wrong, since when, what to do. */

import { useLink, useLive } from '~/api/live';

import { Icon } from '../Icon';
import { Ago } from '../Moment';
import { Plain } from '../Plain';
import { toneClass } from '../State';
import styles from './Shell.module.css';

export function Banners() {
  const link = useLink();
  const now = useLive((state) => state.now);
  if (link === 'gone' || link === 'stale') return <LinkBanner link={link} lastAt={now} />;
  return <BrokerBanner />;
}

function LinkBanner({ link, lastAt }: { link: 'gone' | 'stale'; lastAt: number | null }) {
  const gone = link === 'gone';
  return (
    <div
      className={`${styles.banner} ${toneClass(gone ? 'failure' : 'retry')}`}
      role="alert"
      data-testid="banner-link"
    >
      <Icon name="warning" size={18} />
      <div>
        <p>
          <strong>{gone ? 'The console does not answer.' : 'Nothing has come for a while.'}</strong>{' '}
          {lastAt === null ? (
            'Nothing is known yet.'
          ) : (
            <>
              What you see is from <Ago at={lastAt} />.
            </>
          )}
        </p>
        <p className={styles.bannerDetail}>
          {gone
            ? 'Check that celeryscope is running and can be reached from here. The page connects again by itself.'
            : 'The connection is open and silent. The page opens a new one by itself.'}
        </p>
      </div>
    </div>
  );
}

function BrokerBanner() {
  const broker = useLive((state) => state.overview?.broker ?? null);
  if (!broker || broker.state === 'connected') return null;
  const lost = broker.state === 'disconnected';
  return (
    <div
      className={`${styles.banner} ${toneClass(lost ? 'failure' : 'retry')}`}
      role="alert"
      data-testid="banner-broker"
      data-value={broker.state}
    >
      <Icon name="unplugged" size={18} />
      <div>
        <p>
          <strong>{lost ? 'The broker cannot be reached.' : 'Connecting to the broker …'}</strong>{' '}
          <Plain text={broker.url} /> since <Ago at={broker.since} />. No events arrive meanwhile;
          the figures are from before.
        </p>
        {broker.error !== null && (
          <p className={`${styles.bannerDetail} ${styles.error}`}>
            <Plain text={broker.error} />
          </p>
        )}
        {broker.hint !== null && (
          <p className={styles.bannerDetail}>
            <Plain text={broker.hint} />
          </p>
        )}
      </div>
    </div>
  );
}
