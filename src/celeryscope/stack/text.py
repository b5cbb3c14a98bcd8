"""Files for people, as texts with holes: `%{name}`, since `$` is Compose's."""

from __future__ import annotations

import string


class Text(string.Template):
    delimiter = "%"


def fill(text: str, **values: object) -> str:
    """Fill every hole of `text`; `%%` is a percent sign. Raises KeyError for one left open."""
    return Text(text).substitute(values)
