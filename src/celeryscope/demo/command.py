"""`celeryscope demo`: a real cluster and the console over it, until Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from celeryscope import ports
from celeryscope.demo import plan as plans
from celeryscope.demo import sight, valkey
from celeryscope.demo.sight import Sight
from celeryscope.demo.supervisor import Program, Supervisor
from celeryscope.errors import CeleryscopeError, ConfigError, PortInUse

START_TIMEOUT_SECONDS = 30.0
CONSOLE_FIRST_SECONDS = 5.0  # how long traffic waits for the console, to be seen from the start
LOOK_SECONDS = 0.1
LOG_CHECK_SECONDS = 10.0
LOG_TAIL_LINES = 15

Say = Callable[[str], None]

START_TEXT = """\
Celeryscope demo: a web shop's Celery cluster, small but real.

  Page     {page_url}
  Cluster  {workers} workers, beat, about {tasks_per_second:.0f} tasks a second on {queues} queues
  Broker   {broker_url} (Valkey)
  Logs     {logs}
  Stop     Ctrl-C
"""


class Place(NamedTuple):
    """Where the console listens."""

    address: str
    port: int
    url_prefix: str

    def look(self) -> Sight:
        return sight.look(self.address, self.port, self.url_prefix)

    @property
    def page_url(self) -> str:
        return sight.page_url(self.address, self.port, self.url_prefix)


def run(
    *,
    address: str = "127.0.0.1",
    port: int = 5555,
    url_prefix: str = "",
    data_dir: Path | None = None,
    broker_port: int | None = None,
    rate: float = 1.0,
    console: Sequence[str] | None = None,
) -> int:
    """Run until a signal asks for the end; returns the exit status. For the main thread.

    `rate` multiplies the traffic. Without `data_dir` everything is kept in a temporary directory
    that is removed at the end. `console` is a command line to run in place of our console.

    Raises PortInUse and ConfigError before anything was started, and CeleryscopeError when a
    part cannot start.
    """
    if not rate > 0:
        raise ConfigError("The demo's rate must be more than 0.")
    valkey_server = valkey.find_server()
    check_port(address, port, option="--port")
    if broker_port is not None:
        check_port(valkey.ADDRESS, broker_port, option="--broker-port")
    place = Place(address, port, url_prefix)
    with _directory(data_dir) as directory:
        plan = plans.make_plan(
            directory=directory,
            environment=os.environ,
            valkey_server=valkey_server,
            broker_port=broker_port or ports.any_free(valkey.ADDRESS),
            console=console,
            address=address,
            port=port,
            url_prefix=url_prefix,
            rate=rate,
        )
        with Supervisor(say=say) as supervisor:
            if data_dir is None:
                supervisor.remove_at_end(directory)
            try:
                _start(supervisor, plan, place)
                _keep_running(supervisor)
            except KeyboardInterrupt:
                say("Stopping. Ctrl-C again ends it at once.")
    say("Stopped.")
    return 0


def check_port(address: str, port: int, *, option: str) -> None:
    """Raises PortInUse, with a port that is free, and ConfigError for an impossible address."""
    try:
        free = ports.is_free(address, port)
    except OSError as error:
        raise ConfigError(f"Cannot listen on {address}:{port}: {error.strerror}") from None
    if not free:
        raise PortInUse(address, port, option=option, free_port=ports.next_free(address, port))


def say(line: str) -> None:
    """To the user. A terminal that is gone does not end the demo; its SIGHUP does."""
    with contextlib.suppress(OSError):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


@contextlib.contextmanager
def _directory(data_dir: Path | None) -> Iterator[Path]:
    if data_dir is not None:
        plans.prepare(data_dir.resolve())
        yield data_dir.resolve()
        return
    directory = Path(tempfile.mkdtemp(prefix="celeryscope-demo-"))
    try:
        plans.prepare(directory)
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _start(supervisor: Supervisor, plan: plans.Plan, place: Place) -> None:
    began = time.monotonic()
    say(
        START_TEXT.format(
            page_url=place.page_url,
            workers=len(plan.workers),
            tasks_per_second=plan.tasks_per_second,
            queues=len(plans.QUEUES),
            broker_url=plan.broker_url,
            logs=plan.logs,
        )
    )
    _start_and_await(supervisor, plan.broker, lambda: valkey.answers(plan.broker_port))
    supervisor.start(plan.console)
    for worker in plan.workers:
        supervisor.start(worker)
    seen = _await_console(supervisor, plan.console, place)
    for client in plan.clients:
        supervisor.start(client)
    if seen.answers and not seen.readable:
        say(f"The console answers after {time.monotonic() - began:.1f} s.")
        return
    _await_live_data(supervisor, plan.console, place, began)


def _start_and_await(supervisor: Supervisor, program: Program, is_up: Callable[[], bool]) -> None:
    supervisor.start(program)
    give_up_at = time.monotonic() + START_TIMEOUT_SECONDS
    while not is_up():
        if time.monotonic() > give_up_at:
            raise CeleryscopeError(f"{program.name} does not answer.{_log_tail(program)}")
        _wait(supervisor, program)


def _await_console(supervisor: Supervisor, console: Program, place: Place) -> Sight:
    """Until it watches the broker, but no longer than the traffic should wait for it."""
    give_up_at = time.monotonic() + CONSOLE_FIRST_SECONDS
    seen = place.look()
    while time.monotonic() < give_up_at and not (
        seen.connected or (seen.answers and not seen.readable)
    ):
        _wait(supervisor, console)
        seen = place.look()
    return seen


def _await_live_data(supervisor: Supervisor, console: Program, place: Place, began: float) -> None:
    give_up_at = began + START_TIMEOUT_SECONDS
    seen = place.look()
    while not (seen.tasks and seen.workers == len(plans.WORKERS)):
        if time.monotonic() > give_up_at:
            say(f"No live data after {START_TIMEOUT_SECONDS:.0f} s. The logs may say why.")
            return
        _wait(supervisor, console)
        seen = place.look()
    say(
        f"Live after {time.monotonic() - began:.1f} s: "
        f"{seen.workers} workers and {seen.tasks} task events on the page."
    )


def _wait(supervisor: Supervisor, needed: Program) -> None:
    """A short wait. Raises when the program that everything waits for has ended."""
    supervisor.wait(LOOK_SECONDS)
    if supervisor.exits[needed.name]:
        raise CeleryscopeError(f"{needed.name} ended at its start.{_log_tail(needed)}")


def _log_tail(program: Program) -> str:
    lines = program.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
    return "".join(f"\n  {line}" for line in lines)


def _keep_running(supervisor: Supervisor) -> None:
    while True:
        supervisor.wait(LOG_CHECK_SECONDS)
        supervisor.trim_logs()
