"""The composition root: from a Config to a running console. The only place where rooms meet."""

from __future__ import annotations

import contextlib
import errno
import gc
import ipaddress
import logging
import re
import shlex
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from celeryscope import __version__, ports
from celeryscope.audit.entry import CONSOLE
from celeryscope.audit.trail import Trail
from celeryscope.broker.base import QueueDepth, QueuePoller
from celeryscope.broker.open import open_depths, open_looks
from celeryscope.cluster import liveness, runs
from celeryscope.cluster.accounting import Accounting, Loss
from celeryscope.cluster.orphans import Orphans
from celeryscope.cluster.state import ClusterState
from celeryscope.config.load import is_loopback
from celeryscope.config.settings import Config, masker
from celeryscope.control.action import Action
from celeryscope.control.app import make_app, overrule
from celeryscope.control.desk import Desk
from celeryscope.control.effects import Sight
from celeryscope.control.inspect import Inspector
from celeryscope.control.jobs import Jobs
from celeryscope.control.remote import Remote
from celeryscope.control.results import Results
from celeryscope.errors import CeleryscopeError, ConfigError, PortInUse, without_passwords
from celeryscope.history.backup import settle
from celeryscope.history.gaps import Gaps
from celeryscope.history.opening import FILE
from celeryscope.history.orphans import Sweeper
from celeryscope.history.retention import Limits as Keeping
from celeryscope.history.retention import Retention
from celeryscope.history.store import History
from celeryscope.ingest.open import broker_url, open_source
from celeryscope.ingest.pipeline import Pipeline
from celeryscope.ingest.source import Source
from celeryscope.logs import Format, log_to_stderr
from celeryscope.metrics.catalog import Catalog, Limits
from celeryscope.metrics.collectors import (
    BuildCollector,
    HistoryCollector,
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
from celeryscope.model.actor import Role
from celeryscope.model.event import Event, Found
from celeryscope.model.schedule import Entry
from celeryscope.model.task import Task
from celeryscope.model.worker import Worker
from celeryscope.places import data_dir, make_private, occupied
from celeryscope.schedules.reader import Reader
from celeryscope.web import app as web
from celeryscope.web.auth.door import Door, cookie_name
from celeryscope.web.auth.flower_oauth import Known, login_provider
from celeryscope.web.auth.identity import LoginProvider
from celeryscope.web.auth.proxy import Proxy
from celeryscope.web.auth.sessions import Sessions, key_of
from celeryscope.web.auth.tokens import Tokens
from celeryscope.web.auth.users import Users
from celeryscope.web.outcomes import Outcomes
from celeryscope.web.server import make_server
from celeryscope.web.services import Broker, IngestStats, Services, Vitals

logger = logging.getLogger(__name__)

_ASSETS = Path(__file__).parent / "web" / "dist"
#: A worker that is gone stays on the page for this long; its metrics go earlier.
_REMEMBERED_SECONDS = 86_400.0
_RETIRE_EVERY_SECONDS = 5.0
_ENABLE_EVENTS_SECONDS = 5.0
_LAST_GAPS = 20
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
        door: Door | None = None,
        history: History | None = None,
    ) -> None:
        """`console_url` is where people reach the console; None: there is none, or who knows.

        `door` lets people in; by default it stands open. `history` keeps what becomes of tasks;
        None: nothing is kept.
        """
        self.history = history
        self.retention = None if history is None else build_retention(config, history)
        self.config = config
        self.door = door or Door()
        self.outcomes = Outcomes()
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
            keep_arguments=config.store_args,
        )
        mask_arguments = self.state.mask_arguments
        self.accounting = Accounting()
        self.source = build_source(config, celery_app=celery_app)
        self.inspector = Inspector(
            app=celery_app,
            timeout_seconds=config.reply_timeout,
            interval_seconds=config.inspect_interval,
            enable_events_seconds=_ENABLE_EVENTS_SECONDS if config.enable_events else None,
            mask=mask_arguments,
            workers=self._known_workers,
        )
        self.queues = QueuePoller(
            depths=open_depths(app=celery_app, broker_api=config.broker_api or None),
            queues=self._queue_names,
            interval_seconds=config.queue_interval,
        )
        self.messages = open_looks(
            app=celery_app,
            broker_api=config.broker_api or None,
            mask=mask,
            show_arguments=config.store_args,
        )
        sight = Sight(online=self._seen_online, task_state=self._task_state)
        self.remote = Remote(
            app=celery_app,
            workers=self._known_workers,
            sight=sight,
            timeout_seconds=config.control_timeout,
            max_workers=max(10_000, config.max_workers),
            mask=mask_arguments,
            on_change=self._command_changed,
            on_sight=self._worker_told,
        )
        self.results = Results(celery_app, tells_groups=config.fetch_results)
        self.schedules = Reader(app=celery_app, conf_of_workers=self._conf_of_workers)
        self.jobs = Jobs(
            app=celery_app,
            results=self.results,
            tasks=self._task,
            known_names=self._task_names,
            entries=self._entries,
            queues_of=self._queues_of_worker,
            mask=mask_arguments,
            sight=sight,
            on_change=self.outcomes.changed,
        )
        self.desk = Desk(
            remote=self.remote,
            jobs=self.jobs,
            consumers=self._consumers,
            declared=self._declared,
        )
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
        self.gaps = None
        if history is not None:
            self.gaps = Gaps(history, broker=self.source.url, keep_seconds=config.history_max_age)
        self.sweeper = Sweeper(
            memory=Orphans(
                self.state,
                status=self.worker_status,
                listened=self.accounting.listened,
                inspections=lambda: self.inspector.latest,
                lost_after_seconds=config.lost_after,
            ),
            tell=self._found,
            history=history,
            ask=self.results.outcomes if config.fetch_results and self.results.configured else None,
            inspect=self.inspector.request,
            restore=self._restore,
            lost_after_seconds=config.lost_after,
        )
        self._missed_until = self._missed_messages = 0.0
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
            self.sweeper.start()
        if self.gaps is not None:
            self.gaps.start()
        if self.retention is not None:
            self.retention.start()

    def stop(self) -> None:
        """End, in reverse order."""
        if not self.exporter:
            self.sweeper.stop()
            self.schedules.stop()
            self.jobs.stop()
            self.remote.stop()
        self.queues.stop()
        self.inspector.stop()
        self._stop.set()
        self._thread.join(5.0)
        if self.retention is not None:
            self.retention.stop()
        if self.gaps is not None:
            self.gaps.stop()

    # ------------------------------------------------------------------ in the source's thread

    def _fold(self, events: Sequence[Event], received_at: float) -> None:
        with self.state.lock:
            before = self.state.totals.get("worker-online")
            applied = self.state.apply(events, received_at)
        if self.history is not None:
            self.history.write(applied)
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
            losses = self.state.losses()
        self._note_missing(now, losses)
        self.recorder.tick(now, self.state.workers)
        if now - self._retired_at >= _RETIRE_EVERY_SECONDS:
            self._retired_at = now
            self._retire(now)
            self.state.sole_queues = {
                host: queues[0] for host, queues in self._queues_of().items() if len(queues) == 1
            }

    def _note_missing(self, now: float, losses: Sequence[tuple[str, Loss]]) -> None:
        """Hand on what is known to be missing, and ask how the tasks ended that it may concern."""
        accounting = self.accounting
        cuts = list(accounting.gaps)[-_LAST_GAPS:]
        dropped = accounting.dropped_messages
        unwritten = 0 if self.history is None else self.history.dropped
        if self.gaps is not None:
            if accounting.listening_since is not None:
                self.gaps.connected(accounting.listening_since)
            self.gaps.tell(
                now=now,
                cuts=cuts,
                lost=[(hostname, *loss) for hostname, loss in losses],
                dropped=dropped,
                unwritten=unwritten,
            )
        for hostname, loss in losses:
            self.sweeper.missed(loss.until, hostname)
        over = max((cut.end for cut in cuts if cut.end is not None), default=0.0)
        if over > self._missed_until:
            self.sweeper.missed(over)
        if dropped > self._missed_messages:
            self.sweeper.missed(now)
        self._missed_until, self._missed_messages = over, dropped

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

    # ------------------------------------------------------------------ what no event told

    def _found(self, found: Sequence[Found], old: Mapping[str, Task]) -> None:
        """Take note of what was found out of tasks; `old` are those not in memory."""
        with self.state.lock:
            learnt = self.state.learn(found)
            here = {event.uuid for event in found if event.uuid in self.state.tasks}
        if self.history is not None:
            self.history.write(learnt)
            self.history.write(
                (event, task, None)
                for event in found
                if (task := old.get(event.uuid or "")) is not None and task.uuid not in here
            )

    def _restore(self, tasks: Sequence[Task]) -> None:
        with self.state.lock:
            self.state.restore(tasks)

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
            door=self.door,
            history=self.history,
            retention=self.retention,
            ends=self.sweeper.status,
            outcomes=self.outcomes,
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
        """Give a task of the memory, else of the history; raises Unavailable as that does."""
        found = self.state.tasks.get(task_id)
        if found is None and self.history is not None:
            return self.history.task(task_id)
        return found

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

    def _declared(self, queue: str, workers: Sequence[str]) -> Mapping[str, Any]:
        for host in workers:
            told = self.inspector.latest.get(host)
            for one in (told.active_queues if told is not None else None) or ():
                if one.get("name") == queue:
                    return one
        return {}

    def _command_changed(self, action: Action) -> None:
        self._mind_events(action)
        self.outcomes.changed(action)

    def _worker_told(self, hostname: str, command: str, answer: Any, size_bytes: int) -> None:
        """What an effect was seen by is what is known of the worker from then on."""
        if command in ("stats", "active_queues"):  # `registered` is asked otherwise there
            self.inspector.note(hostname, command, answer, size_bytes)

    def _mind_events(self, action: Action) -> None:
        """Do not turn on again what somebody has turned off here."""
        if action.command.name in ("disable_events", "enable_events"):
            silent = action.command.name == "disable_events"
            hostnames = [worker.hostname for worker in action.snapshot().workers]
            self.inspector.silence(hostnames, silent=silent)

    # ------------------------------------------------------------------ parts

    def _queues_of(self) -> Mapping[str, Sequence[str]]:
        return {host: queue_names(told) for host, told in self.inspector.latest.items()}

    def _queues_of_worker(self, hostname: str) -> Sequence[str]:
        told = self.inspector.latest.get(hostname)
        return () if told is None else queue_names(told)

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

    def _history_collectors(self) -> list[Any]:
        history, retention = self.history, self.retention
        if history is None or retention is None:
            return []
        return [HistoryCollector(history, removed=lambda: retention.status().removed)]

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
            *self._history_collectors(),
            BuildCollector(version=__version__, console_url=console_url),
            ProcessCollector(),
        ]


