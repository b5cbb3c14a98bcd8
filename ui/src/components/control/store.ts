/** What is asked and what is followed, whichever page is shown. Dialog and tray read it. */

import { useSyncExternalStore } from 'react';

import type { ActionReport, Selection } from '~/api/client';

/** What a control is to do. Arguments that are given stand; the dialog asks for the rest. */
export interface Asked {
  command: string;
  arguments?: Readonly<Record<string, unknown>>;
  workers?: readonly string[]; // none: everyone, or those that the dialog asks for
  selection?: Selection; // of tasks, in place of the argument `ids`
  subject: string; // what it is done to: "celery@web1", "12 tasks"
  count?: number; // how many things are touched, when it is neither of the above
}

interface Steering {
  asked: Asked | null;
  tray: boolean; // is it open
  reports: readonly ActionReport[]; // sent from here, the newest first
}

const KEPT = 20;

let steering: Steering = { asked: null, tray: false, reports: [] };
const listeners = new Set<() => void>();

function set(change: Partial<Steering>): void {
  steering = { ...steering, ...change };
  for (const listener of listeners) listener();
}

export function ask(asked: Asked | null): void {
  set({ asked });
}

export function showTray(tray: boolean): void {
  set({ tray });
}

/** Keeps the newest of what is known of an action. */
export function keep(report: ActionReport): void {
  const { reports } = steering;
  const known = reports.find(({ id }) => id === report.id);
  if (known && known.sequence >= report.sequence) return;
  const rest = reports.filter(({ id }) => id !== report.id);
  set({
    reports: known
      ? reports.map((other) => (other.id === report.id ? report : other))
      : [report, ...rest].slice(0, KEPT),
  });
}

export function useSteering(): Steering {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => steering,
  );
}
