"""Grafana's dashboard JSON (the classic one, schema 39), as far as we use it.

Our own few functions and no generator library: the one there is (grafana-foundation-sdk) gives
panels no ids, lays them out beyond the 24th column and leaves heatmaps and transformations
untyped, so that what is left of its help is small. Its types read what we write in a test.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from string import ascii_uppercase
from typing import Any, NamedTuple

Json = dict[str, Any]

SCHEMA_VERSION = 39  # Grafana 10.4 and later read it
COLUMNS = 24
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}

GREEN, RED, ORANGE, BLUE, PURPLE, YELLOW, GREY = (
    "green", "red", "orange", "blue", "purple", "yellow", "text",
)  # fmt: skip


class Target(NamedTuple):
    """One query of a panel."""

    expr: str
    legend: str = ""
    instant: bool = False  # one value at the end of the time range
    format: str = "time_series"


class Panel(NamedTuple):
    kind: str
    title: str
    description: str  # what it tells, and what to do about it
    targets: tuple[Target, ...]
    width: int  # of 24 columns
    height: int
    field: Json  # fieldConfig.defaults
    overrides: tuple[Json, ...]
    options: Json
    transformations: tuple[Json, ...] = ()


class Row(NamedTuple):
    """A heading, and its panels from left to right; what does not fit goes to the next line."""

    title: str
    panels: tuple[Panel, ...]


# ------------------------------------------------------------------ the dashboard


def dashboard(
    *,
    uid: str,
    title: str,
    description: str,
    variables: Sequence[Json],
    rows: Sequence[Row],
    annotations: Sequence[Json] = (),
    links: Sequence[Json] = (),
    since: str = "now-1h",
) -> Json:
    return {
        "annotations": {"list": list(annotations)},
        "description": description,
        "editable": False,
        "fiscalYearStartMonth": 0,
        "graphTooltip": 1,  # the crosshair is shared
        "id": None,
        "links": list(links),
        "panels": list(_placed(rows)),
        "refresh": "30s",
        "schemaVersion": SCHEMA_VERSION,
        "tags": ["celery", "celeryscope"],
        "templating": {"list": list(variables)},
        "time": {"from": since, "to": "now"},
        "timepicker": {},
        "timezone": "browser",
        "title": title,
        "uid": uid,
        "version": 1,
        "weekStart": "",
    }


def _placed(rows: Sequence[Row]) -> Iterator[Json]:
    """Give each panel its place and its id."""
    number, y = 0, 0
    for row in rows:
        number += 1
        yield _row(row.title, number, y)
        x, y, tallest = 0, y + 1, 0
        for panel in row.panels:
            if x + panel.width > COLUMNS:
                x, y, tallest = 0, y + tallest, 0
            number += 1
            yield _panel(panel, number, {"h": panel.height, "w": panel.width, "x": x, "y": y})
            x, tallest = x + panel.width, max(tallest, panel.height)
        y += tallest


def _row(title: str, number: int, y: int) -> Json:
    place = {"h": 1, "w": COLUMNS, "x": 0, "y": y}
    return {
        "collapsed": False, "gridPos": place, "id": number, "panels": [], "title": title,
        "type": "row",
    }  # fmt: skip


def _panel(panel: Panel, number: int, place: Json) -> Json:
    targets = [
        _target(target, ref) for target, ref in zip(panel.targets, ascii_uppercase, strict=False)
    ]
    made = {
        "datasource": DATASOURCE,
        "description": panel.description,
        "fieldConfig": {"defaults": panel.field, "overrides": list(panel.overrides)},
        "gridPos": place,
        "id": number,
        "options": panel.options,
        "targets": targets,
        "title": panel.title,
        "type": panel.kind,
    }
    if panel.transformations:
        made["transformations"] = list(panel.transformations)
    return made


def _target(target: Target, ref: str) -> Json:
    return {
        "datasource": DATASOURCE,
        "editorMode": "code",
        "expr": target.expr,
        "format": target.format,
        "instant": target.instant,
        "legendFormat": target.legend or "__auto",
        "range": not target.instant,
        "refId": ref,
    }


# ------------------------------------------------------------------ variables


def datasource_variable() -> Json:
    return {
        "current": {"text": "default", "value": "default"},
        "hide": 0,
        "includeAll": False,
        "label": "Data source",
        "multi": False,
        "name": "datasource",
        "options": [],
        "query": "prometheus",
        "refresh": 1,
        "regex": "",
        "skipUrlSync": False,
        "type": "datasource",
    }


def query_variable(
    name: str,
    query: str,
    *,
    label: str = "",
    multi: bool = False,
    everything: str = "",
    hidden: bool = False,
    backwards: bool = False,
) -> Json:
    """`multi` lets people choose several, or All. All stands for `everything`, a regular
    expression; without one, for the values there are."""
    made = {
        "current": {"text": ["All"], "value": ["$__all"]} if multi else {},
        "datasource": DATASOURCE,
        "definition": query,
        "hide": 2 if hidden else 0,
        "includeAll": multi,
        "label": label or name.capitalize(),
        "multi": multi,
        "name": name,
        "options": [],
        "query": {"query": query, "refId": f"variable-{name}"},
        "refresh": 2,  # when the time range changes: what is gone is not offered
        "regex": "",
        "skipUrlSync": hidden,
        "sort": 2 if backwards else 1,  # by the alphabet
        "type": "query",
    }
    if everything:
        made["allValue"] = everything
    return made


# ------------------------------------------------------------------ annotations and links


def annotation(name: str, expr: str, *, title: str, text: str, tags: str, color: str) -> Json:
    return {
        "datasource": DATASOURCE,
        "enable": True,
        "expr": expr,
        "iconColor": color,
        "name": name,
        "tagKeys": tags,
        "target": {"expr": expr, "refId": "Anno"},
        "textFormat": text,
        "titleFormat": title,
        "useValueForTime": False,
    }


def dashboards_link(title: str, *, keep_variables: bool) -> Json:
    """A row of links to all dashboards of ours, found by their tag."""
    return {
        "asDropdown": False,
        "icon": "dashboard",
        "includeVars": keep_variables,
        "keepTime": True,
        "tags": ["celeryscope"],
        "targetBlank": False,
        "title": title,
        "tooltip": "",
        "type": "dashboards",
        "url": "",
    }


def page_link(title: str, url: str, *, tooltip: str) -> Json:
    return {
        "asDropdown": False,
        "icon": "external link",
        "includeVars": False,
        "keepTime": False,
        "tags": [],
        "targetBlank": True,
        "title": title,
        "tooltip": tooltip,
        "type": "link",
        "url": url,
    }


def data_link(title: str, url: str) -> Json:
    return {"targetBlank": "${console}" in url, "title": title, "url": url}


# ------------------------------------------------------------------ fields


def thresholds(*steps: tuple[float, str], base: str = GREEN) -> Json:
    """`base` below the first step; from each step on, its colour."""
    first: Json = {"color": base, "value": None}
    return {
        "mode": "absolute",
        "steps": [first, *({"color": color, "value": value} for value, color in steps)],
    }


def by_name(name: str, **properties: object) -> Json:
    """What is different for the series or column `name`; `custom__x` is the property custom.x."""
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [
            {"id": key.replace("__", "."), "value": value} for key, value in properties.items()
        ],
    }


def colored(name: str, color: str, *, line: str = "solid", shown_as: str = "") -> Json:
    """A fixed colour for a series, and a line that is told from others without colours."""
    more: Json = {} if line == "solid" else {"custom__lineStyle": LINES[line]}
    if shown_as:
        more["displayName"] = shown_as
    return by_name(name, color={"fixedColor": color, "mode": "fixed"}, **more)


LINES: dict[str, Json] = {
    "dash": {"dash": [10, 6], "fill": "dash"},
    "dot": {"dash": [0, 6], "fill": "dot"},
}


def _field(
    *,
    unit: str,
    custom: Json | None = None,
    color: str = "palette-classic",
    links: Sequence[Json] = (),
    **more: object,
) -> Json:
    made: Json = {"color": {"mode": color}, "unit": unit}
    if custom:
        made["custom"] = custom
    if links:
        made["links"] = list(links)
    return made | {key: value for key, value in more.items() if value is not None}


# ------------------------------------------------------------------ panels


def timeseries(
    title: str,
    description: str,
    *targets: Target,
    unit: str,
    width: int,
    height: int = 8,
    stacked: bool = False,
    bars: bool = False,
    from_zero: bool = True,
    highest: float | None = None,
    decimals: int | None = None,
    limits: Json | None = None,
    calcs: Sequence[str] = ("lastNotNull", "max"),
    overrides: Sequence[Json] = (),
    links: Sequence[Json] = (),
    nothing: str | None = None,
) -> Panel:
    """Lines over time. `limits` are drawn as lines; `nothing` is said when there is no series."""
    custom: Json = {
        "axisSoftMin": 0,
        "drawStyle": "bars" if bars else "line",
        "fillOpacity": 60 if bars else 25 if stacked else 8,
        "lineWidth": 0 if bars else 1,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"group": "A", "mode": "normal" if stacked else "none"},
        "thresholdsStyle": {"mode": "dashed" if limits else "off"},
    }
    if not from_zero:
        del custom["axisSoftMin"]
    return Panel(
        kind="timeseries",
        title=title,
        description=description,
        targets=targets,
        width=width,
        height=height,
        field=_field(
            unit=unit,
            custom=custom,
            min=0 if from_zero else None,
            max=highest,
            decimals=decimals,
            thresholds=limits or thresholds(),
            noValue=nothing,
            links=links,
        ),
        overrides=tuple(overrides),
        options={
            "legend": {
                "calcs": list(calcs),
                "displayMode": "table" if calcs else "list",
                "placement": "bottom",
                "showLegend": True,
                **({"sortBy": "Last *", "sortDesc": True} if calcs else {}),
            },
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    )


def stat(
    title: str,
    description: str,
    *targets: Target,
    unit: str,
    width: int,
    height: int = 4,
    limits: Json | None = None,
    decimals: int | None = None,
    highest: float | None = None,
    graph: bool = False,
    links: Sequence[Json] = (),
    mappings: Sequence[Json] = (),
    nothing: str | None = None,
    text: str = "auto",
) -> Panel:
    """One big number; its colour follows `limits`."""
    return Panel(
        kind="stat",
        title=title,
        description=description,
        targets=targets,
        width=width,
        height=height,
        field=_field(
            unit=unit,
            color="thresholds",
            links=links,
            min=0,
            max=highest,
            decimals=decimals,
            thresholds=limits or thresholds(base=GREY),
            mappings=list(mappings),
            noValue=nothing,
        ),
        overrides=(),
        options={
            "colorMode": "value",
            "graphMode": "area" if graph else "none",
            "justifyMode": "auto",
            "orientation": "auto",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "showPercentChange": False,
            "textMode": text,
            "wideLayout": True,
        },
    )


def bar_gauge(
    title: str,
    description: str,
    *targets: Target,
    unit: str,
    width: int,
    height: int = 8,
    limits: Json | None = None,
    highest: float | None = None,
    decimals: int | None = None,
    links: Sequence[Json] = (),
    nothing: str | None = None,
) -> Panel:
    """A bar for each series: which is the longest?"""
    return Panel(
        kind="bargauge",
        title=title,
        description=description,
        targets=targets,
        width=width,
        height=height,
        field=_field(
            unit=unit,
            color="thresholds",
            links=links,
            min=0,
            max=highest,
            decimals=decimals,
            thresholds=limits or thresholds(base=BLUE),
            noValue=nothing,
        ),
        overrides=(),
        options={
            "displayMode": "basic",
            "minVizHeight": 16,
            "minVizWidth": 8,
            "namePlacement": "left",
            "orientation": "horizontal",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "showUnfilled": True,
            "sizing": "auto",
            "valueMode": "color",
        },
    )


def state_timeline(
    title: str,
    description: str,
    *targets: Target,
    width: int,
    height: int = 8,
    mappings: Sequence[Json],
    links: Sequence[Json] = (),
) -> Panel:
    """A band for each series, with its states one after another."""
    return Panel(
        kind="state-timeline",
        title=title,
        description=description,
        targets=targets,
        width=width,
        height=height,
        field=_field(
            unit="short",
            color="thresholds",
            custom={"fillOpacity": 80, "lineWidth": 0},
            mappings=list(mappings),
            thresholds=thresholds(base=GREY),
            links=links,
        ),
        overrides=(),
        options={
            "alignValue": "left",
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "mergeValues": True,
            "rowHeight": 0.85,
            "showValue": "auto",
            "tooltip": {"mode": "single", "sort": "none"},
        },
    )


def heatmap(
    title: str, description: str, target: Target, *, unit: str, width: int, height: int = 8
) -> Panel:
    """How many fell into each bucket of a histogram, over time."""
    return Panel(
        kind="heatmap",
        title=title,
        description=description,
        targets=(target._replace(format="heatmap"),),
        width=width,
        height=height,
        field={"custom": {"scaleDistribution": {"type": "linear"}}, "unit": "short"},
        overrides=(),
        options={
            "calculate": False,
            "cellGap": 1,
            "cellValues": {"decimals": 0},
            "color": {
                "exponent": 0.5, "fill": "dark-orange", "mode": "scheme", "reverse": False,
                "scale": "exponential", "scheme": "Oranges", "steps": 32,
            },
            "exemplars": {"color": "rgba(255,0,255,0.7)"},
            "filterValues": {"le": 1e-9},
            "legend": {"show": True},
            "rowsFrame": {"layout": "auto"},
            "tooltip": {"mode": "single", "showColorScale": True, "yHistogram": False},
            "yAxis": {"axisPlacement": "left", "reverse": False, "unit": unit},
        },
    )  # fmt: skip


class Column(NamedTuple):
    """A column of a table; `of` is its field: a label, or `Value #A` for the first target."""

    of: str
    title: str
    unit: str = ""
    decimals: int | None = None
    limits: Json | None = None  # colours the text
    bar: bool = False
    highest: float | None = None
    links: tuple[Json, ...] = ()
    mappings: tuple[Json, ...] = ()
    width: int | None = None


def table(
    title: str,
    description: str,
    *targets: Target,
    columns: Sequence[Column],
    sort_by: str,
    width: int,
    height: int = 10,
    descending: bool = True,
    hidden: Sequence[str] = (),
    unit: str = "short",
    nothing: str | None = None,
) -> Panel:
    """One row for each set of labels, its figures from all targets side by side.

    Fields that are no column are to be `hidden`, if HIDDEN does not name them.
    """
    unwanted = sorted({*HIDDEN, *hidden} - {column.of for column in columns})
    return Panel(
        kind="table",
        title=title,
        description=description,
        targets=tuple(target._replace(instant=True, format="table") for target in targets),
        width=width,
        height=height,
        field=_field(
            unit=unit,
            color="thresholds",
            custom={"align": "auto", "cellOptions": {"type": "auto"}, "filterable": True},
            thresholds=thresholds(base=GREY),
            noValue=nothing,
        ),
        overrides=tuple(_column(column) for column in columns),
        options={
            "cellHeight": "sm",
            "footer": {"countRows": False, "fields": "", "reducer": ["sum"], "show": False},
            "showHeader": True,
            "sortBy": [{"desc": descending, "displayName": sort_by}],
        },
        transformations=(
            {"id": "merge", "options": {}},
            {
                "id": "organize",
                "options": {
                    "excludeByName": dict.fromkeys(unwanted, True),
                    "includeByName": {},
                    "indexByName": {column.of: place for place, column in enumerate(columns)},
                    "renameByName": {column.of: column.title for column in columns},
                },
            },
        ),
    )


# Fields of a merged table that nobody asked for.
HIDDEN = ("Time", "__name__", "alertstate", "instance", "job")


def _column(column: Column) -> Json:
    properties: Json = {}
    if column.unit:
        properties["unit"] = column.unit
    if column.decimals is not None:
        properties["decimals"] = column.decimals
    if column.limits:
        properties["thresholds"] = column.limits
        properties["custom__cellOptions"] = {"type": "color-text"}
    if column.bar:
        properties["custom__cellOptions"] = {"mode": "basic", "type": "gauge"}
        properties["min"] = 0
        properties["color"] = {"fixedColor": BLUE, "mode": "fixed"}
    if column.highest is not None:
        properties["max"] = column.highest
    if column.links:
        properties["links"] = list(column.links)
    if column.mappings:
        properties["mappings"] = list(column.mappings)
    if column.width is not None:
        properties["custom__width"] = column.width
    return by_name(column.title, **properties)


def meaning(texts: dict[str, tuple[str, str]]) -> Json:
    """Say values in words: value -> (text, colour)."""
    return {
        "options": {
            value: {"color": color, "index": index, "text": text}
            for index, (value, (text, color)) in enumerate(texts.items())
        },
        "type": "value",
    }