def anonymous_role(config: Config) -> Role | None:
    """Give what those may do who are not known, as long as there is no login; None: nothing."""
    if config.anonymous_role:
        return None if config.anonymous_role == "none" else cast(Role, config.anonymous_role)
    if config.unauthenticated_api:
        return "admin"
    # A name or a path of its own, or a socket, is for a proxy: who knows whom that lets in.
    proxied = config.unix_socket or config.allowed_hosts or config.external_url or config.url_prefix
    return "admin" if is_loopback(config.address) and not proxied else "viewer"


def data_directory(config: Config) -> Path | None:
    """Make the directory for what outlives a restart; None: there is none, and none was named.

    Raises ConfigError where the one that was named cannot be used.
    """
    try:
        directory = data_dir(config.data_dir)
        make_private(directory)
    except ConfigError as trouble:
        if config.data_dir is not None:
            raise
        logger.warning(
            "Users, tokens, sessions and the audit trail are not kept over a restart. %s", trouble
        )
        return None
    return directory


def build_history(config: Config, *, directory: Path | None) -> History | None:
    """Open the history; None: it is off, or there is no place for it.

    Raises NotPossible where it can never be used. Where it cannot be used just now it says so
    (`trouble`), and is tried again.
    """
    if config.history == "off" or not (config.history or directory):
        return None
    return History.open(
        config.history if directory is None or config.history else directory / FILE,
        judge=runs.judge,
        number=runs.attempts,
        mask=masker(config.mask),
        max_text_chars=config.max_text_chars,
        keep_arguments=config.store_args,
    )


