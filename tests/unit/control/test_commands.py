"""The table of commands: what may be given, and what the worker gets."""

from __future__ import annotations

import inspect
import json
import math
from typing import Any, get_args

import pytest
from celery.utils.time import rate
from celery.worker.control import Panel
from hypothesis import given, settings
from hypothesis import strategies as st

from celeryscope.control.commands import COMMANDS, Command, EffectName, find, parse, wire
from celeryscope.control.effects import STRATEGIES
from celeryscope.errors import BadArgument, NotFound

every_command = pytest.mark.parametrize("command", COMMANDS.values(), ids=list(COMMANDS))
FOR_WORKERS = {name: command for name, command in COMMANDS.items() if command.runs == "workers"}
every_worker_command = pytest.mark.parametrize(
    "command", FOR_WORKERS.values(), ids=list(FOR_WORKERS)
)
#: How a command that the console does itself is seen to be done.
JOBS_LOOK = {"told", "result", "aborted", "forgotten", "length"}


@every_command
def test_each_command_takes_its_own_example(command: Command) -> None:
    parsed = parse(command, command.example)
    assert set(parsed) == {argument.name for argument in command.arguments}
    assert parse(command, parsed) == parsed
    assert json.loads(json.dumps(wire(command, parsed))) == wire(command, parsed)


@every_worker_command
def test_what_is_sent_is_what_celerys_worker_takes(command: Command) -> None:
    handler = Panel.data[command.wire_method]
    sent = wire(command, parse(command, command.example))
    inspect.signature(handler).bind(None, **sent)  # the worker calls it so
    kind = Panel.meta[command.wire_method].type
    assert (kind == "inspect") == (command.effect == "answer")


@every_command
def test_each_command_says_who_may_send_it_what_it_does_and_how_it_is_seen(
    command: Command,
) -> None:
    assert command.role == "viewer" if command.effect == "answer" else command.role != "viewer"
    for sentence in (command.title + ".", command.consequence, command.confirmed):
        assert sentence[0].isupper()
        assert sentence.endswith(".")
    assert command.effect in ({"answer", *STRATEGIES} if command.runs == "workers" else JOBS_LOOK)
    assert not command.confirm or command.confirm in {each.name for each in command.arguments}
    assert not command.destructive or command.effect != "answer"
    for argument in command.arguments:
        assert argument.help.endswith(".")
        assert not (argument.required and argument.default is not None)


def test_every_effect_has_a_judge_and_every_judge_a_command() -> None:
    assert {*STRATEGIES, "answer"} | JOBS_LOOK == set(get_args(EffectName))
    assert {command.effect for command in COMMANDS.values()} == set(get_args(EffectName))
    for strategy in STRATEGIES.values():
        if strategy.question:
            parse(COMMANDS[strategy.question], strategy.arguments)


def test_all_of_celerys_commands_for_people_are_there() -> None:
    ours = {command.wire_method for command in FOR_WORKERS.values()}
    for_people = {name for name, meta in Panel.meta.items() if meta.visible}
    # Bug reports, memory debugging and what workers say among themselves.
    others = {"report", "clock", "objgraph", "memsample", "memdump", "election", "heartbeat"}
    assert for_people - ours == others | {"terminate"}  # we send `revoke`, as Celery's client
    assert ours <= set(Panel.data)


@pytest.mark.parametrize(
    ("name", "arguments", "sent"),
    [
        ("shutdown", {}, {}),
        ("pool_grow", {}, {"n": 1}),
        ("pool_grow", {"n": "3"}, {"n": 3}),
        ("pool_grow", {"n": 3.0}, {"n": 3}),
        ("pool_grow", {"n": None}, {"n": 1}),
        ("autoscale", {"max": 3}, {"max": 3}),
        ("autoscale", {"max": 3, "min": 0}, {"max": 3, "min": 0}),
        ("pool_restart", {"modules": ["a.b"]}, {"modules": ["a.b"], "reload": False}),
        ("pool_restart", {"reload": "yes"}, {"reload": True}),
        ("time_limit", {"task_name": "t"}, {"task_name": "t"}),
        ("time_limit", {"task_name": "t", "hard": "1.5"}, {"task_name": "t", "hard": 1.5}),
        ("rate_limit", {"task_name": "t", "rate_limit": 5}, {"task_name": "t", "rate_limit": "5"}),
        (
            "rate_limit",
            {"task_name": "t", "rate_limit": "0/m"},
            {"task_name": "t", "rate_limit": "0"},
        ),
        (
            "rate_limit",
            {"task_name": "t", "rate_limit": 1e-9},
            None,
        ),
        ("revoke", {"ids": "1"}, {"task_id": ["1"]}),
        ("revoke", {"ids": ["1", "2", "1"]}, {"task_id": ["1", "2"]}),
        (
            "terminate",
            {"ids": ["1"], "signal": "kill"},
            {"task_id": ["1"], "terminate": True, "signal": "SIGKILL"},
        ),
        (
            "terminate",
            {"ids": ["1"]},
            {"task_id": ["1"], "terminate": True, "signal": "SIGTERM"},
        ),
        (
            "add_consumer",
            {"queue": "q", "options": {"durable": False, "queue_arguments": {"x-expires": 9}}},
            {
                "queue": "q",
                "exchange_type": "direct",
                "durable": False,
                "queue_arguments": {"x-expires": 9},
            },
        ),
        (
            "revoke_by_stamped_headers",
            {"headers": {"a": "1", "b": ["2"]}},
            {"headers": {"a": "1", "b": ["2"]}, "terminate": False, "signal": "SIGTERM"},
        ),
        ("query_task", {"ids": ["1"]}, {"ids": ["1"]}),
    ],
)
def test_arguments_become_what_the_worker_calls_them(
    name: str, arguments: dict[str, Any], sent: dict[str, Any] | None
) -> None:
    if sent is None:
        with pytest.raises(BadArgument):
            parse(COMMANDS[name], arguments)
    else:
        assert wire(COMMANDS[name], parse(COMMANDS[name], arguments)) == sent


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


