"""What a name, a password and the limits of somebody may be."""

from __future__ import annotations

import unicodedata
from typing import Final, cast, get_args

from celeryscope.errors import BadArgument
from celeryscope.model.actor import Role, Scope

MOST_NAME_CHARS: Final = 128
LEAST_PASSWORD_CHARS: Final = 8
MOST_PASSWORD_BYTES: Final = 1_024
MOST_PATTERNS: Final = 100
MOST_PATTERN_CHARS: Final = 255
MOST_STARS: Final = 8


def normal(text: str) -> str:
    """Write a text as Unicode's NFC: keyboards differ in how they send one and the same."""
    return unicodedata.normalize("NFC", text)


def checked_name(name: str) -> str:
    """Give the name of a user or token in NFC. Raises BadArgument for one that cannot be."""
    name = normal(name)
    if not 1 <= len(name) <= MOST_NAME_CHARS:
        raise BadArgument("name", f"A name has 1 to {MOST_NAME_CHARS} characters.")
    # HTTP Basic authentication ends the name at the colon.
    if not name.isprintable() or ":" in name or name != name.strip():
        raise BadArgument(
            "name",
            "A name has no colon, no control character and no space at its ends.",
        )
    return name


def checked_password(password: str) -> str:
    """Give a new password in NFC. Raises BadArgument for one that is too short or too long."""
    password = normal(password)
    if len(password) < LEAST_PASSWORD_CHARS:
        raise BadArgument("password", f"A password has at least {LEAST_PASSWORD_CHARS} characters.")
    if (size := encoded(password)) is None or len(size) > MOST_PASSWORD_BYTES:
        raise BadArgument(
            "password", f"A password has at most {MOST_PASSWORD_BYTES:,} bytes of UTF-8."
        )
    return password


def encoded(text: str) -> bytes | None:
    """Write a text as UTF-8; None where it is none (half of a surrogate pair)."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return None


def checked_role(role: str) -> Role:
    """Give the role. Raises BadArgument for an unknown one."""
    if role not in get_args(Role):
        raise BadArgument("role", f"A role is one of {', '.join(get_args(Role))}.")
    return cast(Role, role)


def checked_scope(scope: Scope) -> Scope:
    """Give the limits back. Raises BadArgument for too many patterns, or one that cannot be."""
    for parameter, patterns in (("queues", scope.queues), ("tasks", scope.tasks)):
        if len(patterns) > MOST_PATTERNS:
            raise BadArgument(parameter, f"At most {MOST_PATTERNS} patterns limit {parameter}.")
        for pattern in patterns:
            if not 1 <= len(pattern) <= MOST_PATTERN_CHARS or not pattern.isprintable():
                raise BadArgument(
                    parameter,
                    f"A pattern has 1 to {MOST_PATTERN_CHARS} characters and no control character.",
                )
            if pattern.count("*") > MOST_STARS:
                raise BadArgument(parameter, f"A pattern has at most {MOST_STARS} stars.")
    return scope
