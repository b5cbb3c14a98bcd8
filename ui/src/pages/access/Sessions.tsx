import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import type { Me, SessionRow } from '~/api/client';
import { client } from '~/api/queries';
import { Button } from '~/components/Button';
import { Ago, Until } from '~/components/Moment';
import { Empty, Trouble, Waiting } from '~/components/Notice';
import { Panel } from '~/components/Panel';
import { Line } from '~/components/Plain';
import { RoleChip, WordChip } from '~/components/RoleChip';
import table from '~/components/Table.module.css';
import { browserWords, sortedSessions, wayWords } from '~/lib/access';
import { mayAudit } from '~/lib/who';
import { plural } from '~/lib/format';
import { visible } from '~/lib/text';

import styles from './access.module.css';
import { Confirm } from './Confirm';

const SESSIONS_MS = 15_000;

export function Sessions({ me }: { me: Me }) {
  const { data, error } = useQuery({
    queryKey: ['sessions'],
    queryFn: ({ signal }) => client.sessions(signal),
    refetchInterval: SESSIONS_MS,
  });
  const queries = useQueryClient();
  const [ending, setEnding] = useState<SessionRow | null>(null);
  const rows = sortedSessions(data?.sessions ?? []);
  return (
    <Panel
      title="Sessions"
      note={mayAudit(me) ? 'browsers that are logged in, of everybody' : 'browsers in which you are logged in'}
    >
      {error && !data ? (
        <Trouble error={error} />
      ) : !data ? (
        <Waiting what="the sessions" />
      ) : rows.length === 0 ? (
        <NoSession me={me} />
      ) : (
        <table className={`${table.table} ${styles.table}`} data-testid="sessions">
          <thead>
            <tr>
              <th>Who</th>
              <th>Where</th>
              <th className={styles.narrow}>Seen</th>
              <th className={styles.optional}>Ends in</th>
              <th className={styles.act}><span className="sr">End it</span></th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.id} data-session={row.id} data-current={row.current || undefined}>
                <td>
                  <span className={styles.first}>
                    <Line text={row.name} />
                    {row.current && <WordChip word="this one" tone="success" />}
                  </span>
                  <span className={styles.below}><RoleChip role={row.role} /> <span className={styles.optional}>{wayWords(row.way)}</span></span>
                </td>
                <td>
                  <span title={visible(row.user_agent)}><Line text={browserWords(row.user_agent)} /></span>
                  <span className={styles.below}><Line text={row.address} /></span>
                </td>
                <td className={styles.narrow}>
                  <Ago at={row.seen_at} />
                  <span className={styles.below}>since <Ago at={row.started_at} /></span>
                </td>
                <td className={styles.optional}><Until at={row.expires_at} /></td>
                <td className={styles.act}>
                  <Button look="quiet" aria-label={`${row.current ? 'Log out' : 'End'}: the session of ${visible(row.name)} at ${visible(row.address)}`} onClick={() => setEnding(row)} data-testid="end-session">
                    {row.current ? 'Log out' : 'End'}
                  </Button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {data && <p className="sr" role="status">{plural(rows.length, 'session')}</p>}
      {ending && (
        <Confirm
          title={ending.current ? 'Log out' : 'End the session'}
          word={ending.current ? 'Log out' : 'End it'}
          doing="Ending …"
          onClose={() => setEnding(null)}
          run={async () => {
            if (ending.current && me.can_log_out) {
              const { to } = await client.logOut();
              location.assign(new URL(to, document.baseURI));
              return;
            }
            await client.endSession(ending.id);
            await queries.invalidateQueries({ queryKey: ['sessions'] });
          }}
        >
          <Line text={ending.name} /> has to log in again in {browserWords(ending.user_agent) === '' ? 'that browser' : <Line text={browserWords(ending.user_agent)} />} at{' '}
          <Line text={ending.address} />. Its open pages stop at once.
        </Confirm>
      )}
    </Panel>
  );
}

function NoSession({ me }: { me: Me }) {
  if (!me.login) {
    return (
      <Empty title="No login is configured">
        Whoever reaches this address may use it. Make a first user with <code>celeryscope user add NAME</code> and start
        the console again: from then on it asks for a password.
      </Empty>
    );
  }
  return <Empty title="Nobody is logged in by a browser">You were let in by {wayWords(me.way)}, which needs no session.</Empty>;
}
