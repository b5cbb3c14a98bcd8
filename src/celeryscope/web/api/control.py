"""Steering, below `/api/v1`: the table of commands, what is sent, and what became of it.

Every Struct here is part of the contract with the page, as in `console`. Times are epoch seconds,
durations are seconds.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Set
from typing import Annotated, Any, Final, Generic, Literal, NamedTuple, TypeVar

import msgspec
from msgspec import Meta

from celeryscope.cluster import select as selecting
from celeryscope.control.action import (
    ActionState,
    Effect,
    ItemResult,
    Outcome,
    Report,
    Sent,
    WorkerResult,
)
from celeryscope.control.commands import (
    COMMANDS,
    Argument,
    Command,
    Kind,
    Runs,
    Subject,
    find,
)
from celeryscope.control.commands import MAX_IDS as MAX_SENT_IDS
from celeryscope.errors import BadArgument
from celeryscope.model import query as language
from celeryscope.model.actor import Role
from celeryscope.model.query import Query
from celeryscope.model.task import Task
from celeryscope.web import steering
from celeryscope.web.api.console import (
    Endpoint,
    MessagePage,
    MessageRequest,
    NoQuery,
    Operation,
    check_queue,
    look_at,
)
from celeryscope.web.selections import MAX_IDS
from celeryscope.web.services import Services

MAX_QUERY_CHARS: Final = 2048
#: What all workers' answers together may take of one answer of ours.
MAX_VALUES_BYTES: Final = 8 * 2**20
_MOST_NAMES = _MOST_SAMPLES = 10
#: How long tasks are looked for in the history for a selection, and how many at a time.
_SELECT_SECONDS: Final = 10.0
_SELECT_ROWS: Final = 1_000

# ---------------------------------------------------------------------- the table


class ArgumentInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One argument of a command: what may be given."""

    name: str
    kind: Kind
    help: str
    required: bool
    default: Any  # what is taken when it is left out; None: it is left to the worker
    minimum: float | None  # of a number
    maximum: float | None  # of a number
    max_bytes: int  # of a text, in UTF-8
    max_items: int  # of a list
    choices: list[str]  # of a text; empty: any
    unit: str


class CommandInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One command: what it does, to what, and who may."""

    name: str
    title: str  # for a button: "Shut down"
    consequence: str  # what it does, for the one who is about to do it
    confirmed: str  # how one sees that it is done
    role: Role  # at least this one is needed
    allowed: bool  # you may
    subject: Subject
    runs: Runs  # `workers`: they are asked to; `here`: the console does it itself
    needs_workers: bool  # workers must be named; else it goes to every worker when none is
    many: bool  # takes `ids`, or a selection of tasks in their place
    destructive: bool  # ask first: work or reach is lost
    confirm: str  # the argument whose value has to be typed as `confirm`; empty: none
    arguments: list[ArgumentInfo]
    example: dict[str, Any]


class CommandList(msgspec.Struct, frozen=True, kw_only=True):
    """Every command there is, and what you are."""

    role: Role
    read_only: bool  # nobody may change anything
    commands: list[CommandInfo]


# ---------------------------------------------------------------------- what is sent


class ControlRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a command is sent with."""

    arguments: dict[str, Any] = {}
    workers: list[str] | None = None  # names; None: everyone, where the command allows that
    selection: str | None = None  # the id of a selection, in place of the argument `ids`
    confirm: str | None = None  # the name that had to be typed


class SelectionRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which tasks a command would touch."""

    command: str
    query: str  # in the query language of /tasks


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """Tasks that match and that the command would not touch."""

    reason: str  # a sentence
    count: int


class SelectedName(msgspec.Struct, frozen=True, kw_only=True):
    """How many tasks of one name are in a selection; None: tasks without a name."""

    name: str | None
    count: int


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Tasks that were chosen: exactly these are touched, whatever matches later."""

    id: str
    command: str
    query: str
    now: float
    expires_at: float
    matching: int  # tasks that match the query
    count: int  # of them, those that the command would touch
    left_out: list[LeftOut]
    names: list[SelectedName]  # most first, at most ten
    sample: list[str]  # ids, newest first, at most ten


