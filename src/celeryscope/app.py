"""The composition root: from a Config to a running console. The only place where rooms meet."""

from __future__ import annotations

import errno
import gc
import logging
import re
import signal
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import uvicorn

from celeryscope import __version__, ports
from celeryscope.broker.base import QueueDepth, QueuePoller
from celeryscope.broker.open import open_depths, open_looks
from celeryscope.cluster import liveness
from celeryscope.cluster.accounting import Accounting
from celeryscope.cluster.state import ClusterState
from celeryscope.config.load import is_loopback
from celeryscope.config.settings import Config, masker
from celeryscope.control.action import Action
from celeryscope.control.app import make_app, overrule
from celeryscope.control.commands import Role
from celeryscope.control.desk import Desk
from celeryscope.control.effects import Sight
from celeryscope.control.inspect import Inspector
from celeryscope.control.jobs import Jobs
from celeryscope.control.remote import Remote
from celeryscope.control.results import Results
from celeryscope.errors import CeleryscopeError, ConfigError, PortInUse
from celeryscope.ingest.open import broker_url, open_source
from celeryscope.ingest.pipeline import Pipeline
from celeryscope.ingest.source import Source
from celeryscope.metrics.catalog import Catalog, Limits
from celeryscope.metrics.collectors import (
    BuildCollector,
    IngestCollector,
    ProcessCollector,
    QueuesCollector,
    TasksCollector,
    WaitingCollector,
    WorkersCollector,
    queue_names,
)
from celeryscope.metrics.recorder import Recorder, sole_queue
from celeryscope.metrics.registry import Metrics
from celeryscope.model.event import Event
from celeryscope.model.schedule import Entry
from celeryscope.model.task import Task
from celeryscope.model.worker import Worker
from celeryscope.schedules.reader import Reader
from celeryscope.web import app as web
from celeryscope.web.services import Broker, IngestStats, Services, Vitals

logger = logging.getLogger(__name__)

_ASSETS = Path(__file__).parent / "web" / "dist"
#: A worker that is gone stays on the page for this long; its metrics go earlier.
_REMEMBERED_SECONDS = 86_400.0
_RETIRE_EVERY_SECONDS = 5.0
_ENABLE_EVENTS_SECONDS = 5.0
_SWITCH_SECONDS = 0.001
_GC_THRESHOLDS = (10_000, 20, 50)