def build_retention(config: Config, history: History) -> Retention:
    """Make what takes old tasks out of the history."""
    return Retention(history, **history_limits(config)._asdict())


def history_limits(config: Config) -> Keeping:
    """Say how much of the history is kept."""
    return Keeping(
        max_age_seconds=config.history_max_age,
        max_age_of=config.history_max_age_of,
        max_tasks=config.history_max_tasks,
        max_bytes=config.history_max_bytes,
    )


def build_door(config: Config, *, directory: Path | None, url: str | None) -> Door:
    """Make what lets people in; `url` is where the console listens. Raises ConfigError."""
    users_file = config.users_file or (directory / "users.json" if directory else None)
    users = Users(
        users_file, basic=config.basic_auth, basic_role=cast(Role, config.basic_auth_role)
    )
    provider = _login_provider(config, url)
    key = key_of(directory / "secret" if directory else None, config.cookie_secret)
    proxy = Proxy(
        trusted=config.trusted_proxies,
        user_header=config.proxy_user_header,
        role_header=config.proxy_role_header,
        roles=cast(Mapping[str, Role], config.proxy_roles),
        default_role=cast(Role, config.proxy_default_role) or None,
    )
    has_login = users.exist() or provider is not None or proxy.names_people
    if not (has_login or config.insecure or config.unix_socket or is_loopback(config.address)):
        raise ConfigError(_no_login(config, directory, users_file))
    access = {"metrics": config.metrics_access, "health": config.health_access}
    return Door(
        users=users,
        tokens=Tokens(directory / "tokens.json" if directory else None),
        sessions=Sessions(
            directory / "sessions.json" if directory else None,
            key=key,
            idle_seconds=config.session_idle,
            lifetime_seconds=config.session_lifetime,
        ),
        proxy=proxy,
        provider=provider,
        anonymous=anonymous_role(config),
        until_login=not config.anonymous_role,
        read_only=config.read_only,
        open_settings=[name for name, who in access.items() if who == "open"],
        cookie=cookie_name(key, host_bound=_is_secure(config) and not config.url_prefix.strip("/")),
        trail=Trail(directory / "audit" if directory else None),
    )


