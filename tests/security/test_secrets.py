"""Secrets are planted in a real console, it is used and hurt, and everything it left is searched."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

import httpx
import pytest
from celery import Celery

from celeryscope.web.auth.door import CSRF_HEADER
from celeryscope.web.auth.policy import RULES
from tests.conftest import answers, free_port, need, running, running_redis

pytestmark = pytest.mark.timeout(120)

#: What must be nowhere in clear. Some have characters that are written otherwise in URLs.
PLANTED: Final[Mapping[str, str]] = {
    "broker": "br0ker@pass/w0rd",
    "result backend": "re5ult:backend#pw",
    "management API": "m4nagement-api-pw",
    "basic auth": "b4sic-auth-pw",
    "cookie": "c00kie-secret-of-many-chars",
    "client": "0idc-client-secret",
    "sentinel": "s3ntinel-option-pw",
    "user": "us3r-password-in-file",
    "wrong": "wr0ng-password-typed",
    "wrong token": "cscope_AAAAAAAA_wr0ng-token-that-never-was-one-of-oursxx",
    "masked": "card=4111111111111111",
}


def writings(secret: str) -> set[bytes]:
    """Give every way in which a secret might stand somewhere."""
    raw = secret.encode()
    found = {
        raw, quote(secret, safe="").encode(), quote(secret).encode(),
        json.dumps(secret)[1:-1].encode(), raw.hex().encode(),
    }  # fmt: skip
    # In base64 it depends on what stands before it: three ways, without the ends that mix.
    for before in range(3):
        coded = base64.b64encode(b"x" * before + raw)
        found.add(coded[4 if before else 0 : len(coded) // 4 * 4 - 4])
    return found


class Found:
    """Everything that a console told or left, by where."""

    def __init__(self) -> None:
        self.texts: dict[str, bytes] = {}

    def add(self, where: str, text: bytes | str) -> None:
        data = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
        self.texts[where] = self.texts.get(where, b"") + b"\n" + data

    def check(self, secrets: Mapping[str, str]) -> None:
        """See that no secret stands anywhere."""
        told = [
            f"the secret of the {name} stands in {where}: …{data[max(0, at - 60) : at + 80]!r}…"
            for name, secret in secrets.items()
            for writing in writings(secret)
            for where, data in self.texts.items()
            if (at := data.find(writing)) >= 0
        ]
        assert not told, "\n".join(told)


def test_the_search_finds_what_is_there() -> None:
    found = Found()
    found.add("a log", "redis://:" + quote(PLANTED["broker"], safe="") + "@host/0")
    for where, secret in (("broker", PLANTED["broker"]),):
        with pytest.raises(AssertionError, match="the secret of the broker stands in a log"):
            found.check({where: secret})
    for before in ("", "u:", "user:", "a:"):
        found = Found()
        found.add("a header", base64.b64encode((before + PLANTED["user"]).encode()))
        with pytest.raises(AssertionError, match="stands in a header"):
            found.check({"user": PLANTED["user"]})


def until(true: Callable[[], object], *, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class Run:
    """A console with every secret there is, and what it left."""

    def __init__(self, directory: Path, log_format: str) -> None:
        self.directory = directory
        self.data = directory / "data"
        self.log = directory / "console.log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.found = Found()
        self.secrets = dict(PLANTED)
        self._format = log_format

    def command(self, *arguments: str, typed: str = "", fails: bool = False) -> str:
        """Run one of our commands; what it says is kept, too."""
        done = subprocess.run(
            [sys.executable, "-m", "celeryscope", *arguments],
            input=typed, capture_output=True, text=True, check=False, timeout=40, cwd=self.directory,
            env={**os.environ, "CELERYSCOPE_DATA_DIR": str(self.data)},
        )  # fmt: skip
        assert bool(done.returncode) is fails, done.stderr
        self.found.add(f"what {' '.join(arguments[:2])} says", done.stderr)
        return done.stdout

    def environment(self, broker: str) -> dict[str, str]:
        return {
            "CELERYSCOPE_BROKER": broker,
            "CELERYSCOPE_TRANSPORT_OPTIONS": json.dumps(
                {"sentinel_kwargs": {"password": PLANTED["sentinel"]}}
            ),
            "CELERYSCOPE_RESULT_BACKEND": (
                f"redis://u:{quote(PLANTED['result backend'], safe='')}@127.0.0.1:{free_port()}/1"
            ),
            "CELERYSCOPE_BROKER_API": f"http://u:{PLANTED['management API']}@127.0.0.1:1/api/",
            "CELERYSCOPE_BASIC_AUTH": f"basil:{PLANTED['basic auth']}",
            "CELERYSCOPE_COOKIE_SECRET": PLANTED["cookie"],
            "CELERYSCOPE_OIDC_ISSUER": f"http://127.0.0.1:{free_port()}",
            "CELERYSCOPE_OIDC_CLIENT_ID": "celeryscope",
            "CELERYSCOPE_OIDC_CLIENT_SECRET": PLANTED["client"],
            "CELERYSCOPE_OIDC_DEFAULT_ROLE": "viewer",
            "CELERYSCOPE_MASK": r"card=\d+",
            "CELERYSCOPE_DATA_DIR": str(self.data),
            "CELERYSCOPE_LOG_FORMAT": self._format,
            "CELERYSCOPE_LOG_LEVEL": "debug",
        }

    @contextlib.contextmanager
    def serving(self, broker: str) -> Iterator[int]:
        with running(
            [sys.executable, "-m", "celeryscope", "serve", "--port", str(self.port)],
            log=self.log,
            ready=lambda: answers(self.port, b"GET /health HTTP/1.0\r\n\r\n", b"HTTP/1."),
            env={**os.environ, **self.environment(broker)},
            cwd=self.directory,
        ) as process:
            yield process.pid
        self.found.add("the log", self.log.read_bytes())

    def note(self, answer: httpx.Response, *, but_cookies: bool = True) -> httpx.Response:
        """Keep an answer, with its headers, for the search."""
        request = answer.request
        headers = [
            v for n, v in answer.headers.multi_items() if not (but_cookies and n == "set-cookie")
        ]
        where = f"the answer {answer.status_code} of {request.method} {request.url.path}"
        self.found.add(where, answer.content + "\n".join(headers).encode())
        return answer

    def look_everywhere(self, client: httpx.Client, who: str) -> None:
        """Ask every route, with and without what is there."""
        for path in sorted(RULES):
            for value in ("a", "celery", "celery@w", "ping"):
                target = re.sub(r"{[^}]*}", value, path)
                for accept in ("*/*", "text/html", "application/openmetrics-text"):
                    headers = {"accept": accept}
                    if path == "/logout":
                        continue
                    if path.endswith("/live"):
                        target += "?topics=overview,workers,tasks"
                        with client.stream("GET", target, timeout=5) as stream:
                            part = next(stream.iter_bytes(), b"")
                        self.found.add(f"the live stream of {who}", part)
                        break
                    self.note(client.get(target, headers=headers, timeout=10))
                if "{" not in path:
                    break
        self.note(client.get("/nowhere"))

    def keep_the_title(self, pid: int) -> None:
        need(Path(f"/proc/{pid}/cmdline").exists(), "there is no /proc here")
        self.found.add("the process' title", Path(f"/proc/{pid}/cmdline").read_bytes())

    def keep_the_directory(self) -> None:
        for path in sorted(self.data.rglob("*")):
            # A file that is replaced at this moment has another name for a blink.
            with contextlib.suppress(FileNotFoundError, IsADirectoryError):
                self.found.add(f"the file {path.relative_to(self.data)}", path.read_bytes())
                assert path.stat().st_mode & 0o077 == 0, f"others may read {path}"
        assert self.data.stat().st_mode & 0o077 == 0


def send_events(broker: str) -> None:
    app = Celery(broker=broker)
    masked = f"{{'pay': '{PLANTED['masked']}'}}"
    with app.events.default_dispatcher(hostname="celery@w") as worker:
        worker.send("worker-heartbeat", freq=2.0, active=0, processed=0, loadavg=[0.0] * 3)
        worker.send("task-received", uuid="a", name="shop.pay", args="()", kwargs=masked)
        worker.send("task-started", uuid="a")
        worker.send(
            "task-failed", uuid="a", exception=f"ValueError('{PLANTED['masked']}')",
            traceback=f"line: {PLANTED['masked']}",
        )  # fmt: skip
    app.send_task("shop.pay", kwargs={"pay": PLANTED["masked"]}, queue="celery")
    app.close()


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_secret_is_anywhere_after_all_has_been_used(log_format: str, tmp_path: Path) -> None:
    run = Run(tmp_path, log_format)
    run.command("user", "add", "ada", "--role", "admin", "--password-stdin",
                typed=PLANTED["user"] + "\n")  # fmt: skip
    secret = run.command("token", "add", "ci", "--role", "admin").strip()
    assert secret.startswith("cscope_")
    run.secrets["token"] = secret
    redis = tmp_path / "redis"
    redis.mkdir()
    with running_redis(redis, "--requirepass", PLANTED["broker"]) as plain:
        broker = plain.replace("redis://", f"redis://:{quote(PLANTED['broker'], safe='')}@")
        with run.serving(broker) as pid:
            bearer = {"authorization": f"Bearer {secret}"}
            with httpx.Client(base_url=run.url) as program:
                use(run, program, bearer, broker)
                run.keep_the_title(pid)
                redis_ends(redis)
                until(lambda: program.get("/api/v1/overview", headers=bearer).json()["broker"]["state"]
                      == "disconnected")  # fmt: skip
                program.headers.update(bearer)
                run.look_everywhere(program, "a token, without a broker")
                program.post("/api/v1/control/ping", json={})
            run.keep_the_directory()
    run.keep_the_directory()
    run.found.add("the audit trail", run.command("audit", "export", "--format", "jsonl"))
    run.found.add("the audit trail", run.command("audit", "show"))
    run.found.add("the list of tokens", run.command("token", "list"))
    run.found.add("the list of users", run.command("user", "list"))
    assert len(run.found.texts) > 40
    assert b"log in" in run.found.texts["the audit trail"], "it was used"
    run.found.check(run.secrets)


def redis_ends(directory: Path) -> None:
    """Take the broker away: its process is named in its log file's directory alone."""
    port = int(next(directory.glob("redis-*.log")).stem.rpartition("-")[2])
    import redis

    client = redis.Redis(port=port, password=PLANTED["broker"])
    with contextlib.suppress(redis.ConnectionError):
        client.shutdown(nosave=True)
    client.close()


