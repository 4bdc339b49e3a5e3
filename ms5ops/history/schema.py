"""The history's tables: their versions, and which rows belong together."""

import re
from collections.abc import Mapping
from pathlib import Path

import duckdb

from ms5ops import paths
from ms5ops.errors import HistoryError

HEADS: Mapping[str, str] = {"snapshot": "snapshot_id", "benchmark_run": "run_id"}
"""Tables whose row stands for a whole (a snapshot, a run), and the column that names the whole."""
PARTS: Mapping[str, str] = {
    "snapshot_table": "snapshot",
    "snapshot_job": "snapshot",
    "snapshot_aggregate": "snapshot",
    "snapshot_transactions": "snapshot",
    "snapshot_check": "snapshot",
    "benchmark_result": "benchmark_run",
    "benchmark_sample": "benchmark_run",
}
"""Tables of parts, and the table of the whole that each belongs to."""
TABLES: tuple[str, ...] = (*PARTS, *HEADS, "job_run")
"""Every table of the history, parts before their heads (the order in which rows are added)."""

_MIGRATION = re.compile(r"(\d{4})_.+\.sql")


def migrations() -> list[tuple[int, Path]]:
    """The schema's versions in order: number and file of each of ``sql/history/migrations/``."""
    found = []
    for file in sorted((paths.SQL / "history" / "migrations").glob("*.sql")):
        match = _MIGRATION.fullmatch(file.name)
        if match is None:
            raise HistoryError(f"{file} is not named NNNN_name.sql.", "Rename it.")
        found.append((int(match[1]), file))
    return found


def newest_version() -> int:
    """The version that this program knows."""
    return migrations()[-1][0]


def is_current(connection: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Whether the database has the newest version; HistoryError where it is newer than this program, or foreign."""
    return _stored_version(connection, name) == newest_version()


def migrate(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Bring a database to the newest version; each step is one transaction, so that a crash leaves whole steps.

    ``name`` is what errors call the database.
    """
    stored = _stored_version(connection, name)
    for version, script in migrations():
        if version > stored:
            connection.execute("BEGIN")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS schema_version "
                "(version INTEGER PRIMARY KEY, applied_at TIMESTAMPTZ NOT NULL)"
            )
            connection.execute(script.read_text(encoding="utf-8"))
            connection.execute("INSERT INTO schema_version VALUES (?, now())", [version])
            connection.execute("COMMIT")


def add_rows(connection: duckdb.DuckDBPyConnection, sources: Mapping[str, str]) -> dict[str, int]:
    """Add rows to tables, in the caller's transaction: ``{table: relation}``; returns how many were new, by table.

    A row whose key is stored already is left out (what is stored is never changed), and with it the parts that came
    along: parts are added for new wholes only, which come with them. Raises duckdb.Error where a row breaks a rule of
    its table.
    """
    added = {}
    for table in TABLES:
        if table not in sources:
            continue
        if table in PARTS:
            head = PARTS[table]
            if head not in sources:
                continue  # parts of nothing
            key = HEADS[head]
            statement = (
                f'INSERT INTO "{table}" BY NAME SELECT * FROM {sources[table]}'  # noqa: S608 — names are ours
                f" WHERE {key}::UUID NOT IN (SELECT {key} FROM {head})"
                f" AND {key}::UUID IN (SELECT {key}::UUID FROM {sources[head]})"
            )
        else:
            statement = f'INSERT OR IGNORE INTO "{table}" BY NAME SELECT * FROM {sources[table]}'  # noqa: S608 — names are ours
        added[table] = int(connection.execute(statement).fetchall()[0][0])
    return added


def _stored_version(connection: duckdb.DuckDBPyConnection, name: str) -> int:
    tables = {str(row[0]) for row in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    if not tables:
        return 0
    if "schema_version" not in tables:
        raise HistoryError(
            f"{name} is a DuckDB file, but not a history of ms5ops.", "Name another file in MS5OPS_HISTORY."
        )
    stored = int(connection.execute("SELECT coalesce(max(version), 0) FROM schema_version").fetchall()[0][0])
    if stored > newest_version():
        raise HistoryError(
            f"The history {name} has schema version {stored}, and this ms5ops knows versions up to {newest_version()}.",
            "Upgrade ms5ops, or name another file in MS5OPS_HISTORY.",
        )
    return stored
