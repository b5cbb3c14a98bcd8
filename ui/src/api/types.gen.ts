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
    "/queues": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the queues. */
        get: operations["queues"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/queues/{name}/messages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Look at the messages that wait in a queue, without taking them. */
        get: operations["messages"];
        put?: never;
        /** Look at waiting messages where that takes them out for a moment and puts them back. */
        post: operations["look"];
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
    "/history": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** See what is kept of the tasks, and whether it can be written. */
        get: operations["history"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/history/tasks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the tasks on disk. */
        get: operations["history_tasks"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/history/count": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Count the tasks on disk, and by value those that would match, were a field free. */
        get: operations["history_count"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/families/{uuid}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** See a task's whole family. */
        get: operations["family"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/started/{entry}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** See what an entry of a schedule started. */
        get: operations["started"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/gaps": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** See when events were missed, and what heartbeats prove to be lost. */
        get: operations["gaps"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/insight": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** See what became of tasks, by name. */
        get: operations["insight"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/insight/names/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** See what became of the tasks of one name: its course, who ran them, examples. */
        get: operations["insight_name"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/insight/exceptions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** See exceptions by their fingerprint: how often, since when, of which tasks. */
        get: operations["insight_exceptions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/insight/calendar": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** See tasks and failures in each hour of each day. */
        get: operations["insight_calendar"];
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
    "/commands": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List every command, and say which of them you may send. */
        get: operations["commands"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/actions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the commands of late, the newest first. */
        get: operations["actions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/actions/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** See what became of a command; with `wait`, once it is newer than `after`. */
        get: operations["action"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/schedules": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Answer with every entry, the next to run first. Takes no parameters. */
        get: operations["schedules"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/searches": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the searches that you keep, and those that others share. */
        get: operations["searches"];
        put?: never;
        /** Keep a search. */
        post: operations["save_search"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Say who you are, and what you may do. */
        get: operations["me"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List who is logged in: you, or everybody, for an admin without limits. */
        get: operations["sessions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/tokens": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List tokens: yours, or everybody's, for an admin without limits. */
        get: operations["tokens"];
        put?: never;
        /** Make a token for a program; it may never do more than you. */
        post: operations["make_token"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** See who did what, the newest first. */
        get: operations["audit"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/control/{command}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Send a command; what becomes of it is told by its action. */
        post: operations["send"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/actions/{id}/stop": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Stop a command between two of its items. */
        post: operations["stop"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/selections": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Choose tasks for a command, exactly as they are now. */
        post: operations["select"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/searches/{id}/remove": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Remove a search of yours; an admin may remove each that is shared. */
        post: operations["remove_search"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sessions/{id}/revoke": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** End a session: whoever has its cookie is out. */
        post: operations["end_session"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/tokens/{id}/revoke": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Revoke a token: nobody comes in by it any more. */
        post: operations["revoke_token"];
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
            grafana_url: string | null;
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
            latency: components["schemas"]["Latency"];
            queues: components["schemas"]["Queue"][];
            gaps: components["schemas"]["Gap"][];
            failing: components["schemas"]["NameRow"][];
            slowest: components["schemas"]["NameRow"][];
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
         * Latency
         * @description How long tasks waited and ran, over the last five minutes.
         */
        Latency: {
            step_seconds: number;
            times: number[];
            wait: components["schemas"]["Quantiles"];
            runtime: components["schemas"]["Quantiles"];
        };
        /**
         * Quantiles
         * @description Seconds, of the tasks that fall into each step; None where there were none.
         */
        Quantiles: {
            p50: (number | null)[];
            p95: (number | null)[];
            p99: (number | null)[];
        };
        /**
         * Queue
         * @description A queue's depth, as the broker tells it, and how it moves.
         *
         *         Messages that a worker has prefetched are not among `messages`: with Redis they are in no
         *         list any more, with RabbitMQ they are held unacknowledged.
         */
        Queue: {
            name: string;
            messages: number | null;
            unacknowledged: number | null;
            consumers: number | null;
            error: string | null;
            growth_per_second: number | null;
            in_per_second: number | null;
            out_per_second: number | null;
            drain_seconds: number | null;
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
            runtime_p50: number | null;
            runtime_p95: number | null;
            runtime_p99: number | null;
            wait_p95: number | null;
            runtime_total: number;
            recent_failed: number;
            recent_succeeded: number;
            last_exception: string | null;
            last_failed: string | null;
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
            running_tasks: components["schemas"]["RunningTask"][];
            heartbeats: components["schemas"]["Heartbeats"];
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
         * RunningTask
         * @description A task that runs, and how long those of its name usually do.
         */
        RunningTask: {
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
            fetched: boolean;
            usual_p50: number | null;
            usual_p95: number | null;
        };
        /**
         * Heartbeats
         * @description The heartbeats of the last ten minutes, at most one in five seconds; oldest first.
         */
        Heartbeats: {
            times: number[];
            active: (number | null)[];
            load: (number | null)[];
            processed: (number | null)[];
        };
        /**
         * QueueList
         * @description All queues, by name.
         */
        QueueList: {
            now: number;
            queues: components["schemas"]["QueueRow"][];
            error: string | null;
            read_at: number | null;
            every_seconds: number;
        };
        /**
         * QueueRow
         * @description A queue in the list of queues.
         */
        QueueRow: {
            name: string;
            messages: number | null;
            unacknowledged: number | null;
            consumers: number | null;
            error: string | null;
            growth_per_second: number | null;
            in_per_second: number | null;
            out_per_second: number | null;
            drain_seconds: number | null;
            times: number[];
            depths: (number | null)[];
            workers: string[];
            oldest_seconds: number | null;
            sent: number;
            taken: number;
        };
        /**
         * MessagePage
         * @description Messages that wait in a queue, as the broker has them at this moment.
         */
        MessagePage: {
            now: number;
            queue: string;
            total: number;
            offset: number;
            messages: components["schemas"]["WaitingMessage"][];
            notes: string[];
        };
        /**
         * WaitingMessage
         * @description A message that waits in a queue, cut short and masked.
         */
        WaitingMessage: {
            position: number;
            size_bytes: number;
            uuid: string | null;
            name: string | null;
            root_id: string | null;
            parent_id: string | null;
            args: string | null;
            kwargs: string | null;
            eta: string | null;
            expires: string | null;
            retries: number | null;
            origin: string | null;
            priority: number | null;
            content_type: string | null;
            headers: {
                [key: string]: string;
            };
            redelivered: boolean;
            problem: string | null;
            sent: number | null;
            age_seconds: number | null;
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
            facets: components["schemas"]["Facets"] | null;
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
            fetched: boolean;
        };
        /**
         * Facets
         * @description Counts by value, most first, of what the rest of the query lets through.
         *
         *         What the query itself asks of a field is left out for that field's counts: they say what
         *         one would get by choosing otherwise. Each list has its largest values only.
         */
        Facets: {
            state: components["schemas"]["Facet"][];
            name: components["schemas"]["Facet"][];
            worker: components["schemas"]["Facet"][];
            queue: components["schemas"]["Facet"][];
        };
        /**
         * Facet
         * @description The tasks with one value of a field.
         */
        Facet: {
            value: string;
            count: number;
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
            fetched: boolean;
            /** @enum {unknown} */
            source: "history" | "memory";
            attempts: components["schemas"]["Attempt"][];
            fingerprint: string | null;
            lost: components["schemas"]["Lost"] | null;
            traceback: string | null;
            eta: string | null;
            expires: string | null;
            root_id: string | null;
            parent_id: string | null;
            root: components["schemas"]["Relative"] | null;
            parent: components["schemas"]["Relative"] | null;
            children: components["schemas"]["Relative"][];
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
            arguments_kept: boolean;
            clock: number | null;
            usual: components["schemas"]["NameRow"] | null;
            timeline: components["schemas"]["Moment"][];
        };
        /**
         * Attempt
         * @description One run of a task. Times are by the clock of its worker.
         */
        Attempt: {
            number: number;
            retries: number | null;
            worker: string;
            state: string;
            received: number | null;
            started: number | null;
            ended: number | null;
            runtime: number | null;
            wait: number | null;
            exception: string | null;
            traceback: string | null;
        };
        /**
         * Lost
         * @description That a run has no end, as we decided.
         */
        Lost: {
            at: number;
            worker: string;
            started: number | null;
            why: string;
        };
        /**
         * Relative
         * @description A task of the same family.
         */
        Relative: {
            uuid: string;
            name: string | null;
            state: string | null;
        };
        /**
         * Moment
         * @description One event of a task; `at` is by the clock of `host`, of `task-lost` by ours.
         */
        Moment: {
            type: string;
            at: number;
            host: string | null;
            retries: number | null;
        };
        /**
         * HistoryStatus
         * @description What is kept of the tasks, and whether it can be written.
         */
        HistoryStatus: {
            now: number;
            kept: boolean;
            where: string;
            trouble: string | null;
            trouble_since: number | null;
            written: number;
            waiting: number;
            dropped: number;
            refused: number;
            tasks: number | null;
            oldest: number | null;
            newest: number | null;
            size_bytes: number | null;
            retained: components["schemas"]["Retained"] | null;
        };
        /**
         * Retained
         * @description How long tasks are kept; None: without such a limit.
         */
        Retained: {
            max_age: number | null;
            max_age_of: {
                [key: string]: number;
            };
            max_tasks: number | null;
            max_bytes: number | null;
            removed: number;
            trouble: string | null;
        };
        /**
         * HistoryPage
         * @description Tasks on disk, in the order asked for.
         */
        HistoryPage: {
            now: number;
            tasks: components["schemas"]["TaskRow"][];
            after: string | null;
            before: string | null;
            more: boolean;
            whole: boolean;
            gaps: components["schemas"]["HistoryGap"][];
        };
        /**
         * HistoryGap
         * @description A time of which events are missing.
         */
        HistoryGap: {
            start: number;
            end: number | null;
            /** @enum {unknown} */
            kind: "disconnected" | "dropped" | "lost" | "stopped";
            worker: string | null;
            events: number | null;
            reason: string;
        };
        /**
         * HistoryCount
         * @description How many tasks on disk match.
         */
        HistoryCount: {
            now: number;
            total: number;
            total_whole: boolean;
            facets: components["schemas"]["Facets"];
            facets_whole: boolean;
        };
        /**
         * Family
         * @description A task's whole family: what its root sent, and what that sent, and so on.
         */
        Family: {
            now: number;
            uuid: string;
            root: string;
            tasks: components["schemas"]["FamilyTask"][];
            groups: components["schemas"]["FamilyGroup"][];
            critical: components["schemas"]["CriticalStep"][];
            waited: number;
            began: number | null;
            ended: number | null;
            states: {
                [key: string]: number;
            };
            total: number;
            cut: boolean;
            together: components["schemas"]["TaskRow"][];
            together_total: number;
            started_by: components["schemas"]["StartedBy"][];
            notes: string[];
        };
        /**
         * FamilyTask
         * @description A task of a family.
         */
        FamilyTask: {
            uuid: string;
            known: boolean;
            name: string | null;
            state: string | null;
            parent: string | null;
            depth: number;
            /** @enum {unknown} */
            kind: "body" | "next" | "root" | "sub" | "unknown";
            group: number | null;
            after: string[];
            sent: number | null;
            received: number | null;
            started: number | null;
            finished: number | null;
            wait: number | null;
            runtime: number | null;
            retries: number;
            runs: components["schemas"]["FamilyRun"][];
            critical: boolean;
            worker: string | null;
            queue: string | null;
            exception: string | null;
        };
        /**
         * FamilyRun
         * @description One time that a worker ran a task.
         */
        FamilyRun: {
            started: number;
            ended: number | null;
            state: string;
        };
        /**
         * FamilyGroup
         * @description Tasks that were sent together.
         */
        FamilyGroup: {
            id: number;
            /** @enum {unknown} */
            kind: "chord" | "group";
            parent: string | null;
            name: string | null;
            size: number;
            states: {
                [key: string]: number;
            };
            body: string | null;
            sure: boolean;
        };
        /**
         * CriticalStep
         * @description A task that the end of the family waited for.
         */
        CriticalStep: {
            uuid: string;
            sent: number | null;
            started: number | null;
            until: number | null;
        };
        /**
         * StartedBy
         * @description An entry of a schedule that may have sent the root.
         */
        StartedBy: {
            id: string;
            source: string;
            name: string;
            sure: boolean;
        };
        /**
         * Started
         * @description What an entry of a schedule started, newest first.
         */
        Started: {
            now: number;
            entry: string;
            task: string;
            tasks: components["schemas"]["StartedTask"][];
            sure: boolean;
            more: boolean;
            notes: string[];
        };
        /**
         * StartedTask
         * @description A task that an entry started, and what came of it.
         */
        StartedTask: {
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
            fetched: boolean;
            family: number;
            family_states: {
                [key: string]: number;
            };
            family_ended: number | null;
        };
        /**
         * GapList
         * @description Times of which something is missing, the oldest first.
         */
        GapList: {
            now: number;
            since: number;
            until: number;
            gaps: components["schemas"]["HistoryGap"][];
            more: boolean;
            kept: boolean;
            ends: components["schemas"]["Ends"] | null;
        };
        /**
         * Ends
         * @description Tasks whose end no event told: those that were lost, and what the result backend knew.
         */
        Ends: {
            asking: boolean;
            waiting: number;
            fetched: number;
            lost: number;
            trouble: string | null;
        };
        /**
         * Insight
         * @description What became of the tasks of a time.
         */
        Insight: {
            now: number;
            since: number;
            until: number;
            exact: boolean;
            begins: number | null;
            total: components["schemas"]["InsightFigures"];
            before: components["schemas"]["InsightFigures"] | null;
            series: components["schemas"]["InsightSeries"];
            bar_seconds: number;
            names: components["schemas"]["InsightRow"][];
            names_total: number;
        };
        /**
         * InsightFigures
         * @description Tasks that ended, and how; percentiles are within 5 % of a duration that was there.
         */
        InsightFigures: {
            tasks: number;
            succeeded: number;
            failed: number;
            revoked: number;
            rejected: number;
            lost: number;
            retried: number;
            retries: number;
            took: number;
            run_p50: number | null;
            run_p95: number | null;
            run_p99: number | null;
            wait_p50: number | null;
            wait_p95: number | null;
            wait_p99: number | null;
        };
        /**
         * InsightSeries
         * @description A time in steps, of which the first and the last are whole: they may reach beyond it.
         */
        InsightSeries: {
            step_seconds: number;
            points: components["schemas"]["InsightPoint"][];
        };
        /**
         * InsightPoint
         * @description One step of a series.
         */
        InsightPoint: {
            at: number;
            tasks: number;
            failed: number;
            retried: number;
            run_p50: number | null;
            run_p95: number | null;
            wait_p95: number | null;
        };
        /**
         * InsightRow
         * @description The tasks of one name.
         */
        InsightRow: {
            name: string | null;
            now: components["schemas"]["InsightFigures"];
            before: components["schemas"]["InsightFigures"] | null;
            bars: number[];
            bars_failed: number[];
        };
        /**
         * InsightName
         * @description What became of the tasks of one name.
         */
        InsightName: {
            now: number;
            since: number;
            until: number;
            exact: boolean;
            begins: number | null;
            name: string;
            figures: components["schemas"]["InsightFigures"];
            before: components["schemas"]["InsightFigures"] | null;
            series: components["schemas"]["InsightSeries"];
            workers: components["schemas"]["InsightShare"][];
            queues: components["schemas"]["InsightShare"][];
            shares_whole: boolean;
            slowest: components["schemas"]["TaskRow"][];
            waited: components["schemas"]["TaskRow"][];
            tasks_whole: boolean;
        };
        /**
         * InsightShare
         * @description The tasks of one worker, or of one queue.
         */
        InsightShare: {
            value: string;
            tasks: number;
            failed: number;
        };
        /**
         * InsightExceptions
         * @description The exceptions of a time, the most frequent first.
         */
        InsightExceptions: {
            now: number;
            since: number;
            until: number;
            begins: number | null;
            bar_seconds: number;
            exceptions: components["schemas"]["InsightException"][];
            total: number;
        };
        /**
         * InsightException
         * @description Failures of one type at one place in the code.
         */
        InsightException: {
            fingerprint: string;
            type: string;
            file: string;
            function: string;
            line: number;
            first: number | null;
            last: number | null;
            failed: number;
            retried: number;
            before: number | null;
            names: components["schemas"]["InsightCount"][];
            names_total: number;
            examples: string[];
            bars: number[];
        };
        /**
         * InsightCount
         * @description How often.
         */
        InsightCount: {
            name: string | null;
            count: number;
        };
        /**
         * InsightCalendar
         * @description Days and their hours; only those with tasks are there.
         */
        InsightCalendar: {
            now: number;
            since: number;
            until: number;
            begins: number | null;
            zone: string;
            days: components["schemas"]["InsightDay"][];
        };
        /**
         * InsightDay
         * @description One day, by its 24 local hours; an hour that the clock has twice has both.
         */
        InsightDay: {
            date: string;
            tasks: number[];
            failed: number[];
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
         * CommandList
         * @description Every command there is, and what you are.
         */
        CommandList: {
            /** @enum {unknown} */
            role: "admin" | "operator" | "viewer";
            read_only: boolean;
            commands: components["schemas"]["CommandInfo"][];
        };
        /**
         * CommandInfo
         * @description One command: what it does, to what, and who may.
         */
        CommandInfo: {
            name: string;
            title: string;
            consequence: string;
            confirmed: string;
            /** @enum {unknown} */
            role: "admin" | "operator" | "viewer";
            allowed: boolean;
            /** @enum {unknown} */
            subject: "queue" | "schedule" | "task id" | "task name" | "worker";
            /** @enum {unknown} */
            runs: "here" | "workers";
            needs_workers: boolean;
            many: boolean;
            destructive: boolean;
            confirm: string;
            arguments: components["schemas"]["ArgumentInfo"][];
            example: Record<string, never>;
        };
        /**
         * ArgumentInfo
         * @description One argument of a command: what may be given.
         */
        ArgumentInfo: {
            name: string;
            /** @enum {unknown} */
            kind: "args" | "boolean" | "integer" | "kwargs" | "number" | "options" | "rate" | "signal" | "stamps" | "text" | "texts" | "time";
            help: string;
            required: boolean;
            default: unknown;
            minimum: number | null;
            maximum: number | null;
            max_bytes: number;
            max_items: number;
            choices: string[];
            unit: string;
        };
        /**
         * ActionList
         * @description The commands of late, the newest first.
         */
        ActionList: {
            now: number;
            actions: components["schemas"]["ActionSummary"][];
        };
        /**
         * ActionSummary
         * @description A command on its way, or over.
         */
        ActionSummary: {
            id: string;
            sequence: number;
            command: string;
            title: string;
            arguments: Record<string, never>;
            /** @enum {unknown} */
            runs: "here" | "workers";
            everyone: boolean;
            /** @enum {unknown} */
            state: "confirming" | "failed" | "finished" | "sending" | "stopped" | "waiting";
            /** @enum {unknown} */
            sent: "no" | "unknown" | "yes";
            created_at: number;
            finished_at: number | null;
            timeout_seconds: number;
            confirm_seconds: number;
            error: string;
            hint: string;
            outcomes: {
                [key: string]: number;
            };
            effects: {
                [key: string]: number;
            };
            late: number;
            twice: number;
            unexpected: number;
            total: number;
            stoppable: boolean;
        };
        /**
         * ActionReport
         * @description A command with what each worker, or each thing, became of.
         */
        ActionReport: {
            id: string;
            sequence: number;
            command: string;
            title: string;
            arguments: Record<string, never>;
            /** @enum {unknown} */
            runs: "here" | "workers";
            everyone: boolean;
            /** @enum {unknown} */
            state: "confirming" | "failed" | "finished" | "sending" | "stopped" | "waiting";
            /** @enum {unknown} */
            sent: "no" | "unknown" | "yes";
            created_at: number;
            finished_at: number | null;
            timeout_seconds: number;
            confirm_seconds: number;
            error: string;
            hint: string;
            outcomes: {
                [key: string]: number;
            };
            effects: {
                [key: string]: number;
            };
            late: number;
            twice: number;
            unexpected: number;
            total: number;
            stoppable: boolean;
            now: number;
            workers: components["schemas"]["WorkerOutcome"][];
            items: components["schemas"]["ItemOutcome"][];
            items_left_out: number;
        };
        /**
         * WorkerOutcome
         * @description What one worker did with a command.
         */
        WorkerOutcome: {
            hostname: string;
            expected: boolean;
            /** @enum {unknown} */
            outcome: "asked" | "ok" | "refused" | "silent" | "unasked";
            answered_at: number | null;
            late: boolean;
            answers: number;
            value: unknown;
            value_dropped: boolean;
            error: string;
            /** @enum {unknown} */
            effect: "cannot tell" | "done" | "not seen" | "nothing to do" | "pending" | "unchecked";
            effect_said: string;
            effect_at: number | null;
        };
        /**
         * ItemOutcome
         * @description What became of one thing that the console did itself: one task, one queue.
         */
        ItemOutcome: {
            subject: string;
            /** @enum {unknown} */
            outcome: "asked" | "ok" | "refused" | "silent" | "unasked";
            said: string;
            value: unknown;
            task_id: string | null;
            /** @enum {unknown} */
            effect: "cannot tell" | "done" | "not seen" | "nothing to do" | "pending" | "unchecked";
            effect_said: string;
            effect_at: number | null;
        };
        /**
         * ScheduleList
         * @description Every entry of every schedule, the next to run first.
         */
        ScheduleList: {
            now: number;
            sources: components["schemas"]["ScheduleSource"][];
            entries: components["schemas"]["ScheduleEntry"][];
        };
        /**
         * ScheduleSource
         * @description Where schedules come from, and whether they do.
         */
        ScheduleSource: {
            name: string;
            /** @enum {unknown} */
            state: "absent" | "failed" | "read";
            said: string;
            read_at: number | null;
        };
        /**
         * ScheduleEntry
         * @description One entry of a schedule.
         */
        ScheduleEntry: {
            id: string;
            source: string;
            name: string;
            task: string;
            schedule: string;
            raw: string;
            timezone: string | null;
            enabled: boolean;
            one_off: boolean;
            args: string;
            kwargs: string;
            queue: string | null;
            options: {
                [key: string]: string;
            };
            last_run: number | null;
            last_run_from: string;
            next_run: number | null;
            total_runs: number | null;
            last_task: string | null;
            last_state: string | null;
            last_runtime: number | null;
            /** @enum {unknown} */
            overdue: "no" | "unknown" | "yes";
            overdue_seconds: number | null;
            note: string;
        };
        /**
         * SearchList
         * @description Your searches and those that others share, by name.
         */
        SearchList: {
            now: number;
            searches: components["schemas"]["SavedSearch"][];
        };
        /**
         * SavedSearch
         * @description A query that somebody keeps.
         */
        SavedSearch: {
            id: number;
            name: string;
            query: string;
            /** @enum {unknown} */
            sort: "longest" | "newest" | "oldest" | "retried" | "waited";
            owner: string;
            yours: boolean;
            shared: boolean;
            created_at: number;
        };
        /**
         * Me
         * @description Who asks, and what they may do.
         */
        Me: {
            name: string;
            /** @enum {unknown} */
            role: "admin" | "operator" | "viewer";
            /** @enum {unknown} */
            way: "anonymous" | "command line" | "oidc" | "password" | "proxy" | "token";
            scope: components["schemas"]["Limits"];
            read_only: boolean;
            login: boolean;
            csrf: string | null;
            expires_at: number | null;
            can_log_out: boolean;
        };
        /**
         * Limits
         * @description To what somebody is limited: patterns of names; none is no limit.
         */
        Limits: {
            queues: string[];
            tasks: string[];
        };
        /**
         * SessionList
         * @description Your sessions, the one used last first; everybody's, for an admin without limits.
         */
        SessionList: {
            now: number;
            sessions: components["schemas"]["SessionRow"][];
        };
        /**
         * SessionRow
         * @description Somebody who is logged in with a browser.
         */
        SessionRow: {
            id: string;
            name: string;
            /** @enum {unknown} */
            role: "admin" | "operator" | "viewer";
            /** @enum {unknown} */
            way: "anonymous" | "command line" | "oidc" | "password" | "proxy" | "token";
            address: string;
            user_agent: string;
            started_at: number;
            seen_at: number;
            expires_at: number;
            current: boolean;
        };
        /**
         * TokenList
         * @description Your tokens, the newest first; everybody's, for an admin without limits.
         */
        TokenList: {
            now: number;
            tokens: components["schemas"]["TokenRow"][];
            roles: ("admin" | "operator" | "viewer")[];
        };
        /**
         * TokenRow
         * @description A token, without its secret, which nobody has but its holder.
         */
        TokenRow: {
            id: string;
            name: string;
            /** @enum {unknown} */
            role: "admin" | "operator" | "viewer";
            scope: components["schemas"]["Limits"];
            owner: string;
            created_at: number;
            expires_at: number | null;
            used_at: number | null;
            expired: boolean;
        };
        /**
         * AuditPage
         * @description Entries of the audit trail, the newest first.
         */
        AuditPage: {
            now: number;
            entries: components["schemas"]["AuditEntry"][];
            next: number | null;
            unreadable: number;
            error: string | null;
            unwritten: number;
            kept: boolean;
        };
        /**
         * AuditEntry
         * @description One entry of the audit trail.
         */
        AuditEntry: {
            seq: number;
            at: number;
            /** @enum {unknown} */
            kind: "command" | "console" | "denied" | "login" | "login failed" | "logout" | "look" | "outcome" | "session" | "token" | "user";
            by: components["schemas"]["AuditBy"];
            what: string;
            whom: components["schemas"]["AuditWhom"] | null;
            arguments: Record<string, never>;
            outcome: string;
            detail: string;
            action: string;
            prev: string;
            hash: string;
        };
        /**
         * AuditBy
         * @description Who did it, and how they came.
         */
        AuditBy: {
            name: string;
            role: string;
            way: string;
            address: string;
            session: string;
            token: string;
        };
        /**
         * AuditWhom
         * @description To whom or to what it was done.
         */
        AuditWhom: {
            workers: string[] | null;
            workers_left_out: number;
            subjects: string[];
            left_out: number;
        };
        /**
         * ControlRequest
         * @description What a command is sent with.
         */
        ControlRequest: {
            /** @default {} */
            arguments: Record<string, never>;
            /** @default null */
            workers: string[] | null;
            /** @default null */
            selection: string | null;
            /** @default null */
            confirm: string | null;
        };
        /**
         * Nothing
         * @description There is nothing to say.
         */
        Nothing: Record<string, never>;
        /**
         * SelectionRequest
         * @description Which tasks a command would touch.
         */
        SelectionRequest: {
            command: string;
            query: string;
        };
        /**
         * Selection
         * @description Tasks that were chosen: exactly these are touched, whatever matches later.
         */
        Selection: {
            id: string;
            command: string;
            query: string;
            now: number;
            expires_at: number;
            matching: number;
            count: number;
            left_out: components["schemas"]["LeftOut"][];
            names: components["schemas"]["SelectedName"][];
            sample: string[];
        };
        /**
         * LeftOut
         * @description Tasks that match and that the command would not touch.
         */
        LeftOut: {
            reason: string;
            count: number;
        };
        /**
         * SelectedName
         * @description How many tasks of one name are in a selection; None: tasks without a name.
         */
        SelectedName: {
            name: string | null;
            count: number;
        };
        /**
         * MessageRequest
         * @description Which messages of a queue, where a look takes them out and puts them back.
         *
         *         RabbitMQ has no other look. They are marked as redelivered then.
         */
        MessageRequest: {
            /**
             * @description At most so many.
             * @default 20
             */
            limit: number;
            /**
             * @description Leave out so many, the next to be taken first.
             * @default 0
             */
            offset: number;
        };
        /**
         * SearchRequest
         * @description A search to be kept; one of yours of that name is replaced.
         */
        SearchRequest: {
            name: string;
            query: string;
            /**
             * @default newest
             * @enum {unknown}
             */
            sort: "longest" | "newest" | "oldest" | "retried" | "waited";
            /** @default false */
            shared: boolean;
        };
        /**
         * TokenRequest
         * @description A token to be made.
         */
        TokenRequest: {
            name: string;
            /** @enum {unknown} */
            role: "admin" | "operator" | "viewer";
            /** @default [] */
            queues: string[];
            /** @default [] */
            tasks: string[];
            /** @default null */
            expires_in: number | null;
        };
        /**
         * NewToken
         * @description A token that was made. Its secret is told here once, and kept nowhere.
         */
        NewToken: {
            token: components["schemas"]["TokenRow"];
            secret: string;
        };
        /**
         * LiveHello
         * @description `event: hello`, the first of every stream.
         */
        LiveHello: {
            server: string;
            version: string;
            grafana_url: string | null;
            now: number;
            topics: string[];
            views: string[];
        };
        /**
         * LiveFrame
         * @description `event: frame`: what changed since the frame before; the first carries everything.
         */
        LiveFrame: {
            now: number;
            overview?: components["schemas"]["OverviewChanges"];
            workers?: components["schemas"]["LiveWorkers"];
            grid?: components["schemas"]["LiveGrid"];
            views?: {
                [key: string]: components["schemas"]["LiveTasks"];
            };
        };
        /** OverviewChanges */
        OverviewChanges: {
            version?: string;
            grafana_url?: string | null;
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
            latency?: components["schemas"]["Latency"];
            queues?: components["schemas"]["Queue"][];
            gaps?: components["schemas"]["Gap"][];
            failing?: components["schemas"]["NameRow"][];
            slowest?: components["schemas"]["NameRow"][];
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
         * LiveGrid
         * @description The cells that changed, and those that are gone.
         */
        LiveGrid: {
            set: [
                string,
                "offline" | "online" | "unknown",
                number,
                number | null,
                number
            ][];
            gone: string[];
        };
        /**
         * LiveTasks
         * @description What one query matches: the newest of the tasks that changed since the frame before.
         */
        LiveTasks: {
            rows: components["schemas"]["TaskRow"][];
            gone: string[];
            changed: number;
            total?: number;
            in_memory: number;
            facets?: components["schemas"]["Facets"];
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
            /** @default null */
            position: number | null;
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
    queues: {
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
                    "application/json": components["schemas"]["QueueList"];
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
    messages: {
        parameters: {
            query?: {
                /** @description At most so many. */
                limit?: number;
                /** @description Leave out so many, the next to be taken first. */
                offset?: number;
            };
            header?: never;
            path: {
                name: string;
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
                    "application/json": components["schemas"]["MessagePage"];
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
            /** @description This broker or this queue does not let one look, or only with a POST. */
            409: {
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
    look: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["MessageRequest"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MessagePage"];
                };
            };
            /** @description Something in the body cannot be used. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description The role does not allow it, or the console is read-only. */
            403: {
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
            /** @description This broker or this queue does not let one look. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description The body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description The body is no JSON. */
            415: {
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
                /** @description Which tasks: the page's query language. */
                query?: string;
                /** @description 1: count by value, too. */
                facets?: 0 | 1;
                /** @description At most so many. */
                limit?: number;
                /** @description Leave out so many. */
                offset?: number;
                /** @description What to sort by; `-` turns it round. Tasks without it come last. */
                sort?: "-finished" | "-name" | "-received" | "-retries" | "-runtime" | "-seen" | "-started" | "-state" | "-wait" | "finished" | "name" | "received" | "retries" | "runtime" | "seen" | "started" | "state" | "wait";
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
    history: {
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
                    "application/json": components["schemas"]["HistoryStatus"];
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
    history_tasks: {
        parameters: {
            query?: {
                /** @description Which tasks: the page's query language. */
                query?: string;
                /** @description By the last event, or by run time, waiting time or retries; what has none comes last. */
                sort?: "longest" | "newest" | "oldest" | "retried" | "waited";
                /** @description Begin behind this place. */
                after?: string;
                /** @description End in front of this place. */
                before?: string;
                /** @description At most so many. */
                limit?: number;
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
                    "application/json": components["schemas"]["HistoryPage"];
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
            /** @description No history is kept. */
            409: {
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
    history_count: {
        parameters: {
            query?: {
                /** @description Which tasks: the page's query language. */
                query?: string;
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
                    "application/json": components["schemas"]["HistoryCount"];
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
            /** @description No history is kept. */
            409: {
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
    family: {
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
                    "application/json": components["schemas"]["Family"];
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
    started: {
        parameters: {
            query?: {
                /** @description At most so many. */
                limit?: number;
            };
            header?: never;
            path: {
                entry: string;
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
                    "application/json": components["schemas"]["Started"];
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
    gaps: {
        parameters: {
            query?: {
                /** @description Gaps that go on after this; by default a day ago. */
                since?: number | null;
                /** @description Gaps that began before this; by default now. */
                until?: number | null;
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
                    "application/json": components["schemas"]["GapList"];
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
    insight: {
        parameters: {
            query?: {
                /** @description From this time on; else the 24 hours before `until`. */
                since?: number | null;
                /** @description Before this time; else up to now. */
                until?: number | null;
                /** @description By tasks; by the share that failed, or how many; by the share that was retried; by the p95 of how long they ran, or waited; by how long they ran together; by name. */
                sort?: "failed" | "failures" | "name" | "retried" | "run" | "tasks" | "took" | "wait";
                /** @description A part of the names wanted. */
                text?: string;
                /** @description At most so many names. */
                limit?: number;
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
                    "application/json": components["schemas"]["Insight"];
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
            /** @description No history is kept, or there are too many tasks to count. */
            409: {
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
    insight_name: {
        parameters: {
            query?: {
                /** @description From this time on; else the 24 hours before `until`. */
                since?: number | null;
                /** @description Before this time; else up to now. */
                until?: number | null;
            };
            header?: never;
            path: {
                name: string;
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
                    "application/json": components["schemas"]["InsightName"];
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
            /** @description No history is kept, or there are too many tasks to count. */
            409: {
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
    insight_exceptions: {
        parameters: {
            query?: {
                /** @description From this time on; else the 24 hours before `until`. */
                since?: number | null;
                /** @description Before this time; else up to now. */
                until?: number | null;
                /** @description Tasks of this name alone, written in full. */
                name?: string;
                /** @description At most so many. */
                limit?: number;
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
                    "application/json": components["schemas"]["InsightExceptions"];
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
            /** @description No history is kept, or there are too many tasks to count. */
            409: {
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
    insight_calendar: {
        parameters: {
            query?: {
                /** @description From this time on; else the 24 hours before `until`. */
                since?: number | null;
                /** @description Before this time; else up to now. */
                until?: number | null;
                /** @description The time zone: Europe/Berlin, UTC. */
                zone?: string;
                /** @description Tasks of this name alone, written in full. */
                name?: string;
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
                    "application/json": components["schemas"]["InsightCalendar"];
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
            /** @description No history is kept, or there are too many tasks to count. */
            409: {
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
    commands: {
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
                    "application/json": components["schemas"]["CommandList"];
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
    actions: {
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
                    "application/json": components["schemas"]["ActionList"];
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
    action: {
        parameters: {
            query?: {
                /** @description The last `sequence` that was seen; -1: none. */
                after?: number;
                /** @description Seconds to wait for something newer than `after`; 0: none. */
                wait?: number;
            };
            header?: never;
            path: {
                id: string;
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
                    "application/json": components["schemas"]["ActionReport"];
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
    schedules: {
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
                    "application/json": components["schemas"]["ScheduleList"];
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
    searches: {
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
                    "application/json": components["schemas"]["SearchList"];
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
            /** @description No history is kept, or you keep too many searches. */
            409: {
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
    save_search: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SearchRequest"];
            };
        };
        responses: {
            /** @description The answer. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SavedSearch"];
                };
            };
            /** @description Something in the body cannot be used. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description The role does not allow it, or the console is read-only. */
            403: {
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
            /** @description No history is kept, or you keep too many searches. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description The body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description The body is no JSON. */
            415: {
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
    me: {
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
                    "application/json": components["schemas"]["Me"];
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
    sessions: {
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
                    "application/json": components["schemas"]["SessionList"];
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
    tokens: {
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
                    "application/json": components["schemas"]["TokenList"];
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
    make_token: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TokenRequest"];
            };
        };
        responses: {
            /** @description The answer. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NewToken"];
                };
            };
            /** @description Something in the body cannot be used. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description The role does not allow it, or the console is read-only. */
            403: {
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
            /** @description The name is taken. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description The body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description The body is no JSON. */
            415: {
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
    audit: {
        parameters: {
            query?: {
                /** @description In the name, the token's name or the address. */
                who?: string;
                /** @description In what was done. */
                what?: string;
                /** @description In the name of a worker or a subject. */
                whom?: string;
                /** @description One of these kinds; may be repeated. */
                kind?: ("command" | "console" | "denied" | "login" | "login failed" | "logout" | "look" | "outcome" | "session" | "token" | "user")[];
                /** @description In the outcome. */
                outcome?: string;
                /** @description At this time or later. */
                since?: number | null;
                /** @description Before this time. */
                until?: number | null;
                /** @description In any text of the entry. */
                text?: string;
                /** @description The id of an action. */
                action?: string;
                /** @description Older than the entry with this number. */
                before?: number | null;
                /** @description At most so many. */
                limit?: number;
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
                    "application/json": components["schemas"]["AuditPage"];
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
    send: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                command: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ControlRequest"];
            };
        };
        responses: {
            /** @description The answer. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ActionReport"];
                };
            };
            /** @description Something in the body cannot be used. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description The role does not allow it, or the console is read-only. */
            403: {
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
            /** @description It cannot be done here, as without a result backend. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description The body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description The body is no JSON. */
            415: {
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
    stop: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Nothing"];
            };
        };
        responses: {
            /** @description The answer. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ActionReport"];
                };
            };
            /** @description Something in the body cannot be used. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description The role does not allow it, or the console is read-only. */
            403: {
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
            /** @description It is over, or cannot be stopped. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description The body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description The body is no JSON. */
            415: {
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
    select: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SelectionRequest"];
            };
        };
        responses: {
            /** @description The answer. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Selection"];
                };
            };
            /** @description Something in the body cannot be used. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description The role does not allow it, or the console is read-only. */
            403: {
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
            /** @description The body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description The body is no JSON. */
            415: {
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
    remove_search: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Nothing"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SavedSearch"];
                };
            };
            /** @description Something in the body cannot be used. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description The role does not allow it, or the console is read-only. */
            403: {
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
            /** @description No history is kept, or you keep too many searches. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description The body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description The body is no JSON. */
            415: {
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
    end_session: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Nothing"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionRow"];
                };
            };
            /** @description Something in the body cannot be used. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description The role does not allow it, or the console is read-only. */
            403: {
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
            /** @description The body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description The body is no JSON. */
            415: {
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
    revoke_token: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Nothing"];
            };
        };
        responses: {
            /** @description The answer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TokenRow"];
                };
            };
            /** @description Something in the body cannot be used. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description The role does not allow it, or the console is read-only. */
            403: {
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
            /** @description The body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemBody"];
                };
            };
            /** @description The body is no JSON. */
            415: {
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
                /** @description overview, workers, grid; several with commas between. */
                topics?: string;
                /** @description Queries of task lists to follow. */
                view?: string[];
                /** @description The id of the last frame that arrived. */
                resume?: string;
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
