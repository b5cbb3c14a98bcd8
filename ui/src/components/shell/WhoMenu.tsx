/** Who one is, what one may do and see, and the way out. */

import { Link } from '@tanstack/react-router';
import { useState } from 'react';

import type { Me } from '~/api/client';
import { goToLogin } from '~/api/login';
import { client, useMe } from '~/api/queries';
import { ROLE_WORDS, wayWords } from '~/lib/access';
import { isNobody, limitWords, mayAudit } from '~/lib/who';
import { visible } from '~/lib/text';

import { Icon } from '../Icon';
import { Until } from '../Moment';
import { Plain } from '../Plain';
import { RoleChip, WordChip } from '../RoleChip';
import { Trouble, Waiting } from '../Notice';
import styles from './WhoMenu.module.css';

export default function WhoMenu() {
  const { data: me, error } = useMe();
  if (!me) return <div className={styles.menu}>{error ? <Trouble error={error} /> : <Waiting what="who you are" />}</div>;
  const limits = limitWords(me.scope);
  return (
    <div className={styles.menu} data-testid="who-menu" data-role={me.role}>
      <div>
        <p className={styles.name}>{isNobody(me) ? 'No login' : <Plain text={me.name} />}</p>
        <p className={styles.chips}>
          <RoleChip role={me.role} />
          {me.read_only && <WordChip word="read-only" tone="retry" />}
        </p>
      </div>
      <Words me={me} />
      {limits.length > 0 && (
        <div className={styles.limits} data-testid="who-limits">
          <p>{me.role === 'viewer' ? 'You see these alone:' : 'You see and steer these alone:'}</p>
          <ul>
            {limits.map((limit) => (
              <li key={limit}><Plain text={limit} /></li>
            ))}
          </ul>
        </div>
      )}
      <div className={styles.ways}>
        <Link to="/access" className={styles.way}>
          <Icon name="key" size={14} />
          Sessions and API tokens
        </Link>
        {mayAudit(me) && (
          <Link to="/audit" className={styles.way}>
            <Icon name="audit" size={14} />
            Audit trail
          </Link>
        )}
        {me.can_log_out && <LogOut />}
        {me.login && isNobody(me) && (
          <button type="button" className={styles.way} onClick={() => goToLogin()} data-testid="log-in">
            <Icon name="person" size={14} />
            Log in
          </button>
        )}
      </div>
    </div>
  );
}

/** What the role means here, how one came, how long it lasts. */
function Words({ me }: { me: Me }) {
  return (
    <div className={styles.dim}>
      {isNobody(me) && !me.login && (
        <p>
          Whoever reaches this address is {me.role}. To ask for a login, make a user with{' '}
          <code>celeryscope user add NAME</code>: from then on everybody logs in.
        </p>
      )}
      {isNobody(me) && me.login && <p>You did not log in: you may do what everybody may who reaches this address.</p>}
      <p>
        The role {me.role} {ROLE_WORDS[me.role]}.
        {me.read_only && ' This console is read-only: nobody changes anything here.'}
      </p>
      {!isNobody(me) && <p>Known by {wayWords(me.way)}.</p>}
      {me.expires_at !== null && (
        <p>Your session ends in <Until at={me.expires_at} /> at the latest.</p>
      )}
    </div>
  );
}

function LogOut() {
  const [state, setState] = useState<'idle' | 'leaving' | Error>('idle');
  const leave = () => {
    setState('leaving');
    client.logOut().then(
      ({ to }) => location.assign(new URL(to, document.baseURI)),
      (error: unknown) => setState(error instanceof Error ? error : new Error(String(error))),
    );
  };
  return (
    <>
      <button type="button" className={styles.way} onClick={leave} disabled={state === 'leaving'} data-testid="log-out">
        <Icon name="leave" size={14} />
        {state === 'leaving' ? 'Logging out …' : 'Log out'}
      </button>
      {state instanceof Error && <p className={styles.failed} role="alert">{visible(state.message)}</p>}
    </>
  );
}