LONG = "x" * 256
REFUSED: list[tuple[str, dict[str, Any], str, str]] = [
    # command, what is given, which argument is named, what is said about it
    ("shutdown", {"when": 1}, "when", "It takes: none"),
    ("pool_grow", {"by": 1}, "by", "It takes: n"),
    ("pool_grow", {"n": 0}, "n", "from 1 to 1,000 processes, not 0"),
    ("pool_grow", {"n": 1001}, "n", "from 1 to 1,000"),
    ("pool_grow", {"n": 10**400}, "n", "more than 20 digits"),
    ("pool_grow", {"n": "9" * 400}, "n", "whole number"),
    ("pool_grow", {"n": "1e2"}, "n", "whole number"),
    ("pool_grow", {"n": 1.5}, "n", "not 1.5"),
    ("pool_grow", {"n": math.nan}, "n", "not nan"),
    ("pool_grow", {"n": math.inf}, "n", "not inf"),
    ("pool_grow", {"n": True}, "n", "not true"),
    ("pool_grow", {"n": [1]}, "n", "a list with one entry"),
    ("autoscale", {}, "max", "'max' is missing"),
    ("autoscale", {"max": 0}, "max", "from 1"),
    ("autoscale", {"max": 2, "min": -1}, "min", "from 0"),
    ("autoscale", {"max": 2, "min": 3}, "min", "at most 'max' (2)"),
    ("pool_restart", {"modules": []}, "modules", "a list of 1 to 50 texts"),
    ("pool_restart", {"modules": ["os; rm"]}, "modules", "names of Python modules"),
    ("pool_restart", {"modules": {"a": 1}}, "modules", "a table with one entry"),
    ("pool_restart", {"reload": "maybe"}, "reload", "true or false, not 'maybe'"),
    ("pool_restart", {"reload": 1}, "reload", "true or false"),
    ("add_consumer", {"queue": ""}, "queue", "an empty text"),
    ("add_consumer", {"queue": LONG}, "queue", "1 to 255 bytes"),
    ("add_consumer", {"queue": "ö" * 128}, "queue", "1 to 255 bytes"),
    ("add_consumer", {"queue": "a\nb"}, "queue", "control characters"),
    ("add_consumer", {"queue": "a\x00b"}, "queue", "control characters"),
    ("add_consumer", {"queue": "\ud800"}, "queue", "control characters"),
    ("add_consumer", {"queue": 7}, "queue", "not 7"),
    ("add_consumer", {"queue": "q", "exchange_type": "x-any"}, "exchange_type", "one of direct"),
    ("add_consumer", {"queue": "q", "options": "durable"}, "options", "a table"),
    ("add_consumer", {"queue": "q", "options": {"exchange": "x"}}, "options", "durable"),
    ("add_consumer", {"queue": "q", "options": {"durable": 1}}, "options", "true or false"),
    ("add_consumer", {"queue": "q", "options": {"queue_arguments": [1]}}, "options", "50 names"),
    (
        "add_consumer",
        {"queue": "q", "options": {"queue_arguments": {"x": {"y": 1}}}},
        "options",
        "50 names",
    ),
    (
        "add_consumer",
        {"queue": "q", "options": {"queue_arguments": {"x": math.nan}}},
        "options",
        "50 names",
    ),
    (
        "add_consumer",
        {"queue": "q", "options": {"binding_arguments": {1: 1}}},
        "options",
        "50 names",
    ),
    ("rate_limit", {"task_name": "t"}, "rate_limit", "missing"),
    ("rate_limit", {"task_name": "t", "rate_limit": "10/x"}, "rate_limit", "as 10/m"),
    ("rate_limit", {"task_name": "t", "rate_limit": "-1/s"}, "rate_limit", "as 10/m"),
    ("rate_limit", {"task_name": "t", "rate_limit": "nan"}, "rate_limit", "as 10/m"),
    ("rate_limit", {"task_name": "t", "rate_limit": "1000001"}, "rate_limit", "1,000,000"),
    ("rate_limit", {"task_name": "t", "rate_limit": math.inf}, "rate_limit", "as 10/m"),
    ("rate_limit", {"task_name": "t", "rate_limit": True}, "rate_limit", "as 10/m"),
    ("time_limit", {"soft": 1}, "task_name", "missing"),
    ("time_limit", {"task_name": "t", "soft": 0}, "soft", "seconds, not 0"),
    ("time_limit", {"task_name": "t", "hard": 1e12}, "hard", "31,536,000 seconds"),
    ("time_limit", {"task_name": "t", "hard": math.nan}, "hard", "not nan"),
    ("time_limit", {"task_name": "t", "soft": 9, "hard": 3}, "soft", "at most 'hard' (3 seconds)"),
    ("revoke", {}, "ids", "missing"),
    ("revoke", {"ids": []}, "ids", "a list of 1 to 1,000 texts"),
    ("revoke", {"ids": [str(n) for n in range(1001)]}, "ids", "1,001 entries"),
    ("revoke", {"ids": [1]}, "ids", "not 1"),
    ("terminate", {"ids": ["1"], "signal": "SIGSTOP"}, "signal", "one of SIGTERM"),
    ("terminate", {"ids": ["1"], "signal": 19}, "signal", "one of SIGTERM"),
    ("terminate", {"ids": ["1"], "signal": True}, "signal", "one of SIGTERM"),
    ("send_task", {"task_name": "t", "serializer": "pickle"}, "serializer", "one of json"),
    ("apply", {"task_name": "t", "ignore_result": True}, "ignore_result", "no argument"),
    (
        "send_task",
        {"task_name": "t", "soft_time_limit": 3, "time_limit": 2},
        "soft_time_limit",
        "at most 'time_limit'",
    ),
    ("terminate", {"ids": ["1"], "signal": "k" * 10_000}, "signal", "…"),
    ("revoke_by_stamped_headers", {"headers": {}}, "headers", "1 to 50 header names"),
    ("revoke_by_stamped_headers", {"headers": ["a=1"]}, "headers", "header names"),
    ("revoke_by_stamped_headers", {"headers": {"a": 1}}, "headers", "header names"),
    ("revoke_by_stamped_headers", {"headers": {"a": []}}, "headers", "header names"),
    ("revoke_by_stamped_headers", {"headers": {"a": [1]}}, "headers", "not 1"),
    ("revoke_by_stamped_headers", {"headers": {1: "a"}}, "headers", "not 1"),
    (
        "revoke_by_stamped_headers",
        {"headers": {name: [str(n) for n in range(600)] for name in "ab"}},
        "headers",
        "1,000 texts in all",
    ),
    ("send_task", {"task_name": "t", "args": {"a": 1}}, "args", "a JSON list"),
    ("send_task", {"task_name": "t", "args": "[1"}, "args", "a JSON list"),
    ("send_task", {"task_name": "t", "args": "[" * 100_000}, "args", "65,536 bytes"),
    ("send_task", {"task_name": "t", "args": "[" * 5_000}, "args", "a JSON list"),
    ("send_task", {"task_name": "t", "args": ["x" * 65_536]}, "args", "65,536 bytes"),
    ("send_task", {"task_name": "t", "args": [0] * 10_001}, "args", "10,000 values"),
    ("send_task", {"task_name": "t", "args": nested(40)}, "args", "32 levels"),
    ("send_task", {"task_name": "t", "args": nested(2_000)}, "args", "32 levels"),
    ("send_task", {"task_name": "t", "args": [math.nan]}, "args", "plain JSON"),
    ("send_task", {"task_name": "t", "args": [object()]}, "args", "plain JSON"),
    ("send_task", {"task_name": "t", "args": [10**5000]}, "args", "plain JSON"),
    ("send_task", {"task_name": "t", "args": ["\ud800"]}, "args", "plain JSON"),
    ("send_task", {"task_name": "t", "kwargs": [1]}, "kwargs", "a JSON object"),
    ("send_task", {"task_name": "t", "kwargs": {"a": {1: 1}}}, "kwargs", "plain JSON"),
    ("send_task", {"task_name": "t", "eta": 5}, "eta", "a time from 1974"),
    ("send_task", {"task_name": "t", "eta": "1970-01-02"}, "eta", "a time from 1974"),
    ("send_task", {"task_name": "t", "eta": "soon"}, "eta", "not 'soon'"),
    ("send_task", {"task_name": "t", "eta": math.nan}, "eta", "not nan"),
    ("send_task", {"task_name": "t", "eta": 10**400}, "eta", "more than 20 digits"),
    ("send_task", {"task_name": "t", "expires": 0}, "expires", "or seconds from now"),
    ("send_task", {"task_name": "t", "expires": "9999-12-31"}, "expires", "to 2286"),
    ("send_task", {"task_name": "t", "countdown": -1}, "countdown", "from 0"),
    ("send_task", {"task_name": "t", "countdown": 1, "eta": 2e9}, "eta", "not both"),
    ("send_task", {"task_name": "t", "priority": 256}, "priority", "from 0 to 255"),
    ("send_task", {"task_name": "t", "task_id": ""}, "task_id", "an empty text"),
    ("apply", {"task_name": "t", "wait_seconds": 3601}, "wait_seconds", "3,600 seconds"),
    ("run_entry", {}, "entry", "missing"),
    ("ping", {"timeout": 1}, "timeout", "takes: none"),
    ("stats", {"y" * 500: 1}, "y" * 59 + "…", "no argument"),
]