# ---------------------------------------------------------------------- what became of it


class WorkerOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What one worker did with a command."""

    hostname: str
    expected: bool  # it was named, or known when everyone was asked
    outcome: Outcome
    answered_at: float | None
    late: bool  # it answered when nobody waited any more: it did it then
    answers: int  # more than one: several workers share this name
    value: Any  # what it answered, when `ok`
    value_dropped: bool  # it answered more than there was room for
    error: str  # its own words, when `refused`
    effect: Effect
    effect_said: str  # what was seen, in a sentence
    effect_at: float | None


class ItemOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one thing that the console did itself: one task, one queue."""

    subject: str  # a task's id, a queue's name
    outcome: Outcome
    said: str  # in a sentence; why not, when `refused`
    value: Any  # a result, a count
    task_id: str | None  # of the task that was sent for it
    effect: Effect
    effect_said: str
    effect_at: float | None


class ActionSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A command on its way, or over."""

    id: str
    sequence: int  # grows with every change
    command: str
    title: str
    arguments: dict[str, Any]  # masked
    runs: Runs
    everyone: bool  # no worker was named
    state: ActionState
    sent: Sent
    created_at: float
    finished_at: float | None
    timeout_seconds: float
    confirm_seconds: float
    error: str  # why it failed
    hint: str
    outcomes: dict[str, int]  # how many workers, or items, of each outcome
    effects: dict[str, int]
    late: int
    twice: int
    unexpected: int
    total: int  # workers expected, or things to do
    stoppable: bool


class ActionReport(ActionSummary, frozen=True, kw_only=True):
    """A command with what each worker, or each thing, became of."""

    now: float
    workers: list[WorkerOutcome]  # by name
    items: list[ItemOutcome]  # refused ones first, at most 1,000
    items_left_out: int  # how many are not in `items`


class ActionList(msgspec.Struct, frozen=True, kw_only=True):
    """The commands of late, the newest first."""

    now: float
    actions: list[ActionSummary]


# ---------------------------------------------------------------------- schedules

Overdue = Literal["no", "yes", "unknown"]


class ScheduleEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a schedule."""

    id: str  # `source:name`, for `run_entry`
    source: str  # beat_schedule, django-celery-beat, RedBeat
    name: str
    task: str
    schedule: str  # in words: "every 30 seconds", "at 02:30 on Monday"
    raw: str  # as its source has it: "30 2 * * 1"
    timezone: str | None
    enabled: bool
    one_off: bool
    args: str  # masked and cut
    kwargs: str
    queue: str | None
    options: dict[str, str]
    last_run: float | None  # when it was sent last, as its source or an event tells
    last_run_from: str  # who tells that: `source`, `events`, or empty
    next_run: float | None
    total_runs: int | None
    last_task: str | None  # the id of the task that it sent last, as far as events tell
    last_state: str | None  # of that task
    last_runtime: float | None
    overdue: Overdue
    overdue_seconds: float | None
    note: str  # why something of it is not known; empty where all is


class ScheduleSource(msgspec.Struct, frozen=True, kw_only=True):
    """Where schedules come from, and whether they do."""

    name: str
    state: Literal["read", "absent", "failed"]
    said: str  # a sentence: how many entries, why none, what went wrong
    read_at: float | None


class ScheduleList(msgspec.Struct, frozen=True, kw_only=True):
    """Every entry of every schedule, the next to run first."""

    now: float
    sources: list[ScheduleSource]
    entries: list[ScheduleEntry]


# ---------------------------------------------------------------------- the questions


class ActionQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which moment of a command."""

    after: Annotated[
        int, Meta(ge=-1, le=2**53, description="The last `sequence` that was seen; -1: none.")
    ] = -1
    wait: Annotated[
        float,
        Meta(ge=0, le=25, description="Seconds to wait for something newer than `after`; 0: none."),
    ] = 0


class Nothing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """There is nothing to say."""


#: By command, what it leaves alone: a test of the task, and why.
_LEAVES: Final[Mapping[str, tuple[Callable[[Task], bool], str]]] = {
    "revoke": (lambda task: task.finished, "They are finished already."),
    "terminate": (lambda task: task.finished, "They are finished already."),
    "abort": (lambda task: task.finished, "They are finished already."),
    "retry": (lambda task: not task.finished, "They are not finished yet."),
    "forget": (lambda task: not task.finished, "They are not finished yet."),
}


# ---------------------------------------------------------------------- the answers


def commands(services: Services, _path: Mapping[str, str], _query: NoQuery) -> CommandList:
    """List every command, and say which of them you may send."""
    return CommandList(
        role=services.actor.role,
        read_only=services.door.read_only,
        commands=[_command(services, command) for command in COMMANDS.values()],
    )


def send(services: Services, path: Mapping[str, str], body: ControlRequest) -> ActionReport:
    """Send a command; what becomes of it is told by its action."""
    command = find(path["command"])
    steering.demand(services, command.role, f"'{command.name}'")
    arguments, max_ids = body.arguments, None
    if body.selection is not None:
        if "ids" in arguments:
            raise BadArgument("selection", "Give 'ids' or 'selection', not both.")
        ids = services.selections.get(body.selection, command.name, now=services.clock()).ids
        if not ids:
            raise BadArgument("selection", "There is no task in this selection.")
        arguments, max_ids = {**arguments, "ids": list(ids)}, len(ids)
    action = steering.send(
        services,
        command.name,
        arguments,
        workers=body.workers,
        confirm=body.confirm,
        max_ids=max_ids,
    )
    return _report(services, action.snapshot())


def select(services: Services, _path: Mapping[str, str], body: SelectionRequest) -> Selection:
    """Choose tasks for a command, exactly as they are now."""
    command = find(body.command)
    steering.demand(services, command.role, f"'{command.name}'")
    if command.name not in _LEAVES:
        names = ", ".join(_LEAVES)
        raise BadArgument("command", f"'{command.name}' takes no selection; these do: {names}.")
    if len(body.query) > MAX_QUERY_CHARS:
        raise BadArgument("query", f"'query' must be at most {MAX_QUERY_CHARS:,} characters.")
    now = services.clock()
    wanted = language.parse(body.query)
    matches = selecting.compile(wanted, now)
    with services.state.lock:
        known = list(services.state.tasks.values())
    matching = list(filter(matches, known))
    leaves, reason = _LEAVES[command.name]
    touched: list[Task | _Old] = [task for task in matching if not leaves(task)]
    left_out = []
    if len(touched) < len(matching):
        left_out.append(LeftOut(reason=reason, count=len(matching) - len(touched)))
    most = MAX_IDS if command.runs == "here" else MAX_SENT_IDS
    older, more = _older(services, wanted, now, leaves, {task.uuid for task in known}, most)
    touched += older
    if more:
        words = f"At most {most:,} are taken at a time, and there was no time for all: the newest."
        left_out.append(LeftOut(reason=words, count=more))
    if len(touched) > most:
        words = f"At most {most:,} are taken at a time: the newest."
        left_out.append(LeftOut(reason=words, count=len(touched) - most))
    touched.sort(key=lambda task: task.state_at, reverse=True)
    del touched[most:]
    kept = services.selections.keep(command.name, [task.uuid for task in touched], now=now)
    counts = Counter(task.name for task in touched).most_common(_MOST_NAMES)
    return Selection(
        id=kept.id,
        command=command.name,
        query=body.query,
        now=now,
        expires_at=kept.expires_at,
        matching=len(matching) + len(older) + more,
        count=len(touched),
        left_out=left_out,
        names=[SelectedName(name=name, count=count) for name, count in counts],
        sample=list(kept.ids[:_MOST_SAMPLES]),
    )


class _Old(NamedTuple):
    """What is needed of a task that is in the history only."""

    uuid: str
    name: str | None
    state_at: float


def _older(
    services: Services,
    wanted: Query,
    now: float,
    leaves: Callable[[Task], bool],
    known: Set[str],
    most: int,
) -> tuple[list[_Old], int]:
    """Give those that a command would touch of the tasks that memory let go, the newest first.

    Beside them it says how many more there are at least that it did not get to.
    """
    if services.history is None:
        return [], 0
    found: list[_Old] = []
    after, until = None, time.monotonic() + _SELECT_SECONDS
    while True:
        page = services.history.search(wanted, now=now, after=after, limit=_SELECT_ROWS)
        found += [
            _Old(task.uuid, task.name, task.state_at)
            for task in page.tasks
            if task.uuid not in known and not leaves(task)
        ]
        after = page.after
        if not page.more or after is None:
            return found, 0
        if len(found) > most or time.monotonic() > until:
            counted = services.history.count(wanted, now=now)
            return found, max(1, counted.total - len(found) - len(known))


def actions(services: Services, _path: Mapping[str, str], _query: NoQuery) -> ActionList:
    """List the commands of late, the newest first."""
    reports = [action.snapshot() for action in services.desk.actions()]
    return ActionList(
        now=services.clock(),
        actions=[ActionSummary(**_summary(services, report)) for report in reports],
    )


def action(services: Services, path: Mapping[str, str], _query: ActionQuery) -> ActionReport:
    """See what became of a command; with `wait`, once it is newer than `after`."""
    return _report(services, services.desk.get(path["id"]).snapshot())


def stop(services: Services, path: Mapping[str, str], _body: Nothing) -> ActionReport:
    """Stop a command between two of its items."""
    role = find(services.desk.get(path["id"]).snapshot().command).role
    steering.demand(services, role, "stopping it")
    return _report(services, steering.stop(services, path["id"]).snapshot())


# ---------------------------------------------------------------------- operations

Body = TypeVar("Body", bound=msgspec.Struct)


class Change(Endpoint, Generic[Body]):
    """One thing a client may ask us to do: its body, and with what it is answered."""

    def __init__(
        self,
        answer: Callable[[Services, Mapping[str, str], Body], msgspec.Struct],
        body: type[Body],
        response: type[msgspec.Struct],
        *,
        status: int,
        refusal: str = "",
        heavy: bool = False,
    ) -> None:
        """`refusal` and `heavy` are as those of `Endpoint`."""
        super().__init__(answer, response, refusal=refusal, heavy=heavy)
        self.answer = answer
        self.body = body
        self.status = status


def look(services: Services, path: Mapping[str, str], body: MessageRequest) -> MessagePage:
    """Look at waiting messages where that takes them out for a moment and puts them back."""
    steering.demand(services, "operator", "taking messages out of a queue")
    check_queue(services, path["name"])
    steering.look(services, path["name"])
    return look_at(services, path["name"], offset=body.offset, limit=body.limit, put_back=True)


COMMAND_LIST = Operation(commands, NoQuery, CommandList)
ACTIONS = Operation(actions, NoQuery, ActionList)
ACTION = Operation(action, ActionQuery, ActionReport)
SEND = Change(
    send,
    ControlRequest,
    ActionReport,
    status=202,
    refusal="It cannot be done here, as without a result backend.",
)
STOP = Change(stop, Nothing, ActionReport, status=202, refusal="It is over, or cannot be stopped.")
SELECT = Change(select, SelectionRequest, Selection, status=201, heavy=True)
LOOK = Change(
    look,
    MessageRequest,
    MessagePage,
    status=200,
    refusal="This broker or this queue does not let one look.",
)

# ---------------------------------------------------------------------- rows


def _command(services: Services, command: Command) -> CommandInfo:
    return CommandInfo(
        name=command.name,
        title=command.title,
        consequence=command.consequence,
        confirmed=command.confirmed,
        role=command.role,
        allowed=steering.allows(services, command),
        subject=command.subject,
        runs=command.runs,
        needs_workers=command.needs_workers,
        many=command.name in _LEAVES,
        destructive=command.destructive,
        confirm=command.confirm,
        arguments=[_argument(argument) for argument in command.arguments],
        example=dict(command.example),
    )


def _argument(argument: Argument) -> ArgumentInfo:
    return ArgumentInfo(
        name=argument.name,
        kind=argument.kind,
        help=argument.help,
        required=argument.required,
        default=argument.default,
        minimum=argument.minimum,
        maximum=argument.maximum,
        max_bytes=argument.max_bytes,
        max_items=argument.max_items,
        choices=list(argument.choices),
        unit=argument.unit,
    )


def _report(services: Services, report: Report) -> ActionReport:
    room = _Room(MAX_VALUES_BYTES)
    return ActionReport(
        **_summary(services, report),
        now=services.clock(),
        workers=[_worker(worker, room) for worker in report.workers],
        items=[_item(services, item, room) for item in report.items],
        items_left_out=report.items_left_out,
    )


def _summary(services: Services, report: Report) -> dict[str, Any]:
    command = find(report.command)
    return {
        "id": report.id,
        "sequence": report.sequence,
        "command": report.command,
        "title": command.title,
        "arguments": steering.shown(report.arguments, services.state.mask_arguments),
        "runs": command.runs,
        "everyone": report.everyone,
        "state": report.state,
        "sent": report.sent,
        "created_at": report.created_at,
        "finished_at": report.finished_at,
        "timeout_seconds": report.timeout_seconds,
        "confirm_seconds": report.confirm_seconds,
        "error": report.error,
        "hint": report.hint,
        "outcomes": dict(report.outcomes),
        "effects": dict(report.effects),
        "late": report.late,
        "twice": report.twice,
        "unexpected": report.unexpected,
        "total": report.total,
        "stoppable": report.stoppable,
    }


def _worker(worker: WorkerResult, room: _Room) -> WorkerOutcome:
    value, dropped = room.take(worker.value)
    return WorkerOutcome(
        hostname=worker.hostname,
        expected=worker.expected,
        outcome=worker.outcome,
        answered_at=worker.answered_at,
        late=worker.late,
        answers=worker.answers,
        value=value,
        value_dropped=worker.value_dropped or dropped,
        error=worker.error,
        effect=worker.effect,
        effect_said=worker.effect_said,
        effect_at=worker.effect_at,
    )


def _item(services: Services, item: ItemResult, room: _Room) -> ItemOutcome:
    mask = services.state.mask
    value, dropped = room.take(steering.masked(item.value, services.state.mask_arguments))
    said = mask(item.said) if mask is not None else item.said
    return ItemOutcome(
        subject=item.subject,
        outcome=item.outcome,
        said=f"{said} Its value is too big to be shown.".lstrip() if dropped else said,
        value=value,
        task_id=item.task_id,
        effect=item.effect,
        effect_said=item.effect_said,
        effect_at=item.effect_at,
    )


class _Room:
    """How much of what was answered one answer of ours has room for."""

    def __init__(self, size_bytes: int) -> None:
        self._left = size_bytes

    def take(self, value: Any) -> tuple[Any, bool]:
        """Give the value as JSON; None and True when there is no more room for it."""
        if value is None:
            return None, False
        written = _written(value)
        if len(written) > self._left:
            return None, True
        self._left -= len(written)
        return msgspec.Raw(written), False


def _written(value: Any) -> bytes:
    """Write as JSON whatever a worker or a result backend gave."""
    try:
        return msgspec.json.encode(value, enc_hook=repr)
    except (TypeError, ValueError, OverflowError, RecursionError):
        # Numbers that JSON has no room for, keys that are none, texts that are no Unicode.
        told = repr(value) if not isinstance(value, int) else "a number of many digits"
        return msgspec.json.encode(told.encode("utf-8", "backslashreplace").decode())
