"""Where the history is: a DuckDB file, or a folder that several hosts share, by its URL."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ms5ops import config, paths
from ms5ops.errors import ConfigError


@dataclass(frozen=True)
class Place:
    """The DuckDB file that queries read, and the shared folder that it mirrors (None: it mirrors nothing)."""

    file: Path
    shared: Path | None = None


def place(address: Path | str | None = None) -> Place:
    """The place that an address names: a path of a DuckDB file, or ``file:///folder`` for a shared folder.

    None: MS5OPS_HISTORY, else ``history`` in ms5ops.toml, else ``benchmarks_history/history.duckdb``. The mirror of a
    shared folder is in the state folder of this host. Raises ConfigError for an address that is neither.
    """
    if address is None:
        address = os.environ.get("MS5OPS_HISTORY") or config.history_address() or paths.history_file()
    if isinstance(address, Path) or "://" not in address:
        return Place(Path(address))
    parts = urlsplit(address)
    folder = unquote(parts.path)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or not folder.strip("/"):
        raise ConfigError(
            f"The history cannot be kept at {parts.scheme}://{parts.hostname or ''}{parts.path}.",
            "Name a DuckDB file, or a folder that several hosts share as file:///path/of/the/folder.",
        )
    mark = hashlib.sha256(folder.rstrip("/").encode()).hexdigest()[:16]
    return Place(paths.state_folder() / "shared-history" / f"{mark}.duckdb", Path(folder))
