"""Every exception Celeryscope raises, in one tree.

    CeleryscopeError
    ├── ConfigError              a setting is unknown, malformed or contradicts another
    ├── PortInUse                the address we should listen on is taken
    ├── SourceError              events cannot be read from the broker
    │   ├── BrokerUnreachable    no connection, or it was cut
    │   ├── BrokerRefused        connected, and the broker said no (login, ACL, vhost)
    │   ├── NotAmqp              what listens there does not speak AMQP 0-9-1
    │   └── TransportUnsupported the transport carries no events at all
    ├── MessageRejected          one message cannot become events; counted by `reason`
    ├── NotFound                 the named worker or task is not known here
    ├── BadArgument              a request parameter has a value we cannot use
    │   └── BadQuery             a query is not in the query language
    ├── NotPossible              what was asked for cannot be done here, now or later
    ├── NotLoggedIn              who asks is not known, and has to be
    │   └── LoginRefused         a login provider's answer lets nobody in
    ├── Forbidden                whoever asks may not do it
    │   ├── ReadOnly             nobody may
    │   └── CsrfMissing          it may be another site's page that asks
    ├── TooMany                  asked too often; later again
    └── Unavailable              what was asked for cannot be told right now
        └── Crowded              too many commands are on their way

The docstring of a class is its message; an instance carries facts. What a person or a
protocol is told about it is decided at the door (`cli` and `web.errors`).
"""

from __future__ import annotations

import re
import socket
import ssl


class CeleryscopeError(Exception):
    """Something went wrong in Celeryscope."""

    def __init__(self, message: str = "", *, hint: str = "") -> None:
        """`message`: instead of the class's own. `hint`: what to do about it, as a sentence."""
        self.hint = hint
        super().__init__(message)

    def __str__(self) -> str:
        told = super().__str__()
        return told or (self.__doc__ or "").strip()


class ConfigError(CeleryscopeError):
    """A setting is wrong."""


class PortInUse(CeleryscopeError):
    """The address to listen on is taken."""

    def __init__(
        self, address: str, port: int, *, option: str = "--port", free_port: int | None = None
    ) -> None:
        self.address = address
        self.port = port
        super().__init__(
            f"{address}:{port} is already in use. Stop the program that listens there, or "
            f"choose another port: {option} {free_port or port + 1}"
        )


class SourceError(CeleryscopeError):
    """Events cannot be read from the broker."""


class BrokerUnreachable(SourceError):
    """The broker cannot be reached, or it closed the connection."""


class BrokerRefused(SourceError):
    """The broker answered and refused us."""


class NotAmqp(SourceError):
    """What the broker sent is not AMQP 0-9-1."""


class TransportUnsupported(SourceError):
    """This transport carries no events, or no commands for workers."""


class MessageRejected(CeleryscopeError):
    """A message from the broker cannot become events."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}" if detail else reason)


class NotFound(CeleryscopeError):
    """Not known here."""

    def __init__(self, kind: str, name: str) -> None:
        self.kind = kind
        self.name = name
        super().__init__(f"Unknown {kind} '{name}'")


class BadArgument(CeleryscopeError):
    """A request parameter cannot be used."""

    def __init__(self, parameter: str, message: str, *, hint: str = "") -> None:
        self.parameter = parameter
        super().__init__(message, hint=hint)


class BadQuery(BadArgument):
    """The query is not in the query language."""

    def __init__(
        self, message: str, *, position: int, hint: str = "", parameter: str = "query"
    ) -> None:
        self.message = message
        self.position = position  # of the character that is in the way, from 0
        super().__init__(parameter, message, hint=hint)


class NotPossible(CeleryscopeError):
    """This cannot be done here."""


class NotLoggedIn(CeleryscopeError):
    """Log in first."""


class LoginRefused(NotLoggedIn):
    """The login provider's answer lets nobody in. The message is a sentence for that person."""


class TooMany(CeleryscopeError):
    """Too many tries."""

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(message)


class Forbidden(CeleryscopeError):
    """Whoever asks may not do this."""


class ReadOnly(Forbidden):
    """Nobody may change anything here."""


class CsrfMissing(Forbidden):
    """This changes something, and did not come with the token of the page."""


class Unavailable(CeleryscopeError):
    """This cannot be told right now."""


class Crowded(Unavailable):
    """Too many commands are on their way already."""


# ---------------------------------------------------------------------- broker troubles

