"""`counted` of the generator: how many in the time range shown, the very first one included."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from dashboards.parts import counted, of

UP = 'up{job="c",instance="i"}'
BEGAN = 'process_start_time_seconds{job="c",instance="i"}'
FAILED = 'failures_total{job="c",instance="i",task="t"}'

# Series as promtool writes them, one value a minute; asked at 2 h, for the last hour.
CASES: dict[str, tuple[dict[str, str], float | None]] = {
    "the first failure of a task counts": (
        {UP: "1x120", BEGAN: "0x120", FAILED: "_x90 1x30"},
        1,
    ),
    "what failed since the console began counts": (
        {UP: "_x70 1x50", BEGAN: "_x70 4200x50", FAILED: "_x70 3x50"},
        3,
    ),
    "a console that ran before it was read first tells only what is new": (
        {UP: "_x70 1x50", BEGAN: "_x70 0x50", FAILED: "_x70 1000x50"},
        0,
    ),
    "what failed before the range does not count": (
        {UP: "1x120", BEGAN: "0x120", FAILED: "7x120"},
        0,
    ),
    "a console that began anew adds up": (
        {UP: "1x120", BEGAN: "0x90 5400x30", FAILED: "6x90 2x30"},
        2,
    ),
    "nothing is nothing": ({UP: "1x120", BEGAN: "0x120"}, None),
}


@pytest.mark.parametrize("name", CASES)
def test_counted(name: str, promtool: str, tmp_path: Path) -> None:
    series, wanted = CASES[name]
    expr = counted(of("failures_total"), "task")
    expr = expr.replace("$job", "c").replace("$__range_s", "3600").replace("$__range", "1h")
    samples = [] if wanted is None else [{"labels": '{task="t"}', "value": wanted}]
    case = {
        "interval": "1m",
        "input_series": [{"series": each, "values": values} for each, values in series.items()],
        # Extrapolation to the edges of the range is Prometheus' business: whole numbers.
        "promql_expr_test": [{"expr": f"round({expr})", "eval_time": "2h", "exp_samples": samples}],
    }
    file = tmp_path / "test.json"
    file.write_text(json.dumps({"evaluation_interval": "1m", "tests": [case]}))
    done = subprocess.run(
        [promtool, "test", "rules", file],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 0, done.stdout + done.stderr
