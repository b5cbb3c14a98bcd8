/** Who one is to the console, in a few words. Pure, and small: every page loads it. */

import type { Me, Scope } from '~/api/client';

/** Where to log in, and that one comes back to `here`: a path with its query, as the browser has it. */
export function loginAddress(base: string, here: string): string {
  const address = new URL('login', base);
  address.searchParams.set('next', here);
  return address.href;
}

/** What somebody is limited to, a sentence for each; none: nothing. */
export function limitWords({ queues, tasks }: Scope): string[] {
  const limits: [readonly string[], string][] = [[queues, 'queue'], [tasks, 'task name']];
  return limits
    .filter(([patterns]) => patterns.length > 0)
    .map(([patterns, what]) => `${patterns.length === 1 ? what : `${what}s`}: ${patterns.join(', ')}`);
}

/** How the button that tells who one is reads. */
export function whoLabel(me: Me | undefined): string {
  if (!me) return 'Who am I?';
  const extra = [me.role, ...(me.read_only ? ['read-only'] : []), ...(limitWords(me.scope).length > 0 ? ['limited'] : [])];
  return `${isNobody(me) ? 'No login' : me.name}: ${extra.join(', ')}`;
}

/** Did nobody say who they are? */
export function isNobody({ way }: Me): boolean {
  return way === 'anonymous';
}

/** The trail tells of everything: who is limited does not get it. */
export function mayAudit(me: Me | undefined): boolean {
  return me?.role === 'admin' && limitWords(me.scope).length === 0;
}
