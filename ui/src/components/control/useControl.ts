/** The one way to a control: what may be done, and the dialog that does it. */

import { useCommands } from '~/api/control';

import { type Asked, ask } from './store';

export type { Asked } from './store';

export interface Control {
  /** False while it is not known, for what the role may not do, and where nobody may. */
  may: (command: string) => boolean;
  /** Opens the dialog; nothing is sent before a person says so. */
  ask: (asked: Asked) => void;
}

export function useControl(): Control {
  const { data } = useCommands();
  return {
    may: (command) => data?.commands.some(({ name, allowed }) => name === command && allowed) ?? false,
    ask,
  };
}