@pytest.mark.parametrize(("name", "arguments", "parameter", "said"), REFUSED)
def test_what_is_not_allowed_is_refused_by_its_name(
    name: str, arguments: dict[str, Any], parameter: str, said: str
) -> None:
    with pytest.raises(BadArgument) as refused:
        parse(COMMANDS[name], arguments)
    assert refused.value.parameter == parameter
    assert said in str(refused.value)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    ("name", "given", "read"),
    [
        ("args", '[1, {"a": null}]', [1, {"a": None}]),
        ("args", (1, "2"), [1, "2"]),
        ("args", f"[{10**30}]", [10**30]),
        ("kwargs", '{"a": [1.5]}', {"a": [1.5]}),
        ("eta", "2033-05-18T03:33:20", 2e9),
        ("eta", "2033-05-18T05:33:20+02:00", 2e9),
        ("eta", 2_000_000_000, 2e9),
        ("expires", "2033-05-18T03:33:20Z", 2e9),
        ("expires", "90", 90.0),
        ("countdown", "0", 0.0),
    ],
)
def test_what_a_task_is_sent_with_may_be_given_as_text(name: str, given: Any, read: Any) -> None:
    assert parse(COMMANDS["send_task"], {"task_name": "t", name: given})[name] == read


def test_more_ids_are_taken_only_when_we_chose_them() -> None:
    many = {"ids": [str(number) for number in range(1_500)]}
    assert parse(COMMANDS["retry"], many, max_ids=2_000) == many
    with pytest.raises(BadArgument, match="1 to 1,200 texts"):
        parse(COMMANDS["retry"], many, max_ids=1_200)
    with pytest.raises(BadArgument):
        parse(COMMANDS["retry"], many)


