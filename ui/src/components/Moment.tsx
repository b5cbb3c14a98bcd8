/** Moments: relative on the page, absolute in the title. */

import { useNow } from '~/api/live';
import { NONE, age } from '~/lib/format';
import { absolute, machine, relative, timeOfDay, timeOrDay } from '~/lib/time';

type At = { at: number | null | undefined };

/** `12 s ago`, told anew once a second. */
export function Ago({ at }: At) {
  const now = useNow();
  return at == null ? NONE : <Stamp at={at}>{relative(at, now)}</Stamp>;
}

/** `12 s`: how long it has been, without the word. */
export function Since({ at }: At) {
  const now = useNow();
  return at == null ? NONE : <Stamp at={at}>{age(now - at)}</Stamp>;
}

/** `12 s`: how long it is until then; nothing less than 0. */
export function Until({ at }: At) {
  const now = useNow();
  return at == null ? NONE : <Stamp at={at}>{age(at - now)}</Stamp>;
}

/** `14:03:07.250`: for columns in which moments are compared. */
export function Clock({ at }: At) {
  return at == null ? NONE : <Stamp at={at}>{timeOfDay(at)}</Stamp>;
}

/** The same, with the day where it is not `today`: for lists that go far back. */
export function DayClock({ at, today }: At & { today: string }) {
  return at == null ? NONE : <Stamp at={at}>{timeOrDay(at, today)}</Stamp>;
}

function Stamp({ at, children }: { at: number; children: string }) {
  return (
    <time dateTime={machine(at)} title={absolute(at)}>
      {children}
    </time>
  );
}
