"""What Grafana does with a dashboard before it asks Prometheus: variables, macros, old forms.

Written from Grafana's documentation, for tests: `View(board, prometheus, ...)` resolves the
variables, and `view.answers()` asks every query of every panel.

Left out: transformations, repeats by more than the chosen values, and how a panel looks.
"""

from __future__ import annotations

import json
import math
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote

Json = dict[str, Any]


class Source(Protocol):
    """A Prometheus."""

    def query(self, expr: str, *, time: float) -> list[Json]: ...
    def query_range(self, expr: str, *, start: float, end: float, step: float) -> list[Json]: ...
    def series(self, match: str, *, start: float, end: float) -> list[dict[str, str]]: ...
    def label_values(self, label: str, *, start: float, end: float) -> list[str]: ...
    def label_names(self, *, start: float, end: float) -> list[str]: ...


class QueryError(Exception):
    """Prometheus refused a query."""


class Prometheus:
    """A Prometheus at a URL."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def query(self, expr: str, *, time: float) -> list[Json]:
        return _rows(self._post("query", query=expr, time=time))

    def query_range(self, expr: str, *, start: float, end: float, step: float) -> list[Json]:
        return _rows(self._post("query_range", query=expr, start=start, end=end, step=step))

    def series(self, match: str, *, start: float, end: float) -> list[dict[str, str]]:
        found: list[dict[str, str]] = self._post(
            "series", **{"match[]": match, "start": start, "end": end}
        )
        return found

    def label_values(self, label: str, *, start: float, end: float) -> list[str]:
        found: list[str] = self._get(f"label/{label}/values", start=start, end=end)
        return found

    def label_names(self, *, start: float, end: float) -> list[str]:
        found: list[str] = self._get("labels", start=start, end=end)
        return found

    def get(self, path: str, **parameters: object) -> Any:
        """The `data` of any other endpoint below /api/v1/."""
        return self._get(path, **parameters)

    def _get(self, path: str, **parameters: object) -> Any:
        return self._ask(f"{path}?{urllib.parse.urlencode(parameters)}", None)

    def _post(self, path: str, **parameters: object) -> Any:
        return self._ask(path, urllib.parse.urlencode(parameters).encode())

    def _ask(self, path: str, body: bytes | None) -> Any:
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{path}", body, timeout=20) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise QueryError(json.load(error).get("error", str(error))) from error


def _rows(data: Any) -> list[Json]:
    if data["resultType"] == "scalar":
        return [{"metric": {}, "value": data["result"]}]
    found: list[Json] = data["result"]
    return found


# ------------------------------------------------------------------ the parts of a dashboard


def unwrapped(file: Json) -> Json:
    """The dashboard in a file, which may be an answer of Grafana's API around it."""
    inner = file.get("dashboard")
    return inner if isinstance(inner, dict) else file


def panels(board: Json) -> Iterator[Json]:
    """Every panel that shows data, from all places where versions of Grafana keep them."""
    for panel in board.get("panels") or []:
        yield from _flat(panel)
    for row in board.get("rows") or []:
        for panel in row.get("panels") or []:
            yield from _flat(panel)


def _flat(panel: Json) -> Iterator[Json]:
    if panel.get("type") == "row":
        for inner in panel.get("panels") or []:
            yield from _flat(inner)
        return
    model = (panel.get("libraryPanel") or {}).get("model")
    yield {**model, **panel} if isinstance(model, dict) else panel


class Target(NamedTuple):
    ref: str
    expr: str
    instant: bool
    min_step: str


def targets(panel: Json) -> list[Target]:
    """A panel's Prometheus queries. Those without a refId get A, B, C … by their place."""
    found = []
    for place, raw in enumerate(panel.get("targets") or []):
        target = {**raw["model"], **raw} if isinstance(raw.get("model"), dict) else raw
        expr = target.get("expr")
        if target.get("hide") or not isinstance(expr, str) or not expr.strip():
            continue
        if (_kind_of_source(target) or _kind_of_source(panel)) not in ("prometheus", ""):
            continue
        instant = bool(target.get("instant")) and not target.get("range")
        min_step = str(target.get("interval") or panel.get("interval") or "")
        ref = str(target.get("refId") or chr(ord("A") + place))
        found.append(Target(ref, expr, instant, min_step))
    return found


