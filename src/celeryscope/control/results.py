"""The result backend: what tasks left there, read, aborted, forgotten.

Celery's backends block, and some are not made for many threads. Here a few daemon threads have
each a backend of its own, and who asks waits for a bounded time. Nothing is unpickled, whatever
the app accepts, and no exception class of a result is looked up.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from queue import Full, Queue
from typing import Any, TypeVar

import msgspec
from celery.contrib.abortable import AbortableAsyncResult
from kombu.exceptions import ContentDisallowed, DecodeError
from kombu.serialization import prepare_accept_content

from celeryscope.control import outcomes
from celeryscope.control.outcomes import Outcome
from celeryscope.control.tables import ResultTable
from celeryscope.errors import (
    BadArgument,
    CeleryscopeError,
    NotPossible,
    Unavailable,
    broker_trouble,
    without_passwords,
)

_ACCEPT = frozenset(prepare_accept_content(["json", "msgpack", "yaml"]))
_THREADS = 4
_MAX_WAITING = 200
_MAX_ID_CHARS = 255
_MAX_VALUE_BYTES = 256 * 1024
_MAX_WORDS_CHARS = 20_000
_HINT = "Name the backend that the workers use: --result-backend"
_NEVER_CHANGED = "Results in a database are read here, and never changed."
_DATABASES = frozenset({"db", "database", "sqla"})

Answer = TypeVar("Answer")


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What the backend has of one task."""

    task_id: str
    state: str  # PENDING, too, when the backend knows nothing of it; UNKNOWN with a problem
    ready: bool
    value: Any = None  # what it returned; for a failure, the exception in words
    traceback: str | None = None
    name: str | None = None  # the next four only with Celery's result_extended
    args: Any = None
    kwargs: Any = None
    queue: str | None = None  # the routing key by which it came, which often is the queue
    problem: str = ""  # why the value is not shown, as that it is pickled


class Results:
    """Reads and changes the result backend of an app. Used from any thread.

    Every method raises `NotPossible` where there is no backend that can be read, and
    `Unavailable` when it does not answer in time.
    """

    def __init__(
        self, app: Any, *, timeout_seconds: float = 5.0, tells_groups: bool = True
    ) -> None:
        """With `tells_groups` False no groups are asked for."""
        self._app = app
        self._tells_groups = tells_groups
        self._timeout = timeout_seconds
        self._work: Queue[tuple[Future[Any], Callable[[Any], Any]]] = Queue(_MAX_WAITING)
        self._lock = threading.Lock()
        self._started = False

    @property
    def configured(self) -> bool:
        """Is there a backend that can be read?"""
        return not self._obstacle()

    def check(self, *, changes: bool = False) -> None:
        """Raise `NotPossible` when there is no backend that can be read, or changed."""
        obstacle = self._obstacle()
        if obstacle:
            raise NotPossible(obstacle, hint=_HINT)
        if changes and self._is_database():
            raise NotPossible(_NEVER_CHANGED)

    def read(self, task_id: str, *, timeout_seconds: float | None = None) -> Result:
        """Give what the backend has of a task."""
        _check_id(task_id)
        return self._ask(lambda backend: _read(backend, task_id), timeout_seconds)

    def outcomes(
        self, task_ids: Sequence[str], *, timeout_seconds: float | None = None
    ) -> Mapping[str, Outcome]:
        """Give how tasks ended, of those that the backend knows the end of. Some 50 at a time."""
        for task_id in task_ids:
            _check_id(task_id)
        zone = self._app.timezone
        return self._ask(
            lambda backend: outcomes.read(backend, task_ids, zone=zone), timeout_seconds
        )

    def groups(
        self, task_ids: Sequence[str], *, timeout_seconds: float | None = None
    ) -> Mapping[str, str | None]:
        """Give the ids of the groups that ended tasks were sent in; None: none is told of one."""
        if not self._tells_groups or self._obstacle():
            return {}
        asked = [task_id for task_id in task_ids if _is_id(task_id)]
        return self._ask(lambda backend: outcomes.groups(backend, asked), timeout_seconds)

    def abort(self, task_id: str, *, timeout_seconds: float | None = None) -> None:
        """Write that a task shall end; it must look for that itself."""
        _check_id(task_id)

        def write(backend: Any) -> None:
            _refuse_table(backend)
            AbortableAsyncResult(task_id, backend=backend, app=self._app).abort()

        self._ask(write, timeout_seconds)

    def forget(self, task_id: str, *, timeout_seconds: float | None = None) -> None:
        """Take what there is of a task out of the backend."""
        _check_id(task_id)

        def forget(backend: Any) -> None:
            _refuse_table(backend)
            backend.forget(task_id)

        self._ask(forget, timeout_seconds)

    # ------------------------------------------------------------------ inside

    def _url(self) -> str:
        named = self._app.backend_cls or self._app.conf.result_backend or ""
        return named if isinstance(named, str) else str(getattr(named, "__name__", "a class"))

    def _is_database(self) -> bool:
        return self._url().partition("://")[0].partition("+")[0].lower() in _DATABASES

    def _obstacle(self) -> str:
        scheme = self._url().partition("://")[0].partition("+")[0].lower()
        if scheme in ("", "disabled"):
            return "No result backend is known."
        if scheme in ("rpc", "amqp"):
            return (
                "The result backend rpc:// keeps a result for the program that sent the task; "
                "nobody else can read it."
            )
        return ""

    def _ask(self, act: Callable[[Any], Answer], timeout_seconds: float | None) -> Answer:
        """Let a thread of ours do it, and wait for so long."""
        self.check()
        self._start()
        future: Future[Answer] = Future()
        seconds = self._timeout if timeout_seconds is None else timeout_seconds
        try:
            self._work.put_nowait((future, act))
        except Full:
            raise Unavailable("Too many results are read at this moment.") from None
        try:
            return future.result(seconds)
        except TimeoutError:
            future.cancel()
            where = without_passwords(self._url())
            raise Unavailable(
                f"{where}: the result backend did not answer in {seconds:g} s.",
                hint="Is it reachable from here?",
            ) from None

    def _start(self) -> None:
        with self._lock:
            if self._started:
                return
            self._started = True
        for number in range(_THREADS):
            threading.Thread(target=self._run, name=f"results-{number}", daemon=True).start()

    def _run(self) -> None:
        backend: Any = None
        while True:
            future, act = self._work.get()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                backend = backend or self._backend()
                answer = act(backend)
            except CeleryscopeError as error:
                future.set_exception(error)
            except Exception as error:  # noqa: BLE001 - any client library, any exception
                backend = None  # the next one gets fresh connections
                trouble = broker_trouble(error, where=without_passwords(self._url()))
                words = f"The result backend cannot be reached: {trouble}"
                future.set_exception(Unavailable(words, hint=trouble.hint))
            else:
                future.set_result(answer)

    def _backend(self) -> Any:
        """Make a backend that takes no pickle, without patience where it can be told so."""
        conf, url = self._app.conf, self._url()
        if self._is_database():
            return ResultTable(
                url if "://" in url else conf.database_url or "",
                table=(conf.database_table_names or {}).get("task"),
                schema=(conf.database_table_schemas or {}).get("task"),
                engine_options=conf.database_engine_options,
            )
        backend = self._app._get_backend()
        backend.accept = _ACCEPT
        backend.exception_to_python = _as_it_is
        connection = getattr(backend, "connparams", None)  # of Redis
        if isinstance(connection, dict):
            connection["socket_timeout"] = self._timeout
            if "path" not in connection:
                connection["socket_connect_timeout"] = self._timeout
        return backend


