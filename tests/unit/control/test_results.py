"""The result backend, read: plain JSON, nothing unpickled, nobody waits for ever."""

from __future__ import annotations

import os
import pickle
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from celeryscope.control.results import Results
from celeryscope.errors import BadArgument, NotPossible, Unavailable


def app_on(backend: str | None, **conf: Any) -> Any:
    app = Celery("client", broker="memory://", backend=backend, set_as_current=False)
    app.conf.update(conf)
    return app


@pytest.fixture
def files(tmp_path: Path) -> Any:
    return app_on(f"file://{tmp_path}")


def test_what_a_task_returned_is_read(files: Any) -> None:
    files.backend.store_result("1", {"a": [1]}, "SUCCESS")
    result = Results(files).read("1")
    assert (result.state, result.ready, result.value) == ("SUCCESS", True, {"a": [1]})


def test_a_failure_is_told_in_words(files: Any) -> None:
    files.backend.store_result("1", ValueError("no", 7), "FAILURE", traceback="Traceback …")
    result = Results(files).read("1")
    assert (result.value, result.traceback) == ("ValueError: no, 7", "Traceback …")


def test_an_unknown_task_is_pending(files: Any) -> None:
    result = Results(files).read("none")
    assert (result.state, result.ready, result.value) == ("PENDING", False, None)


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (os.mkdir, (str(self.path),))


@pytest.mark.parametrize("serializer", ["json", "pickle"])
def test_a_pickle_is_never_opened_whatever_the_app_accepts(tmp_path: Path, serializer: str) -> None:
    app = app_on(
        f"file://{tmp_path}",
        result_serializer=serializer,
        accept_content=["json", "pickle"],
        result_accept_content=["json", "pickle"],
    )
    sprung = tmp_path / "sprung"
    meta = {"status": "SUCCESS", "result": Trap(sprung)}
    key = app.backend.get_key_for_task("1")
    app.backend.set(key, pickle.dumps(meta))
    result = Results(app).read("1")
    assert not sprung.exists()
    assert (result.state, result.value) == ("UNKNOWN", None)
    assert result.problem


@pytest.mark.parametrize(
    ("backend", "said"),
    [
        (None, "No result backend is known"),
        ("disabled://", "No result backend is known"),
        ("rpc://", "nobody else can read it"),
    ],
)
def test_a_backend_that_cannot_be_read_is_said(backend: str | None, said: str) -> None:
    results = Results(app_on(backend))
    assert not results.configured
    with pytest.raises(NotPossible, match=said) as error:
        results.read("1")
    assert "--result-backend" in error.value.hint


def test_a_backend_that_is_not_there_is_said_without_its_password() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        port = taken.getsockname()[1]
        results = Results(app_on(f"redis://:hush-hush@127.0.0.1:{port}/0"))
        with pytest.raises(Unavailable, match="cannot be reached") as error:
            results.read("1")
    assert "hush" not in str(error.value) + error.value.hint


def test_a_backend_that_hangs_keeps_nobody() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        results = Results(app_on(f"redis://:hush-hush@127.0.0.1:{silent.getsockname()[1]}/0"))
        began = time.monotonic()
        with pytest.raises(Unavailable, match=r"did not answer in 0\.3 s") as error:
            results.read("1", timeout_seconds=0.3)
    assert time.monotonic() - began < 3
    assert "hush" not in str(error.value)


def test_many_threads_read_at_once(files: Any) -> None:
    for number in range(20):
        files.backend.store_result(str(number), number, "SUCCESS")
    results, read = Results(files), {}

    def run(number: int) -> None:
        read[number] = results.read(str(number)).value

    threads = [threading.Thread(target=run, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert read == {number: number for number in range(20)}


def test_it_is_aborted_and_forgotten(files: Any) -> None:
    results = Results(files)
    results.abort("1")
    assert results.read("1").state == "ABORTED"
    results.forget("1")
    assert results.read("1").state == "PENDING"


def test_what_is_too_large_is_not_shown(files: Any) -> None:
    files.backend.store_result("1", "x" * 300_000, "SUCCESS")
    result = Results(files).read("1")
    assert (result.value, result.problem) == (None, "It is too large to be shown: 300,002 bytes.")


@pytest.mark.parametrize("ident", ["", "x" * 256, "a\nb"])
def test_an_id_that_cannot_be_one_is_refused(files: Any, ident: str) -> None:
    with pytest.raises(BadArgument):
        Results(files).read(ident)
