import { useNavigate } from '@tanstack/react-router';
import { useCallback } from 'react';

import { span } from '~/lib/doors';

/** Opens the tasks of a span of a chart; of one state when only that one's line is shown. */
export function useSpan(states: Readonly<Record<string, string>>) {
  const navigate = useNavigate();
  return useCallback(
    (from: number, to: number, shown: readonly string[]) => {
      const [only] = shown.length === 1 ? shown : [];
      const door = span(from, to, only === undefined ? undefined : states[only]);
      if (door.to === '/tasks') void navigate({ to: '/tasks', search: { query: door.query } });
    },
    [navigate, states],
  );
}
