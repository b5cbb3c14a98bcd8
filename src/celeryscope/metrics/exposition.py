"""Writes families of series as Prometheus text 0.0.4 or OpenMetrics 1.0.

Pure functions from numbers to text. They are made for tens of thousands of lines: a histogram's
lines come from one template filled in one step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import Any

from celeryscope.metrics.catalog import Metric
from celeryscope.metrics.series import Counter, Gauge, Histogram, opening

Row = tuple[tuple[str, ...], float]  # label values in the metric's order, and the value

END_OF_OPENMETRICS = "# EOF\n"


def number(value: float) -> str:
    """Write a number as Go and prometheus_client do: `+Inf`, `NaN`, `0.005`, `3`."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)


def head(metric: Metric, *, openmetrics: bool) -> str:
    """Return the lines that introduce a family."""
    if openmetrics:
        help = metric.help.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
        unit = f"# UNIT {metric.family} {metric.unit}\n" if metric.unit else ""
        return f"# HELP {metric.family} {help}\n# TYPE {metric.family} {metric.kind}\n{unit}"
    help = metric.help.replace("\\", "\\\\").replace("\n", "\\n")
    kind = "gauge" if metric.kind == "info" else metric.kind  # 0.0.4 has no info
    return f"# HELP {metric.name} {help}\n# TYPE {metric.name} {kind}\n"


def rows(
    metric: Metric, samples: Iterable[Row], *, static_labels: tuple[tuple[str, str], ...] = ()
) -> str:
    """Return the lines of a counter, gauge or info whose values were read just now."""
    return "".join(
        f"{metric.name}{closed(opening(metric.labels, values, static_labels))} {number(value)}\n"
        for values, value in samples
    )


def closed(opening: str) -> str:
    """Return the label part of a line; nothing at all where there are no labels."""
    return f"{opening}}}" if opening != "{" else ""


def counters(metric: Metric, children: Sequence[Counter], openmetrics: bool) -> str:
    """Return the lines of these counters, with their times of creation in OpenMetrics."""
    name = metric.name
    if openmetrics:
        created = f"{metric.family}_created"
        return "".join(
            f"{name}{c.opening}}} {c.value}\n{created}{c.opening}}} {c.created:.3f}\n"
            for c in children
        )
    return "".join([f"{name}{c.opening}}} {c.value}\n" for c in children])


def gauges(metric: Metric, children: Sequence[Gauge], openmetrics: bool) -> str:
    """Return the lines of these gauges; one that has no value yet has no line."""
    name = metric.name
    return "".join([f"{name}{g.opening}}} {g.value!r}\n" for g in children if g.value is not None])


def histograms(metric: Metric, children: Sequence[Histogram], openmetrics: bool) -> str:
    """Return the lines of these histograms; one that observed nothing has no lines."""
    if not children:
        return ""
    template = _template(metric.name, children[0].bounds, openmetrics)
    lines = []
    for child in children:
        values: list[float] = list(accumulate(child.counts))
        count = values[-1]
        if not count:
            continue
        values += (count, child.sum)
        if openmetrics:
            values.append(child.created)
        filled: list[object] = [child.opening] * (2 * len(values))
        filled[1::2] = values
        lines.append(template % tuple(filled))
    return "".join(lines)


WRITERS: dict[str, Callable[[Metric, Sequence[Any], bool], str]] = {
    "counter": counters,
    "gauge": gauges,
    "histogram": histograms,
}


def _template(name: str, bounds: Sequence[float], openmetrics: bool) -> str:
    """Return a format that takes (labels, value) for every line of one histogram."""
    buckets = [number(float(bound)) for bound in bounds] + ["+Inf"]
    lines = [f'{name}_bucket%s,le="{bucket}"}} %d\n' for bucket in buckets]
    lines += [f"{name}_count%s}} %d\n", f"{name}_sum%s}} %r\n"]
    if openmetrics:
        lines.append(f"{name}_created%s}} %.3f\n")
    return "".join(lines)
