/** The only module that fetches. One function an endpoint; the wire's shape ends here. */

import type { components } from './types.gen';

type Schemas = components['schemas'];
export type Overview = Schemas['Overview'];
export type Broker = Schemas['Broker'];
export type Ingest = Schemas['Ingest'];
export type Activity = Schemas['Activity'];
export type Queue = Schemas['Queue'];
export type QueueRow = Schemas['QueueRow'];
export type Queues = Schemas['QueueList'];
export type Latency = Schemas['Latency'];
export type Facets = Schemas['Facets'];
export type Cell = Schemas['LiveGrid']['set'][number];
export type RunningTask = Schemas['RunningTask'];
export type Heartbeats = Schemas['Heartbeats'];
export type Relative = Schemas['Relative'];
export type Gap = Schemas['Gap'];
export type NameRow = Schemas['NameRow'];
export type WorkerRow = Schemas['WorkerRow'];
export type Workers = Schemas['WorkerList'];
export type WorkerDetail = Schemas['WorkerDetail'];
export type Inspection = Schemas['InspectionDetail'];
export type TaskRow = Schemas['TaskRow'];
export type Tasks = Schemas['TaskList'];
export type TaskDetail = Schemas['TaskDetail'];
export type Schedules = Schemas['ScheduleList'];
export type ScheduleEntry = Schemas['ScheduleEntry'];
export type ScheduleSource = Schemas['ScheduleSource'];
export type Family = Schemas['Family'];
export type FamilyTask = Schemas['FamilyTask'];
export type FamilyGroup = Schemas['FamilyGroup'];
export type Started = Schemas['Started'];
export type Hello = Schemas['LiveHello'];
export type Frame = Schemas['LiveFrame'];
export type MessagePage = Schemas['MessagePage'];
export type CommandList = Schemas['CommandList'];
export type CommandInfo = Schemas['CommandInfo'];
export type ArgumentInfo = Schemas['ArgumentInfo'];
export type ControlRequest = Partial<Omit<Schemas['ControlRequest'], 'arguments'>> & {
  arguments?: Readonly<Record<string, unknown>>;
};
export type Selection = Schemas['Selection'];
export type SelectionRequest = Schemas['SelectionRequest'];
export type ActionSummary = WithArguments<Schemas['ActionSummary']>;
export type ActionReport = WithArguments<Schemas['ActionReport']>;
export type ActionList = Omit<Schemas['ActionList'], 'actions'> & { actions: ActionSummary[] };
export type WorkerOutcome = Schemas['WorkerOutcome'];
export type ItemOutcome = Schemas['ItemOutcome'];
export type Me = Schemas['Me'];
export type Role = Me['role'];
export type Way = Me['way'];
export type Scope = Schemas['Limits'];
export type SessionRow = Schemas['SessionRow'];
export type SessionList = Schemas['SessionList'];
export type TokenRow = Schemas['TokenRow'];
export type TokenList = Schemas['TokenList'];
export type TokenRequest = Schemas['TokenRequest'];
export type TokenMade = Schemas['NewToken'];
export type AuditEntry = WithArguments<Schemas['AuditEntry']>;
export type AuditPage = Omit<Schemas['AuditPage'], 'entries'> & { entries: AuditEntry[] };

export type HistoryGap = Schemas['HistoryGap'];
export type GapList = Schemas['GapList'];
export type HistoryPage = Schemas['HistoryPage'];
export type HistoryCount = Schemas['HistoryCount'];
export type HistoryStatus = Schemas['HistoryStatus'];
export type HistorySort = Schemas['SavedSearch']['sort'];
export type SavedSearch = Schemas['SavedSearch'];
export type SavedSearches = Schemas['SearchList'];
export type Attempt = Schemas['Attempt'];

/** One page of the tasks that are kept; behind `after` or in front of `before`. */
export interface HistoryFilter {
  query: string;
  sort: HistorySort;
  limit: number;
  after?: string | null;
  before?: string | null;
}

/** What any command may take: the generated type of a free object allows nothing. */
type WithArguments<T> = Omit<T, 'arguments'> & { arguments: Readonly<Record<string, unknown>> };

/** Which entries of the audit trail; what is not there does not matter. */
export interface AuditFilter {
  who?: string;
  what?: string;
  whom?: string;
  kind?: readonly string[]; // one of these
  outcome?: string;
  text?: string;
  action?: string; // its id
  since?: number; // epoch seconds
  until?: number;
}

