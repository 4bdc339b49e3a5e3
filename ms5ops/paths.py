"""Where things are: the project's folders, and the state that this machine keeps.

``MS5OPS_STATE`` moves the state folder and ``MS5OPS_HISTORY`` the history file (both are used by
the tests, and by installations whose checkout is read-only).
"""

import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
SQL = PROJECT / "sql"


def state_folder() -> Path:
    """The folder for the sandbox and other local state, ``.ms5ops/`` in the project."""
    return Path(os.environ.get("MS5OPS_STATE") or PROJECT / ".ms5ops")


def history_file() -> Path:
    """The DuckDB file with snapshots and benchmark runs."""
    return Path(os.environ.get("MS5OPS_HISTORY") or PROJECT / "benchmarks_history" / "history.duckdb")
