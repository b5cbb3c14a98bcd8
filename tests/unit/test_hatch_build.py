"""The hook that sees to it that no wheel is without the page."""

from __future__ import annotations

from pathlib import Path

import pytest

import hatch_build


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose page is built by writing index.html."""
    ui, dist = tmp_path / "ui", tmp_path / "dist"
    (ui / "node_modules").mkdir(parents=True)
    (ui / "package.json").write_text("{}")
    (ui / "page.ts").write_text("1")
    dist.mkdir()
    monkeypatch.delenv("CELERYSCOPE_UI", raising=False)
    monkeypatch.setattr(hatch_build, "ROOT", tmp_path)
    monkeypatch.setattr(hatch_build, "UI", ui)
    monkeypatch.setattr(hatch_build, "DIST", dist)
    monkeypatch.setattr(hatch_build, "RECORDED_HASH", dist / "sources.sha256")
    return tmp_path


@pytest.fixture
def builds(project: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What npm was called with."""
    calls: list[tuple[str, ...]] = []

    def npm(*arguments: str, CELERYSCOPE_UI_OUT: str) -> None:
        calls.append(arguments)
        new = Path(CELERYSCOPE_UI_OUT)
        new.mkdir()
        sources = (project / "ui").glob("*.ts")
        (new / "index.html").write_text("".join(source.read_text() for source in sources))

    monkeypatch.setattr(hatch_build, "npm", npm)
    return calls


def test_the_page_is_built_once_and_again_when_a_source_changes(
    project: Path, builds: list[tuple[str, ...]]
) -> None:
    hatch_build.build()
    hatch_build.build()
    assert builds == [("run", "build")]
    (project / "ui" / "page.ts").write_text("2")
    hatch_build.build()
    (project / "ui" / "page.ts").rename(project / "ui" / "other.ts")
    hatch_build.build()
    assert len(builds) == 3


def test_what_npm_installs_is_no_source(project: Path, builds: list[tuple[str, ...]]) -> None:
    hatch_build.build()
    (project / "ui" / "node_modules" / "x.js").write_text("1")
    hatch_build.build()
    assert len(builds) == 1


def test_a_build_that_leaves_no_page_fails(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hatch_build, "npm", lambda *arguments, **variables: None)
    with pytest.raises(SystemExit, match=r"has no index\.html"):
        hatch_build.build()


def test_without_page_and_sources_it_fails(project: Path) -> None:
    (project / "ui" / "package.json").unlink()
    with pytest.raises(SystemExit, match=r"has no package\.json"):
        hatch_build.build()


def test_a_build_that_fails_leaves_the_page_from_before(
    project: Path, builds: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    hatch_build.build()
    (project / "ui" / "page.ts").write_text("broken")

    def fail(*arguments: str, CELERYSCOPE_UI_OUT: str) -> None:
        Path(CELERYSCOPE_UI_OUT).mkdir()
        raise SystemExit("no")

    monkeypatch.setattr(hatch_build, "npm", fail)
    with pytest.raises(SystemExit):
        hatch_build.build()
    assert not hatch_build.is_fresh()
    assert sorted(path.name for path in project.iterdir()) == ["dist", "ui"]
    assert (project / "dist" / "index.html").read_text() == "1"
    (project / "ui" / "page.ts").write_text("1")
    assert hatch_build.is_fresh()


def test_the_page_is_whole_while_another_is_built(
    project: Path, builds: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    hatch_build.build()
    (project / "dist" / "of-before.js").write_text("1")
    (project / "ui" / "page.ts").write_text("2")
    build, seen = hatch_build.npm, list[str]()

    def look(*arguments: str, **variables: str) -> None:
        build(*arguments, **variables)
        seen.append((project / "dist" / "index.html").read_text())

    monkeypatch.setattr(hatch_build, "npm", look)
    hatch_build.build()
    assert seen == ["1"]
    assert (project / "dist" / "index.html").read_text() == "2"
    assert not (project / "dist" / "of-before.js").exists()


def test_a_page_of_other_sources_is_taken_only_when_asked(
    project: Path, builds: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "dist" / "index.html").write_text("old")
    assert not hatch_build.is_fresh()
    monkeypatch.setenv("CELERYSCOPE_UI", "prebuilt")
    assert hatch_build.is_fresh()
    (project / "dist" / "index.html").unlink()
    assert not hatch_build.is_fresh()


def test_an_sdist_carries_its_page(project: Path) -> None:
    (project / "dist" / "index.html").write_text("page")
    (project / "PKG-INFO").write_text("")
    assert hatch_build.is_fresh()


@pytest.mark.parametrize(
    ("version", "taken"),
    [
        ("v18.20.0", False),
        ("v20.18.9", False),
        ("v20.19.0", True),
        ("v21.7.3", False),
        ("v22.11.0", False),
        ("v22.12.0", True),
        ("v24.19.0", True),
        ("no node", False),
    ],
)
def test_the_systems_node_is_taken_when_vite_runs_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, taken: bool
) -> None:
    for name in ("node", "npm"):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho {version}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert (hatch_build.system_node() is not None) == taken
