"""Where ours differs from Flower 2.2 on purpose, and why: all of it.

docs/reference/flower.md has the same rows; `test_differences` compares them. The contract tests
take these out of what they compare, and nothing else.
"""

from __future__ import annotations

from typing import NamedTuple


class Difference(NamedTuple):
    """One row: what, what Flower does, what ours does, and why."""

    what: str
    flower: str
    ours: str
    why: str


DIFFERENCES = (
    Difference(
        "a task's `timestamp` and `clock`",
        "of the event that arrived last; made up for a client",
        "of the event that set the state",
        "a late event says nothing of the state",
    ),
    Difference(
        "the parent of a task that was retried",
        "the task itself",
        "the parent that it had",
        "no task sent itself",
    ),
    Difference(
        "the exception of a task whose process was killed",
        "`ExceptionWithTraceback()`, the name of a wrapper",
        "`WorkerLostError('…')`, as the traceback says",
        "it is what happened",
    ),
    Difference(
        "queue lengths that are not known",
        "an old or an empty list",
        "503 with the reason",
        "empty and unreachable are two things",
    ),
    Difference(
        "a worker's `timestamp`, `stats.clock`, `stats.uptime`, `stats.rusage`",
        "of the moment when Flower asked",
        "of the moment when Celeryscope asked",
        "these are two moments",
    ),
    Difference(
        "a worker's `active`, `reserved`, `scheduled`, `revoked`",
        "listed from the first refresh of that one worker on",
        "listed whenever that one worker is asked for, and never for all",
        "they are long",
    ),
    Difference(
        "a worker's `conf.broker_url`",
        "as Celery masks it",
        "a password is masked in every text",
        "Celery masks only this one",
    ),
    Difference(
        "words of a search that is refused",
        "its own",
        "our own; same status, same shape",
        "ours name the character",
    ),
    Difference(
        "`<`, `>`, `&` and quotes in arguments",
        "escaped as HTML, also in what is sent to the worker",
        "taken as they are",
        "a queue `a&b` would be made as `a&amp;b`",
    ),
    Difference(
        "`<`, `>` and `&` in what a worker refuses with (403, `text/html`)",
        "as they are",
        "escaped",
        "a browser would run them",
    ),
    Difference(
        "a worker that does not answer",
        "403 after 1 s: `Unknown reason`",
        "403 after `control_timeout`: `no answer in 5 s`",
        "the reason is known",
    ),
    Difference(
        "a process count below 1 or above 1,000, `min` above `max`, a limit of no seconds",
        "sent to the worker",
        "400 with the sentence",
        "no worker does what was meant",
    ),
    Difference(
        "a rate that is none",
        "403 with the worker's exception",
        "400 with the sentence",
        "it is seen before it is sent; Celery takes `nan`",
    ),
    Difference(
        "a signal that is not SIGTERM, SIGINT, SIGQUIT, SIGKILL, SIGUSR1 or SIGHUP, or its number",
        "200; the worker fails or stops the process for good",
        "400 with the sentence",
        "Flower says that it is done",
    ),
    Difference(
        "a task that Flower's own project has and no worker",
        "sent; 403 by the worker",
        "404",
        "what counts is what workers know",
    ),
    Difference(
        "`/api/task/result?timeout=`, `state`",
        "of before the wait: `PENDING` beside a result",
        "of after the wait",
        "the result belongs to it",
    ),
    Difference(
        "a failure's `result`",
        "`ValueError('no')`",
        "`ValueError: no`",
        "the exception is never built here: its class may be anyone's",
    ),
    Difference(
        "a result that is pickled, too large or not JSON",
        "opened and shown with `repr`",
        "`null`, state `UNKNOWN` where it cannot be read, and `problem` says why",
        "a pickle runs code",
    ),
    Difference(
        "a body of 503",
        "empty, or `Broker or result backend unavailable`",
        "what is missing, in a sentence",
        "so that it can be mended",
    ),
    Difference(
        "`/api/task/apply` without a result backend",
        "sends the task, then 500",
        "503, nothing is sent",
        "the caller would send it again",
    ),
    Difference(
        "`/api/task/apply` without `timeout`",
        "waits for ever, and keeps one of five threads",
        "waits for an hour at most, and keeps none",
        "one task that hangs stops Flower's API",
    ),
    Difference(
        "arguments that the task does not take, options that cannot be used",
        "500, or whatever `apply_async` makes of it",
        "400 with the sentence",
        "it is the caller's error; `link`, `headers`, `compression` and `shadow` are not offered",
    ),
    Difference(
        "an empty body for a task that is sent",
        "500",
        "taken as `{}`",
        "nothing is missing",
    ),
    Difference(
        "`retry`, `retry_policy` in the body",
        "the message is sent again while the broker fails",
        "taken, and nothing is ever sent twice",
        "the task might run twice",
    ),
    Difference(
        "more than 100 commands on their way",
        "each is taken",
        "the next waits for room, for 20 s at most; then 503",
        "memory is bounded",
    ),
    Difference(
        "`/api/task/abort` of a task that is over or that nobody knows",
        "200",
        "403: `Failed to abort`",
        "nothing was aborted",
    ),
    Difference(
        "a body above 256 KiB",
        "taken, up to 100 MB",
        "413",
        "memory is bounded",
    ),
    Difference(
        "a role that does not suffice",
        "401, or everyone may do everything",
        "403 with the role that is needed",
        "reading is one thing, writing another",
    ),
    Difference(
        "an unknown path, a path without its name as `/api/task/info/`",
        "404 with a page",
        "404 with a sentence",
        "a program reads it",
    ),
    Difference(
        "another method (405)",
        "an empty body",
        "a sentence, and `Allow`",
        "the standard wants `Allow`",
    ),
    Difference("`HEAD`", "405", "as `GET`, without the body", "the standard wants it"),
    Difference(
        "`OPTIONS` and cross-origin headers",
        "204, and any site may ask where the API is open",
        "405, and no other site may ask",
        "any page in a browser could stop the workers",
    ),
    Difference(
        "`/workers?json=1`, `heartbeats`",
        "by the worker's clock",
        "by ours",
        "a worker's clock may be wrong",
    ),
    Difference(
        "`/tasks/datatable`, `length` above 10,000",
        "as many as asked for",
        "10,000",
        "memory is bounded",
    ),
    Difference(
        "`/broker`, `/worker/{name}`, `/task/{id}`",
        "pages",
        "redirect to `/queues`, `/workers/{name}`, `/tasks/{id}`",
        "that is where they are here",
    ),
    Difference(
        "`/login`, `/logout`",
        "404 without a provider; a page",
        "the login page, where there is a login; else both lead to `/`",
        "one login for all ways in; `POST /logout` ends the session",
    ),
    Difference(
        "`/metrics`",
        "`text/plain`, Flower's flaws with it",
        "Flower's names among ours",
        "docs/reference/metrics.md says which",
    ),
    Difference("`/static/…`", "Flower's files", "404", "they are Flower's"),
)
