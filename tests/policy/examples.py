"""Policies that differ from the default in a few keys."""

import shutil
import tomllib
from pathlib import Path
from typing import Any

from ms5ops import paths, strict
from ms5ops.policy.document import DEFAULT_FILE, PolicySet

FILE = Path("policy.toml")
REMOVED = object()


def changed(changes: dict[str, Any] | None = None, sql_folder: Path = paths.SQL) -> PolicySet:
    """The default with other values at dotted keys (``REMOVED``: without that key)."""
    document = tomllib.loads(DEFAULT_FILE.read_text())
    for key, value in (changes or {}).items():
        *path, last = key.split(".")
        place = document
        for part in path:
            place = place.setdefault(part, {})
        if value is REMOVED:
            del place[last]
        else:
            place[last] = value
    return strict.validated(PolicySet, document, FILE, {"sql_folder": sql_folder})


def bodies(folder: Path, changes: dict[str, tuple[str, str]]) -> Path:
    """A copy of the project's bodies in which one text stands for another in some files."""
    copy = folder / "sql"
    for kind in ("aggregates", "views", "jobs"):
        shutil.copytree(paths.SQL / kind, copy / kind)
    for file, (old, new) in changes.items():
        text = (copy / file).read_text()
        assert old in text, f"{file} does not hold {old}"
        (copy / file).write_text(text.replace(old, new))
    return copy
