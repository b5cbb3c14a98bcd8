import type { Inspection } from '~/api/client';
import { Empty } from '~/components/Notice';

interface UnansweredProps {
  inspect: Inspection | null;
  answer: unknown;
  empty: string; // what is said when there is an answer, and nothing in it
}

/** Not answered is not the same as none. */
export function Unanswered({ inspect, answer, empty }: UnansweredProps) {
  if (inspect === null) return <Empty title="Not answered yet" />;
  if (answer == null) return <Empty title="Not answered">The last answer left it out.</Empty>;
  return <Empty title={empty} />;
}
