"""The audit trail with real processes: several at once, killed, and where no more can be written."""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from celeryscope.audit import files
from celeryscope.audit.appender import SEGMENT_BEGUN
from celeryscope.audit.entry import By, Entry, entry_of
from celeryscope.audit.filter import Filter
from celeryscope.audit.trail import Trail
from celeryscope.audit.verify import verify

#: Writes entries for ever, or so many; tells of each on stdout when it is kept.
WRITER = """
import sys
from pathlib import Path
from celeryscope.audit.entry import By
from celeryscope.audit.trail import Trail

directory, name, count, segment_bytes = sys.argv[1:]
trail = Trail(Path(directory), segment_bytes=int(segment_bytes))
by = By(name=name, role="admin", way="password")
number = 0
while not int(count) or number < int(count):
    trail.write(kind="command", by=by, what=f"{name} {number}", arguments={"fill": "x" * 500})
    if trail.error:
        sys.exit(trail.error)
    print(number, flush=True)
    number += 1
"""

ADA = By(name="ada", role="admin", way="password")


@contextlib.contextmanager
def writer(
    directory: Path, name: str, *, count: int = 0, segment_bytes: int = 20_000
) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", WRITER, str(directory), name, str(count), str(segment_bytes)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def told(process: subprocess.Popen[bytes]) -> list[int]:
    """The numbers of the entries that were kept, as far as the process could say."""
    assert process.stdout is not None
    return [int(line) for line in process.stdout.read().split(b"\n")[:-1]]


def kept(directory: Path) -> list[Entry]:
    return [
        entry_of(line)
        for place in files.segments(directory)
        for line in place.path.read_bytes().splitlines()
    ]


@pytest.mark.slow
def test_a_process_that_is_killed_while_it_writes_loses_nothing_that_it_told_of(
    tmp_path: Path,
) -> None:
    chance = random.Random(6)
    for life in range(25):
        with writer(tmp_path, f"life{life}") as process:
            assert process.stdout is not None
            first = process.stdout.readline()  # it writes
            timer = threading.Timer(chance.uniform(0.0, 0.12), process.kill)
            timer.start()
            numbers = [int(first), *told(process)]
            assert process.wait(20) == -signal.SIGKILL
        verdict = verify(tmp_path)
        assert verdict.problems == []
        written = [it.what for it in kept(tmp_path) if it.by.name == f"life{life}"]
        assert written[: len(numbers)] == [f"life{life} {number}" for number in numbers]
        assert len(written) <= len(numbers) + 1  # kept, and killed before it could say so
    assert verify(tmp_path).segments > 1