_LONGEST_SAID = 400
_PASSWORD_IN_URL = re.compile(r"(://[^:@/\s'\"]*:)(?!\*+@)[^\s'\"]*@")
_WORD = re.compile(r"[^\s'\"]+")
_PASSWORD_IN_QUERY = re.compile(r"([?&]\w*password=)[^&\s'\"]+", re.IGNORECASE)
_HINT_CLOSED = "It closed the connection. Does it want TLS on this port?"
#: What a person can do about it; asked in this order.
_HINTS: tuple[tuple[type[BaseException], str], ...] = (
    (socket.gaierror, "The host name is not known. Check the broker URL."),
    (ConnectionRefusedError, "Nothing listens there. Is the broker running, and the port right?"),
    (
        ssl.SSLCertVerificationError,
        "The broker's certificate is not trusted: name the CA that signed it.",
    ),
    (ssl.SSLError, "TLS failed. Does the broker speak TLS on this port?"),
    (FileNotFoundError, "There is no such file or socket."),
    (PermissionError, "We may not use this file or socket."),
    (TimeoutError, "No answer in time. A firewall, or a wrong host or port?"),
    (ConnectionError, _HINT_CLOSED),
)
_AMQP_HINTS = {
    311: "The message is larger than the broker takes.",
    320: "The broker shuts down or closed us on an operator's request; we come back.",
    402: "The virtual host does not exist: it is the last part of the broker URL.",
    403: "Check the user name, the password and the user's permissions in RabbitMQ.",
    404: "What we need does not exist in RabbitMQ.",
    405: "Another connection has that queue for itself.",
    406: "It exists with other properties than we asked for.",
    530: "Check the virtual host (the last part of the broker URL) and the user's access to it.",
}
_UNREACHABLE_AMQP_CODES = frozenset({320, 501, 502, 503, 504, 505, 506, 541})
#: redis-py and others: by name, since nobody has to have them installed.
_REFUSALS_BY_NAME = {
    "AuthenticationError": "User name or password is wrong.",
    "AuthenticationWrongNumberOfArgsError": "The server is older than ACL users: leave out "
    "the user name.",
    "NoPermissionError": "The ACL user lacks a permission.",
}


def without_passwords(text: str) -> str:
    """Mask the password in every URL within `text`; one that is masked already stays so."""
    return _PASSWORD_IN_QUERY.sub(r"\1**", _WORD.sub(_without_password, text))


def _without_password(found: re.Match[str]) -> str:
    # Only up to the last @: behind it nothing is found, and looking for it takes n² steps.
    word = found[0]
    end = word.rfind("@") + 1
    return _PASSWORD_IN_URL.sub(r"\1**@", word[:end]) + word[end:] if end else word


def broker_trouble(error: BaseException, *, where: str) -> SourceError:
    """Turn what a broker library raised into a sentence for people, without any password.

    `where` is the broker's address as a person would write it.
    """
    chain = _chain(error)
    for link in chain:
        if isinstance(link, SourceError):
            return link
    for link in chain:
        code = getattr(link, "reply_code", None)
        if isinstance(code, int) and code:
            said = _said(getattr(link, "reply_text", None) or str(link))
            kind = BrokerUnreachable if code in _UNREACHABLE_AMQP_CODES else BrokerRefused
            return kind(f"{where}: {said} ({code})", hint=_AMQP_HINTS.get(code, ""))
        for cls in type(link).__mro__:
            if cls.__name__ in _REFUSALS_BY_NAME:
                hint = _REFUSALS_BY_NAME[cls.__name__]
                return BrokerRefused(f"{where}: {_said(str(link))}", hint=hint)
    for kind_of_error, hint in _HINTS:
        for link in chain:
            if isinstance(link, kind_of_error):
                said = _said(getattr(link, "strerror", None) or str(link))
                return BrokerUnreachable(f"{where}: {said or 'no answer'}", hint=hint)
    # py-amqp raises a bare OSError when it reads the end of the stream.
    if any(isinstance(link, OSError) and link.errno is None for link in chain):
        return BrokerUnreachable(f"{where}: {_said(str(chain[-1]))}", hint=_HINT_CLOSED)
    if any(isinstance(link, ImportError) for link in chain):
        return TransportUnsupported(
            f"{where}: a Python package that this broker needs is missing: {_said(str(error))}"
        )
    said = _said(str(chain[-1])) or type(chain[-1]).__name__
    return BrokerUnreachable(f"{where}: {said}")


def _chain(error: BaseException) -> list[BaseException]:
    """Give the error and what caused it, outermost first."""
    links: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in links and len(links) < 16:
        links.append(link)
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return links


def _said(text: str) -> str:
    told = without_passwords(" ".join(text.split()))
    return told if len(told) <= _LONGEST_SAID else told[: _LONGEST_SAID - 1] + "…"
