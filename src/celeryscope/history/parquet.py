"""The history as Parquet: a typed column for each field, and what was told of a task as JSON.

Needs pyarrow (the extra `parquet`). Columns are for asking; only `told` is read when a file comes
in again, so nothing is lost on the way. The columns have a page: docs/reference/history-export.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

from celeryscope.errors import NotPossible
from celeryscope.history import transfer
from celeryscope.history.transfer import VERSION, Bad, Line, TaskLine
from celeryscope.model.text import sound

MAGIC: Final = b"PAR1"
_ROWS = 20_000  # of a row group: some ten MB in memory
_VERSION_KEY = b"celeryscope.history"
_TEXTS = ("name", "queue", "worker", "client")
_MICROSECONDS = 1_000_000

#: Of events: the first of these kinds tells the time of that column.
_TIMES = ("sent", "received", "started")


def write(file: BinaryIO, lines: Iterable[TaskLine], *, done: Callable[[int], None]) -> int:
    """Write tasks, and give how many; `done` is told how many so far.

    Raises NotPossible without pyarrow.
    """
    arrow, parquet = _modules()
    schema = _schema(arrow)
    count = 0
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        rows: list[dict[str, Any]] = []
        for line in lines:
            rows.append(_row(line))
            count += 1
            if len(rows) == _ROWS:
                writer.write_table(arrow.Table.from_pylist(rows, schema=schema))
                rows.clear()
                done(count)
        if rows:
            writer.write_table(arrow.Table.from_pylist(rows, schema=schema))
    done(count)
    return count


def read(path: Path, *, done: Callable[[int, int], None]) -> Iterator[Line | Bad]:
    """Give the tasks of a file; `done` is told how many rows of how many.

    Raises NotPossible without pyarrow, and for a file that is no export of ours.
    """
    arrow, parquet = _modules()
    try:
        with parquet.ParquetFile(path) as file:
            _check(path, file)
            total, number = file.metadata.num_rows, 0
            for batch in file.iter_batches(batch_size=1_000, columns=["told"]):
                for told in batch.column(0).to_pylist():
                    number += 1
                    yield _line(told, number)
                done(number, total)
    except (arrow.ArrowException, OSError) as error:
        said = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
        raise NotPossible(f"{path} cannot be read as Parquet: {said}") from error


def _line(told: object, number: int) -> Line | Bad:
    if not isinstance(told, str):
        return Bad(number, "its column 'told' is empty")
    return transfer.decode(told.encode("utf-8", "surrogatepass"), number)


def _check(path: Path, file: Any) -> None:
    known = (file.schema_arrow.metadata or {}).get(_VERSION_KEY)
    if known is None or "told" not in file.schema_arrow.names:
        raise NotPossible(
            f"{path} is no export of a history: its column 'told' is not there.",
            hint="celeryscope history export FILE.parquet writes one.",
        )
    if not known.isdigit() or int(known) > VERSION:
        raise NotPossible(
            f"{path} was exported by a newer Celeryscope.", hint="Import it with that one."
        )


def _row(line: TaskLine) -> dict[str, Any]:
    last: dict[str, int] = {}
    for event in line.events:
        last[event.kind] = max(event.at, last.get(event.kind, event.at))
    end = max(line.events, key=lambda event: event.at, default=None)
    texts = {
        name: next((value for event in reversed(line.events)
                    if (value := getattr(event, name)) is not None), None)
        for name in ("result", "exception", "traceback")
    }  # fmt: skip
    return {
        "id": sound(line.id),  # `told` has it as it was
        "state": line.state,
        "at": line.at or (0 if end is None else end.at),
        **{name: getattr(line, name) for name in _TEXTS},
        **{kind: last.get(kind) for kind in _TIMES},
        "runtime": None if line.runtime is None else line.runtime / _MICROSECONDS,
        "wait": None if line.wait is None else line.wait / _MICROSECONDS,
        "retries": min(max(line.retries, 0), 2**31 - 1),
        "root": None if line.root is None else sound(line.root),
        "parent": None if line.parent is None else sound(line.parent),
        "args": line.args,
        "kwargs": line.kwargs,
        **texts,
        "told": transfer.encode(line)[:-1].decode(),
    }


def _schema(arrow: Any) -> Any:
    time = arrow.timestamp("us", tz="UTC")
    word = arrow.dictionary(arrow.int32(), arrow.string())
    columns = [("id", arrow.string()), ("state", word), ("at", time)]
    columns += [(name, word) for name in _TEXTS]
    columns += [(name, time) for name in _TIMES]
    columns += [("runtime", arrow.float64()), ("wait", arrow.float64()), ("retries", arrow.int32())]
    columns += [
        (name, arrow.string())
        for name in ("root", "parent", "args", "kwargs", "result", "exception", "traceback", "told")
    ]
    return arrow.schema(columns, metadata={_VERSION_KEY: str(VERSION).encode()})


def _modules() -> tuple[Any, Any]:
    try:
        import pyarrow as pa
        import pyarrow.parquet
    except ImportError:
        raise NotPossible(
            "Parquet needs a Python package that is not installed: pyarrow.",
            hint="pip install 'celeryscope[parquet]'",
        ) from None
    return pa, pyarrow.parquet
