/** A door of `lib/doors` as a link. */

import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';

import type { Door } from '~/lib/doors';

interface DoorLinkProps {
  door: Door;
  className?: string;
  title?: string;
  children: ReactNode;
  [data: `data-${string}`]: string | number | null | undefined;
  'aria-label'?: string;
}

export function DoorLink({ door, ...rest }: DoorLinkProps) {
  switch (door.to) {
    case '/tasks':
      return <Link to="/tasks" search={{ query: door.query, sort: door.sort, task: door.task }} {...rest} />;
    case '/workers':
      return <Link to="/workers" search={door.status ? { status: [door.status] } : {}} {...rest} />;
    case '/queues':
      return <Link to="/queues" search={{ queue: door.queue }} {...rest} />;
    case '/':
      return <Link to="/" hash={door.hash} {...rest} />;
  }
}