@pytest.mark.slow
def test_several_processes_write_one_chain_though_some_are_killed(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        steady = [stack.enter_context(writer(tmp_path, f"steady{n}", count=60)) for n in range(2)]
        for life in range(4):
            with writer(tmp_path, f"killed{life}") as process:
                assert process.stdout is not None
                for _ in range(5):
                    process.stdout.readline()
        for process in steady:
            assert told(process) == list(range(60))
            assert process.wait(30) == 0
    verdict = verify(tmp_path)
    assert verdict.problems == []
    assert verdict.segments > 2
    for name in ("steady0", "steady1"):
        written = [it.what for it in kept(tmp_path) if it.by.name == name]
        assert written == [f"{name} {number}" for number in range(60)]
    strange = {it.what for it in kept(tmp_path) if it.kind == "console"}
    assert strange <= {SEGMENT_BEGUN, "unfinished entry set aside"}


def test_a_trail_is_verified_read_and_exported_while_others_write_in_it(tmp_path: Path) -> None:
    ours = Trail(tmp_path)
    with writer(tmp_path, "busy") as process:
        assert process.stdout is not None
        process.stdout.readline()
        for _ in range(15):
            verdict = verify(tmp_path)
            assert (verdict.problems, verdict.notes) == ([], [])
            page = ours.read(Filter(who="busy"), limit=20)
            assert page.unreadable == 0
            numbers = [entry.seq for entry in page.entries]
            assert numbers == sorted(numbers, reverse=True)
            lines = b"".join(ours.export(Filter())).splitlines()
            assert [entry_of(line).seq for line in lines] == list(range(1, len(lines) + 1))
            process.stdout.readline()


#: Writes until no more can be written, then may again.
FULL = """
import resource, signal, sys
from pathlib import Path
from celeryscope.audit.entry import By
from celeryscope.audit.trail import Trail

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
trail = Trail(Path(sys.argv[1]))
by = By(name="ada")
resource.setrlimit(resource.RLIMIT_FSIZE, (3_000, unlimited[1]))
number = 0
while trail.unwritten < 3:
    trail.write(kind="command", by=by, what=f"w{number}")
    number += 1
print(trail.error)
resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
trail.write(kind="command", by=by, what="after")
print(trail.error)
"""


def test_where_no_more_can_be_written_the_chain_stays_whole_and_tells_of_the_gap(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=40,
    )
    trouble, after = done.stdout.splitlines()
    assert trouble.startswith(f"The audit trail in {tmp_path} cannot be written since")
    assert "bytes could be written" in trouble or "File too large" in trouble
    assert trouble.endswith("3 entries are in the log only.")
    assert after == "None"
    whats = [entry.what for entry in kept(tmp_path)]
    assert len(whats) > 4
    assert whats[-2:] == ["entries not kept", "after"]
    assert whats[:-2] == [f"w{number}" for number in range(len(whats) - 2)]
    assert verify(tmp_path).problems == []


def test_a_line_that_the_system_wrote_only_in_part_is_set_aside_by_the_next_process(
    tmp_path: Path,
) -> None:
    with writer(tmp_path, "first", count=3) as process:
        assert told(process) == [0, 1, 2]
    place = files.segments(tmp_path)[-1].path
    whole = place.read_bytes()
    torn = whole + whole.splitlines()[-1][:200]
    place.write_bytes(torn)
    verdict = verify(tmp_path)
    assert verdict.problems == []
    assert "200 bytes of an unfinished entry" in verdict.notes[0]
    with writer(tmp_path, "second", count=1) as process:
        assert told(process) == [0]
    assert [it.what for it in kept(tmp_path)][-2:] == ["unfinished entry set aside", "second 0"]
    verdict = verify(tmp_path)
    assert (verdict.problems, verdict.notes) == ([], [])
    assert (tmp_path / "torn-4.bin").stat().st_size == 200


#: Dies at each step of writing in turn, half of what is to be written being there, and looks.
CRASHES = """
import os, shutil, signal, sys
from pathlib import Path
from celeryscope.audit import files
from celeryscope.audit.entry import By
from celeryscope.audit.filter import Filter
from celeryscope.audit.trail import Trail
from celeryscope.audit.verify import verify

base, by = Path(sys.argv[1]), By(name="ada")

def write(directory, what):
    trail = Trail(directory, segment_bytes=1_500)
    trail.write(kind="command", by=by, what=what)
    assert trail.error is None, trail.error

def dying(name, real, due):
    def step(*args, **options):
        if due[0] == 0:
            if name == "write":
                real(args[0], args[1][: len(args[1]) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        due[0] -= 1
        return real(*args, **options)
    return step

def die_at(step, directory):
    due = [step]
    for name in ("open", "write", "ftruncate", "replace", "rename", "fsync", "fdatasync", "mkdir"):
        setattr(os, name, dying(name, getattr(os, name), due))
    files.sync = os.fdatasync
    for number in range(4):
        write(directory, f"child {number}")
        print(number, file=sys.stderr)

for before in (0, 1, 3):  # entries that are there already, and half of one
    for step in range(1_000):
        directory = base / f"{before}-{step}"
        for number in range(before):
            write(directory, f"before {number}")
        if before:
            with files.segments(directory)[-1].path.open("ab") as file:
                file.write(b'{"seq":')
        told, tell = os.pipe()
        child = os.fork()
        if child == 0:
            os.dup2(tell, 2)
            die_at(step, directory)
            os._exit(0)
        os.close(tell)
        _, status = os.waitpid(child, 0)
        said = [int(it) for it in os.fdopen(told, "rb").read().split()]
        there = files.segments(directory)
        if there and any(it.path.stat().st_size for it in there):
            verdict = verify(directory)
            assert verdict.good, (before, step, verdict)
        write(directory, "after")
        verdict = verify(directory)
        assert verdict.good and not verdict.notes, (before, step, verdict)
        whats = [it.what for it in Trail(directory).read(Filter(), limit=100).entries][::-1]
        assert "entries missing" not in whats, (before, step, whats)
        ours = [it for it in whats if it.startswith(("before", "child", "after"))]
        kept = [f"before {it}" for it in range(before)] + [f"child {it}" for it in said]
        more = [f"child {len(said)}"]
        assert ours in (kept + ["after"], kept + more + ["after"]), (before, step, whats)
        shutil.rmtree(directory)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0 and said == [0, 1, 2, 3]
            break
    print(step)
"""


@pytest.mark.slow
def test_wherever_a_crash_comes_the_chain_is_whole_and_goes_on(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CRASHES, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr
    steps = [int(line) for line in done.stdout.splitlines()]
    assert len(steps) == 3
    assert min(steps) > 25  # it did die at each of so many


def test_it_needs_no_open_files_between_entries(tmp_path: Path) -> None:
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    ours = Trail(tmp_path, segment_bytes=1_000)
    ours.write(kind="command", by=ADA, what="w")
    before = open_files()
    for _ in range(20):
        ours.write(kind="command", by=ADA, what="w")
        ours.read(Filter(), limit=3)
        next(ours.export(Filter()))
    assert open_files() <= before
