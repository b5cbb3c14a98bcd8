"""Which entries of the trail are meant."""

from __future__ import annotations

import msgspec

from celeryscope.audit.entry import Entry, Kind


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """What has to hold for an entry; what is empty holds for all.

    Texts are parts of what they are looked for in, whatever their case.
    """

    who: str = ""  # in the name, the token's name and the address
    what: str = ""
    whom: str = ""  # in the name of a worker or a subject
    kinds: tuple[Kind, ...] = ()  # one of them
    outcome: str = ""
    since: float | None = None  # epoch seconds; then or later
    until: float | None = None  # epoch seconds; earlier
    text: str = ""  # in any text of the entry
    action: str = ""  # the id of an action, whole

    def matches(self, entry: Entry) -> bool:
        """Say whether an entry is meant."""
        if self.since is not None and entry.at < self.since:
            return False
        if self.until is not None and entry.at >= self.until:
            return False
        if self.kinds and entry.kind not in self.kinds:
            return False
        if self.action and entry.action != self.action:
            return False
        by = entry.by
        return (
            _has(self.what, entry.what)
            and _has(self.outcome, entry.outcome)
            and _has(self.who, by.name, by.token, by.address)
            and (not self.whom or _has(self.whom, *_whom(entry)))
            and (not self.text or _has(self.text, *_texts(entry)))
        )


def _has(part: str, *texts: str) -> bool:
    part = part.casefold()
    return not part or any(part in text.casefold() for text in texts)


def _whom(entry: Entry) -> tuple[str, ...]:
    if entry.whom is None:
        return ()
    return (*(entry.whom.workers or ()), *entry.whom.subjects)


def _texts(entry: Entry) -> tuple[str, ...]:
    by = entry.by
    return (
        entry.what,
        entry.outcome,
        entry.detail,
        entry.kind,
        entry.action,
        entry.hash,
        *(by.name, by.role, by.way, by.address, by.session, by.token),
        *_whom(entry),
        *_within(entry.arguments),
    )


def _within(value: object) -> list[str]:
    """Give the texts in a value of JSON, the names of its fields too."""
    if isinstance(value, dict):
        return [*value, *(text for it in value.values() for text in _within(it))]
    if isinstance(value, list):
        return [text for it in value for text in _within(it)]
    return [value if isinstance(value, str) else msgspec.json.encode(value).decode()]
