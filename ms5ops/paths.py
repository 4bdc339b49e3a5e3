"""Where things are: the project's folders, and the state that this machine keeps.

``MS5OPS_STATE`` moves the state folder (used by the tests, and by installations whose checkout is read-only);
``MS5OPS_HISTORY`` moves the history, see ``ms5ops.history.places``.
"""

import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
SQL = PROJECT / "sql"


def state_folder() -> Path:
    """The folder for the sandbox and other local state, ``.ms5ops/`` in the project."""
    return Path(os.environ.get("MS5OPS_STATE") or PROJECT / ".ms5ops")


def history_file() -> Path:
    """The DuckDB file with snapshots and benchmark runs, where no other place is configured."""
    return PROJECT / "benchmarks_history" / "history.duckdb"
