/** Buttons beside what they change; what one may not do is not there. */

import { Button, IconButton } from '../Button';
import type { IconName } from '../Icon';
import styles from './Controls.module.css';
import { type Asked, useControl } from './useControl';

export interface Choice extends Asked {
  label: string;
  icon?: IconName;
}

/** Nothing at all when none is allowed. */
export function Controls({ label, choices }: { label: string; choices: readonly Choice[] }) {
  const { may, ask } = useControl();
  const allowed = choices.filter(({ command }) => may(command));
  if (allowed.length === 0) return null;
  return (
    <div className={styles.controls} role="group" aria-label={label}>
      {allowed.map(({ label: word, icon, ...asked }) => (
        <Button key={asked.command} look="quiet" icon={icon} onClick={() => ask(asked)} data-command={asked.command}>
          {word}
        </Button>
      ))}
    </div>
  );
}

/** The same in a row of a table, as one icon. */
export function Control({ label, icon, ...asked }: Choice & { icon: IconName }) {
  const { may, ask } = useControl();
  if (!may(asked.command)) return null;
  return <IconButton size="sm" icon={icon} label={label} onClick={() => ask(asked)} data-command={asked.command} />;
}
