/** The way to a dashboard over the same thing; nothing where no Grafana was named. */

import { useLive } from '~/api/live';
import { type Board, boardLabel, boardUrl } from '~/lib/grafana';

import styles from './GrafanaLink.module.css';
import { Icon } from './Icon';

export function GrafanaLink({ of }: { of: Board }) {
  const grafana = useLive((state) => state.grafana);
  const href = boardUrl(grafana, of);
  if (href === null) return null;
  const label = boardLabel(of);
  return (
    <a
      className={styles.link}
      href={href}
      target="_blank"
      rel="noreferrer"
      aria-label={label}
      title={`${label} (a new tab)`}
      data-testid="grafana"
    >
      <span>Grafana</span>
      <Icon name="outside" size={13} />
    </a>
  );
}