def test_a_command_that_is_not_in_the_table_is_not_found() -> None:
    assert find("ping") is COMMANDS["ping"]
    with pytest.raises(NotFound, match="Unknown command 'exec'"):
        find("exec")


garbage: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.sampled_from(["10/m", "SIGKILL", "1", "true", "durable"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=4)
        | st.dictionaries(st.sampled_from(["durable", "queue_arguments"]), inner, max_size=2)
    ),
    max_leaves=8,
)


@every_command
@settings(max_examples=25)  # for each of the commands, which share most of it
@given(data=st.data())
def test_garbage_is_refused_or_becomes_plain_json_and_never_breaks(
    command: Command, data: st.DataObject
) -> None:
    names = st.sampled_from([argument.name for argument in command.arguments] or ["x"])
    given_ = data.draw(st.dictionaries(names, garbage, max_size=5))
    try:
        parsed = parse(command, {**command.example, **given_})
    except BadArgument as error:
        refused = error
    else:
        sent = wire(command, parsed)
        assert json.loads(json.dumps(sent, allow_nan=False)) == sent
        if command.runs == "workers":
            inspect.signature(Panel.data[command.wire_method]).bind(None, **sent)
        return
    assert refused.parameter
    assert str(refused).isprintable()


@given(st.from_regex(r"[0-9]{1,7}(\.[0-9]{1,3})?(/[smh])?", fullmatch=True))
def test_a_rate_means_to_celery_what_was_given(text: str) -> None:
    try:
        parsed = parse(COMMANDS["rate_limit"], {"task_name": "t", "rate_limit": text})
    except BadArgument:
        assert float(text.partition("/")[0]) > 1_000_000
    else:
        assert rate(parsed["rate_limit"]) == rate(text)
