"""Query strings → the Struct that declares the parameters, or BadArgument."""

from __future__ import annotations

import re
from typing import Any, TypeVar, get_origin, get_type_hints

import msgspec
from starlette.datastructures import QueryParams

from celeryscope.errors import BadArgument

Query = TypeVar("Query", bound=msgspec.Struct)

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
