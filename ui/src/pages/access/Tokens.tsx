import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Suspense, lazy, useState } from 'react';

import type { Me, TokenRow } from '~/api/client';
import { client } from '~/api/queries';
import { Button } from '~/components/Button';
import { Ago, Until } from '~/components/Moment';
import { Empty, Trouble, Waiting } from '~/components/Notice';
import { Panel } from '~/components/Panel';
import { Line } from '~/components/Plain';
import { RoleChip, WordChip } from '~/components/RoleChip';
import table from '~/components/Table.module.css';
import { ownerWords, sortedTokens } from '~/lib/access';
import { limitWords, mayAudit } from '~/lib/who';
import { plural } from '~/lib/format';
import { visible } from '~/lib/text';

import styles from './access.module.css';
import { Confirm } from './Confirm';

const TOKENS_MS = 15_000;
const TokenDialog = lazy(() => import('./TokenDialog'));

export function Tokens({ me }: { me: Me }) {
  const { data, error } = useQuery({
    queryKey: ['tokens'],
    queryFn: ({ signal }) => client.tokens(signal),
    refetchInterval: TOKENS_MS,
  });
  const queries = useQueryClient();
  const again = () => queries.invalidateQueries({ queryKey: ['tokens'] });
  const [making, setMaking] = useState(false);
  const [revoking, setRevoking] = useState<TokenRow | null>(null);
  const rows = sortedTokens(data?.tokens ?? []);
  const may = data !== undefined && data.roles.length > 0 && !me.read_only && me.way !== 'token';
  return (
    <Panel
      title="API tokens"
      note={mayAudit(me) ? 'for programs, of everybody' : 'for your programs'}
      actions={
        may && (
          <Button icon="plus" onClick={() => setMaking(true)} data-testid="new-token">
            New token
          </Button>
        )
      }
    >
      {error && !data ? (
        <Trouble error={error} />
      ) : !data ? (
        <Waiting what="the tokens" />
      ) : rows.length === 0 ? (
        <Empty title="There is no token">
          A program shows one instead of a password: Prometheus, a script, a pipeline. It can do less than you, for a
          certain time, and be revoked alone.
        </Empty>
      ) : (
        <table className={`${table.table} ${styles.table}`} data-testid="tokens">
          <thead>
            <tr>
              <th>Token</th>
              <th>May</th>
              <th className={styles.narrow}>Used</th>
              <th className={styles.optional}>Expires</th>
              <th className={styles.act}><span className="sr">Revoke it</span></th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.id} data-token={row.name} className={row.expired ? styles.over : undefined}>
                <td>
                  <span className={styles.first}><Line text={row.name} /></span>
                  <span className={styles.below}>
                    <Line text={ownerWords(row.owner)} />, <Ago at={row.created_at} />
                  </span>
                </td>
                <td>
                  <RoleChip role={row.role} />
                  <span className={styles.below}><Line text={limitWords(row.scope).join(' · ') || 'all queues and tasks'} /></span>
                </td>
                <td className={styles.narrow}>{row.used_at === null ? 'never' : <Ago at={row.used_at} />}</td>
                <td className={styles.optional}>
                  {row.expired ? (
                    <WordChip word="expired" tone="failure" />
                  ) : row.expires_at === null ? (
                    'when it is revoked'
                  ) : (
                    <>in <Until at={row.expires_at} /></>
                  )}
                </td>
                <td className={styles.act}>
                  <Button look="quiet" aria-label={`Revoke the token ${visible(row.name)}`} onClick={() => setRevoking(row)} data-testid="revoke-token">
                    Revoke
                  </Button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {data && <p className="sr" role="status">{plural(rows.length, 'token')}</p>}
      {making && data && (
        <Suspense>
          <TokenDialog roles={data.roles} taken={data.tokens.filter(({ expired }) => !expired).map(({ name }) => name)} own={me.scope} onMade={() => void again()} onClose={() => setMaking(false)} />
        </Suspense>
      )}
      {revoking && (
        <Confirm
          title="Revoke the token"
          word="Revoke it"
          doing="Revoking …"
          onClose={() => setRevoking(null)}
          run={async () => {
            await client.revokeToken(revoking.id);
            await again();
          }}
        >
          Whatever shows the token <strong><Line text={revoking.name} /></strong> is refused from now on. It cannot be taken back.
        </Confirm>
      )}
    </Panel>
  );
}