def _is_secure(config: Config) -> bool:
    """Do people come by HTTPS only?"""
    return bool(config.certfile) or config.external_url.startswith("https:")


def _no_login(config: Config, directory: Path | None, users_file: Path | None) -> str:
    """Say that it would stand open, and the two lines that make a login."""
    options = f" --data-dir {directory}" if config.data_dir else ""
    options += f" --users-file {users_file}" if config.users_file else ""
    return (
        f"On {config.address} other machines reach it, and nobody is asked for a login. "
        "Two lines make one:\n\n"
        f"    celeryscope user{options} add admin\n"
        f"    {_same_command()}\n\n"
        "Or say --insecure to let everybody see it who reaches it."
    )


def _same_command() -> str:
    """Give the command that was typed, without what nobody should see."""
    if not sys.argv or "celery" not in sys.argv[0]:
        return "celeryscope serve"
    return without_passwords(shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]))


def _login_provider(config: Config, url: str | None) -> LoginProvider | None:
    if not (config.oidc_provider or config.oidc_issuer):
        return None
    base = config.external_url or url
    redirect_uri = config.oidc_redirect_uri or (f"{base}/login/callback" if base else "")
    if not redirect_uri:
        raise ConfigError(
            "Where does the provider send people back to? Say where they reach this console: "
            "--external-url https://…"
        )
    return login_provider(
        provider=cast(Known, config.oidc_provider),
        issuer=config.oidc_issuer,
        client_id=config.oidc_client_id,
        client_secret=config.oidc_client_secret,
        redirect_uri=redirect_uri,
        scopes=config.oidc_scopes,
        name_claim=config.oidc_name_claim,
        role_claim=config.oidc_role_claim,
        roles=cast(Mapping[str, Role], config.oidc_roles),
        default_role=cast(Role, config.oidc_default_role) or None,
        emails=config.oidc_emails,
        label=config.oidc_label,
        gitlab_min_access_level=config.gitlab_min_access_level,
    )


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
    log_to_stderr(config.log_level, cast(Format, config.log_format))
    # The source's thread must get its turn while a page is made: see ingest.redis.
    sys.setswitchinterval(_SWITCH_SECONDS)
    # What is loaded stays; looking through all of it for garbage costs more than the events do.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
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
    door = history = None
    in_use = contextlib.ExitStack()
    if not exporter:
        directory = data_directory(config)
        if directory is not None:
            if settle(directory):
                logger.warning("a restore that was stopped in the middle was undone")
            in_use.enter_context(occupied(directory))
        door = build_door(config, directory=directory, url=listening.url)
        history = build_history(config, directory=directory)
    watch = Watch(
        config,
        celery_app=app,
        exporter=exporter,
        console_url=_console_url(config, listening.url, exporter=exporter),
        door=door,
        history=history,
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
            secure=_is_secure(config),
            session_lifetime_seconds=config.session_lifetime,
        )
    server = make_server(
        page,
        certfile=config.certfile,
        keyfile=config.keyfile,
        ca_certs=config.ca_certs,
        on_exit=page.close,
        trusted_proxies=[
            ipaddress.ip_network(network) for network in config.trusted_proxies if network != "unix"
        ],
    )
    before = {number: signal.signal(number, _nothing) for number in (signal.SIGINT, signal.SIGTERM)}
    watch.start()
    logger.info(
        "Celeryscope %s at %s, events from %s", __version__, listening.shown, watch.source.url
    )
    if door is not None:
        # A directory that cannot be written shows at once, and who stopped it for a while later.
        _write_down(door.trail, "started")
    try:
        server.run(sockets=[listening.socket])
    finally:
        watch.stop()
        if history is not None:
            history.close()
        if door is not None:
            door.close()
            _write_down(door.trail, "stopped")
        in_use.close()
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0 if server.started else 1


def _write_down(trail: Trail, what: str) -> None:
    trail.write(kind="console", by=CONSOLE, what=what, outcome="done", detail=__version__)


def _console_url(config: Config, listening: str | None, *, exporter: bool) -> str | None:
    """Where people reach the console; None: the exporter has none, or only a proxy knows."""
    return None if exporter else config.external_url or listening


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


def _allowed_hosts(config: Config) -> set[str] | None:
    """Guard a console against pages that rebind their host name to it.

    On an address for others we cannot know all our names, unless we are told some.
    """
    if config.unix_socket is not None:
        return None
    if not is_loopback(config.address) and not config.allowed_hosts:
        return None
    hosts = {*web.LOOPBACK_HOSTS, config.address.lower(), *config.allowed_hosts}
    outside = urlsplit(config.external_url).netloc.lower()
    return hosts | {re.sub(r":\d+\Z", "", outside)} if outside else hosts


def _nothing(_number: int, _frame: Any) -> None:
    """Take a signal that the server has handled already and raises again as it leaves."""


_TAKEN = {errno.EADDRINUSE}
_EVERYWHERE = {"", "0.0.0.0", "::"}