def _refuse_table(backend: Any) -> None:
    if isinstance(backend, ResultTable):
        raise NotPossible(_NEVER_CHANGED)


def _as_it_is(value: Any) -> Any:
    return value


def _is_id(task_id: str) -> bool:
    return bool(task_id) and len(task_id) <= _MAX_ID_CHARS and task_id.isprintable()


def _check_id(task_id: str) -> None:
    if not _is_id(task_id):
        raise BadArgument("task_id", f"A task's id has 1 to {_MAX_ID_CHARS} printable characters.")


def _read(backend: Any, task_id: str) -> Result:
    try:
        meta = backend.get_task_meta(task_id, cache=False)
        state = meta["status"]
    except ContentDisallowed:
        return _unreadable(task_id, "It is pickled, and we read no pickles.")
    except (DecodeError, ValueError, TypeError, KeyError):
        return _unreadable(
            task_id,
            f"It cannot be read as {backend.serializer}. Do the workers have another "
            "result_serializer?",
        )
    if not isinstance(state, str):
        return _unreadable(task_id, "What the backend has under this id is no result.")
    value, problem = _plain(meta.get("result"))
    if state in ("FAILURE", "RETRY", "REVOKED") and not problem:
        value = _in_words(value)
    traceback, name, queue = meta.get("traceback"), meta.get("name"), meta.get("queue")
    return Result(
        task_id=task_id,
        state=state[:_MAX_ID_CHARS],
        ready=state in outcomes.READY,
        value=value,
        traceback=traceback[:_MAX_WORDS_CHARS] if isinstance(traceback, str) else None,
        name=name[:_MAX_ID_CHARS] if isinstance(name, str) else None,
        args=_plain(meta.get("args"))[0],
        kwargs=_plain(meta.get("kwargs"))[0],
        queue=queue[:_MAX_ID_CHARS] if isinstance(queue, str) and queue else None,
        problem=problem,
    )


def _unreadable(task_id: str, problem: str) -> Result:
    return Result(task_id=task_id, state="UNKNOWN", ready=True, problem=problem)


def _plain(value: Any) -> tuple[Any, str]:
    """Give a value if JSON can tell it and it is not too large; else None and why not."""
    try:
        size = len(msgspec.json.encode(value))
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError):
        return None, "It is of a kind that JSON cannot tell."
    if size > _MAX_VALUE_BYTES:
        return None, f"It is too large to be shown: {size:,} bytes."
    return value, ""


def _in_words(failure: Any) -> Any:
    """Say an exception as Python does, out of what the backend keeps of it."""
    if not isinstance(failure, dict) or "exc_type" not in failure:
        return failure
    message = failure.get("exc_message")
    told = ", ".join(map(str, message)) if isinstance(message, list | tuple) else str(message or "")
    words = f"{failure['exc_type']}: {told}" if told else str(failure["exc_type"])
    return words[:_MAX_WORDS_CHARS]
