// Made from openapi.json by `npm run types`. Do not edit.

export interface paths {
    "/overview": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** See the cluster at a glance. */
        get: operations["overview"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/workers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the workers. */
        get: operations["workers"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/workers/{hostname}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** See one worker. */
        get: operations["worker"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/tasks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List tasks. */
        get: operations["tasks"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/tasks/{uuid}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** See one task. */
        get: operations["task"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/names": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the task names seen. */
        get: operations["names"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/ingest": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** See what was lost, dropped or refused. */
        get: operations["ingest"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/live": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Follow what changes. */
        get: operations["live"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Read this document. */
        get: operations["openapi"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * Overview
         * @description The cluster at a glance.
         */
        Overview: {
            now: number;
            version: string;
            started_at: number;
            broker: components["schemas"]["Broker"];
            ingest: components["schemas"]["Ingest"];
            workers: components["schemas"]["WorkerCounts"];
            states: {
                [key: string]: number;
            };
            running: number;
            totals: {
                [key: string]: number;
            };
            rate: components["schemas"]["Rates"];
            activity: components["schemas"]["Activity"];
            queues: components["schemas"]["Queue"][];
            gaps: components["schemas"]["Gap"][];
            failing: components["schemas"]["NameRow"][];
        };
        /**
         * Broker
         * @description Where the events come from, and whether they do.
         */
        Broker: {
            transport: string;
            url: string;
            /** @enum {unknown} */
            state: "connected" | "connecting" | "disconnected";
            since: number;
            error: string | null;
            hint: string | null;
        };
        /**
         * Ingest
         * @description How reading the events goes, and what did not arrive.
         */
        Ingest: {
            events: number;
            events_per_second: number;
            lag_seconds: number;
            buffer_bytes: number;
            buffer_limit_bytes: number;
            lost: number;
            dropped_messages: number;
            dropped_bytes: number;
            duplicates: number;
            rejected: {
                [key: string]: number;
            };
            tasks_in_memory: number;
            tasks_limit: number;
            tasks_forgotten: number;
            tasks_forgotten_live: number;
            mask_active: boolean;
            label_overflow: {
                [key: string]: number;
            };
        };
        /**
         * WorkerCounts
         * @description How many workers there are, by status.
         */
        WorkerCounts: {
            online: number;
            offline: number;
            unknown: number;
        };
        /**
         * Rates
         * @description Events a second, over the last ten seconds.
         */
        Rates: {
            sent: number;
            received: number;
            started: number;
            succeeded: number;
            failed: number;
            retried: number;
            revoked: number;
            rejected: number;
        };
        /**
         * Activity
         * @description The last five minutes.
         */
        Activity: {
            step_seconds: number;
            times: number[];
            series: components["schemas"]["Series"];
        };
        /**
         * Series
         * @description Events in each step.
         */
        Series: {
            received: number[];
            succeeded: number[];
            failed: number[];
            retried: number[];
        };
        /**
         * Queue
         * @description A queue's depth, as the broker tells it.
         */
        Queue: {
            name: string;
            messages: number | null;
            consumers: number | null;
            error: string | null;
        };
        /**
         * Gap
         * @description A time in which no event could reach us.
         */
        Gap: {
            start: number;
            end: number | null;
            reason: string;
        };
        /**
         * NameRow
         * @description What became of the tasks of one name, since we look.
         */
        NameRow: {
            name: string;
            sent: number;
            received: number;
            started: number;
            succeeded: number;
            failed: number;
            retried: number;
            revoked: number;
            rejected: number;
            runtime_mean: number | null;
            last_exception: string | null;
        };
        /**
         * WorkerList
         * @description All workers, by name.
         */
        WorkerList: {
            now: number;
            workers: components["schemas"]["WorkerRow"][];
            broker: components["schemas"]["Broker"];
        };
        /**
         * WorkerRow
         * @description A worker in a list.
         */
        WorkerRow: {
            hostname: string;
            /** @enum {unknown} */
            status: "offline" | "online" | "unknown";
            last_heartbeat: number | null;
            heartbeat_interval: number;
            active: number | null;
            running: number;
            processed: number | null;
            loadavg: number[] | null;
            version: string | null;
            software: string | null;
            pool: string | null;
            concurrency: number | null;
            queues: string[];
            pid: number | null;
            skew_seconds: number;
            restarts: number;
            lost: number;
            counts: {
                [key: string]: number;
            };
            first_seen: number;
            inspected_at: number | null;
        };
        /**
         * WorkerDetail
         * @description One worker, with all we know of it.
         */
        WorkerDetail: {
            hostname: string;
            /** @enum {unknown} */
            status: "offline" | "online" | "unknown";
            last_heartbeat: number | null;
            heartbeat_interval: number;
            active: number | null;
            running: number;
            processed: number | null;
            loadavg: number[] | null;
            version: string | null;
            software: string | null;
            pool: string | null;
            concurrency: number | null;
            queues: string[];
            pid: number | null;
            skew_seconds: number;
            restarts: number;
            lost: number;
            counts: {
                [key: string]: number;
            };
            first_seen: number;
            inspected_at: number | null;
            inspect: components["schemas"]["InspectionDetail"] | null;
            inspect_error: string | null;
            running_tasks: components["schemas"]["TaskRow"][];
        };
        /**
         * InspectionDetail
         * @description What the worker answered when it was asked last; None: no answer.
         */
        InspectionDetail: {
            at: number;
            stats: Record<string, never> | null;
            registered: string[] | null;
            active_queues: Record<string, never>[] | null;
            conf: Record<string, never> | null;
            active: unknown[] | null;
            reserved: unknown[] | null;
            scheduled: unknown[] | null;
            revoked: unknown[] | null;
        };
        /**
         * TaskRow
         * @description A task in a list.
         */
        TaskRow: {
            uuid: string;
            name: string | null;
            state: string;
            worker: string | null;
            queue: string | null;
            client: string | null;
            sent: number | null;
            received: number | null;
            started: number | null;
            finished: number | null;
            wait: number | null;
            runtime: number | null;
            retries: number;
            args: string | null;
            kwargs: string | null;
            result: string | null;
            exception: string | null;
            state_at: number;
        };
        /**
         * TaskList
         * @description One page of the tasks in memory.
         */
        TaskList: {
            now: number;
            tasks: components["schemas"]["TaskRow"][];
            total: number;
            in_memory: number;
        };
        /**
         * TaskDetail
         * @description One task, with all we know of it.
         */
        TaskDetail: {
            uuid: string;
            name: string | null;
            state: string;
            worker: string | null;
            queue: string | null;
            client: string | null;
            sent: number | null;
            received: number | null;
            started: number | null;
            finished: number | null;
            wait: number | null;
            runtime: number | null;
            retries: number;
            args: string | null;
            kwargs: string | null;
            result: string | null;
            exception: string | null;
            state_at: number;
            traceback: string | null;
            eta: string | null;
            expires: string | null;
            root_id: string | null;
            parent_id: string | null;
            children: components["schemas"]["Child"][];
            children_total: number;
            exchange: string | null;
            routing_key: string | null;
            succeeded: number | null;
            failed: number | null;
            retried: number | null;
            revoked: number | null;
            rejected: number | null;
            terminated: boolean;
            expired: boolean;
            signum: string | null;
            truncated: boolean;
            clock: number | null;
            timeline: components["schemas"]["Moment"][];
        };
        /**
         * Child
         * @description A task that this one sent.
         */
        Child: {
            uuid: string;
            name: string | null;
            state: string;
        };
        /**
         * Moment
         * @description One event of a task; `at` is by the clock of `host`.
         */
        Moment: {
            type: string;
            at: number;
            host: string | null;
        };
        /**
         * NameList
         * @description Every task name seen.
         */
        NameList: {
            names: components["schemas"]["NameRow"][];
        };
        /**
         * IngestDetail
         * @description The accounting: what was lost, where and when.
         */
        IngestDetail: {
            events: number;
            events_per_second: number;
            lag_seconds: number;
            buffer_bytes: number;
            buffer_limit_bytes: number;
            lost: number;
            dropped_messages: number;
            dropped_bytes: number;
            duplicates: number;
            rejected: {
                [key: string]: number;
            };
            tasks_in_memory: number;
            tasks_limit: number;
            tasks_forgotten: number;
            tasks_forgotten_live: number;
            mask_active: boolean;
            label_overflow: {
                [key: string]: number;
            };
            gaps: components["schemas"]["Gap"][];
            workers: {
                [key: string]: number;
            };
        };
        /**
         * LiveHello
         * @description `event: hello`, the first of every stream.
         */
        LiveHello: {
            server: string;
            version: string;
            now: number;
        };
        /**
         * LiveFrame
         * @description `event: frame`: what changed since the frame before; the first carries everything.
         */
        LiveFrame: {
            now: number;
            overview?: components["schemas"]["OverviewChanges"];
            workers?: components["schemas"]["LiveWorkers"];
            tasks?: components["schemas"]["LiveTasks"];
        };
        /** OverviewChanges */
        OverviewChanges: {
            version?: string;
            started_at?: number;
            broker?: components["schemas"]["Broker"];
            ingest?: components["schemas"]["Ingest"];
            workers?: components["schemas"]["WorkerCounts"];
            states?: {
                [key: string]: number;
            };
            running?: number;
            totals?: {
                [key: string]: number;
            };
            rate?: components["schemas"]["Rates"];
            activity?: components["schemas"]["Activity"];
            queues?: components["schemas"]["Queue"][];
            gaps?: components["schemas"]["Gap"][];
            failing?: components["schemas"]["NameRow"][];
        };
        /**
         * LiveWorkers
         * @description The workers that changed, and those that are gone.
         */
        LiveWorkers: {
            set: components["schemas"]["WorkerRow"][];
            gone: string[];
        };
        /**
         * LiveTasks
         * @description The newest of the tasks that changed since the frame before.
         */
        LiveTasks: {
            rows: components["schemas"]["TaskRow"][];
            changed: number;
            total: number;
        };
        /**
         * ProblemBody
         * @description The body of every error answer.
         */
        ProblemBody: {
            error: components["schemas"]["Problem"];
        };
        /**
         * Problem
         * @description What went wrong with a request.
         */
        Problem: {
            code: string;
            message: string;
            /** @default null */
            hint: string | null;
            /** @default null */
            parameter: string | null;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    overview: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Overview"];
                };
            };
            /** @description Bad argument. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description A fault of the server; its log tells more. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description This cannot be told right now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
        };
    };
    workers: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WorkerList"];
                };
            };
            /** @description Bad argument. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description A fault of the server; its log tells more. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description This cannot be told right now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
        };
    };
    worker: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                hostname: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WorkerDetail"];
                };
            };
            /** @description Bad argument. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description Not known here. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description A fault of the server; its log tells more. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description This cannot be told right now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
        };
    };
    tasks: {
        parameters: {
            query?: {
                /** @description Tasks in this state; several are joined by or. */
                state?: string[];
                /** @description Tasks of exactly this name. */
                name?: string;
                /** @description Tasks of this worker. */
                worker?: string;
                /** @description Tasks of this queue. */
                queue?: string;
                /** @description A search: words, `field:word`, AND, OR, (), quotes. */
                search?: string;
                /** @description At most so many. */
                limit?: number;
                /** @description Leave out so many. */
                offset?: number;
                /** @description What to sort by; `-` turns it round. Tasks without it come last. */
                sort?: "-name" | "-received" | "-runtime" | "-seen" | "-started" | "-state" | "name" | "received" | "runtime" | "seen" | "started" | "state";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TaskList"];
                };
            };
            /** @description Bad argument. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description A fault of the server; its log tells more. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description This cannot be told right now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
        };
    };
    task: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                uuid: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TaskDetail"];
                };
            };
            /** @description Bad argument. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description Not known here. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description A fault of the server; its log tells more. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description This cannot be told right now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
        };
    };
    names: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NameList"];
                };
            };
            /** @description Bad argument. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description A fault of the server; its log tells more. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description This cannot be told right now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
        };
    };
    ingest: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["IngestDetail"];
                };
            };
            /** @description Bad argument. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description A fault of the server; its log tells more. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description This cannot be told right now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
        };
    };
    live: {
        parameters: {
            query?: {
                /** @description overview, workers, tasks; several with commas between. */
                topics?: string;
                /** @description 1: nobody is looking, a frame in 5 s is enough. */
                hidden?: 0 | 1;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Server-sent events: `event: hello` with a LiveHello, then `event: frame` with a LiveFrame, at most four a second, each with what changed since the one before. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
            /** @description Bad argument. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description A fault of the server; its log tells more. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description This cannot be told right now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
        };
    };
    openapi: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OpenAPI 3.1. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                };
            };
        };
    };
}
