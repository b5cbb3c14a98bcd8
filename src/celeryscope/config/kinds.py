"""How a value given for a setting becomes the value we use.

A value comes as text (flag, environment) or as what a file holds (TOML, Python literals). Each
kind reads both, and raises ValueError for what it does not allow.
"""

from __future__ import annotations

import ipaddress
import itertools
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from celeryscope.config.patterns import stalled_by

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "": 1.0}
#: Longer waits are no waits, and more than some clocks and time-outs of the system can hold.
_MOST_SECONDS = 366 * 86400.0
#: What is kept for longer is kept for ever.
MOST_AGE_SECONDS = 36_600 * 86400.0
_DECIMAL = {"": 1, "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9}
_BYTES = _DECIMAL | {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_WEB_ADDRESS = re.compile(
    r"https?://(?:\[[0-9A-Fa-f:.]+\]|[^\s/?#@:\[\]\\\"'<>]+)(?::\d{1,5})?(?:/[^\s?#\\\"'<>]*)?",
    re.IGNORECASE,
)
_ON = {"on", "true", "yes", "1"}
_OFF = {"off", "false", "no", "0"}


@dataclass(frozen=True)
class Kind:
    metavar: str  # how --help shows a value
    allowed: str  # completes "It must be …"
    parse: Callable[[Any], Any]  # raises ValueError


def text(metavar: str = "TEXT", *, pattern: str = "", allowed: str = "a text") -> Kind:
    def parse(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError
        if pattern and not re.fullmatch(pattern, value):
            raise ValueError
        return value

    return Kind(metavar, allowed, parse)


def web_address() -> Kind:
    """An address that paths are added to, such as https://host/path; with no / at its end."""

    def parse(value: Any) -> str:
        if not isinstance(value, str) or not _WEB_ADDRESS.fullmatch(value):
            raise ValueError
        return value.rstrip("/")

    return Kind("URL", "an http:// or https:// URL with no user, query or fragment", parse)


def whole(minimum: int, maximum: int | None = None, *, metavar: str = "N") -> Kind:
    def parse(value: Any) -> int:
        number = _number(value)
        if number != int(number) or number < minimum or (maximum is not None and number > maximum):
            raise ValueError
        return int(number)

    bound = f"of at least {minimum}" if maximum is None else f"from {minimum} to {maximum}"
    return Kind(metavar, f"a whole number {bound}", parse)


def seconds(*, zero: bool = False, most: float = _MOST_SECONDS) -> Kind:
    def parse(value: Any) -> float:
        number = _with_unit(value, _SECONDS)
        if not 0 <= number <= most or (number == 0 and not zero):
            raise ValueError
        return number

    least = "0 or more" if zero else "more than 0"
    return Kind("SECONDS", f"a number of seconds, {least}, or a time such as 500ms, 10m, 2h", parse)


def size(minimum: int) -> Kind:
    def parse(value: Any) -> int:
        number = _with_unit(value, _BYTES)
        if number != int(number) or number < minimum:
            raise ValueError
        return int(number)

    return Kind("BYTES", f"a size of at least {minimum} bytes, such as 64MiB or 1GB", parse)


def on_off() -> Kind:
    def parse(value: Any) -> bool:
        if isinstance(value, bool):
            return value
        told = str(value).lower()
        if told not in _ON | _OFF:
            raise ValueError
        return told in _ON

    return Kind("on|off", "on or off", parse)


def choice(*choices: str) -> Kind:
    def parse(value: Any) -> str:
        told = str(value).lower()
        if told not in choices:
            raise ValueError
        return told

    return Kind("|".join(choices), f"one of {', '.join(choices)}", parse)


def path() -> Kind:
    def parse(value: Any) -> Path:
        if not isinstance(value, str | Path) or not str(value):
            raise ValueError
        return Path(value).expanduser()

    return Kind("PATH", "a path", parse)


def names(metavar: str = "NAME") -> Kind:
    def parse(value: Any) -> tuple[str, ...]:
        found = [name.strip() for part in _parts(value) for name in _said(part).split(",")]
        return tuple(dict.fromkeys(name for name in found if name))

    return Kind(metavar, "names, separated by commas", parse)


def patterns() -> Kind:
    """Regular expressions: several times, as a list, or a line each. A comma is part of one."""

    def parse(value: Any) -> tuple[re.Pattern[str], ...]:
        found = [line for part in _parts(value) for line in _said(part).splitlines()]
        try:
            return tuple(re.compile(line) for line in found if line)
        except re.error as trouble:
            raise ValueError(str(trouble)) from trouble

    return Kind("REGEX", "a regular expression", parse)


def masks() -> Kind:
    """Patterns that meet any text, and must come to an end with it."""
    compiled = patterns().parse

    def parse(value: Any) -> tuple[re.Pattern[str], ...]:
        found: tuple[re.Pattern[str], ...] = compiled(value)
        for pattern in found:
            if (text := stalled_by(pattern)) is not None:
                raise ValueError(
                    f"{pattern.pattern!r} takes for ever on a text that begins with {text!r}: write "
                    "it without repetitions inside of repetitions"
                )
        return found

    return Kind("REGEX", "a regular expression that ends with any text", parse)


def pairs() -> Kind:
    def parse(value: Any) -> dict[str, str]:
        return {key: str(told) for key, told in key_values(value).items()}

    return Kind("KEY=VALUE", "KEY=VALUE, several separated by commas", parse)


def chosen(*choices: str) -> Kind:
    """What any text stands for, one of `choices` each; the text may have commas and `=` itself."""
    of_choices = "|".join(choices)
    pair = re.compile(rf"(.+?)=({of_choices})(?:,|\Z)", re.DOTALL)

    def parse(value: Any) -> dict[str, str]:
        if isinstance(value, Mapping):
            if not all(told in choices for told in value.values()):
                raise ValueError
            return {str(key): str(told) for key, told in value.items()}
        found = {}
        for part in map(_said, _parts(value)):
            end = 0
            for match in pair.finditer(part.strip()):
                if match.start() != end:
                    raise ValueError
                end = match.end()
                found[match[1].strip()] = match[2]
            if end != len(part.strip()):
                raise ValueError
        return found

    said = f"VALUE={of_choices}"
    return Kind(said, f"{said}, several separated by commas", parse)


def logins() -> Kind:
    """Flower's `user:password`, several separated by commas or given several times."""

    def parse(value: Any) -> tuple[tuple[str, str], ...]:
        found = []
        for login in (login for part in _parts(value) for login in _said(part).split(",")):
            user, colon, password = login.strip().partition(":")
            if not (user and colon and password):
                raise ValueError
            found.append((user, password))
        return tuple(found)

    return Kind("USER:PASSWORD", "USER:PASSWORD, several separated by commas", parse)


def networks() -> Kind:
    """Networks or addresses; `unix` is the Unix socket."""

    def parse(value: Any) -> tuple[str, ...]:
        found: tuple[str, ...] = names().parse(value)
        for network in found:
            if network != "unix":
                ipaddress.ip_network(network)
        return found

    return Kind("NETWORK", "networks such as 10.0.0.0/8, separated by commas, or unix", parse)


def bounds() -> Kind:
    """Upper bounds of a histogram's buckets; +Inf is always there and may be named."""

    def parse(value: Any) -> tuple[float, ...]:
        parts = [p for part in _parts(value) for p in str(part).split(",") if p.strip()]
        found = tuple(bound for bound in map(float, parts) if bound != math.inf)
        rising = all(low < high for low, high in itertools.pairwise(found))
        if not found or not rising or any(math.isnan(bound) for bound in found):
            raise ValueError
        return found

    return Kind("SECONDS,…", "rising numbers of seconds, separated by commas", parse)


def mapping(*, or_switch: bool = False) -> Kind:
    def parse(value: Any) -> dict[str, Any] | bool:
        read = json.loads(value) if isinstance(value, str) else value
        if or_switch and isinstance(read, bool):
            return read
        if not isinstance(read, Mapping):
            raise ValueError
        return dict(read)

    also = "true, or " if or_switch else ""
    return Kind("JSON", also + 'a JSON object such as {"key": "value"}', parse)


def ages() -> Kind:
    """How long each may live, by Celery's state; 0: for ever."""

    def parse(value: Any) -> dict[str, float]:
        found = {}
        for state, told in key_values(value).items():
            seconds = _with_unit(told, _SECONDS)
            if not re.fullmatch(r"[A-Za-z_]+", state) or not 0 <= seconds <= MOST_AGE_SECONDS:
                raise ValueError
            found[state.upper()] = seconds
        return found

    return Kind("STATE=AGE", "STATE=AGE such as failure=90d, several separated by commas", parse)


def key_values(value: Any) -> dict[str, Any]:
    """Read `a=1,b=2`, several such texts, or a mapping as it is."""
    if isinstance(value, Mapping):
        return {str(key): told for key, told in value.items()}
    found = {}
    for part in _parts(value):
        for pair in re.split(r"[,\s]+", _said(part).strip()):
            key, equals, told = pair.partition("=")
            if not equals or not key:
                raise ValueError
            found[key] = told
    return found


def _parts(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list | tuple | set | frozenset) else [value]


def _said(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError
    number = float(value)
    if not math.isfinite(number):
        raise ValueError
    return number


def _with_unit(value: Any, units: Mapping[str, float]) -> float:
    if not isinstance(value, str):
        return _number(value)
    found = re.fullmatch(r"\s*([0-9.eE+-]*[0-9.])\s*([A-Za-z]*)\s*", value)
    if found is None or found[2] not in units:
        raise ValueError
    return _number(found[1]) * units[found[2]]
