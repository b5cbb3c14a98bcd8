"""Who asks for something: how they came, what they may do, and what of the cluster is theirs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final, Literal

import msgspec

from celeryscope.model.matching import glob

Role = Literal["viewer", "operator", "admin"]
#: How somebody proved who they are; anonymous: they did not.
Way = Literal["anonymous", "password", "token", "oidc", "proxy", "command line"]

#: Each role may do what those below it may.
RANKS: Final[Mapping[Role, int]] = {"viewer": 0, "operator": 1, "admin": 2}


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """What of the cluster somebody may see and steer: queues and tasks by their names.

    A pattern is a whole name in which `*` stands for any text. No pattern is no limit; where both
    are limited, both must fit. What is not known to fit does not.
    """

    queues: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    within: Scope | None = None  # limits that hold besides, as of a token's owner

    @property
    def limited(self) -> bool:
        """Say whether there is any limit."""
        return bool(self.queues or self.tasks or (self.within and self.within.limited))

    def has_queue(self, name: str | None) -> bool:
        """Say whether a queue of this name is theirs; None: nobody knows its name."""
        if self.within is not None and not self.within.has_queue(name):
            return False
        return not self.queues or (name is not None and _fits(self.queues, name))

    def has_name(self, name: str | None) -> bool:
        """Say whether tasks of this name are theirs; None: nobody knows it."""
        if self.within is not None and not self.within.has_name(name):
            return False
        return not self.tasks or (name is not None and _fits(self.tasks, name))

    def has_task(self, name: str | None, queue: str | None) -> bool:
        """Say whether a task of this name in this queue is theirs."""
        return self.has_name(name) and self.has_queue(queue)


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who asks for something."""

    name: str
    role: Role
    way: Way
    scope: Scope = Scope()
    address: str = ""  # where from: an IP address, or "unix socket"
    session: str = ""  # its public id, where there is one
    token: str = ""  # the name of the API token, where one was shown

    def may(self, role: Role) -> bool:
        """Say whether their role is `role` or one above it."""
        return RANKS[self.role] >= RANKS[role]


def _fits(patterns: tuple[str, ...], name: str) -> bool:
    return any(_test(pattern)(name) for pattern in patterns)


@lru_cache(maxsize=4_096)
def _test(pattern: str) -> Callable[[str], bool]:
    parts = tuple(re.split(r"\*+", pattern))
    return pattern.__eq__ if len(parts) == 1 else glob(parts)
