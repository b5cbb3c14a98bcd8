"""Every command: one table. API, menus, command line and docs are made from it.

A row says who does it (the workers, or the console itself), what is needed, what we allow (never
more than the worker takes), who may send it, what it does in a sentence, and how one sees that it
is done. `parse` checks what somebody gave; `wire` gives what Celery's worker expects. Facts are
those of Celery 5.3 to 5.7.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal

import msgspec

from celeryscope.errors import BadArgument, NotFound
from celeryscope.model.actor import Role

Kind = Literal[
    "text", "texts", "integer", "number", "boolean", "signal", "rate", "stamps", "options",
    "args", "kwargs", "time",
]  # fmt: skip
Subject = Literal["worker", "task id", "task name", "queue", "schedule"]
#: Who does it: the workers, when asked by remote control, or the console itself.
Runs = Literal["workers", "here"]
#: How a command is seen to be done; `effects` has a judge for each.
EffectName = Literal[
    "answer", "said", "events", "offline", "processes", "restarted", "autoscaler", "consumers",
    "rate", "time", "revoked", "terminated", "told", "result", "aborted", "forgotten", "length",
]  # fmt: skip
#: What must be taken out of an answer before people see it.
Hides = Literal["passwords", "arguments"]

#: Only those that make sense for a task: no SIGSTOP.
SIGNALS: Final = ("SIGTERM", "SIGINT", "SIGQUIT", "SIGKILL", "SIGUSR1", "SIGHUP")
#: Numbers that mean the same everywhere.
_SIGNAL_NUMBERS: Final = {
    "1": "SIGHUP", "2": "SIGINT", "3": "SIGQUIT", "9": "SIGKILL", "15": "SIGTERM",
}  # fmt: skip
#: What we write; no pickles.
SERIALIZERS: Final = ("json", "msgpack", "yaml")
EXCHANGE_TYPES: Final = ("direct", "topic", "fanout", "headers")
#: What kombu of every supported version reads of a queue that is not configured in the worker.
QUEUE_SWITCHES: Final = (
    "durable", "auto_delete", "exclusive", "exchange_durable", "exchange_auto_delete",
)  # fmt: skip
QUEUE_TABLES: Final = ("queue_arguments", "binding_arguments", "consumer_arguments")

#: AMQP carries a name in at most this many bytes.
MAX_NAME_BYTES: Final = 255
MAX_IDS: Final = 1_000
MAX_PROCESSES: Final = 1_000
MAX_SECONDS: Final = 365 * 86_400
MAX_RATE: Final = 1_000_000
MAX_STAMPS: Final = 1_000
_MAX_STAMP_HEADERS = 50
_MAX_TABLE_ROWS = 50
#: Arguments of a task: as JSON at most so many bytes, so deep, with so many values in all.
MAX_ARGUMENTS_BYTES: Final = 64 * 1024
MAX_ARGUMENTS_DEPTH: Final = 32
MAX_ARGUMENTS_VALUES: Final = 10_000
#: A time below this is no date (it would be before March 1973) but seconds from now.
FIRST_EPOCH: Final = 10.0**8
_LAST_EPOCH = 10.0**10
MAX_WAIT_SECONDS: Final = 3_600
_SHOWN_CHARS = 60

_RATE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(?:/([smh]))?")
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(?:\.[0-9]{1,9})?")
_MODULE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", re.ASCII)
_TRUTHS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


class Argument(msgspec.Struct, frozen=True):
    """One argument of a command: what may be given, in words and in numbers."""

    name: str
    kind: Kind
    help: str
    required: bool = False
    default: Any = None  # what is taken when it is left out; None leaves it to the worker
    minimum: float | None = None  # of a number
    maximum: float | None = None  # of a number
    max_bytes: int = MAX_NAME_BYTES  # of a text, in UTF-8
    max_items: int = 1  # of a list
    choices: tuple[str, ...] = ()  # of a text
    module: bool = False  # each text is the name of a Python module
    unit: str = ""  # "seconds", "processes"
    wire: str = ""  # what the worker calls it, where that differs

    @property
    def wire_name(self) -> str:
        """What the worker calls it."""
        return self.wire or self.name


class Command(msgspec.Struct, frozen=True):
    """One remote-control command."""

    name: str
    title: str
    consequence: str  # what it does, for the one who is about to do it
    confirmed: str  # how one sees that it is done
    effect: EffectName
    role: Role = "operator"
    subject: Subject = "worker"
    runs: Runs = "workers"
    confirm: str = ""  # the argument whose value has to be typed once more
    arguments: tuple[Argument, ...] = ()
    example: Mapping[str, Any] = {}  # arguments that are right
    #: Workers must be named; else it goes to every worker when none is.
    needs_workers: bool = False
    destructive: bool = False  # ask first: work or reach is lost
    #: The worker answers. It does not when it ends at once.
    answers: bool = True
    #: A worker that refuses with these words may have done a part: one looks then, too.
    partly: str = ""
    hides: Hides = "passwords"
    method: str = ""  # what the worker calls it, where that differs
    fixed: Mapping[str, Any] = {}  # what is always sent with it

    @property
    def wire_method(self) -> str:
        """What the worker calls it."""
        return self.method or self.name


_TASK_NAME = Argument("task_name", "text", "The task's name.", required=True)
_QUEUE = Argument("queue", "text", "The queue's name.", required=True)
_SIGNAL = Argument(
    "signal",
    "signal",
    "What the process that runs the task is sent. SIGKILL cannot be caught; SIGUSR1 is taken as "
    "the soft time limit.",
    default="SIGTERM",
    choices=SIGNALS,
)
_PROCESSES = Argument(
    "n", "integer", "How many.", default=1, minimum=1, maximum=MAX_PROCESSES, unit="processes"
)


def _ids(help_: str, *, wire: str = "") -> Argument:
    return Argument("ids", "texts", help_, required=True, max_items=MAX_IDS, wire=wire)


def _seconds(name: str, help_: str) -> Argument:
    return Argument(name, "number", help_, minimum=0.001, maximum=MAX_SECONDS, unit="seconds")


#: What a task may be sent with.
_SENT = (
    _TASK_NAME,
    Argument("args", "args", "Arguments by position, a JSON list."),
    Argument("kwargs", "kwargs", "Arguments by name, a JSON object."),
    Argument(
        "countdown", "number", "Not before so many seconds from now.", minimum=0,
        maximum=MAX_SECONDS, unit="seconds",
    ),
    Argument(
        "eta", "time", "Not before this time: seconds since 1970, or ISO 8601.",
        minimum=FIRST_EPOCH, maximum=_LAST_EPOCH,
    ),
    Argument(
        "expires", "time",
        "Not after this time: seconds since 1970, or ISO 8601; a number below 100,000,000 is "
        "seconds from now.",
        minimum=0.001, maximum=_LAST_EPOCH,
    ),
    Argument("queue", "text", "The queue; as the app routes it when left out."),
    Argument("exchange", "text", "The exchange; the queue's when left out."),
    Argument("routing_key", "text", "The routing key; the queue's when left out."),
    Argument(
        "priority", "integer", "Where the broker has priorities.", minimum=0, maximum=255
    ),
    Argument("task_id", "text", "The new task's id; made when left out."),
    _seconds("soft_time_limit", "After this the task gets an exception that it can catch."),
    _seconds("time_limit", "After this the process that runs the task is killed."),
    Argument(
        "serializer", "text", "How the arguments are written; as the app does when left out.",
        choices=SERIALIZERS,
    ),
)  # fmt: skip
_IGNORE_RESULT = Argument(
    "ignore_result", "boolean", "Whether its result is thrown away; as the task says when left out."
)


def _inspect(name: str, title: str, consequence: str, **more: Any) -> Command:
    return Command(
        name, title, consequence, "By the answer.", "answer", **{"role": "viewer", **more}
    )


_TABLE = (
    Command(
        "shutdown",
        "Shut down",
        "The worker takes no more tasks, finishes those that run, and ends. Nothing starts it "
        "again unless a supervisor does.",
        "The worker never answers this. It is done when its worker-offline event comes, or when "
        "another process answers to its name.",
        "offline",
        role="admin",
        needs_workers=True,
        destructive=True,
        answers=False,
    ),
    Command(
        "pool_restart",
        "Restart the pool",
        "The processes of the pool are replaced, each after its next task; modules are imported, "
        "and read again with 'reload'. The worker needs worker_pool_restarts.",
        "By stats: none of the earlier processes is left, which takes as many tasks as there are "
        "idle processes. Other pools than prefork only load the modules.",
        "restarted",
        role="admin",
        needs_workers=True,
        destructive=True,
        arguments=(
            Argument(
                "modules",
                "texts",
                "Python modules to import; those with tasks when left out.",
                max_items=50,
                module=True,
            ),
            Argument("reload", "boolean", "Read modules again that are loaded.", default=False),
        ),
        example={"reload": True},
    ),
    Command(
        "pool_grow",
        "Grow the pool",
        "The worker starts more processes and takes as many more tasks at once. Only prefork "
        "without autoscale can; a restart forgets it.",
        "By stats: the number of processes, before and after.",
        "processes",
        needs_workers=True,
        arguments=(_PROCESSES,),
        example={"n": 2},
    ),
    Command(
        "pool_shrink",
        "Shrink the pool",
        "The worker ends idle processes. When all that are left are busy, or none is left, it "
        "refuses, and those it ended are ended; with none left it runs nothing. Only prefork "
        "without autoscale can.",
        "By stats: the number of processes, before and after.",
        "processes",
        needs_workers=True,
        destructive=True,
        partly="All processes busy",
        arguments=(_PROCESSES,),
        example={"n": 1},
    ),
    Command(
        "autoscale",
        "Set autoscale limits",
        "The pool grows and shrinks between these limits. The worker must have been started "
        "with --autoscale.",
        "By stats: the autoscaler's own limits.",
        "autoscaler",
        needs_workers=True,
        arguments=(
            Argument(
                "max", "integer", "At most so many.", required=True, minimum=1,
                maximum=MAX_PROCESSES, unit="processes",
            ),
            Argument(
                "min", "integer", "At least so many; unchanged when left out.", minimum=0,
                maximum=MAX_PROCESSES, unit="processes",
            ),
        ),
        example={"max": 10, "min": 2},
    ),
    Command(
        "add_consumer",
        "Consume from a queue",
        "The worker takes tasks from this queue, too, and makes the queue if it is not there. "
        "What is given besides the name counts only for a queue that its settings do not name.",
        "By active_queues: the queue is there.",
        "consumers",
        subject="queue",
        arguments=(
            _QUEUE,
            Argument("exchange", "text", "The exchange; the queue's name when left out."),
            Argument(
                "exchange_type", "text", "How the exchange routes.", default="direct",
                choices=EXCHANGE_TYPES,
            ),
            Argument("routing_key", "text", "The binding; the queue's name when left out."),
            Argument(
                "options",
                "options",
                "How the queue is declared: durable, auto_delete, exclusive, exchange_durable, "
                "exchange_auto_delete (true or false); queue_arguments, binding_arguments, "
                "consumer_arguments (tables).",
            ),
        ),
        example={"queue": "mail", "routing_key": "mail.#", "exchange_type": "topic"},
    ),
    Command(
        "cancel_consumer",
        "Stop consuming from a queue",
        "The worker takes no more tasks from this queue; those it has already are run. When no "
        "other worker consumes, tasks wait in the queue.",
        "By active_queues: the queue is gone.",
        "consumers",
        subject="queue",
        destructive=True,
        arguments=(_QUEUE,),
        example={"queue": "mail"},
    ),
    Command(
        "rate_limit",
        "Limit the rate of a task",
        "Each worker starts at most so many of this task in a time; the rest waits in the worker. "
        "A restart forgets it.",
        "By registered: the task's rate_limit.",
        "rate",
        subject="task name",
        arguments=(
            _TASK_NAME,
            Argument(
                "rate_limit",
                "rate",
                "A number and /s, /m or /h, as 10/m; a number alone is a second's. 0 takes the "
                "limit away.",
                required=True,
                maximum=MAX_RATE,
            ),
        ),
        example={"task_name": "shop.mail", "rate_limit": "10/m"},
    ),
    Command(
        "time_limit",
        "Limit the time of a task",
        "Tasks of this name that start from now on get these limits; a limit that is left out is "
        "taken away. Only prefork enforces them; a restart forgets it.",
        "By registered: the task's soft_time_limit and time_limit.",
        "time",
        subject="task name",
        arguments=(
            _TASK_NAME,
            _seconds("soft", "After this the task gets an exception that it can catch."),
            _seconds("hard", "After this the process that runs the task is killed."),
        ),
        example={"task_name": "shop.mail", "soft": 30, "hard": 60},
    ),
    Command(
        "revoke",
        "Revoke tasks",
        "Workers that hear it will not start these tasks. One that runs already goes on. Workers "
        "keep it in memory: one that starts later learns it only from the others.",
        "By revoked, where the worker lists them, or by the tasks' task-revoked events.",
        "revoked",
        subject="task id",
        destructive=True,
        arguments=(_ids("The tasks' ids.", wire="task_id"),),
        example={"ids": ["2d2f0e4c-5a5b-4b2e-9f3d-0c1f0b6a8a11"]},
    ),
    Command(
        "terminate",
        "Terminate tasks",
        "Revokes the tasks, and the process that runs one is sent a signal. It may have begun "
        "another task by then, which dies instead. Only prefork can.",
        "By active: none of them runs any more; or by their task-revoked events.",
        "terminated",
        subject="task id",
        destructive=True,
        arguments=(_ids("The tasks' ids.", wire="task_id"), _SIGNAL),
        example={"ids": ["2d2f0e4c-5a5b-4b2e-9f3d-0c1f0b6a8a11"], "signal": "SIGKILL"},
        method="revoke",
        fixed={"terminate": True},
    ),
    Command(
        "revoke_by_stamped_headers",
        "Revoke tasks by stamp",
        "Workers will not start tasks that carry one of these stamps; with 'terminate' those that "
        "run are sent the signal.",
        "By the worker's own words only: no inspect command lists stamps.",
        "said",
        subject="task id",
        destructive=True,
        arguments=(
            Argument(
                "headers",
                "stamps",
                "For each stamped header one value, or a list of values.",
                required=True,
                max_items=MAX_STAMPS,
            ),
            Argument("terminate", "boolean", "End those that run, too.", default=False),
            _SIGNAL,
        ),
        example={"headers": {"order": ["7", "8"], "shop": "north"}, "terminate": True},
    ),
    Command(
        "enable_events",
        "Send task events",
        "The worker tells what becomes of each task; without it tasks are not seen here.",
        "By the worker's own words: it says what it sends now.",
        "events",
    ),
    Command(
        "disable_events",
        "Send no task events",
        "Tasks of this worker are no longer seen, and metrics of them stand still. Whoever "
        "watches may turn it on again, and so do we unless told not to.",
        "By the worker's own words. One that was started with -E says 'already disabled' and goes "
        "on sending.",
        "events",
        destructive=True,
    ),
    Command(
        "apply",
        "Run and wait",
        "Sends the task and waits for its result. The task runs on a worker; to stop waiting does "
        "not stop it.",
        "By its result in the result backend.",
        "result",
        subject="task name",
        runs="here",
        arguments=(
            *_SENT,
            Argument(
                "wait_seconds", "number", "How long to wait for the result.", default=30.0,
                minimum=0, maximum=MAX_WAIT_SECONDS, unit="seconds",
            ),
        ),
        example={"task_name": "shop.add", "args": [2, 3], "wait_seconds": 10},
    ),
    Command(
        "async_apply",
        "Run",
        "Sends a task that a worker or the project knows, with the options of the task where the "
        "project's app has it.",
        "By the first event of the task, or its result.",
        "told",
        subject="task name",
        runs="here",
        arguments=(*_SENT, _IGNORE_RESULT),
        example={"task_name": "shop.add", "args": [2, 3], "countdown": 10},
    ),
    Command(
        "send_task",
        "Send by name",
        "Sends a task by its name, whether anyone knows it or not. A worker that does not know it "
        "throws it away.",
        "By the first event of the task, or its result.",
        "told",
        subject="task name",
        runs="here",
        arguments=(*_SENT, _IGNORE_RESULT),
        example={"task_name": "shop.mail", "kwargs": {"to": "a@example.com"}, "queue": "mail"},
    ),
    Command(
        "abort",
        "Abort tasks",
        "Writes ABORTED into the result backend. Only a task that is an AbortableTask and asks "
        "for it ends; others go on.",
        "By the result backend: the state is ABORTED.",
        "aborted",
        subject="task id",
        runs="here",
        destructive=True,
        arguments=(_ids("The tasks' ids."),),
        example={"ids": ["2d2f0e4c-5a5b-4b2e-9f3d-0c1f0b6a8a11"]},
    ),
    Command(
        "retry",
        "Run again",
        "Sends finished tasks once more, with new ids and the same name, arguments and queue. "
        "What they did, they do again. A task whose arguments are not known exactly is refused.",
        "By the first event of each new task, or its result.",
        "told",
        subject="task id",
        runs="here",
        destructive=True,
        arguments=(_ids("The tasks' ids."),),
        example={"ids": ["2d2f0e4c-5a5b-4b2e-9f3d-0c1f0b6a8a11"]},
    ),
    Command(
        "forget",
        "Forget results",
        "The results are taken out of the result backend: who still waits for one, waits in vain.",
        "By the result backend: it knows nothing of them.",
        "forgotten",
        subject="task id",
        runs="here",
        destructive=True,
        arguments=(_ids("The tasks' ids."),),
        example={"ids": ["2d2f0e4c-5a5b-4b2e-9f3d-0c1f0b6a8a11"]},
    ),
    Command(
        "purge",
        "Purge a queue",
        "Every message that waits in the queue is deleted and cannot be had back. What workers "
        "have already taken stays with them.",
        "By the broker: how many it deleted, and the queue's length afterwards.",
        "length",
        role="admin",
        subject="queue",
        runs="here",
        confirm="queue",
        destructive=True,
        arguments=(_QUEUE,),
        example={"queue": "mail"},
    ),
    Command(
        "pause_queue",
        "Pause a queue",
        "Every worker that consumes from the queue stops; tasks wait in it. Those that workers "
        "have already are run. A worker that starts later consumes.",
        "By active_queues: the queue is gone.",
        "consumers",
        subject="queue",
        destructive=True,
        arguments=(_QUEUE,),
        example={"queue": "mail"},
        method="cancel_consumer",
    ),
    Command(
        "resume_queue",
        "Resume a queue",
        "The workers that were paused here consume from the queue again; others when named.",
        "By active_queues: the queue is there.",
        "consumers",
        subject="queue",
        arguments=(_QUEUE,),
        example={"queue": "mail"},
        method="add_consumer",
    ),
    Command(
        "run_entry",
        "Run now",
        "Sends now what the entry of a schedule sends. Its next run is not moved.",
        "By the first event of the task, or its result.",
        "told",
        subject="schedule",
        runs="here",
        arguments=(
            Argument(
                "entry", "text", "The entry's id, source:name.", required=True, max_bytes=1_024
            ),
        ),
        example={"entry": "beat_schedule:nightly"},
    ),
    _inspect("ping", "Ping", "Asks who is there."),
    _inspect("stats", "Statistics", "Asks for pool, broker, counts and resources."),
    _inspect("active", "Active tasks", "Asks which tasks run.", hides="arguments"),
    _inspect("reserved", "Reserved tasks", "Asks which tasks wait in it.", hides="arguments"),
    _inspect("scheduled", "Scheduled tasks", "Asks which tasks wait for their time.",
             hides="arguments"),
    _inspect("revoked", "Revoked tasks", "Asks which ids it will not start."),
    _inspect(
        "registered",
        "Registered tasks",
        "Asks which tasks it can run.",
        arguments=(
            Argument(
                "taskinfoitems", "texts", "Attributes to tell of each, as rate_limit.",
                max_items=20,
            ),
            Argument("builtins", "boolean", "Celery's own tasks, too.", default=False),
        ),
        example={"taskinfoitems": ["rate_limit", "time_limit"]},
    ),
    _inspect("active_queues", "Queues", "Asks which queues it consumes from."),
    _inspect(
        "conf",
        "Settings",
        "Asks for its settings; secrets are taken out.",
        arguments=(
            Argument("with_defaults", "boolean", "Those never set, too.", default=False),
        ),
    ),
    _inspect(
        "query_task",
        "Find tasks",
        "Asks who has these tasks, and whether they run. Before Celery 5.7 one that waits for its "
        "time is not found.",
        subject="task id",
        hides="arguments",
        arguments=(_ids("The tasks' ids."),),
        example={"ids": ["2d2f0e4c-5a5b-4b2e-9f3d-0c1f0b6a8a11"]},
    ),
)  # fmt: skip

#: Every command by its name, in the order in which people are shown them.
COMMANDS: Final[Mapping[str, Command]] = {command.name: command for command in _TABLE}


def find(name: str) -> Command:
    """Give the command of that name; raise `NotFound` when there is none."""
    command = COMMANDS.get(name)
    if command is None:
        raise NotFound("command", _shortened(name))
    return command


def parse(
    command: Command, given: Mapping[str, Any], *, max_ids: int | None = None
) -> dict[str, Any]:
    """Check what was given and give every argument of the command its value.

    Numbers and truths may be given as text. What is left out, or None, gets its default; what
    `parse` gave may be given again. `max_ids` allows more ids than the row does, for those that
    we chose ourselves. Raises `BadArgument`, which names the argument and says what is allowed.
    """
    known = {argument.name for argument in command.arguments}
    for name in given:
        if name not in known:
            takes = ", ".join(argument.name for argument in command.arguments) or "none"
            raise BadArgument(
                _shortened(str(name)),
                f"'{command.name}' has no argument {_shown(name)}. It takes: {takes}.",
            )
    parsed = {
        argument.name: _read(
            argument
            if max_ids is None or argument.name != "ids"
            else msgspec.structs.replace(argument, max_items=max_ids),
            given.get(argument.name),
        )
        for argument in command.arguments
    }
    check = _TOGETHER.get(command.name)
    if check is not None:
        check(parsed)
    return parsed


def wire(command: Command, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Give what the worker is sent for arguments that `parse` gave."""
    sent = dict(command.fixed)
    for argument in command.arguments:
        value = arguments[argument.name]
        if value is None:
            continue
        if argument.kind == "options":
            sent.update(value)
        else:
            sent[argument.wire_name] = value
    return sent


