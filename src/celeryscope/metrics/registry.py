"""The page that `/metrics` answers with: all families, from the recorder and the collectors."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from celeryscope.metrics import exposition
from celeryscope.metrics.catalog import Metric
from celeryscope.metrics.collectors import Collector
from celeryscope.metrics.exposition import Row
from celeryscope.metrics.recorder import Recorder

# Lines written before others may run. Python switches threads every 5 ms on its own; this
# makes it sooner, and the recorder's lock is free in between.
_LINES_A_TURN = 2_000


class Metrics:
    """Renders every metric of the recorder's catalogue.

    A collector may give rows for any metric by the name METRICS has for it; those that are
    switched off are left out. `render` may be called from any thread, one at a time.
    """

    def __init__(
        self,
        *,
        recorder: Recorder,
        collectors: Sequence[Collector] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._recorder = recorder
        self._collectors = collectors
        self._clock = clock
        self._turn = threading.Lock()
        # What a counter said last: one that is corrected downwards would look like a restart,
        # and Prometheus would count all of it again.
        self._told: dict[str, dict[tuple[str, ...], float]] = {}
        self._renders = 0
        self._render_seconds = 0.0
        catalog = recorder.catalog
        self._static = tuple(sorted(catalog.static_labels.items()))

    def render(self, openmetrics: bool = False) -> bytes:
        """Return the whole page, in OpenMetrics 1.0 or in the text format 0.0.4."""
        with self._turn:
            began = time.perf_counter()
            page = self._page(openmetrics)
            self._render_seconds += time.perf_counter() - began
            self._renders += 1
            return page

    def _page(self, openmetrics: bool) -> bytes:
        collected = self._collected()
        parts: list[bytes] = []
        for name, metric in self._recorder.catalog.metrics.items():
            body = self._recorded(name, openmetrics)
            samples = collected.get(name)
            if samples is not None:
                body.append(self._rows(name, metric, samples).encode())
            if any(body):
                parts.append(exposition.head(metric, openmetrics=openmetrics).encode())
                parts += body
        if openmetrics:
            parts.append(exposition.END_OF_OPENMETRICS.encode())
        return b"".join(parts)

    def _collected(self) -> dict[str, Sequence[Row]]:
        now = self._clock()
        collected: dict[str, Sequence[Row]] = {
            "celeryscope_metrics_render_seconds_total": [((), self._render_seconds)],
            "celeryscope_metrics_renders_total": [((), self._renders)],
        }
        for collector in self._collectors:
            collected.update(collector.collect(now))
            time.sleep(0)
        return collected

    def _rows(self, name: str, metric: Metric, samples: Sequence[Row]) -> str:
        if metric.kind == "counter":
            samples = self._not_falling(name, samples)
        static = self._static if metric.set == "celery" else ()
        return exposition.rows(metric, samples, static_labels=static)

    def _not_falling(self, name: str, samples: Sequence[Row]) -> Sequence[Row]:
        before = self._told.get(name, {})
        told = {values: max(value, before.get(values, value)) for values, value in samples}
        self._told[name] = told
        return list(told.items())

    def _recorded(self, name: str, openmetrics: bool) -> list[bytes]:
        """Write the recorder's series of one metric, letting others run in between."""
        family = self._recorder.families.get(name)
        if family is None:
            return []
        kind = family.metric.kind
        with self._recorder.lock:
            children = list(family.children.values())
        lines_each = len(children[0].counts) + 3 if children and kind == "histogram" else 1
        step = max(1, _LINES_A_TURN // lines_each)
        write = exposition.WRITERS[kind]
        parts = []
        for start in range(0, len(children), step):
            # Held, so that nothing is counted between a histogram's buckets and its sum.
            with self._recorder.lock:
                text = write(family.metric, children[start : start + step], openmetrics)
            parts.append(text.encode())
            time.sleep(0)
        return parts
