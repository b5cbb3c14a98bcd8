"""Files of settings: TOML, and Flower's flowerconfig.py, which is read and never run."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from celeryscope.errors import ConfigError

FLOWERS_FILE = "flowerconfig.py"


class NotPlain(NamedTuple):
    """A value in a Python file that is not written out, so that we do not know it."""

    code: str


class Entry(NamedTuple):
    name: str  # as written in the file
    value: Any
    origin: str  # file and line


def read(path: Path, *, is_known: Callable[[str], bool]) -> list[Entry]:
    """Read the settings in `path`, by its suffix.

    `is_known` tells the names that matter where a Python file is more than assignments. Raises
    ConfigError when the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not a UTF-8 text") from error
    if path.suffix == ".py":
        return list(_read_python(path, text, is_known))
    if path.suffix == ".toml":
        return list(_read_toml(path, text))
    raise ConfigError(f"{path} must be a TOML file (.toml) or a flowerconfig.py (.py)")


def _read_toml(path: Path, text: str) -> Iterator[Entry]:
    try:
        read = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    for key, value in read.items():
        yield Entry(key, value, f"{path}:{_toml_line(text, key)}")


def _toml_line(text: str, key: str) -> int:
    """The line where `key` is set: tomllib does not tell."""
    said = re.search(rf"""^\s*\[?["']?{re.escape(key)}["']?\s*[=.\]]""", text, re.MULTILINE)
    return text.count("\n", 0, said.end()) + 1 if said else 1


def _read_python(path: Path, text: str, is_known: Callable[[str], bool]) -> Iterator[Entry]:
    try:
        module = ast.parse(text, filename=str(path))
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        raise ConfigError(f"{path}:{line} is not Python: {error}") from error
    for node in module.body:
        for name, value in _assignments(node, is_known):
            yield Entry(name, value, f"{path}:{node.lineno}")


def _assignments(node: ast.stmt, is_known: Callable[[str], bool]) -> Iterator[tuple[str, Any]]:
    """What a statement at the top of the file gives names to."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Name):
                yield target.id, _literal(node.value)
            else:
                yield from _hidden(target, is_known)
    elif isinstance(node, ast.AnnAssign) and node.value and isinstance(node.target, ast.Name):
        yield node.target.id, _literal(node.value)
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        if is_known(node.name):
            yield node.name, NotPlain(f"def {node.name}")
    elif isinstance(node, ast.Import | ast.ImportFrom):
        for alias in node.names:
            if is_known(name := alias.asname or alias.name):
                yield name, NotPlain(f"import {alias.name}")
    else:
        # An `if`, a loop, a `try`: which of its assignments hold is only known by running it.
        yield from _hidden(node, is_known)


def _hidden(node: ast.AST, is_known: Callable[[str], bool]) -> Iterator[tuple[str, Any]]:
    stored = (n for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
    for name in dict.fromkeys(n.id for n in stored if is_known(n.id)):
        yield name, NotPlain(ast.unparse(node).partition("\n")[0])


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, MemoryError, RecursionError):
        return NotPlain(ast.unparse(node))