# ---------------------------------------------------------------------- one value


def _read(argument: Argument, value: Any) -> Any:
    if value is None:
        if argument.required:
            raise BadArgument(argument.name, f"'{argument.name}' is missing. {argument.help}")
        return argument.default
    return _READERS[argument.kind](argument, value)


def _wrong(argument: Argument, value: Any, allowed: str) -> BadArgument:
    return BadArgument(argument.name, f"'{argument.name}' must be {allowed}, not {_shown(value)}.")


def _text(argument: Argument, value: Any) -> str:
    if argument.choices:
        if not isinstance(value, str) or value not in argument.choices:
            raise _wrong(argument, value, f"one of {', '.join(argument.choices)}")
        return value
    allowed = f"a text of 1 to {argument.max_bytes} bytes without control characters"
    if not isinstance(value, str) or not _is_plain(value, argument.max_bytes):
        raise _wrong(argument, value, allowed)
    if argument.module and not _MODULE.fullmatch(value):
        raise _wrong(argument, value, "names of Python modules, as shop.tasks")
    return value


def _is_plain(text: str, max_bytes: int) -> bool:
    """Is it short, printable, and can it be written in UTF-8 at all?"""
    if not text or len(text) > max_bytes or not text.isprintable():
        return False
    return len(text.encode("utf-8", "replace")) <= max_bytes