class Watch:
    """Everything that watches one broker: the source, the fold behind it, and its metrics."""

    def __init__(
        self,
        config: Config,
        *,
        celery_app: Any,
        exporter: bool,
        console_url: str | None = None,
    ) -> None:
        """`console_url` is where people reach the console; None: there is none, or who knows."""
        self.config = config
        self.app = celery_app
        self.exporter = exporter
        self.started_at = time.time()
        mask = masker(config.mask)
        self.state = ClusterState(
            max_tasks=config.max_tasks,
            max_workers=config.max_workers,
            max_names=config.max_task_names,
            max_text_bytes=config.max_text_bytes,
            # The exporter shows no texts; it needs names, times and the class of an exception.
            max_text_chars=256 if exporter else config.max_text_chars,
            mask=mask,
        )
        self.accounting = Accounting()
        self.source = build_source(config, celery_app=celery_app)
        self.inspector = Inspector(
            app=celery_app,
            timeout_seconds=config.reply_timeout,
            interval_seconds=config.inspect_interval,
            enable_events_seconds=_ENABLE_EVENTS_SECONDS if config.enable_events else None,
            mask=mask,
            workers=self._known_workers,
        )
        self.queues = QueuePoller(
            depths=open_depths(app=celery_app, broker_api=config.broker_api or None),
            queues=self._queue_names,
            interval_seconds=config.queue_interval,
        )
        self.messages = open_looks(app=celery_app, broker_api=config.broker_api or None, mask=mask)
        sight = Sight(online=self._seen_online, task_state=self._task_state)
        self.remote = Remote(
            app=celery_app,
            workers=self._known_workers,
            sight=sight,
            timeout_seconds=config.control_timeout,
            max_workers=max(10_000, config.max_workers),
            mask=mask,
            on_change=self._mind_events,
        )
        self.results = Results(celery_app)
        self.schedules = Reader(app=celery_app, conf_of_workers=self._conf_of_workers)
        self.jobs = Jobs(
            app=celery_app,
            results=self.results,
            tasks=self._task,
            known_names=self._task_names,
            entries=self._entries,
            mask=mask,
            sight=sight,
        )
        self.desk = Desk(remote=self.remote, jobs=self.jobs, consumers=self._consumers)
        self.recorder = build_recorder(config, queues_of=self._queues_of)
        self.metrics = Metrics(recorder=self.recorder, collectors=self._collectors(console_url))
        self.pipeline = Pipeline(
            fold=self._fold,
            tick=self._tick,
            losses=self.accounting,
            transport=self.source.transport,
            url=self.source.url,
            max_message_bytes=config.max_message_bytes,
        )
        self._stop = threading.Event()
        self._retired_at = 0.0
        self._thread = threading.Thread(
            target=self.source.run, args=(self.pipeline, self._stop), name="source", daemon=True
        )

    def start(self) -> None:
        """Begin to read; no trouble with the broker ends it."""
        self._thread.start()
        self.inspector.start()
        self.queues.start()
        if not self.exporter:
            self.remote.start()
            self.jobs.start()
            self.schedules.start()

    def stop(self) -> None:
        """End, in reverse order."""
        if not self.exporter:
            self.schedules.stop()
            self.jobs.stop()
            self.remote.stop()
        self.queues.stop()
        self.inspector.stop()
        self._stop.set()
        self._thread.join(5.0)

    # ------------------------------------------------------------------ in the source's thread

    def _fold(self, events: Sequence[Event], received_at: float) -> None:
        with self.state.lock:
            before = self.state.totals.get("worker-online")
            applied = self.state.apply(events, received_at)
        if self.state.totals.get("worker-online") != before:
            for event, _, worker in applied:
                if event.type == "worker-online" and worker is not None:
                    self.inspector.welcome(worker.hostname)
        # Not `received_at`: what waits for a name or queue waits by the time we work, so that a
        # backlog does not cut the waiting short.
        self.recorder.record(applied, time.time())

    def _tick(self, now: float) -> None:
        with self.state.lock:
            self.state.tick(now)
        self.recorder.tick(now, self.state.workers)
        if now - self._retired_at >= _RETIRE_EVERY_SECONDS:
            self._retired_at = now
            self._retire(now)
            self.state.sole_queues = {
                host: queues[0] for host, queues in self._queues_of().items() if len(queues) == 1
            }

    def _retire(self, now: float) -> None:
        """Let go of what belongs to workers that are gone: first their series, then the rest."""
        after = self.config.purge_offline_workers
        if not after:
            return
        for worker in list(self.state.workers.values()):
            silent = now - worker.last_seen
            if silent < after or self.worker_status(worker, now) != "offline":
                continue
            if not worker.retired:
                worker.retired = True
                self.recorder.retire_worker(worker.hostname)
                self.inspector.forget(worker.hostname)
            if silent >= max(after, _REMEMBERED_SECONDS):
                with self.state.lock:
                    self.state.forget_worker(worker.hostname)

    # ------------------------------------------------------------------ for the others

    def worker_status(self, worker: Worker, now: float) -> liveness.Status:
        status = self.pipeline.status
        return liveness.status(
            worker, now, blind_since=status.blind_since, blind_until=status.blind_until
        )

    def broker(self) -> Broker:
        status = self.pipeline.status
        return Broker(
            transport=status.transport,
            url=status.url,
            state=status.state,
            since=status.since,
            error=status.error,
            hint=status.hint,
        )

    def ingest(self) -> IngestStats:
        return IngestStats(
            lag_seconds=max(0.0, self.pipeline.backlog_seconds + self.state.last_event_lag),
            buffer_bytes=self.pipeline.buffer_bytes,
            buffer_limit_bytes=self.config.event_buffer_bytes,
            mask_active=self.state.mask is not None,
            label_overflow=self.recorder.overflow(),
        )

    def ready(self) -> bool:
        return self.pipeline.status.state == "connected"

    def vitals(self) -> dict[str, Any]:
        return {
            "broker": self.broker,
            "render_metrics": self.metrics.render,
            "ready": self.ready,
        }

    def services(self) -> Services:
        """Everything the console shows."""
        return Services(
            **self.vitals(),
            state=self.state,
            accounting=self.accounting,
            inspector=self.inspector,
            queues=self.queues,
            messages=self.messages,
            desk=self.desk,
            results=self.results,
            schedules=self.schedules,
            role=role_of(self.config),
            read_only=self.config.read_only,
            ingest=self.ingest,
            worker_status=self.worker_status,
            version=__version__,
            started_at=self.started_at,
            grafana_url=self.config.grafana_url or None,
        )

    # ------------------------------------------------------------------ for commands

    def _known_workers(self) -> Mapping[str, bool]:
        """Give every worker that events or answers tell of, and whether it may be there."""
        now = time.time()
        with self.state.lock:
            workers = list(self.state.workers.values())
        known = dict.fromkeys(self.inspector.latest, True)
        for worker in workers:
            known[worker.hostname] = self.worker_status(worker, now) != "offline"
        return known

    def _seen_online(self, hostname: str) -> bool | None:
        worker = self.state.workers.get(hostname)
        if worker is None:
            return None
        status = self.worker_status(worker, time.time())
        return None if status == "unknown" else status == "online"

    def _task(self, task_id: str) -> Task | None:
        return self.state.tasks.get(task_id)

    def _task_state(self, task_id: str) -> str | None:
        task = self.state.tasks.get(task_id)
        return task.state if task is not None else None

    def _task_names(self) -> Iterator[str]:
        for inspection in self.inspector.latest.values():
            for told in inspection.registered or ():
                yield told.partition(" [")[0]

    def _entries(self) -> Sequence[Entry]:
        return [entry for schedule in self.schedules.latest for entry in schedule.entries]

    def _conf_of_workers(self) -> Mapping[str, Mapping[str, Any] | None]:
        return {host: told.conf for host, told in self.inspector.latest.items()}

    def _consumers(self, queue: str) -> Sequence[str]:
        return [
            host
            for host, queues in self._queues_of().items()
            if queue in queues and self._online(host)
        ]

    def _mind_events(self, action: Action) -> None:
        """Do not turn on again what somebody has turned off here."""
        if action.command.name in ("disable_events", "enable_events"):
            silent = action.command.name == "disable_events"
            hostnames = [worker.hostname for worker in action.snapshot().workers]
            self.inspector.silence(hostnames, silent=silent)

    # ------------------------------------------------------------------ parts

    def _queues_of(self) -> Mapping[str, Sequence[str]]:
        return {host: queue_names(told) for host, told in self.inspector.latest.items()}

    def _depths(self) -> Mapping[str, QueueDepth]:
        """Queues as they are; none while the broker cannot be asked: what was is not what is."""
        return {} if self.queues.error is not None else self.queues.latest

    def _queue_names(self) -> Iterator[str]:
        yield from self.config.queues
        for queues in self._queues_of().values():
            yield from queues
        with self.state.lock:
            sent_to = list(self.state.queues)
        yield from sent_to

    def _online(self, hostname: str) -> bool:
        worker = self.state.workers.get(hostname)
        return worker is not None and self.worker_status(worker, time.time()) != "offline"

    def _collectors(self, console_url: str | None) -> list[Any]:
        return [
            WorkersCollector(
                state=self.state,
                status=self.worker_status,
                inspections=lambda: self.inspector.latest,
            ),
            TasksCollector(state=self.state, recorder=self.recorder),
            QueuesCollector(
                depths=self._depths,
                inspections=lambda: self.inspector.latest,
                online=self._online,
            ),
            WaitingCollector(state=self.state, depths=self._depths),
            IngestCollector(
                state=self.state,
                losses=self.accounting,
                ingest=self.ingest,
                connected=self.ready,
                recorder=self.recorder,
            ),
            BuildCollector(version=__version__, console_url=console_url),
            ProcessCollector(),
        ]


