"""One entry of the audit trail, and how it is written: a line of JSON that ends with its hash.

A line is

    {"seq":7,"at":…,…,"prev":"<64 hex digits>","hash":"<64 hex digits>"}

`prev` is the hash of the entry before, 64 zeros for the first. `hash` is the SHA-256 of the line
without `,"hash":"…"`, that is of everything before it and the closing brace, as the bytes stand
in the file. docs/reference/audit.md says how to check that without us.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from celeryscope.errors import without_passwords
from celeryscope.model.actor import Actor

Kind = Literal[
    "command",  # somebody asked for it
    "outcome",  # what came of it; the same `action` as the command
    "denied",  # somebody may not do what they asked for
    "login",
    "logout",
    "login failed",
    "token",  # an API token was made or revoked
    "session",  # a session was ended by somebody
    "user",  # a user was added, changed or removed
    "look",  # a look that may disturb, as at messages that wait
    "console",  # the console says something of itself
]

#: What the first entry has as `prev`.
NOTHING: Final = "0" * 64

MOST_ARGUMENTS_BYTES: Final = 16_384
MOST_SUBJECTS: Final = 100
#: No line is longer: what is longer in a file was not written by us.
MOST_LINE_BYTES: Final = 2**20

_MOST_NAME_CHARS = 256
_MOST_DETAIL_CHARS = 4_000
_MOST_DEPTH = 16
_HEX_DIGITS = 64
_HASH_FIELD = b',"hash":"'
_TAIL_BYTES = len(_HASH_FIELD) + _HEX_DIGITS + len(b'"}')


class By(msgspec.Struct, frozen=True, kw_only=True):
    """Who did it, and how they came."""

    name: str
    role: str = ""  # viewer, operator, admin; empty: nobody knows, as after a failed login
    way: str = ""  # as Actor.way; "console": the console itself
    address: str = ""  # where from: an IP address, or "unix socket"
    session: str = ""  # its public id, where there is one
    token: str = ""  # the name of the API token, where one was shown


class Whom(msgspec.Struct, frozen=True, kw_only=True):
    """To whom or to what it was done."""

    workers: tuple[str, ...] | None = None  # names; None: no worker was named
    workers_left_out: int = 0  # how many are not in `workers`
    subjects: tuple[str, ...] = ()  # task ids, a queue, a task's name, a user, a token
    left_out: int = 0  # how many are not in `subjects`


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What an entry says, without its place in the chain."""

    kind: Kind
    by: By
    what: str  # the command's name, or what was done: "revoke", "token created"
    whom: Whom | None = None
    arguments: dict[str, Any] = {}  # masked, at most 16 KiB as JSON
    outcome: str = ""  # asked, done, partly, failed, denied, stopped …
    detail: str = ""  # a sentence
    action: str = ""  # the id of the action, where there is one


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry as it stands in the trail."""

    seq: int  # 1 for the first; each is one more than the one before
    at: float  # epoch seconds
    kind: Kind
    by: By
    what: str  # the command's name, or what was done: "revoke", "token created"
    whom: Whom | None
    arguments: dict[str, Any]  # masked, at most 16 KiB as JSON
    outcome: str  # asked, done, partly, failed, denied, stopped …
    detail: str  # a sentence
    action: str  # the id of the action, where there is one
    prev: str  # the hash of the entry before
    hash: str


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """What of an entry makes the chain; whatever else a newer version may write."""

    seq: int
    at: float
    prev: str
    hash: str
    kind: str
    what: str


#: The console itself, where nobody asked.
CONSOLE: Final = By(name="celeryscope", way="console")

_encoder = msgspec.json.Encoder()
_entries = msgspec.json.Decoder(Entry)
_links = msgspec.json.Decoder(Link)

# ---------------------------------------------------------------------- making


def content(
    *,
    kind: Kind,
    by: Actor | By,
    what: str,
    workers: Sequence[str] | None = None,
    subjects: Sequence[str] = (),
    arguments: Mapping[str, Any] | None = None,
    outcome: str = "",
    detail: str = "",
    action: str = "",
) -> Content:
    """Make what an entry says, of anything: cut where it is long, without passwords in URLs."""
    return Content(
        kind=kind,
        by=_by(by),
        what=_text(what),
        whom=_whom(kind, workers, subjects),
        arguments=_Cut(MOST_ARGUMENTS_BYTES).mapping(arguments or {}),
        outcome=_text(outcome),
        detail=_text(detail, _MOST_DETAIL_CHARS),
        action=_text(action),
    )


def _by(by: Actor | By) -> By:
    return By(
        name=_text(by.name),
        role=_text(by.role),
        way=_text(by.way),
        address=_text(by.address),
        session=_text(by.session),
        token=_text(by.token),
    )


def _whom(kind: Kind, workers: Sequence[str] | None, subjects: Sequence[str]) -> Whom | None:
    # A command that names nobody is for all that it concerns.
    if workers is None and not subjects and kind not in ("command", "outcome"):
        return None
    return Whom(
        workers=None if workers is None else _names(workers),
        workers_left_out=_beyond(workers or ()),
        subjects=_names(subjects),
        left_out=_beyond(subjects),
    )


def _names(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(_text(name) for name in names[:MOST_SUBJECTS])


def _beyond(names: Collection[str]) -> int:
    return max(0, len(names) - MOST_SUBJECTS)


def _text(text: object, most_chars: int = _MOST_NAME_CHARS) -> str:
    told = _clean(text if isinstance(text, str) else repr(text), most_chars)
    return told if len(told) <= most_chars else told[: most_chars - 1] + "…"


def _clean(text: str, most_chars: int) -> str:
    """Mask passwords, of a text of which no more than `most_chars` will be shown.

    Before it is cut: half a URL does not look like one.
    """
    told = text[: 2 * most_chars + 1_024]
    # A lone surrogate is no UTF-8.
    return without_passwords(told.encode("utf-8", "backslashreplace").decode())


class _Cut:
    """Makes JSON of any value, until so many bytes are used up; then says what is left out."""

    def __init__(self, most_bytes: int) -> None:
        self._left = most_bytes - 256  # for the last words of each level

    def mapping(self, given: Mapping[Any, Any], depth: int = 0) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for number, (name, value) in enumerate(given.items()):
            if self._left <= 0:
                made["…"] = f"cut: {len(given) - number:,} more"
                break
            made[self._cut(name if isinstance(name, str) else repr(name))] = self.value(
                value, depth + 1
            )
        return made

    def value(self, value: Any, depth: int) -> Any:
        if value is None or isinstance(value, bool | float):
            self._left -= 8 if not isinstance(value, float) else 24
            return value
        if isinstance(value, int) and abs(value) < 2**63:
            self._left -= 20
            return value
        if isinstance(value, Mapping) and depth < _MOST_DEPTH:
            self._left -= 2
            return self.mapping(value, depth)
        if isinstance(value, list | tuple | set | frozenset) and depth < _MOST_DEPTH:
            self._left -= 2
            return self._sequence(value, depth)
        return self._cut(value if isinstance(value, str) else _shown(value))

    def _sequence(self, values: Collection[Any], depth: int) -> list[Any]:
        made: list[Any] = []
        for number, value in enumerate(values):
            if self._left <= 0:
                made.append(f"… cut: {len(values) - number:,} more")
                break
            made.append(self.value(value, depth + 1))
        return made

    def _cut(self, text: str) -> str:
        room = max(self._left, 16)
        whole = told = _clean(text, room)
        while (size_bytes := len(_encoded(told))) > room and len(told) > 8:
            told = told[: max(8, len(told) * room // size_bytes - 1)]
        if told != whole:
            told += f"… cut: {len(text):,} characters"
        self._left -= len(_encoded(told)) + 2
        return told


def _shown(value: object) -> str:
    try:
        return repr(value)
    except Exception as trouble:  # noqa: BLE001 - a foreign object; the entry has to be written
        return f"<{type(value).__name__} that cannot be shown: {type(trouble).__name__}>"


# ---------------------------------------------------------------------- the line

#: What a terminal or a reader of lines could stumble over, and JSON leaves as it is.
_UNSEEN = re.compile(r"[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def _encoded(value: object) -> bytes:
    written = _encoder.encode(value)
    if written.isascii() and b"\x7f" not in written:
        return written
    # All of these stand within texts, where JSON has an escape for them.
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", written.decode()).encode()


def line_of(content: Content, *, seq: int, at: float, prev: str) -> tuple[bytes, str]:
    """Write an entry as a line, with no newline; with it, its hash."""
    # The fields' order is that of Entry, and is part of the format.
    body = _encoded(
        {
            "seq": seq,
            "at": at,
            "kind": content.kind,
            "by": content.by,
            "what": content.what,
            "whom": content.whom,
            "arguments": content.arguments,
            "outcome": content.outcome,
            "detail": content.detail,
            "action": content.action,
            "prev": prev,
        }
    )
    digest = hashlib.sha256(body).hexdigest()
    return body[:-1] + _HASH_FIELD + digest.encode() + b'"}', digest


def entry_of(line: bytes) -> Entry:
    """Read a line. Raises msgspec.MsgspecError, UnicodeDecodeError or RecursionError."""
    return _entries.decode(line)


def link_of(line: bytes) -> Link:
    """Read of a line what makes the chain. Raises what `entry_of` raises."""
    return _links.decode(line)


def is_whole(line: bytes, digest: str) -> bool:
    """Say whether a line ends with `digest`, and has it as its hash."""
    body, tail = line[:-_TAIL_BYTES], line[-_TAIL_BYTES:]
    if tail != _HASH_FIELD + digest.encode() + b'"}':
        return False
    return hashlib.sha256(body + b"}").hexdigest() == digest