def _texts(argument: Argument, value: Any) -> list[str]:
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or not 1 <= len(items) <= argument.max_items:
        raise _wrong(argument, value, f"a list of 1 to {argument.max_items:,} texts")
    return list(dict.fromkeys(_text(argument, item) for item in items))


def _integer(argument: Argument, value: Any) -> int:
    number: int | None = None
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif (isinstance(value, float) and value.is_integer()) or (
        isinstance(value, str) and _INTEGER.fullmatch(value)
    ):
        number = int(value)
    if number is None or not _within(argument, number):
        raise _wrong(argument, value, f"a whole number {_range(argument)}")
    return number


def _number(argument: Argument, value: Any) -> float:
    number: float | None = None
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = value
    elif isinstance(value, str) and _NUMBER.fullmatch(value):
        number = float(value)
    if number is None or not _within(argument, number) or not math.isfinite(number):
        raise _wrong(argument, value, f"a number {_range(argument)}")
    return number


def _within(argument: Argument, number: float) -> bool:
    low, high = argument.minimum, argument.maximum
    return (low is None or number >= low) and (high is None or number <= high)


def _range(argument: Argument) -> str:
    unit = f" {argument.unit}" if argument.unit else ""
    return f"from {argument.minimum:,} to {argument.maximum:,}{unit}"


