"""Queues in Redis and Valkey: a list for each queue and priority step."""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import redis

from celeryscope.broker.base import QueueDepth
from celeryscope.broker.messages import MOST_MESSAGE_BYTES, Mask, describe, from_envelope
from celeryscope.broker.virtual import VirtualDepths
from celeryscope.errors import NotPossible, broker_trouble, without_passwords
from celeryscope.model.message import Page

logger = logging.getLogger(__name__)

#: kombu keeps what workers hold, of all queues, in one hash: tag -> `[message, exchange, routing
#: key]`. Only the end of each is sent to us. More than this is not looked through: the script
#: stops everything else in Redis while it runs, for about four microseconds a message.
_MOST_HELD = 2_000
_MOST_HELD_BYTES = 4 * 1024 * 1024
_END_BYTES = 1024
_HELD = """
local held = redis.call('HLEN', KEYS[1])
if held > tonumber(ARGV[1]) then return false end
local room = tonumber(ARGV[2])
local ends = {}
for i, tag in ipairs(redis.call('HKEYS', KEYS[1])) do
  room = room - redis.call('HSTRLEN', KEYS[1], tag)
  if room < 0 then return false end
  ends[i] = string.sub(redis.call('HGET', KEYS[1], tag), -tonumber(ARGV[3]))
end
return ends
"""
_ROUTE = re.compile(rb'\}, ?("(?:[^"\\]|\\.)*"), ?("(?:[^"\\]|\\.)*")\]\Z')
_MOST_EXCHANGES = 20

Route = tuple[str, str]  # exchange, routing key


class RedisDepths(VirtualDepths):
    """Adds up a queue's lists, in one round trip for all queues.

    kombu's own channel names the keys and holds the connections, so that TLS, Sentinel, the
    key prefix, the separator and the priority steps are what the workers use. A queue
    without a key is empty: Redis keeps no empty lists.

    What is unacknowledged is told when each message that a worker holds can be said to be of
    one queue, else of no queue: part of them would be a number that is too low.
    """

    def __init__(self, *, app: Any) -> None:
        super().__init__(app=app)
        self._trouble: str | None = None

    def _sizes(self, queues: Sequence[str]) -> list[QueueDepth]:
        channel = self._channel()
        keys = [(queue, key) for queue in queues for key in list_keys(channel, queue)]
        held_key = f"{channel.global_keyprefix}{channel.unacked_key}"
        with plain_client(channel).pipeline(transaction=False) as pipe:
            for _, key in keys:
                pipe.llen(key)
            pipe.eval(_HELD, 1, held_key, _MOST_HELD, _MOST_HELD_BYTES, _END_BYTES)
            *replies, ends = pipe.execute(raise_on_error=False)
        messages = dict.fromkeys(queues, 0)
        errors: dict[str, str] = {}
        for (queue, _), reply in zip(keys, replies, strict=True):
            if isinstance(reply, int):
                messages[queue] += reply
            else:
                errors[queue] = str(reply)
        held = self._held(ends)
        return [
            QueueDepth(queue, error=errors[queue])
            if queue in errors
            else QueueDepth(
                queue, messages[queue], unacknowledged=None if held is None else held[queue]
            )
            for queue in queues
        ]

    def _held(self, ends: object) -> Counter[str] | None:
        """Count by queue what workers hold, given the ends of what Redis keeps of it."""
        if isinstance(ends, Exception):
            if str(ends) != self._trouble:
                logger.info("redis does not tell what is unacknowledged: %s", ends)
            self._trouble = str(ends)
            return None
        self._trouble = None
        if not isinstance(ends, list):
            return None  # they are too many
        routes = Counter(route_of(end) for end in ends)
        exchanges = {route[0] for route in routes if route is not None and route[0]}
        if len(exchanges) > _MOST_EXCHANGES:
            return None
        channel = self._channel()
        return by_queue(routes, {name: channel.get_table(name) for name in exchanges})


def list_keys(channel: Any, queue: str) -> list[str]:
    """Give the keys of a queue's lists, whole, in the order in which workers empty them."""
    keys = [channel._q_for_pri(queue, step) for step in channel.priority_steps]
    return [f"{channel.global_keyprefix}{key}" for key in dict.fromkeys(keys)]


def plain_client(channel: Any) -> redis.Redis:
    """Make a client on the channel's connections that takes keys as they are.

    kombu's own adds the key prefix, and only in the commands that it uses itself.
    """
    return redis.Redis(connection_pool=channel.pool)


def route_of(end: bytes | str) -> Route | None:
    """Read where a held message came from out of the end of its record; None: unreadable."""
    found = _ROUTE.search(end.encode() if isinstance(end, str) else end)
    if found is None:
        return None
    try:
        return json.loads(found[1]), json.loads(found[2])
    except ValueError:
        return None


def by_queue(
    routes: Mapping[Route | None, int], tables: Mapping[str, Iterable[Sequence[str]]]
) -> Counter[str] | None:
    """Count by queue; None when a message may be of more than one, or of none that is known.

    `tables` are the bindings of each exchange: routing key, pattern, queue.
    """
    counts: Counter[str] = Counter()
    for route, count in routes.items():
        if route is None:
            return None
        exchange, key = route
        bound = [row for row in tables.get(exchange, ()) if len(row) == 3]
        queues = {row[2] for row in bound if row[0] == key} if exchange else {key}
        if len(queues) != 1:
            return None
        counts[queues.pop()] += count
    return counts


# ---------------------------------------------------------------------- a look at messages

