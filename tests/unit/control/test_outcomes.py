"""How tasks ended, read from every kind of result backend without unpickling."""

from __future__ import annotations

import json
import os
import pickle
import sqlite3
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from celery.app.task import Context

from celeryscope.control import outcomes
from celeryscope.control.outcomes import to_outcome
from celeryscope.control.results import Results
from celeryscope.control.tables import CELERY_TABLE, DJANGO_TABLE, ResultTable, to_meta, unwrapped
from celeryscope.errors import BadArgument, NotPossible, Unavailable

NOW = 1_795_000_000.0
DONE = "2026-11-18T10:00:00"
AT = datetime(2026, 11, 18, 10, tzinfo=UTC).timestamp()


class Trap:
    """Leaves a directory behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (os.mkdir, (str(self.path),))


def app_on(backend: str, **conf: Any) -> Any:
    app = Celery("client", broker="memory://", backend=backend, set_as_current=False)
    app.conf.update(conf)
    return app


@pytest.mark.parametrize(
    ("meta", "expected"),
    [
        ({"status": "SUCCESS", "result": {"a": [1]}}, ("SUCCESS", "{'a': [1]}", None)),
        ({"status": "SUCCESS", "result": None}, ("SUCCESS", "None", None)),
        ({"status": "SUCCESS", "result": "x"}, ("SUCCESS", "'x'", None)),
        (
            {"status": "FAILURE", "result": {"exc_type": "KeyError", "exc_message": ["a", 1]}},
            ("FAILURE", None, "KeyError('a', 1)"),
        ),
        (
            {"status": "FAILURE", "result": {"exc_type": "KeyError", "exc_message": ""}},
            ("FAILURE", None, "KeyError()"),
        ),
        ({"status": "FAILURE", "result": ["odd"]}, ("FAILURE", None, "['odd']")),
        ({"status": "REVOKED", "result": None}, ("REVOKED", None, None)),
        ({"status": "FAILURE", "result": None, "pickled": True}, ("FAILURE", None, None)),
        ({"status": "STARTED", "result": {"pid": 1}}, None),
        ({"status": "PROGRESS", "result": {}}, None),
        ({"status": ["SUCCESS"]}, None),
        ({}, None),
        ("SUCCESS", None),
        (None, None),
    ],
)
def test_what_a_backend_keeps_is_told_as_a_worker_would(meta: Any, expected: Any) -> None:
    found = to_outcome("1", meta, zone=UTC, now=NOW)
    assert (found and (found.state, found.result, found.exception)) == expected


@pytest.mark.parametrize(
    ("done", "at"),
    [
        (DONE, AT),
        (DONE + "+00:00", AT),
        ("2026-11-18T12:00:00+02:00", AT),
        (datetime(2026, 11, 18, 10), AT),  # noqa: DTZ001
        (datetime(2026, 11, 18, 10, tzinfo=UTC), AT),
        (None, None),
        ("yesterday", None),
        (12, None),
        ("0001-01-01T00:00:00+14:00", None),
    ],
)
def test_times_are_utc_unless_they_say_otherwise(done: Any, at: float | None) -> None:
    meta = {"status": "SUCCESS", "result": 1, "date_done": done}
    found = to_outcome("1", meta, zone=UTC, now=NOW)
    assert found is not None
    assert found.at == at


def test_a_time_that_is_not_over_in_utc_is_one_of_the_apps_zone() -> None:
    zone = timezone(timedelta(hours=9))
    at = datetime.fromtimestamp(NOW - 60, zone).replace(tzinfo=None)
    found = to_outcome("1", {"status": "SUCCESS", "date_done": at}, zone=zone, now=NOW)
    assert found is not None
    assert found.at == NOW - 60


def test_long_texts_are_cut() -> None:
    meta = {"status": "FAILURE", "result": "x" * 100_000, "traceback": "y" * 100_000,
            "worker": "w" * 1_000}  # fmt: skip
    found = to_outcome("1", meta, zone=UTC, now=NOW)
    assert found is not None
    assert len(found.exception or "") < 17_000
    assert len(found.traceback or "") < 66_000
    assert len(found.worker or "") == 512
    told = to_outcome("1", {**meta, "worker": 7}, zone=UTC, now=NOW)
    assert told is not None
    assert told.worker is None


# ---------------------------------------------------------------------- keys and values


def test_many_are_read_at_once_and_pickles_left_out(tmp_path: Path) -> None:
    app = app_on(f"file://{tmp_path}")
    app.backend.store_result("good", {"a": 1}, "SUCCESS", request=Context(group="all"))
    app.backend.store_result("bad", ValueError("no", 7), "FAILURE", traceback="Traceback …")
    app.backend.store_result("runs", {"pid": 1}, "STARTED")
    sprung = tmp_path / "sprung"
    trap = {"status": "SUCCESS", "result": Trap(sprung), "traceback": None, "children": []}
    app.backend.set(app.backend.get_key_for_task("trap"), pickle.dumps(trap))
    app.backend.set(app.backend.get_key_for_task("garbage"), b"\xff\xfe{")
    found = Results(app).outcomes(["good", "bad", "runs", "trap", "garbage", "unknown"])
    assert set(found) == {"good", "bad"}
    assert found["good"].result == "{'a': 1}"
    assert (found["bad"].exception, found["bad"].traceback) == (
        "ValueError('no', 7)",
        "Traceback …",
    )
    ids = ["good", "bad", "runs", "trap", "b\0", "unknown"]
    assert Results(app).groups(ids) == {"good": "all", "bad": None}
    assert Results(app, tells_groups=False).groups(ids) == {}
    assert not sprung.exists()


def test_a_backend_that_cannot_read_many_is_asked_one_by_one() -> None:
    class Single:
        def get_task_meta(self, task_id: str, cache: bool = True) -> Any:
            if task_id == "odd":
                raise ValueError(task_id)
            return {"status": "SUCCESS" if task_id == "a" else "PENDING", "result": 1}

    assert set(outcomes.read(Single(), ["a", "odd", "b"])) == {"a"}


def test_an_id_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadArgument):
        Results(app_on(f"file://{tmp_path}")).outcomes(["a", "b\0"])


# ---------------------------------------------------------------------- a database


def test_only_a_pickle_of_nothing_but_bytes_is_taken_apart(tmp_path: Path) -> None:
    for protocol in range(2, 6):
        assert unwrapped(pickle.dumps(b'{"a": 1}', protocol)) in (b'{"a": 1}', None)
    assert unwrapped(pickle.dumps(b'{"a": 1}', 4)) == b'{"a": 1}'
    assert unwrapped(b'{"a": 1}') == b'{"a": 1}'
    for wrapped in (Trap(tmp_path / "sprung"), [b"1"], (b"1", b"2"), "text", {b"1"}):
        assert unwrapped(pickle.dumps(wrapped)) is None
    assert unwrapped(b"\x80") is None
    assert unwrapped(b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f") is None
    assert not (tmp_path / "sprung").exists()


def database(tmp_path: Path, **conf: Any) -> tuple[Any, str]:
    url = f"db+sqlite:///{tmp_path / 'results.db'}"
    return app_on(url, **conf), url


def test_celerys_own_table_is_read(tmp_path: Path) -> None:
    app, url = database(tmp_path, result_extended=True)
    app.backend.store_result("good", {"a": 1}, "SUCCESS")
    app.backend.store_result("bad", ValueError("no", 7), "FAILURE", traceback="Traceback …")
    app.backend.store_result("runs", {"pid": 1}, "STARTED")
    found = Results(app_on(url)).outcomes(["good", "bad", "runs", "unknown"])
    assert set(found) == {"good", "bad"}
    assert found["good"].result == "{'a': 1}"
    assert (found["bad"].exception, found["bad"].traceback) == (
        "ValueError('no', 7)",
        "Traceback …",
    )
    written = found["good"].at
    assert written is not None
    assert abs(written - datetime.now(UTC).timestamp()) < 60
    assert Results(app_on(url)).read("good").value == {"a": 1}
    assert Results(app_on(url)).read("unknown").state == "PENDING"


def test_a_table_of_an_older_celery_is_read_and_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "results.db"
    sprung = tmp_path / "sprung"
    with sqlite3.connect(file) as db:
        db.execute(
            "CREATE TABLE jobs_done (id INTEGER PRIMARY KEY, task_id TEXT, status TEXT, "
            "result BLOB, date_done TIMESTAMP, traceback TEXT)"
        )
        rows = [
            ("good", "SUCCESS", pickle.dumps(b'{"a": 1}'), "2026-11-18 10:00:00.250000", None),
            ("trap", "SUCCESS", pickle.dumps(Trap(sprung)), "2026-11-18 10:00:00", None),
        ]
        db.executemany("INSERT INTO jobs_done VALUES (NULL, ?, ?, ?, ?, ?)", rows)
        schema = db.execute("SELECT sql FROM sqlite_master").fetchall()
    db.close()
    app = app_on(f"db+sqlite:///{file}", database_table_names={"task": "jobs_done"})
    found = Results(app).outcomes(["good", "trap"])
    assert (found["good"].result, found["good"].at) == ("{'a': 1}", AT + 0.25)
    assert (found["trap"].state, found["trap"].result) == ("SUCCESS", None)
    assert Results(app).read("trap").problem
    assert not sprung.exists()
    with sqlite3.connect(file) as db:
        assert db.execute("SELECT sql FROM sqlite_master").fetchall() == schema
    db.close()


def test_the_table_of_django_celery_results_is_read(tmp_path: Path) -> None:
    file = tmp_path / "site.db"
    with sqlite3.connect(file) as db:
        db.execute(
            f"CREATE TABLE {DJANGO_TABLE} (id INTEGER PRIMARY KEY, task_id TEXT, task_name TEXT, "
            "status TEXT, worker TEXT, content_type TEXT, content_encoding TEXT, result TEXT, "
            "date_done TIMESTAMP, traceback TEXT)"
        )
        plain, pickled = "application/json", "application/x-python-serialize"
        rows = [
            ("good", "a.b", "SUCCESS", "celery@a", plain, "utf-8", '{"a": 1}', DONE, None),
            ("trap", "a.b", "SUCCESS", None, pickled, "binary", "gAR9lC4=", DONE, None),
        ]
        db.executemany(f"INSERT INTO {DJANGO_TABLE} VALUES (NULL, ?,?,?,?,?,?,?,?,?)", rows)  # noqa: S608
    db.close()
    found = Results(app_on(f"db+sqlite:///{file}")).outcomes(["good", "trap", "unknown"])
    good = found["good"]
    assert (good.worker, good.result, good.at) == ("celery@a", "{'a': 1}", AT)
    assert found["trap"].result is None
    assert set(found) == {"good", "trap"}


def test_what_is_in_a_row_is_read_as_far_as_it_can_be() -> None:
    assert to_meta({"status": "SUCCESS", "result": b"{"}) == {"status": "SUCCESS", "result": None}
    assert to_meta({"status": "SUCCESS", "result": "[1]"})["result"] == [1]
    assert to_meta({"status": "SUCCESS", "result": None}) == {"status": "SUCCESS", "result": None}
    assert to_meta({"status": "A", "result": "[" * 100_000})["result"] is None


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    file = tmp_path / "none.db"
    results = Results(app_on(f"db+sqlite:///{file}"))
    assert results.configured
    with pytest.raises(Unavailable, match="no database of results"):
        results.outcomes(["a"])
    assert not file.exists()


def test_a_database_without_such_a_table_is_said(tmp_path: Path) -> None:
    file = tmp_path / "other.db"
    with sqlite3.connect(file) as db:
        db.execute("CREATE TABLE other (id INTEGER)")
    db.close()
    with pytest.raises(Unavailable, match=CELERY_TABLE):
        Results(app_on(f"db+sqlite:///{file}")).outcomes(["a"])


def test_a_driver_that_is_missing_is_said_without_the_password() -> None:
    with pytest.raises(NotPossible) as error:
        ResultTable("db+nosuch://user:hush@host/name")
    assert "hush" not in str(error.value)


def test_a_database_of_results_is_never_changed(tmp_path: Path) -> None:
    app, url = database(tmp_path)
    app.backend.store_result("good", {"a": 1}, "SUCCESS")
    results = Results(app_on(url))
    results.check()
    with pytest.raises(NotPossible, match="never changed"):
        results.check(changes=True)
    for change in (results.abort, results.forget):
        with pytest.raises(NotPossible, match="never changed"):
            change("good")


def test_a_long_list_of_ids_is_one_question(tmp_path: Path) -> None:
    app, url = database(tmp_path)
    for number in range(3):
        app.backend.store_result(f"u{number}", number, "SUCCESS")
    found = Results(app_on(url)).outcomes([f"u{number}" for number in range(500)])
    assert json.loads(f"[{', '.join(found[f'u{i}'].result or '' for i in range(3))}]") == [0, 1, 2]