def use(run: Run, program: httpx.Client, bearer: dict[str, str], broker: str) -> None:
    """Log in and out, well and badly; look at everything; have things done."""

    def broker_state() -> bool:
        told = program.get("/api/v1/overview", headers=bearer).json()
        return bool(told["broker"]["state"] == "connected")

    until(broker_state)
    send_events(broker)
    until(lambda: program.get("/api/v1/tasks/a", headers=bearer).status_code == 200)
    for name, password in (("ada", PLANTED["wrong"]), ("nobody", PLANTED["wrong"])):
        form = {"name": name, "password": password, "next": "/tasks"}
        assert run.note(program.post("/login", data=form)).status_code == 401
        assert run.note(program.get("/api/tasks", auth=(name, password))).status_code == 401
    wrong = {"authorization": f"Bearer {PLANTED['wrong token']}"}
    assert run.note(program.get("/api/tasks", headers=wrong)).status_code == 401
    run.note(program.get("/login/start"))  # a provider that is not there
    run.note(program.get("/login/callback?code=x&state=y"))
    assert (
        run.note(program.get("/api/tasks", auth=("basil", PLANTED["basic auth"]))).status_code
        == 200
    )
    with httpx.Client(base_url=run.url) as browser:
        form = {"name": "ada", "password": PLANTED["user"], "next": "/tasks"}
        entered = run.note(browser.post("/login", data=form))
        assert entered.status_code == 303
        cookie = next(iter(browser.cookies.values()))
        run.secrets["session"] = cookie
        run.secrets["half of the session"] = cookie.partition(".")[0]
        csrf = {CSRF_HEADER: browser.get("/api/v1/me").json()["csrf"]}
        run.look_everywhere(browser, "ada")
        kwargs = {"pay": PLANTED["masked"]}
        sent = {"arguments": {"task_name": "shop.pay", "kwargs": kwargs}}
        told = run.note(browser.post("/api/v1/control/send_task", json=sent, headers=csrf))
        assert told.status_code in (200, 202), told.text
        for path, body in (
            ("/api/v1/control/ping", {}),
            ("/api/v1/control/nonsense", {"arguments": {"a": PLANTED["masked"]}}),
            ("/api/v1/control/send_task", {"arguments": {"task_name": 5, "kwargs": kwargs}}),
        ):
            run.note(browser.post(path, json=body, headers=csrf))
        run.note(browser.get("/api/task/result/a?timeout=1"))  # a backend that is not there
        run.note(
            browser.post("/api/task/send-task/shop.pay", json={"kwargs": kwargs}, headers=csrf)
        )
        run.note(browser.get("/api/v1/queues/celery/messages"))
        made = browser.post(
            "/api/v1/tokens", headers=csrf,
            json={"name": "mine", "role": "viewer", "queues": [], "tasks": [], "expires_in": 3600},
        )  # fmt: skip
        assert made.status_code == 201, made.text
        run.secrets["second token"] = made.json()["secret"]
        run.look_everywhere(browser, "ada, later")
        run.note(browser.get("/api/v1/audit/export?format=csv"))
        run.note(browser.post("/logout", headers=csrf))


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"CELERYSCOPE_BROKER": "redis://:br0ker%40pass%2Fw0rd@127.0.0.1:1/zero"}, 2),
        ({"CELERYSCOPE_BROKER": "nonsense://u:m4nagement-api-pw@host"}, 2),
        ({"CELERYSCOPE_BROKER_API": "ftp://u:m4nagement-api-pw@host"}, 2),
        ({"CELERYSCOPE_BASIC_AUTH": "b4sic-auth-pw"}, 2),
        ({"CELERYSCOPE_COOKIE_SECRET": "wr0ng-password"}, 2),
        ({"CELERYSCOPE_TRANSPORT_OPTIONS": '{"password": "s3ntinel-option-pw"'}, 2),
        ({"CELERYSCOPE_BROKER_USE_SSL": '{"password": "s3ntinel-option-pw"'}, 2),
        ({"CELERYSCOPE_CERTFILE": "broken.pem", "CELERYSCOPE_KEYFILE": "broken.pem"}, 2),
        ({"CELERYSCOPE_USERS_FILE": "broken.pem"}, 2),
        ({"CELERYSCOPE_CONFIG": "broken.toml"}, 2),
    ],
)
def test_what_is_wrong_at_the_start_is_told_without_it(
    wrong: dict[str, str], status: int, tmp_path: Path
) -> None:
    (tmp_path / "broken.pem").write_text(f"{PLANTED['user']}\n")
    (tmp_path / "broken.toml").write_text(f'basic_auth = "{PLANTED["basic auth"]}"\nbroker = 5\n')
    secrets = {**PLANTED, "short cookie": "wr0ng-password"}
    env = {
        "CELERYSCOPE_BROKER": "redis://127.0.0.1:1/0", "CELERYSCOPE_DATA_DIR": str(tmp_path / "d"),
        "CELERYSCOPE_LOG_LEVEL": "debug", **wrong,
    }  # fmt: skip
    try:
        done = subprocess.run(
            [sys.executable, "-m", "celeryscope", "serve", "--port", str(free_port())],
            env={**os.environ, **env}, capture_output=True, timeout=10, check=False, cwd=tmp_path,
        )  # fmt: skip
        said, code = done.stdout + done.stderr, done.returncode
    except subprocess.TimeoutExpired as still_running:  # it bears with what is wrong
        said, code = (still_running.stdout or b"") + (still_running.stderr or b""), None
    assert said, "it says what is wrong"
    assert code in (status, None)
    found = Found()
    found.add("what it says", said)
    found.check(secrets)
