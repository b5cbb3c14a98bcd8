/** Looking at the messages of a queue: what a refusal lets one do, and where one is. Pure. */

import type { MessagePage } from '~/api/client';

export const MESSAGES_SHOWN = 50;

interface Refused {
  code: string;
  hint: string | null;
}

/** Whether the look is possible when messages are taken out for a moment and put back. */
export function mayPutBack({ code, hint }: Refused): boolean {
  return code === 'not_possible' && hint !== null && /put_back|\bPOST\b|puts? (?:it|them) back/.test(hint);
}

/** `1–50 of 1,234`: positions as people count. */
export function placeOf({ offset, messages, total }: Pick<MessagePage, 'offset' | 'messages' | 'total'>): string {
  const whole = (value: number) => value.toLocaleString('en');
  if (messages.length === 0) return `none of ${whole(total)}`;
  return `${whole(offset + 1)}–${whole(offset + messages.length)} of ${whole(total)}`;
}

/** The offsets of the pages beside this one; null where there is none. */
export function beside({ offset, messages, total }: Pick<MessagePage, 'offset' | 'messages' | 'total'>) {
  const next = offset + MESSAGES_SHOWN;
  return {
    before: offset > 0 ? Math.max(0, offset - MESSAGES_SHOWN) : null,
    after: messages.length > 0 && next < total ? next : null,
  };
}

/** An offset as an address says it; null when it is none. */
export function readOffset(text: string): number | null {
  return /^\d{1,7}$/.test(text) ? Number(text) : null;
}
