/** What people did to the task, as the audit trail has it. */

import { Link } from '@tanstack/react-router';
import { useQuery } from '@tanstack/react-query';

import { client, useMe } from '~/api/queries';
import { Ago } from '~/components/Moment';
import { Trouble } from '~/components/Notice';
import { Panel } from '~/components/Panel';
import { Line } from '~/components/Plain';
import { Glyph, toneClass } from '~/components/State';
import { byWords, ended, outcomeTone, rowsOf } from '~/lib/audit';
import { look } from '~/lib/states';
import { visible } from '~/lib/text';
import { mayAudit } from '~/lib/who';

import styles from './done.module.css';

const MOST = 20; // entries; the audit page has all
const AGAIN_MS = 15_000;
const LONGEST = 200; // of what the trail is asked for

export default function Done({ uuid }: { uuid: string }) {
  const may = mayAudit(useMe().data) && uuid.length <= LONGEST;
  const { data, error } = useQuery({
    queryKey: ['audit-of-task', uuid],
    queryFn: ({ signal }) => client.audit({ whom: uuid }, { before: null, limit: MOST }, signal),
    enabled: may,
    refetchInterval: AGAIN_MS,
  });
  // A console without a trail, or one that nothing was done through, has nothing to say here.
  if (!may || (!error && (data?.entries.length ?? 0) === 0)) return null;
  return (
    <Panel
      title="What was done to it"
      padded
      actions={
        <Link to="/audit" search={{ whom: uuid }} className={styles.all}>
          In the audit trail
        </Link>
      }
    >
      {error && !data ? (
        <Trouble error={error} />
      ) : (
        <ul className={styles.done} data-testid="done">
          {rowsOf(data?.entries ?? []).map((row) => {
            const outcome = ended(row);
            return (
              <li key={row.id} data-what={row.asked.what}>
                <strong>
                  <Line text={row.asked.what} />
                </strong>
                <span className={styles.by}>
                  by <Line text={byWords(row.asked.by)} />, <Ago at={row.asked.at} />
                </span>
                <span className={`${styles.outcome} ${toneClass(outcomeTone(outcome))}`}>
                  <Glyph name={look(outcome === 'done' ? 'SUCCESS' : outcome === 'asked' ? 'PENDING' : 'FAILURE').glyph} size={10} /> {visible(outcome)}
                </span>
              </li>
            );
          })}
        </ul>
      )}
    </Panel>
  );
}