_MOST_PAGE_BYTES = 64 * 1024 * 1024
_MOST_WITHOUT_SCRIPT_BYTES = 32 * 1024 * 1024
_STEP = 10
_BODY_FIRST = b'{"body": "'
#: Tells how many messages wait, and of each of the page its size and its text. A long one comes
#: without its body, which kombu writes first and in base64, or not at all. A worker takes from
#: the end of a list. It ends after it has touched so many bytes, since Redis stands still
#: meanwhile.
_LOOK = """
local offset, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
local most, room = tonumber(ARGV[3]), tonumber(ARGV[4])
local total = 0
local found = {}
for _, key in ipairs(KEYS) do
  local length = redis.call('LLEN', key)
  local from = math.max(0, offset - total)
  local to = math.min(length, offset + limit - total) - 1
  for i = from, to do
    if room < 0 then break end
    local text = redis.call('LINDEX', key, -1 - i)
    local size = #text
    room = room - size
    if size > most then
      local ending = nil
      if string.sub(text, 1, #ARGV[5]) == ARGV[5] then
        ending = string.find(text, '"', #ARGV[5] + 1, true)
      end
      if ending and size - ending <= most then
        text = '{"body": null' .. string.sub(text, ending + 1)
      else
        text = false
      end
    end
    found[#found + 1] = {size, text}
  end
  total = total + length
end
return {total, found}
"""

_ENDS_EARLY = "The page ends early, because its messages are very large."

Kept = tuple[int, bytes | None]  # size, and the text without its body if it is too long


class RedisPeek:
    """Reads a queue's lists in one step, so that a page is of one moment.

    A Redis that allows no scripts sends whole messages: then lists of more than 32 MB in all are
    not looked at.
    """

    def __init__(self, *, app: Any, mask: Mask | None = None, timeout_seconds: float = 5.0) -> None:
        self._app = app
        self._mask = mask
        self._timeouts = {
            "socket_timeout": timeout_seconds,
            "socket_connect_timeout": timeout_seconds,
        }

    def read(self, queue: str, *, offset: int, limit: int, put_back: bool = False) -> Page:
        """See `Peek.read`. Nothing is taken out, whatever `put_back` says."""
        where = without_passwords(str(self._app.conf.broker_read_url or "Redis"))
        try:
            with self._app.connection_for_read(transport_options=self._timeouts) as connection:
                connection.ensure_connection(
                    max_retries=1, interval_start=0, interval_step=0, interval_max=0
                )
                channel = connection.default_channel
                total, kept = _look(
                    plain_client(channel), list_keys(channel, queue), offset=offset, limit=limit
                )
        except NotPossible:
            raise
        except redis.ResponseError as error:
            if "WRONGTYPE" in str(error):
                raise NotPossible(f"What Redis keeps as '{queue}' is no queue.") from error
            raise broker_trouble(error, where=where) from error
        except Exception as error:
            raise broker_trouble(error, where=where) from error
        messages = [
            describe(
                from_envelope(text, size_bytes=size, cut=size > MOST_MESSAGE_BYTES),
                position=offset + i,
                mask=self._mask,
            )
            for i, (size, text) in enumerate(kept)
        ]
        # Without a script a page may be short because workers took from the lists meanwhile.
        short = len(kept) < min(limit, total - offset)
        cut = short and sum(size for size, _ in kept) > _MOST_PAGE_BYTES
        return Page(total=total, messages=messages, notes=[_ENDS_EARLY] if cut else [])


def _look(
    client: redis.Redis, keys: Sequence[str], *, offset: int, limit: int
) -> tuple[int, list[Kept]]:
    arguments = (offset, limit, MOST_MESSAGE_BYTES, _MOST_PAGE_BYTES, _BODY_FIRST)
    try:
        told: Any = client.eval(_LOOK, len(keys), *keys, *arguments)
    except redis.ResponseError as error:
        if not _forbids(error):
            raise
        return _look_without_script(client, keys, offset=offset, limit=limit)
    total, found = told
    return total, [(size, text) for size, text in found]


def _forbids(error: redis.ResponseError) -> bool:
    """Say whether the command is not allowed, or is not there at all."""
    said = str(error).lower()
    return isinstance(error, redis.exceptions.NoPermissionError) or "unknown command" in said


def _look_without_script(
    client: redis.Redis, keys: Sequence[str], *, offset: int, limit: int
) -> tuple[int, list[Kept]]:
    """Read page and sizes one after the other; what workers take meanwhile shifts the page."""
    try:
        size = sum(client.memory_usage(key, samples=0) or 0 for key in keys)
    except redis.ResponseError as error:
        if not _forbids(error):
            raise
        size = None
    if size is None or size > _MOST_WITHOUT_SCRIPT_BYTES:
        raise NotPossible(
            "This Redis allows no scripts, and without one its messages would be sent whole: "
            + ("how large they are, it does not say." if size is None else f"{size:,} bytes."),
            hint="Allow the command eval to the user of the broker URL.",
        )
    total = 0
    kept: list[Kept] = []
    for key in keys:
        client_any: Any = client
        length: int = client_any.llen(key)
        first, end = max(0, offset - total), min(length, offset + limit - total)
        for start in range(first, end, _STEP):
            stop = min(start + _STEP, end)
            # From the end of the list, which is where workers take: the last one is the first.
            texts: list[bytes] = client_any.lrange(key, -stop, -1 - start)
            kept += [(len(text), without_body(text)) for text in reversed(texts)]
        total += length
    return total, kept


def without_body(text: bytes, *, most_bytes: int = MOST_MESSAGE_BYTES) -> bytes | None:
    """Do to a message what the script does: leave out the body where it is too long."""
    if len(text) <= most_bytes:
        return text
    end = text.find(b'"', len(_BODY_FIRST)) if text.startswith(_BODY_FIRST) else -1
    if end < 0 or len(text) - end - 1 > most_bytes:
        return None
    return b'{"body": null' + text[end + 1 :]
