"""Query strings and bodies → the Struct that declares what may be given, or BadArgument."""

from __future__ import annotations

import re
from typing import Any, TypeVar, get_origin, get_type_hints

import msgspec
from starlette.datastructures import QueryParams

from celeryscope.errors import BadArgument

Query = TypeVar("Query", bound=msgspec.Struct)

_UNKNOWN = re.compile(r"unknown field `(\w*)`")
_MISSING = re.compile(r"missing required field `(\w+)`")
_WHERE = re.compile(r" - at `\$\.(\w+)")


def parse(kind: type[Query], params: QueryParams) -> Query:
    """Read a query string strictly: what is unknown, doubled or out of range is refused."""
    hints = get_type_hints(kind)
    given: dict[str, Any] = {}
    for name in params:
        if name not in hints:
            known = ", ".join(hints) or "none"
            raise BadArgument(name, f"Unknown parameter '{name}'; there are: {known}.")
        values = params.getlist(name)
        if get_origin(hints[name]) is list:
            given[name] = values
        elif len(values) == 1:
            given[name] = values[0]
        else:
            raise BadArgument(name, f"Parameter '{name}' is given {len(values)} times.")
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as fault:
        where = _WHERE.search(str(fault))
        name = where.group(1) if where else ""
        message = str(fault)[: where.start()] if where else str(fault)
        raise BadArgument(name, f"Parameter '{name}': {message}.") from fault


def parse_body(kind: type[Query], body: bytes) -> Query:
    """Read a body of JSON strictly: what is unknown or of another type is refused."""
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except msgspec.ValidationError as fault:
        told = str(fault)
        where = _WHERE.search(told)
        found = where or _UNKNOWN.search(told) or _MISSING.search(told)
        message = told[: where.start()] if where else told
        name = found.group(1) if found else ""
        raise BadArgument(name, f"In the body, '{name}': {message}." if name else told) from fault
    except (msgspec.DecodeError, ValueError, RecursionError) as fault:
        raise BadArgument("", f"The body is not JSON: {str(fault) or 'too deep'}.") from fault
