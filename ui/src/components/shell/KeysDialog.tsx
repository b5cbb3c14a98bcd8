import { useState } from 'react';

import { type KeyGroup, caps } from '~/lib/keys';

import { Key } from '../Button';
import { Dialog } from '../Dialog';
import { keymap, keysAreOn, turnKeys } from '../useKeys';
import styles from './KeysDialog.module.css';

/** All keys that work on this page now. */
export default function KeysDialog({ onClose }: { onClose: () => void }) {
  const [groups] = useState(() => keymap.list());
  return (
    <Dialog title="Keys" wide testId="keys" onClose={onClose}>
      <KeyList groups={groups} />
      <Switch />
    </Dialog>
  );
}

export function KeyList({ groups }: { groups: readonly KeyGroup[] }) {
  return (
    <div className={styles.groups}>
      {groups.map(({ title, bindings }) => (
        <section key={title}>
          <h3>{title}</h3>
          <dl>
            {bindings.map(({ keys, does }) => (
              <div key={keys} className={styles.row}>
                <dt>
                  {caps(keys).map((cap, index) => (
                    <Key key={index}>{cap}</Key>
                  ))}
                </dt>
                <dd>{does}</dd>
              </div>
            ))}
          </dl>
        </section>
      ))}
    </div>
  );
}

/** Single keys get in the way of those who speak to their computer. */
function Switch() {
  const [on, setOn] = useState(keysAreOn);
  return (
    <label className={styles.switch}>
      <input
        type="checkbox"
        checked={on}
        onChange={({ currentTarget }) => {
          turnKeys(currentTarget.checked);
          setOn(currentTarget.checked);
        }}
      />
      Use these keys. The list stays behind the keyboard button of the menu.
    </label>
  );
}
