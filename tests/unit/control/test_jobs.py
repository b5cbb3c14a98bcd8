"""Jobs: item by item, refused with a reason, bounded, stoppable, and never for ever."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from kombu import Exchange, Queue

from celeryscope.control.commands import COMMANDS, parse
from celeryscope.control.effects import Sight
from celeryscope.control.jobs import Job, Jobs
from celeryscope.control.results import Results
from celeryscope.errors import NotPossible, Unavailable
from celeryscope.model.schedule import Entry
from celeryscope.model.task import Loss, Task
from tests.recording import eventually

OLD = Task("old", 0.0, state="SUCCESS", name="t", args="(1, 'a')", kwargs="{'b': None}", queue="q")
Make = Callable[..., Jobs]


def changed(**fields: Any) -> Task:
    task = Task("old", 0.0, state="SUCCESS", name="t", args="()", kwargs="{}", queue="q")
    for name, value in fields.items():
        setattr(task, name, value)
    return task


@pytest.fixture
def app(tmp_path: Path) -> Any:
    # A broker in memory, of this test alone.
    return Celery("client", broker=f"memory://{tmp_path.name}", set_as_current=False)


@pytest.fixture
def make(app: Any) -> Iterator[Make]:
    made: list[Jobs] = []

    def start(*, on: Any = None, begin: bool = True, **options: Any) -> Jobs:
        on = on or app
        jobs = Jobs(
            app=on,
            **{
                "results": Results(on),
                "tasks": {"old": OLD}.get,
                "known_names": lambda: ["t"],
                "confirm_seconds": 0.3,
                "send_seconds": 0.5,
                **options,
            },
        )
        made.append(jobs)
        if begin:
            jobs.start()
        return jobs

    yield start
    for jobs in made:
        jobs.stop()


def send(jobs: Jobs, command: str, arguments: Mapping[str, Any], **more: Any) -> Job:
    return jobs.send(COMMANDS[command], parse(COMMANDS[command], arguments, **more))


def waiting(app: Any, queue: str) -> list[tuple[Any, Any]]:
    """Take what waits in a queue: (headers, body)."""
    taken = []
    with app.connection_for_read() as connection:
        channel = connection.default_channel
        while (message := channel.basic_get(queue, no_ack=True)) is not None:
            taken.append((message.headers, json.loads(message.body)))
    return taken


def test_a_task_runs_again_with_its_name_arguments_and_queue(app: Any, make: Make) -> None:
    job = send(make(), "retry", {"ids": ["old"]})
    assert job.wait(5)
    (item,) = job.snapshot().items
    assert (item.outcome, item.effect) == ("ok", "not seen")
    assert item.said == "It was sent again to 'q'; arguments from its events."
    ((headers, body),) = waiting(app, "q")
    assert (headers["task"], headers["id"]) == ("t", item.task_id)
    assert body[:2] == [[1, "a"], {"b": None}]


@pytest.mark.parametrize(
    ("task", "consumed", "queue", "where"),
    [
        ({"exchange": "", "routing_key": "q"}, (), "q", "to 'q'"),
        # Celery tells the default queue where the sender named an exchange.
        ({"exchange": "mail", "routing_key": "mail.new"}, (), "post", "to the exchange 'mail'"),
        ({"queue": None}, ("only",), "only", "to 'only', from which its worker consumes"),
        ({"queue": None}, ("a", "celery"), "celery", "as the app routes it"),
        ({"queue": None}, (), "celery", "as the app routes it"),
        ({"queue": None, "exchange": "celery_delayed_27", "routing_key": "0.0.q"}, ("q",), "q", ""),
    ],
)
def test_a_task_runs_again_where_it_ran(
    app: Any, make: Make, task: dict[str, Any], consumed: Sequence[str], queue: str, where: str
) -> None:
    with app.connection_for_write() as connection:
        Queue("post", Exchange("mail", type="topic"), "mail.#")(connection.channel()).declare()
    old = changed(worker="w@h", **task)
    queues_of = {"w@h": consumed}.__getitem__
    job = send(make(tasks=lambda _ident: old, queues_of=queues_of), "retry", {"ids": ["old"]})
    assert job.wait(5)
    (item,) = job.snapshot().items
    assert (item.outcome, where in item.said) == ("ok", True), item
    assert len(waiting(app, queue)) == 1


def test_a_task_is_not_sent_where_its_worker_does_not_look(make: Make) -> None:
    old = changed(queue=None, worker="w@h")
    jobs = make(tasks=lambda _ident: old, queues_of=lambda _worker: ["a", "b"])
    job = send(jobs, "retry", {"ids": ["old"]})
    assert job.wait(5)
    (item,) = job.snapshot().items
    assert item.said.startswith("No event told its queue: its worker consumes from 2, and not")


def test_a_task_of_the_project_runs_again_as_its_class_says(app: Any, make: Make) -> None:
    app.conf.task_routes = {"t": {"queue": "elsewhere", "priority": 7}}

    @app.task(name="t", time_limit=60, shared=False)
    def own() -> None:
        """Nobody runs it here."""

    assert send(make(), "retry", {"ids": ["old"]}).wait(5)
    with app.connection_for_read() as connection:
        message = connection.default_channel.basic_get("q", no_ack=True)
    assert message.properties["priority"] == 7
    assert message.headers["timelimit"] == [60, None]


def test_a_message_that_no_queue_would_get_is_refused(make: Make) -> None:
    way = {"exchange": "nowhere", "routing_key": "k"}
    job = send(make(), "send_task", {"task_name": "t", **way})
    assert job.wait(5)
    assert "the message would be lost" in job.snapshot().items[0].said


def test_a_task_that_was_lost_can_run_again(app: Any, make: Make) -> None:
    lost = changed(state="LOST", lost=Loss(2.0, "w@h", 1.0, "Its worker is gone."))
    job = send(make(tasks=lambda _ident: lost), "retry", {"ids": ["old"]})
    assert job.wait(5)
    assert job.snapshot().items[0].outcome == "ok"
    assert len(waiting(app, "q")) == 1


def test_the_result_backend_knows_arguments_best(app: Any, make: Make, tmp_path: Path) -> None:
    app.conf.update(result_backend=f"file://{tmp_path}")
    meta = {"status": "SUCCESS", "result": 1, "name": "t", "args": ["it's"], "kwargs": {"c": 3}}
    meta["queue"] = "two"
    app.backend.set(app.backend.get_key_for_task("old"), json.dumps(meta).encode())
    old = changed(queue=None, worker="w@h")
    jobs = make(tasks=lambda _ident: old, queues_of=lambda _worker: ["one", "two"])
    job = send(jobs, "retry", {"ids": ["old"]})
    assert job.wait(5)
    assert "the result backend" in job.snapshot().items[0].said
    ((_, body),) = waiting(app, "two")
    assert body[:2] == [["it's"], {"c": 3}]


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (changed(state="STARTED"), "It is not finished: STARTED."),
        (changed(state="LOST"), "It is not finished: LOST."),  # a state of the project's own
        (changed(name=None), "do not tell its name"),
        (changed(queue="qqq…0a1b"), "too long to be known whole"),
        (changed(renamed=((1.0, "s"),)), "Another task ran"),
        (changed(args="(1, '...')"), "was cut"),
        (changed(args="('***',)"), "masked"),
        (changed(kwargs=None), "no event tells them"),
        (changed(args="({1, 2},)"), "EncodeError"),
    ],
)
def test_a_task_that_cannot_run_again_is_refused(make: Make, task: Task, said: str) -> None:
    job = send(make(tasks=lambda _ident: task), "retry", {"ids": ["old"]})
    assert job.wait(5)
    report = job.snapshot()
    assert (report.state, report.sent, report.outcomes) == ("finished", "no", {"refused": 1})
    assert said in report.items[0].said


def test_its_effect_is_what_a_worker_tells_and_not_our_own_event(make: Make) -> None:
    states: dict[str, str] = {}
    jobs = make(sight=Sight(task_state=states.get), confirm_seconds=5.0)
    job = send(jobs, "send_task", {"task_name": "t", "task_id": "new"})
    states["new"] = "PENDING"  # task-sent only
    assert not job.wait(0.5)
    states["new"] = "RECEIVED"
    assert job.wait(5)
    (item,) = job.snapshot().items
    assert (item.effect, item.effect_said) == ("done", "A worker has it: RECEIVED.")


def test_a_task_of_the_project_is_applied_in_its_own_way_and_sent_by_name_in_none(
    app: Any, make: Make
) -> None:
    class Own(app.Task):  # type: ignore[misc]
        def apply_async(self, *args: Any, **options: Any) -> Any:
            return super().apply_async(*args, **{**options, "queue": "its.own"})

    @app.task(name="mine", base=Own, shared=False)
    def mine(a: int) -> int:
        return a

    jobs = make()
    assert send(jobs, "async_apply", {"task_name": "mine", "args": [1]}).wait(5)
    assert len(waiting(app, "its.own")) == 1
    job = send(jobs, "async_apply", {"task_name": "mine", "args": [1, 2, 3]})
    assert job.wait(5)
    assert "TypeError" in job.snapshot().items[0].said
    assert send(jobs, "send_task", {"task_name": "mine", "queue": "other"}).wait(5)
    assert len(waiting(app, "other")) == 1


def test_no_task_ever_runs_here(app: Any, make: Make) -> None:
    ran: list[int] = []

    @app.task(name="mine", shared=False)
    def mine() -> None:
        ran.append(1)

    app.conf.task_always_eager = True
    job = send(make(), "async_apply", {"task_name": "mine"})
    assert job.wait(5)
    assert "task_always_eager" in job.snapshot().items[0].said
    assert ran == []


def test_a_broker_that_is_not_there_ends_the_job_soon_and_without_its_password(
    make: Make,
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        port = taken.getsockname()[1]
        for url in (f"redis://:hush-hush@127.0.0.1:{port}/0", f"amqp://me:hush@127.0.0.1:{port}//"):
            gone = Celery("client", broker=url, set_as_current=False)
            job = send(make(on=gone), "send_task", {"task_name": "t"})
            assert job.wait(8)
            report = job.snapshot()
            assert (report.state, report.sent) == ("failed", "no")
            assert report.error.startswith("It was not sent: ")
            assert "hush" not in report.error + report.hint
            assert report.outcomes == {"unasked": 1}


def test_a_broker_that_hangs_ends_the_job_soon(make: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        hanging = Celery("client", broker=url, set_as_current=False)
        began = time.monotonic()
        job = send(make(on=hanging), "send_task", {"task_name": "t"})
        assert job.wait(8)
    assert job.snapshot().state == "failed"
    assert time.monotonic() - began < 6


def test_a_large_job_tells_the_refused_first_and_no_more_than_a_thousand(make: Make) -> None:
    def tasks(ident: str) -> Task | None:
        return None if int(ident) >= 2_990 else OLD

    ids = [str(number) for number in range(3_000)]
    job = send(make(tasks=tasks), "retry", {"ids": ids}, max_ids=5_000)
    assert job.wait(30)
    report = job.snapshot()
    assert report.outcomes == {"ok": 2_990, "refused": 10}
    assert report.total == 3_000
    assert (len(report.items), report.items_left_out) == (1_000, 2_000)
    assert [item.subject for item in report.items[:11]] == [*ids[2_990:], "0"]
    assert len(report.arguments["ids"]) == 1_000


def test_a_job_is_stopped_before_its_next_item(make: Make) -> None:
    jobs = make()
    job: Job

    def tasks(ident: str) -> Task:
        if ident == "2":
            job.stop()
        return OLD

    jobs._tasks = tasks
    job = send(jobs, "retry", {"ids": ["1", "2", "3"]})
    assert job.wait(5)
    report = job.snapshot()
    assert (report.state, report.outcomes) == ("stopped", {"ok": 2, "unasked": 1})
    assert not report.stoppable
    with pytest.raises(NotPossible, match="over already"):
        job.stop()


def test_jobs_are_bounded_and_end_when_we_do(make: Make) -> None:
    jobs = make(begin=False, max_running=2)
    first = [send(jobs, "send_task", {"task_name": "t"}) for _ in range(2)]
    with pytest.raises(Unavailable, match="2 jobs are on their way"):
        send(jobs, "send_task", {"task_name": "t"})
    jobs.stop()
    assert [job.snapshot().state for job in first] == ["failed", "failed"]
    with pytest.raises(Unavailable, match="stops"):
        send(jobs, "send_task", {"task_name": "t"})


def test_one_that_only_looks_for_its_effect_makes_room_for_more(make: Make) -> None:
    changes: list[Job] = []
    jobs = make(max_running=1, confirm_seconds=60.0, on_change=changes.append)
    first = send(jobs, "send_task", {"task_name": "t"})
    eventually(lambda: first.snapshot().state == "confirming")
    second = send(jobs, "send_task", {"task_name": "t"})
    assert (first.snapshot().state, first.snapshot().effects) == ("finished", {"cannot tell": 1})
    assert first in changes
    assert not second.over


def test_the_oldest_that_is_over_makes_room(make: Make) -> None:
    jobs = make(max_kept=2, tasks=lambda _ident: None)
    sent = []
    for _ in range(3):
        sent.append(send(jobs, "retry", {"ids": ["1"]}))
        assert sent[-1].wait(5)
    assert jobs.actions() == [sent[2], sent[1]]


def test_a_purge_tells_how_many_were_deleted(app: Any, make: Make) -> None:
    jobs = make()
    for _ in range(3):
        assert send(jobs, "send_task", {"task_name": "t", "queue": "full"}).wait(5)
    job = send(jobs, "purge", {"queue": "full"})
    assert job.wait(5)
    (item,) = job.snapshot().items
    assert (item.value, item.said, item.effect) == (3, "3 messages were deleted.", "done")
    assert waiting(app, "full") == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"link": "x"}, "not sent from here: link"),
        ({"queue": object()}, "not told by name"),
        ({"serializer": "pickle"}, "not used here"),
    ],
)
def test_an_entry_with_options_that_are_not_ours_is_refused(
    make: Make, options: Mapping[str, Any], said: str
) -> None:
    entry = Entry(source="s", name="n", task="t", schedule="", raw="", options=options)
    job = send(make(entries=lambda: [entry]), "run_entry", {"entry": "s:n"})
    assert job.wait(5)
    assert said in job.snapshot().items[0].said


def test_times_are_sent_as_celery_reads_them(app: Any, make: Make) -> None:
    given = {"task_name": "t", "queue": "later", "eta": "2033-05-18T03:33:20Z", "expires": 2e9}
    assert send(make(), "send_task", given).wait(5)
    ((headers, _),) = waiting(app, "later")
    assert headers["eta"] == headers["expires"] == "2033-05-18T03:33:20+00:00"


def test_arguments_are_shown_masked_and_sent_as_they_are(app: Any, make: Make) -> None:
    jobs = make(mask=lambda text: text.replace("secret", "***"))
    job = send(jobs, "send_task", {"task_name": "t", "args": ["secret"], "queue": "masked"})
    assert job.wait(5)
    assert job.snapshot().arguments["args"] == ["***"]
    ((_, body),) = waiting(app, "masked")
    assert body[0] == ["secret"]
