"""The history store: a DuckDB file, and the only module that imports duckdb.

DuckDB lets one process write or many read, never both, so every access here is short: open, one piece of
work, close, and try again while another process holds the file. Within a process a lock keeps readers and
the writer apart, because DuckDB refuses one file opened in two modes.
"""

import random
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from ms5ops import paths
from ms5ops.errors import HistoryError
from ms5ops.queries import ANY_VERSION, query

LOCK_WAIT_S = 15.0
_IN_PROCESS = threading.RLock()
_MIGRATION = re.compile(r"(\d{4})_.+\.sql")


class History:
    """The store at ``file``; it is made, and brought to the newest version, by the first write."""

    def __init__(self, file: Path | None = None, lock_wait_s: float = LOCK_WAIT_S) -> None:
        self.file = file or paths.history_file()
        self.lock_wait_s = lock_wait_s

    def exists(self) -> bool:
        """Whether anything was ever stored; HistoryError where the folder may not be looked into."""
        try:
            return self.file.exists()
        except OSError as error:
            raise self._no_place(error) from error

    def read(self, name: str, parameters: Mapping[str, object] | None = None) -> pd.DataFrame:
        """The rows of the named query ``sql/history/<name>.sql``; no rows where nothing was ever stored."""
        found = query("history", name, ANY_VERSION)
        if not self.exists():
            return pd.DataFrame(columns=list(found.columns))
        self._bring_up_to_date()
        with self._open(read_only=True) as connection:
            frame: pd.DataFrame = connection.sql(found.sql, params=dict(parameters or {})).to_arrow_table().to_pandas()
        for column, kind in found.columns.items():
            if kind == "timestamptz":
                frame[column] = pd.to_datetime(frame[column], utc=True)
        return frame

    def append(self, frames: Mapping[str, pd.DataFrame]) -> None:
        """Add rows to tables, all or nothing: ``{table: frame}``, columns named as in the table.

        Rows whose primary key is already stored are left as they are (what is stored is never changed).
        """
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._no_place(error) from error
        with self._open(read_only=False) as connection:
            _migrate(connection, self.file)
            connection.execute("BEGIN")
            for table, frame in frames.items():
                if frame.empty:
                    continue
                connection.register("incoming", frame)
                connection.execute(f'INSERT OR IGNORE INTO "{table}" BY NAME SELECT * FROM incoming')  # noqa: S608 — table names are ours
                connection.unregister("incoming")
            connection.execute("COMMIT")

    def _no_place(self, error: OSError) -> HistoryError:
        return HistoryError(
            f"The history's folder {self.file.parent} cannot be used: {error.strerror}.",
            "Name a file in a folder that this user may write to in MS5OPS_HISTORY.",
        )

    def _bring_up_to_date(self) -> None:
        with self._open(read_only=True) as connection:
            current = _check_version(connection, self.file) == migrations()[-1][0]
        if not current:
            with self._open(read_only=False) as connection:
                _migrate(connection, self.file)

    @contextmanager
    def _open(self, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        with _IN_PROCESS:
            connection = self._connect(read_only)
            try:
                connection.execute("SET TimeZone = 'UTC'")
                yield connection
            except duckdb.Error as error:
                raise HistoryError(
                    f"The history {self.file} could not be {'read' if read_only else 'written'}: {_sentence(error)}.",
                    "Restore it from a copy, or move it away to start a new one.",
                ) from error
            finally:
                connection.close()

    def _connect(self, read_only: bool) -> duckdb.DuckDBPyConnection:
        deadline = time.monotonic() + self.lock_wait_s
        while True:
            try:
                return duckdb.connect(str(self.file), read_only=read_only)
            except duckdb.Error as error:
                if not _is_locked(error):
                    raise HistoryError(
                        f"The history {self.file} cannot be opened: {_sentence(error)}.",
                        "It may be damaged or from a newer ms5ops: restore a copy, upgrade, or move it away.",
                    ) from error
                if time.monotonic() > deadline:
                    raise HistoryError(
                        f"The history {self.file} has been held by another process for {self.lock_wait_s:.0f} s"
                        f"{_holder(error)}.",
                        "Wait for it to end, or end it, and try again.",
                    ) from error
                time.sleep(random.uniform(0.02, 0.08))


def migrations() -> list[tuple[int, Path]]:
    """The schema's versions in order: number and file of each of ``sql/history/migrations/``."""
    found = []
    for file in sorted((paths.SQL / "history" / "migrations").glob("*.sql")):
        match = _MIGRATION.fullmatch(file.name)
        if match is None:
            raise HistoryError(f"{file} is not named NNNN_name.sql.", "Rename it.")
        found.append((int(match[1]), file))
    return found


def _migrate(connection: duckdb.DuckDBPyConnection, file: Path) -> None:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, applied_at TIMESTAMPTZ NOT NULL)"
    )
    stored = _check_version(connection, file)
    for version, script in migrations():
        if version > stored:
            connection.execute("BEGIN")
            connection.execute(script.read_text(encoding="utf-8"))
            connection.execute("INSERT INTO schema_version VALUES (?, now())", [version])
            connection.execute("COMMIT")


def _check_version(connection: duckdb.DuckDBPyConnection, file: Path) -> int:
    row: tuple[Any, ...] | None = connection.execute("SELECT max(version) FROM schema_version").fetchone()
    stored = int(row[0]) if row and row[0] is not None else 0
    newest = migrations()[-1][0]
    if stored > newest:
        raise HistoryError(
            f"The history {file} has schema version {stored}, and this ms5ops knows versions up to {newest}.",
            "Upgrade ms5ops, or name another file in MS5OPS_HISTORY.",
        )
    return stored


def _is_locked(error: duckdb.Error) -> bool:
    return isinstance(error, duckdb.IOException) and "Could not set lock" in str(error)


def _holder(error: duckdb.Error) -> str:
    match = re.search(r"\(PID (\d+)\)", str(error))
    return f" (process {match[1]})" if match else ""


def _sentence(error: duckdb.Error) -> str:
    return str(error).splitlines()[0].rstrip(".!")
