"""One connection on which we send tasks and delete messages, once each and without patience.

Celery's own way tries again for minutes and listens for each result; a message that was perhaps
sent must not be sent again, and who watches wants no subscriptions.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from celery.result import denied_join_result
from kombu import Connection
from kombu.exceptions import OperationalError
from kombu.transport import virtual

from celeryscope.control import mailbox
from celeryscope.errors import Unavailable, broker_trouble, without_passwords

_NOT_FOUND, _NO_ROUTE = 404, 312
#: Keeps the result backend from listening for a result of ours; Celery has it for the process.
_no_listening = threading.Lock()


class Refused(Exception):
    """It cannot be done, and trying the next one makes sense; the message says why."""


class Lost(Unavailable):
    """The broker went away in the middle: nobody knows whether it has it."""


class Sender:
    """A connection that opens when it is needed. Used from one thread.

    Every method raises `Refused`, `Unavailable` when there is no connection, and `Lost`.
    """

    def __init__(self, *, app: Any, timeout_seconds: float) -> None:
        self._app = app
        self._timeout = timeout_seconds
        self._connection: Connection | None = None
        self._there: set[str] = set()  # queues that are there, and ours to use as they are

    def close(self) -> None:
        """Let the connection go."""
        mailbox.close(self._connection)
        self._connection = None

    def send(
        self,
        name: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        *,
        task_id: str,
        options: Mapping[str, Any],
        as_project: bool = True,
    ) -> None:
        """Send a task; with `as_project` as the project's app does where it has the task."""
        task = self._app.tasks.get(name) if as_project else None
        if task is not None and self._app.conf.task_always_eager:
            raise Refused("The app has task_always_eager: it would run here, not on a worker.")
        self._open()
        given = {**options, **self._destination(name, args, kwargs, options)}
        given = {option: value for option, value in given.items() if value is not None}
        try:
            with (
                _no_listening,
                denied_join_result(),
                self._app.amqp.Producer(self._connection, auto_declare=False) as producer,
            ):
                given = {**given, "task_id": task_id, "producer": producer, "retry": False}
                if task is not None:
                    task.apply_async(tuple(args), dict(kwargs), **given)
                else:
                    self._app.send_task(name, tuple(args), dict(kwargs), **given)
        except Exception as error:
            raise self._trouble(error) from error

    def routed(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str | None:
        """Say to which queue the app sends a task by itself; None where that cannot be said."""
        try:
            queue = self._app.amqp.router.route({}, name, tuple(args), dict(kwargs)).get("queue")
        except Exception as error:  # a project's own router may raise anything
            raise Refused(f"{type(error).__name__}: {error}"[:1_000]) from error
        told = getattr(queue, "name", queue)
        return told if isinstance(told, str) else None

    def purge(self, queue: str) -> int:
        """Delete what waits in a queue; give how many messages that were."""
        self._open()
        assert self._connection is not None
        try:
            deleted = self._connection.default_channel.queue_purge(queue)
        except NotImplementedError:
            raise Refused("kombu cannot purge the queues of this broker.") from None
        except Exception as error:
            raise self._trouble(error) from error
        return int(deleted or 0)

    def length(self, queue: str) -> int | None:
        """Count what waits in a queue; None where kombu cannot."""
        self._open()
        assert self._connection is not None
        try:
            channel = self._connection.default_channel
            if not isinstance(channel, virtual.Channel):
                declared = channel.queue_declare(queue, passive=True)
                return int(declared.message_count)
            # The base class answers 0 for every queue, which would be a lie.
            if type(channel)._size is virtual.Channel._size:
                return None
            return int(channel._size(queue))
        except Exception as error:
            raise self._trouble(error) from error

    # ------------------------------------------------------------------ inside

    def _open(self) -> None:
        if self._connection is not None:
            return
        plain = self._app.connection_for_write()
        driver = str(plain.transport.driver_type)
        options: dict[str, Any] = {}
        if driver == "redis":
            options = {
                "socket_timeout": self._timeout,
                "socket_connect_timeout": self._timeout,
                "retry_on_timeout": False,
            }
        elif driver == "amqp":
            options = {
                "read_timeout": self._timeout,
                "write_timeout": self._timeout,
                "confirm_publish": True,
            }
        connection = self._app.connection_for_write(
            heartbeat=0, connect_timeout=self._timeout, transport_options=options
        )
        connection.transport_options.pop("retry_on_error", None)  # redis-py's
        try:
            connection.ensure_connection(
                max_retries=1, interval_start=0, interval_step=0, interval_max=0
            )
        except Exception as error:
            mailbox.close(connection)
            trouble = broker_trouble(error, where=mailbox.where(self._app))
            raise Unavailable(f"It was not sent: {trouble}", hint=trouble.hint) from error
        self._connection = connection

    def _destination(
        self,
        name: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        options: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Give what is to be said of the way besides: a message may neither get lost on it nor
        make Celery declare what others have made differently. None takes an option away.
        """
        assert self._connection is not None
        exchange, key = options.get("exchange"), options.get("routing_key")
        driver = self._connection.transport.driver_type
        if isinstance(exchange, str) and exchange and isinstance(key, str):
            if driver == "amqp":
                return {"declare": [], "mandatory": True}
            return self._through(exchange, key)
        if driver != "amqp":
            return {}
        # Only RabbitMQ minds; there we look first, and a queue that is not there is made.
        queue = options.get("queue")
        queue = queue if isinstance(queue, str) else self.routed(name, args, kwargs)
        return {"declare": []} if queue is not None and self._is_there(queue) else {}

    def _through(self, exchange: str, key: str) -> dict[str, Any]:
        """Find the queues behind an exchange that kombu makes up itself.

        What kind it is, only those know who declared it; of a kind that is not known, kombu
        would lose the message.
        """
        assert self._connection is not None
        channel = self._connection.default_channel
        if not isinstance(channel, virtual.Channel):
            return {}
        try:
            table = [row for row in channel.get_table(exchange) if len(row) == 3]
        except KeyError:
            table = []
        except Exception as error:
            raise self._trouble(error) from error
        queues = {queue for bound, pattern, queue in table if _leads(bound, pattern, key)}
        if not queues:
            raise Refused(
                f"No queue is known behind the exchange '{exchange}' by the routing key '{key}': "
                "the message would be lost."
            )
        if len(queues) == 1:
            return {"queue": queues.pop(), "exchange": None, "routing_key": None}
        kind = "topic" if any(pattern for _, pattern, _ in table) else "direct"
        channel.exchange_declare(exchange=exchange, type=kind)
        return {}

    def _is_there(self, queue: str) -> bool:
        """Look whether RabbitMQ has a queue of that name."""
        assert self._connection is not None
        if queue not in self._there:
            channel = self._connection.channel()
            try:
                channel.queue_declare(queue, passive=True)
            except Exception as error:
                if getattr(error, "reply_code", None) == _NOT_FOUND:
                    return False
                raise self._trouble(error) from error
            channel.close()
            self._there.add(queue)
        return True

    def _trouble(self, error: Exception) -> Exception:
        """Tell apart what the broker or Celery refuses from a broker that is gone."""
        connection = self._connection
        assert connection is not None
        cause = error.__cause__ if isinstance(error, OperationalError) else error
        cause = cause or error
        if isinstance(cause, Refused | Unavailable):
            return cause
        gone = (*connection.connection_errors, OSError, OperationalError)
        if isinstance(cause, connection.channel_errors) and not isinstance(cause, OSError):
            self.close()  # such an error may end the channel
            if getattr(cause, "reply_code", None) == _NO_ROUTE:
                return Refused("No queue is bound there by this routing key: it would be lost.")
            return Refused(without_passwords(str(cause))[:1_000])
        if isinstance(cause, gone):
            trouble = broker_trouble(cause, where=mailbox.where(self._app))
            self.close()
            return Lost(f"The broker went away: {trouble}", hint=trouble.hint)
        return Refused(f"{type(cause).__name__}: {without_passwords(str(cause))}"[:1_000])


def _leads(bound: str, pattern: str | None, key: str) -> bool:
    """Does a binding take a routing key? Only those of topics have a pattern."""
    return bound == key or bool(pattern and re.match(pattern, key))
