"""The desk: who gets a command, what is refused before anything is done, who was paused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from celery import Celery

from celeryscope.control.action import Action, Ledger
from celeryscope.control.commands import Command
from celeryscope.control.desk import Desk, as_declared
from celeryscope.control.jobs import Job, Jobs
from celeryscope.control.remote import Remote
from celeryscope.control.results import Results
from celeryscope.errors import BadArgument, NotFound, NotPossible

WORKERS = ["a@h", "b@h", "c@h"]
#: As `active_queues` tells a queue.
TOLD = {
    "name": "q", "routing_key": "mail.#", "durable": True, "auto_delete": False,
    "exclusive": False, "queue_arguments": {"x-max-priority": 9}, "no_ack": False,
    "exchange": {"name": "mail", "type": "topic", "durable": True, "auto_delete": False},
}  # fmt: skip


class StillRemote(Remote):
    """Takes commands as Remote does; they wait, since no thread sends them."""

    def __init__(self, app: Any) -> None:
        super().__init__(app=app, workers=lambda: dict.fromkeys(WORKERS, True))
        self.sent: list[tuple[str, Any, Any]] = []
        self.besides: list[Any] = []

    def send(
        self, command: str | Command, arguments: Mapping[str, Any] | None = None, **options: Any
    ) -> Action:
        action = super().send(command, arguments, **options)
        self.sent.append((action.command.name, action.arguments, options["workers"]))
        self.besides.append(options.get("besides"))
        return action


@pytest.fixture
def desk() -> Iterator[Desk]:
    with Celery("client", broker="memory://", set_as_current=False) as app:
        jobs = Jobs(
            app=app, results=Results(app), tasks=lambda _ident: None, known_names=lambda: ["known"]
        )
        yield Desk(
            remote=StillRemote(app),
            jobs=jobs,
            consumers=lambda queue: WORKERS[:2] if queue == "q" else [],
            declared=lambda queue, workers: TOLD if workers[:1] == ["a@h"] else {},
        )


def sent(desk: Desk) -> list[tuple[str, Any, Any]]:
    remote = desk._remote
    assert isinstance(remote, StillRemote)
    return remote.sent


def answer(action: Action | Job, worker: str, error: str | None = None) -> None:
    assert isinstance(action, Action)
    action.note(lambda ledger: Ledger.was_sent(ledger, 1.0))
    action.note(lambda ledger: ledger.answered(worker, error=error, value=None, now=2.0))


def test_workers_get_theirs_and_the_console_does_its_own(desk: Desk) -> None:
    remote = desk.send("ping", {}, workers=["a@h"])
    job = desk.send("send_task", {"task_name": "t"})
    assert isinstance(remote, Action)
    assert isinstance(job, Job)
    assert sent(desk) == [("ping", {}, ["a@h"])]
    assert [action.id for action in desk.actions()] == [job.id, remote.id]
    assert desk.get(job.id) is job
    assert desk.get(remote.id) is remote


def refused(desk: Desk, command: str, arguments: Mapping[str, Any], **more: Any) -> Exception:
    with pytest.raises((BadArgument, NotFound, NotPossible)) as error:
        desk.send(command, arguments, **more)
    assert desk.actions() == []
    return error.value


@pytest.mark.parametrize(
    ("command", "arguments", "more", "said"),
    [
        ("exec", {}, {}, "Unknown command 'exec'"),
        ("purge", {"queue": "q"}, {}, "must be confirmed"),
        ("purge", {"queue": "q"}, {"confirm": "Q"}, "must be confirmed"),
        ("send_task", {"task_name": "t"}, {"workers": ["a@h"]}, "goes to no worker"),
        ("async_apply", {"task_name": "t"}, {}, "Unknown task 't'"),
        ("apply", {"task_name": "known"}, {}, "No result backend is known"),
        ("forget", {"ids": ["1"]}, {}, "No result backend is known"),
        ("run_entry", {"entry": "s:n"}, {}, "Unknown entry 's:n'"),
        ("retry", {"ids": ["1", "2"]}, {"max_ids": 1}, "1 to 1 texts"),
        (
            "revoke",
            {"ids": [str(number) for number in range(1_001)]},
            {"max_ids": 2_000},
            "at most 1,000 ids at a time, not 1,001",
        ),
        ("pause_queue", {"queue": "nobodys"}, {}, "No worker is known"),
        ("resume_queue", {"queue": "q"}, {}, "Nobody was paused"),
        ("pause_queue", {"queue": "q"}, {"workers": ["x@h"]}, "Unknown worker 'x@h'"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is(
    desk: Desk, command: str, arguments: Mapping[str, Any], more: Any, said: str
) -> None:
    assert said in str(refused(desk, command, arguments, **more))


def test_no_more_than_a_hundred_thousand_ids_are_taken_whoever_chose_them(desk: Desk) -> None:
    many = {"ids": [str(number) for number in range(100_001)]}
    assert "1 to 100,000 texts" in str(refused(desk, "retry", many, max_ids=10**9))


def test_a_queue_is_resumed_as_it_was_declared(desk: Desk) -> None:
    desk.send("pause_queue", {"queue": "q"})
    desk.send("resume_queue", {"queue": "q"}, workers=["c@h"])
    paused, resumed = desk._remote.besides  # type: ignore[attr-defined]
    assert paused == {}
    assert resumed == {
        "exchange": "mail", "exchange_type": "topic", "routing_key": "mail.#", "durable": True,
        "auto_delete": False, "exclusive": False, "exchange_durable": True,
        "exchange_auto_delete": False, "queue_arguments": {"x-max-priority": 9},
    }  # fmt: skip


@pytest.mark.parametrize(
    "told", [{}, {"exchange": "mail"}, {**TOLD, "exchange": {"name": "e", "type": "odd"}}]
)
def test_what_is_told_of_a_queue_in_another_shape_is_left_out(told: dict[str, Any]) -> None:
    assert as_declared("q", told) == {}


def test_those_that_were_paused_are_resumed(desk: Desk) -> None:
    pause = desk.send("pause_queue", {"queue": "q"})
    assert sent(desk)[-1] == ("pause_queue", {"queue": "q"}, ["a@h", "b@h"])
    answer(pause, "a@h")
    answer(pause, "b@h", error="No.")
    desk.send("pause_queue", {"queue": "q"}, workers=["c@h"])
    resume = desk.send("resume_queue", {"queue": "q"})
    assert sent(desk)[-1] == ("resume_queue", {"queue": "q"}, ["a@h", "c@h"])
    answer(resume, "a@h")
    desk.send("resume_queue", {"queue": "q"})
    assert sent(desk)[-1][2] == ["c@h"]  # which has not said yes yet


def test_a_job_can_be_stopped_and_a_command_to_workers_cannot(desk: Desk) -> None:
    job = desk.send("send_task", {"task_name": "t"})
    assert desk.stop(job.id) is job
    assert isinstance(job, Job)
    assert job.stopping
    action = desk.send("ping", {})
    with pytest.raises(NotPossible, match="cannot be taken back"):
        desk.stop(action.id)
    with pytest.raises(NotFound):
        desk.stop("none")
