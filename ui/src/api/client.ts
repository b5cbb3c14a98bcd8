/** The only module that fetches. One function an endpoint; the wire's shape ends here. */

import type { components } from './types.gen';

type Schemas = components['schemas'];
export type Overview = Schemas['Overview'];
export type Broker = Schemas['Broker'];
export type Ingest = Schemas['Ingest'];
export type Activity = Schemas['Activity'];
export type Queue = Schemas['Queue'];
export type Gap = Schemas['Gap'];
export type NameRow = Schemas['NameRow'];
export type WorkerRow = Schemas['WorkerRow'];
export type Workers = Schemas['WorkerList'];
export type WorkerDetail = Schemas['WorkerDetail'];
export type Inspection = Schemas['InspectionDetail'];
export type TaskRow = Schemas['TaskRow'];
export type Tasks = Schemas['TaskList'];
export type TaskDetail = Schemas['TaskDetail'];
export type Hello = Schemas['LiveHello'];
export type Frame = Schemas['LiveFrame'];

export interface TaskFilter {
  state: string[];
  name: string;
  worker: string;
  queue: string;
  search: string;
  sort: string;
  limit: number;
}

/** The server answered, with something else than success. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly hint: string | null,
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

/** No answer came: the server is gone, or something on the way is. */
export class NoAnswer extends Error {
  override name = 'NoAnswer';
}

/** An API for a console at `base`, which ends in a slash. */
export function createClient(base: string) {
  const get = async <T>(path: string, signal?: AbortSignal): Promise<T> => {
    const response = await answer(new URL(`api/v1/${path}`, base), signal);
    if (!response.ok) throw await refusal(response);
    return (await response.json()) as T;
  };
  return {
    overview: (signal?: AbortSignal) => get<Overview>('overview', signal),
    workers: (signal?: AbortSignal) => get<Workers>('workers', signal),
    worker: (hostname: string, signal?: AbortSignal) =>
      get<WorkerDetail>(`workers/${encodeURIComponent(hostname)}`, signal),
    tasks: (filter: TaskFilter, signal?: AbortSignal) =>
      get<Tasks>(`tasks?${taskParameters(filter)}`, signal),
    task: (uuid: string, signal?: AbortSignal) =>
      get<TaskDetail>(`tasks/${encodeURIComponent(uuid)}`, signal),
    names: async (signal?: AbortSignal) =>
      (await get<Schemas['NameList']>('names', signal)).names,
    /** Where the live stream of these topics is; `live.ts` reads it. */
    liveAddress: (topics: readonly string[], hidden: boolean) =>
      new URL(`api/v1/live?topics=${topics.join(',')}&hidden=${hidden ? 1 : 0}`, base).href,
  };
}

export type Client = ReturnType<typeof createClient>;

async function answer(address: URL, signal?: AbortSignal): Promise<Response> {
  try {
    return await fetch(address, { signal, headers: { accept: 'application/json' } });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new NoAnswer('The console does not answer.');
  }
}

async function refusal(response: Response): Promise<ApiError> {
  const fallback = `The console answered ${response.status} ${response.statusText}`.trim();
  const body: unknown = await response.json().catch(() => null);
  const error = isRecord(body) && isRecord(body.error) ? body.error : {};
  return new ApiError(
    response.status,
    text(error.code) ?? 'http',
    text(error.message) ?? fallback,
    text(error.hint),
  );
}

function taskParameters(filter: TaskFilter): string {
  const parameters = new URLSearchParams();
  for (const state of filter.state) parameters.append('state', state);
  for (const key of ['name', 'worker', 'queue', 'search'] as const) {
    if (filter[key]) parameters.set(key, filter[key]);
  }
  parameters.set('sort', filter.sort);
  parameters.set('limit', String(filter.limit));
  return parameters.toString();
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