export interface TaskFilter {
  query: string;
  sort: string;
  limit: number;
  offset?: number;
  facets?: boolean; // counts by value, too
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

/**
 * An API for a console at `base`, which ends in a slash. `onStranger` is called when the console
 * does not know, or no longer, who asks.
 */
export function createClient(base: string, onStranger: () => void = () => undefined) {
  let proof: string | null | undefined; // that a change is asked for by our own page; undefined: not known

  const read = async <T>(response: Response): Promise<T> => {
    if (response.ok) return (await response.json()) as T;
    const refused = await refusal(response);
    if (isStranger(refused)) onStranger();
    throw refused;
  };
  const get = async <T>(path: string, signal?: AbortSignal): Promise<T> =>
    read(await answer(new URL(`api/v1/${path}`, base), { signal }));
  const me = async (signal?: AbortSignal): Promise<Me> => {
    const told = await get<Me>('me', signal);
    proof = told.csrf;
    return told;
  };
  const change = async <T>(path: string, body: object = {}): Promise<T> => {
    const address = new URL(path, base);
    const send = async () => {
      const token = proof === undefined ? (await me()).csrf : proof;
      return read<T>(await answer(address, { body, token }));
    };
    return send().catch((error: unknown) => {
      // Another session began since: somebody logged in anew, in this tab or another.
      if (!(error instanceof ApiError && error.status === 403 && error.code === 'csrf')) throw error;
      proof = undefined;
      return send();
    });
  };
  const post = <T>(path: string, body?: object): Promise<T> => change(`api/v1/${path}`, body);
  return {
    /** Who asks, and what they may do. */
    me,
    /** Ends the session; where to go then. */
    logOut: () => change<{ to: string }>('logout'),
    sessions: (signal?: AbortSignal) => get<SessionList>('sessions', signal),
    endSession: (id: string) => post<SessionRow>(`sessions/${encodeURIComponent(id)}/revoke`),
    tokens: (signal?: AbortSignal) => get<TokenList>('tokens', signal),
    /** The secret in the answer is never told again. */
    makeToken: (request: TokenRequest) => post<TokenMade>('tokens', request),
    revokeToken: (id: string) => post<TokenRow>(`tokens/${encodeURIComponent(id)}/revoke`),
    /** What was done, the newest first; `before` is the `next` of the page before. */
    audit: (filter: AuditFilter, page: { before: number | null; limit: number }, signal?: AbortSignal) =>
      get<AuditPage>(`audit?${auditParameters(filter, { before: page.before, limit: page.limit })}`, signal),
    /** Where all of it can be fetched as one file. */
    auditExport: (filter: AuditFilter, format: 'jsonl' | 'csv') =>
      new URL(`api/v1/audit/export?${auditParameters(filter, { format })}`, base).href,
    overview: (signal?: AbortSignal) => get<Overview>('overview', signal),
    workers: (signal?: AbortSignal) => get<Workers>('workers', signal),
    worker: (hostname: string, signal?: AbortSignal) =>
      get<WorkerDetail>(`workers/${encodeURIComponent(hostname)}`, signal),
    tasks: (filter: TaskFilter, signal?: AbortSignal) =>
      get<Tasks>(`tasks?${taskParameters(filter)}`, signal),
    /** Tasks that are kept, page by page. */
    historyTasks: (filter: HistoryFilter, signal?: AbortSignal) =>
      get<HistoryPage>(`history/tasks?${parametersOf(filter)}`, signal),
    /** How many of them match, and counts by value: as far as it is known soon. */
    historyCount: (query: string, signal?: AbortSignal) =>
      get<HistoryCount>(`history/count?${parametersOf({ query })}`, signal),
    /** Where all that match can be fetched as one file. */
    historyExport: (query: string, format: 'csv' | 'json' | 'jsonl') =>
      new URL(`api/v1/history/export?${parametersOf({ query, format })}`, base).href,
    /** Times in which something was missed; epoch seconds. */
    gaps: (since: number, until: number, signal?: AbortSignal) =>
      get<GapList>(`gaps?${parametersOf({ since, until })}`, signal),
    history: (signal?: AbortSignal) => get<HistoryStatus>('history', signal),
    searches: (signal?: AbortSignal) => get<SavedSearches>('searches', signal),
    saveSearch: (search: Pick<SavedSearch, 'name' | 'query' | 'sort' | 'shared'>) =>
      post<SavedSearch>('searches', search),
    removeSearch: (id: number) => post<SavedSearch>(`searches/${id}/remove`),
    /** For endpoints whose functions come with their page: `insight.ts`. */
    get,
    task: (uuid: string, signal?: AbortSignal) =>
      get<TaskDetail>(`tasks/${encodeURIComponent(uuid)}`, signal),
    family: (uuid: string, signal?: AbortSignal) =>
      get<Family>(`families/${encodeURIComponent(uuid)}`, signal),
    /** What an entry of a schedule started. */
    started: (entry: string, limit: number, signal?: AbortSignal) =>
      get<Started>(`started/${encodeURIComponent(entry)}?limit=${limit}`, signal),
    queues: (signal?: AbortSignal) => get<Queues>('queues', signal),
    schedules: (signal?: AbortSignal) => get<Schedules>('schedules', signal),
    names: async (signal?: AbortSignal) =>
      (await get<Schemas['NameList']>('names', signal)).names,
    /** Why the server opens no stream; null when it does, and something on the way holds it back. */
    streamRefusal: async (): Promise<ApiError | null> => {
      const reading = new AbortController();
      const response = await answer(new URL('api/v1/live', base), { signal: reading.signal });
      const refused = response.ok ? null : await refusal(response);
      reading.abort();
      return refused;
    },
    /** What a live view of these tasks shows, once. */
    view: (query: string, signal?: AbortSignal) =>
      get<Tasks>(`tasks?${new URLSearchParams({ query, facets: '1', limit: '40' })}`, signal),
    commands: (signal?: AbortSignal) => get<CommandList>('commands', signal),
    /** Sends a command; what became of it is asked for with `action`. */
    control: (command: string, request: ControlRequest) =>
      post<ActionReport>(`control/${encodeURIComponent(command)}`, request),
    actions: (signal?: AbortSignal) => get<ActionList>('actions', signal),
    /** Answers at once when it is newer than `after`, else when it changes or the time is up. */
    action: (id: string, after: number, waitSeconds: number, signal?: AbortSignal) =>
      get<ActionReport>(
        `actions/${encodeURIComponent(id)}?${new URLSearchParams({ after: String(after), wait: String(waitSeconds) })}`,
        signal,
      ),
    stopAction: (id: string) => post<ActionReport>(`actions/${encodeURIComponent(id)}/stop`),
    select: (request: SelectionRequest) => post<Selection>('selections', request),
    /** The messages that wait in a queue, left where they are. */
    messages: (queue: string, offset: number, limit: number, signal?: AbortSignal) =>
      get<MessagePage>(`queues/${encodeURIComponent(queue)}/messages?${new URLSearchParams({ offset: String(offset), limit: String(limit) })}`, signal),
    /** Takes messages off a queue and puts them back: for brokers that show them no other way. */
    lookAt: (queue: string, offset: number, limit: number) =>
      post<MessagePage>(`queues/${encodeURIComponent(queue)}/messages`, { offset, limit }),
    /** Where the live stream of these topics and views is; `hub.ts` reads it. */
    liveAddress: (asked: LiveQuestion) => new URL(`api/v1/live?${liveParameters(asked)}`, base).href,
  };
}

export type Client = ReturnType<typeof createClient>;

/** Does the console not know who asks? */
export function isStranger(error: unknown): boolean {
  return error instanceof ApiError && error.status === 401;
}

interface Asking {
  signal?: AbortSignal;
  body?: object; // makes it a POST
  token?: string | null;
}

async function answer(address: URL, { signal, body, token = null }: Asking): Promise<Response> {
  const headers = { accept: 'application/json' };
  const sent = body && {
    method: 'POST',
    headers: {
      ...headers,
      'content-type': 'application/json',
      ...(token !== null && { 'X-Celeryscope-CSRF': token }),
    },
    body: JSON.stringify(body),
  };
  try {
    return await fetch(address, { signal, headers, ...sent });
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

export interface LiveQuestion {
  topics: readonly string[];
  views: readonly string[]; // queries
  hidden: boolean;
  resume: string; // the id of the last frame; empty: from the start
}

function liveParameters({ topics, views, hidden, resume }: LiveQuestion): string {
  const parameters = new URLSearchParams({ topics: topics.join(','), hidden: hidden ? '1' : '0' });
  for (const view of views) parameters.append('view', view);
  if (resume) parameters.set('resume', resume);
  return parameters.toString();
}

function taskParameters(filter: TaskFilter): string {
  const parameters = new URLSearchParams();
  if (filter.query !== '') parameters.set('query', filter.query);
  if (filter.facets) parameters.set('facets', '1');
  parameters.set('sort', filter.sort);
  parameters.set('limit', String(filter.limit));
  if (filter.offset) parameters.set('offset', String(filter.offset));
  return parameters.toString();
}

/** Those that say something. */
export function parametersOf(all: object): string {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(all) as [string, string | number | null | undefined][]) {
    if (value !== null && value !== undefined && value !== '') parameters.set(key, String(value));
  }
  return parameters.toString();
}

function auditParameters(
  filter: AuditFilter,
  rest: Readonly<Record<string, string | number | null>>,
): string {
  const parameters = new URLSearchParams();
  const { kind = [], ...words } = filter;
  const all: Readonly<Record<string, string | number | null | undefined>> = { ...words, ...rest };
  for (const [key, value] of Object.entries(all)) {
    if (value !== null && value !== undefined && value !== '') parameters.set(key, String(value));
  }
  for (const one of kind) parameters.append('kind', one);
  return parameters.toString();
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