def role_of(config: Config) -> Role:
    """Give what everybody who reaches us may do, as long as there is no login."""
    if config.anonymous_role:
        return cast(Role, config.anonymous_role)
    # A name or a path of its own, or a socket, is for a proxy: who knows whom that lets in.
    proxied = config.unix_socket or config.allowed_hosts or config.external_url or config.url_prefix
    return "admin" if is_loopback(config.address) and not proxied else "viewer"


def build_source(config: Config, *, celery_app: Any) -> Source:
    """Make what reads the events of the configured broker."""
    conf = celery_app.conf
    return open_source(
        config.broker,
        transport_options=conf.broker_transport_options,
        tls=conf.broker_use_ssl or None,
        login_method=conf.broker_login_method,
        event_exchange=config.event_exchange,
        event_queue_prefix=config.event_queue_prefix,
        event_queue_ttl_seconds=config.event_queue_ttl,
        event_queue_expires_seconds=config.event_queue_expires,
        event_queue_exclusive=bool(conf.get("event_queue_exclusive", False)),
        event_queue_durable=bool(conf.get("event_queue_durable", False)),
        connect_timeout_seconds=config.connect_timeout,
        buffer_bytes=config.event_buffer_bytes,
        max_message_bytes=config.max_message_bytes,
    )


