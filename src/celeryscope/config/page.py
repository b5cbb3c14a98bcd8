"""The reference page of the settings, written from the table: `make docs`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from celeryscope.config.settings import GROUPS, MEANINGLESS, SETTINGS, Dialect, Setting

HEAD = """\
# Settings

<!-- Written from the table in src/celeryscope/config/settings.py: make docs -->

Each setting is a flag (`--max-tasks 5000`), a variable (`CELERYSCOPE_MAX_TASKS=5000`) and a key
in a file (`max_tasks = 5000`). A flag goes before a variable, a variable before the file, and the
file before what the Celery app says (with `celery -A proj scope`).

The file is named with `--config`. It is TOML, or a `flowerconfig.py`: that is read but never run,
so its values must be written out. A `flowerconfig.py` in the directory where Celeryscope starts
is read by itself, as Flower does. Times are in seconds or written as `500ms`, `10m`, `2h`; sizes
in bytes or as `64MiB`. Where a setting takes several values, its flag can be repeated.
"""

COLUMNS = """\
| Setting | Default | Unit | Meaning |
| --- | --- | --- | --- |
"""

FLOWER = """\
## Flower's options

`celery -A proj scope` and `celeryscope serve` take Flower's options where they mean the same: as
flags, as `FLOWER_…` variables, and in `flowerconfig.py`.
"""

EXPORTER = """\
## celery-exporter's options

`celeryscope exporter` takes celery-exporter's options where they mean the same: as flags and as
`CE_…` variables.
"""


def page() -> str:
    """The whole page, as Markdown."""
    parts = [HEAD]
    for group in GROUPS:
        rows = "".join(_row(setting) for setting in SETTINGS if setting.group == group)
        parts.append(f"## {group}\n\n{COLUMNS}{rows}")
    parts += [FLOWER + "\n" + _dialect("flower")]
    parts += [EXPORTER + "\n" + _dialect("exporter")]
    return "\n".join(parts)


def _row(setting: Setting) -> str:
    default = setting.shown_default("serve")
    shown = f"`{default}`" if default else ""
    if setting.exporter_default is not None:
        shown += f"; exporter: `{setting.exporter_default}`"
    sentence = setting.sentence.replace("|", "\\|")
    return f"| `{setting.name}` | {shown} | {setting.unit} | {sentence} |\n"


def _dialect(dialect: Dialect) -> str:
    same = [setting.name for setting in SETTINGS if dialect in setting.same]
    lines = [f"- The same: {_listed(same)}."]
    lines += [f"- {line}" for line in _renamed(dialect)]
    nothing = [
        f"`{name}`" + (f" ({why})" if why else "") for name, why in MEANINGLESS[dialect].items()
    ]
    lines += ["- Accepted, without a meaning, and named in a warning: " + ", ".join(nothing) + "."]
    return "\n".join(lines) + "\n"


def _renamed(dialect: Dialect) -> Iterator[str]:
    for setting in SETTINGS:
        for alias in setting.aliases:
            if alias.dialect == dialect:
                differs = f" ({alias.differs})" if alias.differs else ""
                yield f"`{alias.name}`{differs} is our `{setting.name}`."


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
