import { useMe } from '~/api/queries';
import { Facts } from '~/components/Facts';
import { Until } from '~/components/Moment';
import { Trouble, Waiting } from '~/components/Notice';
import { Panel } from '~/components/Panel';
import { Plain } from '~/components/Plain';
import { RoleChip, WordChip } from '~/components/RoleChip';
import { Page } from '~/components/shell/Page';
import type { Me } from '~/api/client';
import { ROLE_WORDS, wayWords } from '~/lib/access';
import { isNobody, limitWords } from '~/lib/who';

import styles from './access.module.css';
import { Sessions } from './Sessions';
import { Tokens } from './Tokens';

/** Who one is to this console, where else one is logged in, and the tokens for programs. */
export function AccessPage() {
  const { data: me, error } = useMe();
  return (
    <Page title="Access">
      <Panel title="You" padded>
        {me ? <You me={me} /> : error ? <Trouble error={error} /> : <Waiting what="who you are" />}
      </Panel>
      {me && <Sessions me={me} />}
      {me && <Tokens me={me} />}
    </Page>
  );
}

function You({ me }: { me: Me }) {
  const limits = limitWords(me.scope);
  return (
    <Facts
      wide
      facts={[
        { name: 'Name', value: isNobody(me) ? 'nobody asked' : <Plain text={me.name} /> },
        { name: 'Known by', value: wayWords(me.way) },
        {
          name: 'Role',
          value: (
            <>
              <span className={styles.chips}>
                <RoleChip role={me.role} />
                {me.read_only && <WordChip word="read-only" tone="retry" />}
              </span>
              <span className={styles.dim}>{me.read_only ? 'looks alone: this console is read-only' : ROLE_WORDS[me.role]}</span>
            </>
          ),
        },
        {
          name: 'Sees and steers',
          value: limits.length === 0 ? 'all queues and tasks' : (
            <ul>{limits.map((limit) => <li key={limit}><Plain text={limit} /></li>)}</ul>
          ),
        },
        ...(me.expires_at === null ? [] : [{ name: 'Session ends in', value: <Until at={me.expires_at} /> }]),
      ]}
    />
  );
}