def build_recorder(
    config: Config, *, queues_of: Callable[[], Mapping[str, Sequence[str]]]
) -> Recorder:
    """Make what counts events, for the sets of metrics that are asked for."""
    sets = ["own"]
    sets += ["flower"] if config.metrics_flower else []
    sets += ["celery"] if config.metrics_celery else []
    try:
        catalog = Catalog(
            sets=sets,
            celery_prefix=config.metric_prefix,
            celery_static_labels=config.static_label,
        )
        return Recorder(
            catalog=catalog,
            limits=Limits(names=config.max_task_names, label_sets=config.max_series),
            flower_buckets=config.task_runtime_metric_buckets,
            celery_buckets=config.task_runtime_metric_buckets,
            default_queue=config.default_queue_name,
            queue_of=sole_queue(queues_of),
            generic_hostname_sent=config.generic_hostname_task_sent_metric,
            generic_hostname_tasks=config.generic_hostname_worker_task_metric,
        )
    except ValueError as trouble:
        raise ConfigError(f"The metrics cannot be made: {trouble}") from trouble


# ---------------------------------------------------------------------- serving


@dataclass(frozen=True, kw_only=True)
class _Listening:
    """Where we listen."""

    socket: socket.socket
    path: Path | None  # of a Unix socket
    shown: str
    url: str | None  # for a program on this machine; None for a Unix socket

    def close(self) -> None:
        """End it, and take the path of a Unix socket away."""
        self.socket.close()
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def serve(config: Config, *, celery_app: Any = None, exporter: bool = False) -> int:
    """Run the console, or the exporter, until SIGINT or SIGTERM; returns the exit status.

    For the main thread. Raises PortInUse and ConfigError before anything is started; a broker
    that cannot be reached is no error, it is shown and tried again.
    """
    log_to_stderr(config.log_level)
    # The source's thread must get its turn while a page is made: see ingest.redis.
    sys.setswitchinterval(_SWITCH_SECONDS)
    # What is loaded stays; looking through all of it for garbage costs more than the events do.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
    _check_certificate(config)
    listening = _listen(config)
    try:
        return _run(config, listening, celery_app=celery_app, exporter=exporter)
    finally:
        listening.close()


def _run(config: Config, listening: _Listening, *, celery_app: Any, exporter: bool) -> int:
    url, tls = broker_url(config.broker), config.broker_tls()
    if celery_app is not None:
        app = celery_app
        overrule(app, broker_url=url, transport_options=config.transport_options, tls=tls)
    else:
        app = make_app(
            url,
            transport_options=config.transport_options,
            tls=tls,
            connect_timeout_seconds=config.connect_timeout,
            event_exchange=config.event_exchange,
            default_queue=config.default_queue_name,
        )
    if config.result_backend and not app.conf.result_backend:
        app.conf.result_backend = config.result_backend
    watch = Watch(
        config,
        celery_app=app,
        exporter=exporter,
        console_url=_console_url(config, listening.url, exporter=exporter),
    )
    hosts = _allowed_hosts(config)
    if exporter:
        page = web.build_exporter(
            Vitals(**watch.vitals()), url_prefix=config.url_prefix, allowed_hosts=hosts
        )
    else:
        page = web.build(
            watch.services(),
            url_prefix=config.url_prefix,
            assets_dir=_ASSETS,
            allowed_hosts=hosts,
            external_url=config.external_url,
        )
    server = _Server(_server_config(config, page), on_exit=page.close)
    before = {number: signal.signal(number, _nothing) for number in (signal.SIGINT, signal.SIGTERM)}
    watch.start()
    logger.info(
        "Celeryscope %s at %s, events from %s", __version__, listening.shown, watch.source.url
    )
    try:
        server.run(sockets=[listening.socket])
    finally:
        watch.stop()
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0 if server.started else 1


def _console_url(config: Config, listening: str | None, *, exporter: bool) -> str | None:
    """Where people reach the console; None: the exporter has none, or only a proxy knows."""
    return None if exporter else config.external_url or listening