def _boolean(argument: Argument, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _TRUTHS:
        return _TRUTHS[value.lower()]
    raise _wrong(argument, value, "true or false")


def _is_name(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) < _SHOWN_CHARS
    return isinstance(value, int) and not isinstance(value, bool)


def _signal(argument: Argument, value: Any) -> str:
    name = str(value).upper() if _is_name(value) else ""
    name = _SIGNAL_NUMBERS.get(name, name)
    if not name.startswith("SIG"):
        name = f"SIG{name}"
    if name not in argument.choices:
        raise _wrong(argument, value, f"one of {', '.join(argument.choices)}")
    return name


def _rate(argument: Argument, value: Any) -> str:
    """Give a rate as Celery writes it; Celery itself would take 'nan' and negative ones."""
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MAX_RATE:
        value = f"{value:g}" if isinstance(value, float) else str(value)
    matched = _RATE.fullmatch(value) if isinstance(value, str) else None
    if matched is None or float(matched[1]) > (argument.maximum or MAX_RATE):
        raise _wrong(
            argument, value, f"a number up to {MAX_RATE:,} with /s, /m or /h, as 10/m; 0 for none"
        )
    return matched[0] if float(matched[1]) else "0"


def _stamps(argument: Argument, value: Any) -> dict[str, str | list[str]]:
    allowed = (
        f"a table of 1 to {_MAX_STAMP_HEADERS} header names, each with a text or a list of texts, "
        f"{argument.max_items:,} texts in all"
    )
    if not isinstance(value, Mapping) or not 1 <= len(value) <= _MAX_STAMP_HEADERS:
        raise _wrong(argument, value, allowed)
    read: dict[str, str | list[str]] = {}
    for header, stamps in value.items():
        many = [stamps] if isinstance(stamps, str) else stamps
        if not isinstance(many, list | tuple) or not 1 <= len(many) <= argument.max_items:
            raise _wrong(argument, value, allowed)
        checked = [_text(argument, stamp) for stamp in many]
        read[_text(argument, header)] = checked[0] if isinstance(stamps, str) else checked
    if sum(len(stamps) for stamps in read.values() if isinstance(stamps, list)) > MAX_STAMPS:
        raise _wrong(argument, value, allowed)
    return read


def _options(argument: Argument, value: Any) -> dict[str, Any]:
    """Give what a queue may be declared with; anything else would reach kombu unchecked."""
    if not isinstance(value, Mapping):
        raise _wrong(argument, value, "a table")
    read: dict[str, Any] = {}
    for name, item in value.items():
        if name in QUEUE_SWITCHES:
            if not isinstance(item, bool):
                raise _wrong(argument, {name: item}, f"true or false for {name}")
        elif name in QUEUE_TABLES:
            _check_table(argument, name, item)
        else:
            names = ", ".join([*QUEUE_SWITCHES, *QUEUE_TABLES])
            raise _wrong(argument, name, f"a table of {names}")
        read[name] = item
    return read


def _check_table(argument: Argument, name: str, table: Any) -> None:
    allowed = f"in {name} at most {_MAX_TABLE_ROWS} names, each with a text, a number or a truth"
    if not isinstance(table, Mapping) or len(table) > _MAX_TABLE_ROWS:
        raise _wrong(argument, table, allowed)
    for key, item in table.items():
        if not isinstance(key, str) or not _is_plain(key, MAX_NAME_BYTES):
            raise _wrong(argument, key, allowed)
        if isinstance(item, str):
            fits = _is_plain(item, MAX_NAME_BYTES)
        else:
            fits = isinstance(item, bool) or (isinstance(item, int) and abs(item) < 2**63)
            fits = fits or (isinstance(item, float) and math.isfinite(item))
        if not fits:
            raise _wrong(argument, item, allowed)


def _args(argument: Argument, value: Any) -> list[Any]:
    read = _json(argument, value, "a JSON list")
    if not isinstance(read, list | tuple):
        raise _wrong(argument, read, "a JSON list")
    _check_json(argument, read)
    return list(read)


def _kwargs(argument: Argument, value: Any) -> dict[str, Any]:
    read = _json(argument, value, "a JSON object")
    if not isinstance(read, Mapping):
        raise _wrong(argument, read, "a JSON object")
    _check_json(argument, read)
    return dict(read)


def _json(argument: Argument, value: Any, allowed: str) -> Any:
    """Open a text that is JSON; anything else stays what it is."""
    if not isinstance(value, str):
        return value
    if len(value) > MAX_ARGUMENTS_BYTES:
        raise _wrong(argument, value, f"{allowed} of at most {MAX_ARGUMENTS_BYTES:,} bytes")
    try:
        # Not msgspec: it makes a large number a float.
        return json.loads(value)
    except (ValueError, RecursionError):
        raise _wrong(argument, value, allowed) from None


def _check_json(argument: Argument, value: Any) -> None:
    """Refuse what JSON cannot carry, and what is too large, too deep or too much."""
    allowed = (
        f"plain JSON of at most {MAX_ARGUMENTS_BYTES:,} bytes, {MAX_ARGUMENTS_VALUES:,} values "
        f"and {MAX_ARGUMENTS_DEPTH} levels"
    )
    values, level = 0, [value]
    for _ in range(MAX_ARGUMENTS_DEPTH):
        below: list[Any] = []
        for item in level:
            if isinstance(item, Mapping):
                if not all(isinstance(key, str) for key in item):
                    raise _wrong(argument, value, allowed)
                below += item.values()
            elif isinstance(item, list | tuple):
                below += item
            elif not (item is None or isinstance(item, str | bool | int | float)) or (
                isinstance(item, float) and not math.isfinite(item)
            ):
                raise _wrong(argument, value, allowed)
        values += len(level)
        level = below
        if not level or values > MAX_ARGUMENTS_VALUES:
            break
    if level or values > MAX_ARGUMENTS_VALUES:
        raise _wrong(argument, value, allowed)
    try:
        size = len(msgspec.json.encode(value))
    except (msgspec.MsgspecError, ValueError, OverflowError):
        raise _wrong(argument, value, allowed) from None
    if size > MAX_ARGUMENTS_BYTES:
        raise _wrong(argument, value, allowed)


def _time(argument: Argument, value: Any) -> float:
    """Give seconds since 1970, or from now where they are below `FIRST_EPOCH`."""
    seconds: float | None = None
    if isinstance(value, int | float) and not isinstance(value, bool):
        # An integer may be too large for a float.
        seconds = float(value) if _within(argument, value) else None
    elif isinstance(value, str) and _NUMBER.fullmatch(value):
        seconds = float(value)
    elif isinstance(value, str) and len(value) <= _SHOWN_CHARS:
        seconds = _epoch(value)
    if seconds is None or not math.isfinite(seconds) or not _within(argument, seconds):
        low = "" if argument.minimum == FIRST_EPOCH else " or seconds from now"
        raise _wrong(
            argument, value, f"a time from 1974 to 2286, in seconds since 1970 or ISO 8601{low}"
        )
    return seconds


def _epoch(iso: str) -> float | None:
    """Read an ISO 8601 time; without a zone it is UTC. A date that is too early is None."""
    try:
        at = datetime.fromisoformat(iso)
        seconds = (at.replace(tzinfo=UTC) if at.tzinfo is None else at).timestamp()
    except (ValueError, OverflowError):
        return None
    return seconds if seconds >= FIRST_EPOCH else None


_READERS: Final[Mapping[Kind, Callable[[Argument, Any], Any]]] = {
    "text": _text,
    "texts": _texts,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "signal": _signal,
    "rate": _rate,
    "stamps": _stamps,
    "options": _options,
    "args": _args,
    "kwargs": _kwargs,
    "time": _time,
}


# ---------------------------------------------------------------------- values together


def _check_autoscale(parsed: Mapping[str, Any]) -> None:
    if parsed["min"] is not None and parsed["min"] > parsed["max"]:
        raise BadArgument(
            "min", f"'min' must be at most 'max' ({parsed['max']}), not {parsed['min']}."
        )


def _check_times(parsed: Mapping[str, Any], low: str = "soft", high: str = "hard") -> None:
    soft, hard = parsed[low], parsed[high]
    if soft is not None and hard is not None and soft > hard:
        raise BadArgument(low, f"'{low}' must be at most '{high}' ({hard} seconds), not {soft}.")


def _check_start(parsed: Mapping[str, Any]) -> None:
    _check_times(parsed, "soft_time_limit", "time_limit")
    if parsed["countdown"] is not None and parsed["eta"] is not None:
        raise BadArgument("eta", "Give 'countdown' or 'eta', not both.")


_TOGETHER: Final[Mapping[str, Callable[[Mapping[str, Any]], None]]] = {
    "autoscale": _check_autoscale,
    "time_limit": _check_times,
    "apply": _check_start,
    "async_apply": _check_start,
    "send_task": _check_start,
}


# ---------------------------------------------------------------------- words


def _shortened(text: str) -> str:
    told = text if text.isprintable() else ascii(text)
    return told if len(told) <= _SHOWN_CHARS else told[: _SHOWN_CHARS - 1] + "…"


def _shown(value: Any) -> str:
    """Show a value in a sentence: a text with quotes, anything big by its kind and size."""
    if isinstance(value, str):
        return f"'{_shortened(value[: 2 * _SHOWN_CHARS])}'" if value else "an empty text"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "nothing"}[value]
    if isinstance(value, int):
        return str(value) if abs(value) < 10**20 else "a number of more than 20 digits"
    if isinstance(value, float):
        return str(value)
    if isinstance(value, Mapping):
        return f"a table with {_counted(value)}"
    if isinstance(value, list | tuple | set | frozenset):
        return f"a list with {_counted(value)}"
    return f"a {type(value).__name__}"


def _counted(items: Iterable[Any]) -> str:
    count = sum(1 for _ in items)
    return "one entry" if count == 1 else f"{count:,} entries"
