/** What the Insight pages ask for: one function an endpoint, as in `client.ts`, which fetches. */

import { parametersOf } from './client';
import { client } from './queries';
import type { components } from './types.gen';

type Schemas = components['schemas'];
export type Insight = Schemas['Insight'];
export type InsightFigures = Schemas['InsightFigures'];
export type InsightRow = Schemas['InsightRow'];
export type InsightSeries = Schemas['InsightSeries'];
export type InsightName = Schemas['InsightName'];
export type InsightException = Schemas['InsightException'];
export type InsightExceptions = Schemas['InsightExceptions'];
export type InsightCalendar = Schemas['InsightCalendar'];
export type InsightSort = 'tasks' | 'failed' | 'failures' | 'retried' | 'run' | 'wait' | 'took' | 'name';

/** From when on, and before when; null: up to now. Epoch seconds. */
export interface InsightTime {
  since: number;
  until: number | null;
}

/** What became of the tasks of a time, by name. */
export function insight(time: InsightTime, asked: { sort: InsightSort; text: string; limit: number }, signal?: AbortSignal) {
  return client.get<Insight>(`insight?${parametersOf({ ...time, ...asked })}`, signal);
}

export function insightName(name: string, time: InsightTime, signal?: AbortSignal) {
  return client.get<InsightName>(`insight/names/${encodeURIComponent(name)}?${parametersOf(time)}`, signal);
}

export function insightExceptions(time: InsightTime, name: string, signal?: AbortSignal) {
  return client.get<InsightExceptions>(`insight/exceptions?${parametersOf({ ...time, name })}`, signal);
}

export function insightCalendar(time: InsightTime, zone: string, name: string, signal?: AbortSignal) {
  return client.get<InsightCalendar>(`insight/calendar?${parametersOf({ ...time, zone, name })}`, signal);
}