class _Server(uvicorn.Server):
    """Tells the application at once when it is to stop, since live streams have no end."""

    def __init__(self, config: uvicorn.Config, *, on_exit: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_exit = on_exit

    def handle_exit(self, sig: int, frame: Any) -> None:
        self._on_exit()
        super().handle_exit(sig, frame)


def _server_config(config: Config, page: Any) -> uvicorn.Config:
    return uvicorn.Config(
        page,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=True,
        timeout_graceful_shutdown=3,
        ssl_certfile=config.certfile,
        ssl_keyfile=config.keyfile,
        ssl_ca_certs=str(config.ca_certs) if config.ca_certs else None,
    )


def _listen(config: Config) -> _Listening:
    """Open the socket before anything else is started, so that a taken port is said at once."""
    prefix = config.url_prefix.strip("/")
    if config.unix_socket is not None:
        return _listen_at(config.unix_socket)
    try:
        found = socket.getaddrinfo(
            config.address or None, config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as trouble:
        raise ConfigError(f"The address {config.address!r} is not known: {trouble}") from trouble
    family, kind, protocol, _, where = found[0]
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(where)
    except OSError as trouble:
        listener.close()
        if trouble.errno in _TAKEN:
            free = ports.next_free(config.address, config.port)
            raise PortInUse(config.address, config.port, free_port=free) from trouble
        raise CeleryscopeError(
            f"{config.address}:{config.port} cannot be listened on: {trouble.strerror}"
        ) from trouble
    listener.listen(2048)
    scheme = "https" if config.certfile else "http"
    host = f"[{config.address}]" if ":" in config.address else config.address or "0.0.0.0"
    port = listener.getsockname()[1]
    path = f"/{prefix}" if prefix else ""
    nearby = "localhost" if config.address in _EVERYWHERE else host
    return _Listening(
        socket=listener,
        path=None,
        shown=f"{scheme}://{host}:{port}{path}/",
        url=f"{scheme}://{nearby}:{port}{path}",
    )


def _listen_at(path: Path) -> _Listening:
    """Listen on a Unix socket; one that nobody answers at any more is replaced."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.is_socket():
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                if probe.connect_ex(str(path)) == 0:
                    raise CeleryscopeError(
                        f"{path} is already in use. Stop the program that listens there, or "
                        "choose another path: --unix-socket PATH"
                    )
            path.unlink()
        listener.bind(str(path))
        path.chmod(0o666)  # as a port: whoever is on this machine
    except OSError as trouble:
        listener.close()
        why = trouble.strerror or trouble
        raise CeleryscopeError(f"{path} cannot be listened on: {why}") from trouble
    except CeleryscopeError:
        listener.close()
        raise
    listener.listen(2048)
    return _Listening(socket=listener, path=path, shown=f"unix:{path}", url=None)


def _check_certificate(config: Config) -> None:
    """Say in a sentence, before anything is started, what is wrong with the files of HTTPS."""
    if not config.certfile or not config.keyfile:
        return
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(config.certfile, config.keyfile)
        if config.ca_certs:
            context.load_verify_locations(config.ca_certs)
    except OSError as trouble:  # ssl.SSLError is one
        raise ConfigError(
            f"The certificate for HTTPS cannot be used: {trouble.strerror or trouble} "
            "(--certfile, --keyfile, --ca-certs)"
        ) from trouble


def _allowed_hosts(config: Config) -> set[str] | None:
    """Guard a console that needs no login against pages that rebind their host name to it.

    On an address for others we cannot know all our names, unless we are told some.
    """
    if config.unix_socket is not None:
        return None
    if not is_loopback(config.address) and not config.allowed_hosts:
        return None
    hosts = {*web.LOOPBACK_HOSTS, config.address.lower(), *config.allowed_hosts}
    outside = urlsplit(config.external_url).netloc.lower()
    return hosts | {re.sub(r":\d+\Z", "", outside)} if outside else hosts


def log_to_stderr(level: str) -> None:
    """Log to stderr, once, unless the program around us logs already."""
    root = logging.getLogger()
    if not root.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_Lines("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        root.addHandler(handler)
    logging.getLogger("celeryscope").setLevel(level.upper())


class _Lines(logging.Formatter):
    """One record, one line: what came from outside cannot forge another."""

    def format(self, record: logging.LogRecord) -> str:
        if record.exc_info or record.stack_info:
            return super().format(record)
        return _CONTROL.sub(lambda found: repr(found[0])[1:-1], super().format(record))


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def _nothing(_number: int, _frame: Any) -> None:
    """Take a signal that the server has handled already and raises again as it leaves."""


_TAKEN = {errno.EADDRINUSE}
_EVERYWHERE = {"", "0.0.0.0", "::"}
