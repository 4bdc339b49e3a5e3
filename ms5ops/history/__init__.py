"""The history store: snapshots, job runs and benchmark runs in DuckDB, and the only modules that import duckdb.

``History`` is what the rest of the program uses. Rows are added and never changed; everything that is to be stored
lies on disk as Parquet before the DuckDB file is touched, so that neither a held file nor a crash loses it.
"""

from ms5ops.history.schema import migrations
from ms5ops.history.store import LOCK_WAIT_S, History, Spooled

__all__ = ["LOCK_WAIT_S", "History", "Spooled", "migrations"]