def _kind_of_source(holder: Json) -> str:
    """The type of a data source where it is told; a string is a name or a uid."""
    source = holder.get("datasource")
    kind = source.get("type", "") if isinstance(source, dict) else ""
    return "" if kind == "datasource" else str(kind)  # "-- Mixed --" and the like


# ------------------------------------------------------------------ durations

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
# Steps at which Grafana asks: a range divided by the points of a panel, rounded up to one of them.
_NICE = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 20, 30),
    *(60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 604800),
)


def seconds_of(duration: str) -> float:
    """`1m30s` -> 90; `>10s`, as people write a minimum, -> 10."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|[smhdwy])", duration)
    return math.fsum(float(number) * _UNITS[unit] for number, unit in parts)


def duration_of(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    return f"{milliseconds}ms" if milliseconds % 1000 else f"{milliseconds // 1000}s"


# ------------------------------------------------------------------ variables


class Value(NamedTuple):
    """What a variable stands for."""

    values: tuple[str, ...]
    plural: bool = False  # several may be chosen, so that Prometheus' queries get a pattern
    everything: str | None = None  # All, as the author wrote it

    def for_query(self) -> str:
        if self.everything is not None:
            return self.everything
        if not self.plural:
            return self.values[0] if self.values else ""
        escaped = [_escaped(value) for value in self.values]
        return f"({'|'.join(escaped)})" if len(escaped) > 1 else "".join(escaped)

    def formatted(self, form: str) -> str:
        """As `${name:form}`; `queryparam` needs the name and is not done here."""
        values = (self.everything,) if self.everything is not None else self.values
        match form:
            case "raw" | "":
                return ",".join(values)
            case "regex":
                plain = [re.sub(r"[\\^$*+?.()|{}\[\]/]", r"\\\g<0>", value) for value in values]
                return f"({'|'.join(plain)})" if len(plain) > 1 else "".join(plain)
            case "pipe":
                return "|".join(values)
            case "csv" | "text":
                return ",".join(values)
            case "glob":
                return f"{{{','.join(values)}}}" if len(values) > 1 else "".join(values)
            case "json":
                return json.dumps(values if self.plural else "".join(values))
            case "doublequote":
                return ",".join('"' + value.replace('"', '\\"') + '"' for value in values)
            case "singlequote":
                return ",".join("'" + value.replace("'", "\\'") + "'" for value in values)
            case "percentencode":
                return quote(",".join(values), safe="")
        raise AssertionError(f"format {form!r} is not known here")


def _escaped(value: str) -> str:
    """As a part of a regular expression that stands in a quoted PromQL string."""
    return re.sub(r"[\\^$*+?.()|{}\[\]]", r"\\\\\g<0>", value)


_VARIABLE = re.compile(
    r"\$\{(?P<braced>\w+)(?:\.(?P<path>[\w.]+))?(?::(?P<form>[^}]+))?\}"
    r"|\$(?P<plain>\w+)"
    r"|\[\[(?P<old>\w+)(?::(?P<oldform>\w+))?\]\]"
)
_LABEL_VALUES = re.compile(
    r"label_values\(\s*(?:(?P<match>.+),\s*)?(?P<label>\w+)\s*\)\Z", re.DOTALL
)
_CALL = re.compile(r"(?P<name>label_names|metrics|query_result)\((?P<argument>.*)\)\Z", re.DOTALL)
_ALL = "$__all"


class Answer(NamedTuple):
    """What came back for one query."""

    panel: Json
    target: Target
    expr: str  # as it was asked
    values: int  # that are numbers
    series: int
    error: str = ""


class View:
    """A dashboard over a time range, with the values that its variables take there.

    `chosen` gives values as a visitor would choose them (or put into the address); `["$__all"]`
    is All. Other variables take the saved value if it is offered, or All, or the first offered.
    """

    def __init__(
        self,
        board: Json,
        source: Source,
        *,
        start: float,
        end: float,
        scrape_seconds: float,
        chosen: Mapping[str, Sequence[str]] | None = None,
        datasources: Sequence[str] = ("prometheus",),
        points: int = 800,
    ) -> None:
        self.board = unwrapped(board)
        self.source = source
        self.start, self.end = start, end
        self.scrape_seconds = scrape_seconds
        self.chosen = dict(chosen or {})
        self.datasources = tuple(datasources)
        self.points = points
        self.options: dict[str, list[str]] = {}
        self._declared = {
            str(variable["name"]): variable
            for variable in (self.board.get("templating") or {}).get("list") or []
        }
        self._inputs = {
            str(given.get("name")): str(given.get("value", ""))
            for given in self.board.get("__inputs") or []
            if given.get("type") == "constant"
        }
        self._values: dict[str, Value | None] = {}
        self.variables = {name: value for name in self._declared if (value := self.value(name))}

    # ---------------------------------------------------------- asking

    def answers(self) -> Iterator[Answer]:
        for panel in panels(self.board):
            for target in targets(panel):
                yield self.ask(panel, target)

    def ask(self, panel: Json, target: Target) -> Answer:
        interval = self.interval(target.min_step)
        expr = self.filled(target.expr, interval)
        try:
            if target.instant:
                rows = self.source.query(expr, time=self.end)
            else:
                rows = self.source.query_range(expr, start=self.start, end=self.end, step=interval)
        except QueryError as error:
            return Answer(panel, target, expr, 0, 0, str(error))
        told = [sum(not math.isnan(float(value)) for _, value in _points(row)) for row in rows]
        return Answer(panel, target, expr, sum(told), sum(count > 0 for count in told))

    def interval(self, min_step: str = "") -> float:
        """`$__interval` in seconds."""
        least = seconds_of(self.filled(min_step, self.scrape_seconds)) or self.scrape_seconds
        wanted = (self.end - self.start) / self.points
        nice = next((step for step in _NICE if step >= wanted), _NICE[-1])
        return max(nice, least)

    # ---------------------------------------------------------- filling in

    def filled(self, text: str, interval: float | None = None) -> str:
        """`text` with variables and macros filled in, as in a query to Prometheus."""
        macros = self._macros(self.interval() if interval is None else interval)

        def value_of(match: re.Match[str]) -> str:
            name = match["braced"] or match["plain"] or match["old"]
            form = match["form"] or match["oldform"]
            if name in ("__from", "__to") and form:
                return _moment(self.start if name == "__from" else self.end, form)
            if name in macros:
                return macros[name]
            value = self.value(name)
            if value is None:
                return match[0]  # not ours: `$1` of a regular expression, or unknown
            if form == "queryparam":
                return "&".join(f"var-{name}={quote(v, safe='')}" for v in value.values)
            return value.formatted(form) if form else value.for_query()

        return _VARIABLE.sub(value_of, text)

    def _macros(self, interval: float) -> dict[str, str]:
        whole = self.end - self.start
        rate = max(interval + self.scrape_seconds, 4 * self.scrape_seconds)
        return {
            "__interval": duration_of(interval),
            "__interval_ms": str(round(interval * 1000)),
            "__range": f"{round(whole)}s",
            "__range_ms": str(round(whole * 1000)),
            "__range_s": str(round(whole)),
            "__rate_interval": duration_of(rate),
            "__rate_interval_ms": str(round(rate * 1000)),
            "__from": str(round(self.start * 1000)),
            "__to": str(round(self.end * 1000)),
            "__dashboard": str(self.board.get("title", "")),
        }

    # ---------------------------------------------------------- variables

    def value(self, name: str) -> Value | None:
        """The value of a variable; None if the dashboard has none of this name."""
        if name not in self._values:
            self._values[name] = None  # a circle ends here
            variable = self._declared.get(name)
            if variable is not None:
                self._values[name] = self._resolve(name, variable)
            elif name in self._inputs:
                self._values[name] = Value((self._inputs[name],))
        return self._values[name]

    def _resolve(self, name: str, variable: Json) -> Value:
        kind = variable.get("type", "query")
        if kind in ("constant", "textbox"):
            return Value((self._asked(name) or (self._text(variable),))[:1])
        options = self.options[name] = self._options(kind, variable)
        plural = bool(variable.get("multi") or variable.get("includeAll"))
        picked = self._asked(name) or self._saved(variable, options)
        if picked == (_ALL,) and variable.get("includeAll"):
            everything = variable.get("allValue")
            return Value(tuple(options), True, str(everything) if everything else None)
        return Value(picked, plural)

    def _asked(self, name: str) -> tuple[str, ...]:
        return tuple(self.chosen.get(name, ()))

    def _text(self, variable: Json) -> str:
        saved = _list((variable.get("current") or {}).get("value"))
        return str(variable.get("query") or "".join(saved[:1]))

    def _saved(self, variable: Json, options: list[str]) -> tuple[str, ...]:
        saved = tuple(_list((variable.get("current") or {}).get("value")))
        if saved == (_ALL,) and variable.get("includeAll"):
            return saved
        offered = tuple(value for value in saved if value in options)
        if offered:
            return offered
        if variable.get("includeAll"):
            return (_ALL,)
        return tuple(options[:1])

    def _options(self, kind: str, variable: Json) -> list[str]:
        match kind:
            case "datasource":
                return list(self.datasources)
            case "custom" | "interval":
                return _written(str(variable.get("query") or ""))
            case "query":
                return self._queried(variable)
        return []  # ad hoc filters and the like have no value of their own

    def _queried(self, variable: Json) -> list[str]:
        query = variable.get("query")
        text = query.get("query", "") if isinstance(query, dict) else query
        found = self._found(self.filled(str(text or variable.get("definition") or "")).strip())
        found = _matching(found, str(variable.get("regex") or ""))
        return _sorted(list(dict.fromkeys(found)), int(variable.get("sort") or 0))

    def _found(self, query: str) -> list[str]:
        span = {"start": self.start, "end": self.end}
        if not query:
            return []
        asked = _LABEL_VALUES.match(query)
        if asked and asked["match"]:
            rows = self.source.series(asked["match"].strip(), **span)
            return sorted({row[asked["label"]] for row in rows if row.get(asked["label"])})
        if asked:
            return self.source.label_values(asked["label"], **span)
        call = _CALL.match(query)
        argument = call["argument"].strip() if call else ""
        match call["name"] if call else "":
            case "label_names":
                return [name for name in self.source.label_names(**span) if _holds(argument, name)]
            case "metrics":
                names = self.source.label_values("__name__", **span)
                return [name for name in names if _holds(argument, name)]
            case "query_result":
                return [_line(row) for row in self.source.query(argument, time=self.end)]
        return [_series(row) for row in self.source.series(query, **span)]


def _moment(moment: float, form: str) -> str:
    match form:
        case "date" | "date:iso":
            at = datetime.fromtimestamp(moment, UTC)
            return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case "date:seconds":
            return str(round(moment))
    raise AssertionError(f"date format {form!r} is not known here")


def _points(row: Json) -> Iterable[tuple[float, str]]:
    return row["values"] if "values" in row else [row["value"]]


def _list(value: object) -> list[str]:
    if isinstance(value, list):
        return [str(item) for item in value]
    return [] if value in (None, "") else [str(value)]


def _written(text: str) -> list[str]:
    """The values of `a, b, shown : c`; a comma after a backslash belongs to the value."""
    parts = [part.replace("\\,", ",").strip() for part in re.split(r"(?<!\\),", text)]
    return [part.partition(" : ")[2].strip() or part for part in parts if part]


def _holds(pattern: str, name: str) -> bool:
    return not pattern or re.search(pattern, name) is not None


def _series(row: Mapping[str, str]) -> str:
    labels = ",".join(f'{key}="{row[key]}"' for key in sorted(row) if key != "__name__")
    return f"{row.get('__name__', '')}{{{labels}}}"


def _line(row: Json) -> str:
    """A result as text, as a variable's regular expression sees it."""
    moment, value = row["value"]
    return f"{_series(row['metric'])} {value} {round(moment * 1000)}"


def _matching(values: Iterable[str], pattern: str) -> list[str]:
    """Filter by a variable's regular expression; its first group is the value, if it has one."""
    if not pattern:
        return list(values)
    written = re.match(r"/(.*)/([a-z]*)\Z", pattern, re.DOTALL)
    body, flags = (written[1], written[2]) if written else (pattern, "")
    body = re.sub(r"\(\?<([A-Za-z]\w*)>", r"(?P<\1>", body)  # JavaScript's named groups
    compiled = re.compile(body, re.IGNORECASE if "i" in flags else 0)
    found = []
    for value in values:
        match = compiled.search(value)
        if match is None:
            continue
        named = match.groupdict()
        found.append(named.get("value") or (match[1] if compiled.groups else value) or value)
    return found


def _sorted(values: list[str], order: int) -> list[str]:
    """0 as they came; 1, 2 by the alphabet; 3, 4 by numbers; 5, 6 without case; even: backwards."""
    if order == 0:
        return values

    def number(value: str) -> float:
        digits = re.search(r"\d+", value)
        return float(digits[0]) if digits else -1.0

    keys: dict[int, Any] = {1: str, 2: str, 3: number, 4: number, 5: str.lower, 6: str.lower}
    return sorted(values, key=keys.get(order, str), reverse=order % 2 == 0)
