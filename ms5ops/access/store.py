"""A small store of rows in the state folder: an SQLite file that several processes use at once.

``access_store()`` holds accounts, sessions, failed tries and the audit log. Other stores of the same kind name their
own file and their own folder of queries under sql/ (``sql/<folder>/migrations/NNNN_name.sql`` is their schema).
"""

import os
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ms5ops import paths
from ms5ops.errors import StoreError
from ms5ops.queries import ANY_VERSION, query

LOCK_WAIT_S = 15.0
_MIGRATION = re.compile(r"(\d{4})_.+\.sql")

Row = Mapping[str, Any]
Value = str | int | float | bool | None


def utc_now() -> datetime:
    """The instant now, aware."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Store:
    """Rows in ``file``, by the named queries of ``sql/<folder>``; the file is made, for its owner alone, when needed.

    Everything here raises StoreError where the file cannot be used.
    """

    file: Path
    folder: str

    def rows(self, name: str, /, **parameters: Value) -> list[Row]:
        """The rows of one query that changes nothing."""
        with self.reading() as read:
            return read(name, **parameters)

    def row(self, name: str, /, **parameters: Value) -> Row | None:
        """The first row, or None."""
        found = self.rows(name, **parameters)
        return found[0] if found else None

    def change(self, name: str, /, **parameters: Value) -> list[Row]:
        """Run one query that changes something, in a transaction of its own; the rows that it returns."""
        with self.changing() as change:
            return change(name, **parameters)

    @contextmanager
    def changing(self) -> Iterator[Callable[..., list[Row]]]:
        """Several queries that hold together: nobody else writes meanwhile, and an error undoes them all.

        Yields a function of a query's name and parameters.
        """
        with self._open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield lambda name, /, **parameters: self._run(connection, name, parameters)
            except BaseException:
                if connection.in_transaction:  # a full disk has SQLite roll back by itself
                    connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[Callable[..., list[Row]]]:
        """Several queries over one state of the store; a writer neither waits nor is waited for."""
        with self._open() as connection:
            connection.execute("PRAGMA query_only = ON")
            connection.execute("BEGIN")
            yield lambda name, /, **parameters: self._run(connection, name, parameters)

    def now(self) -> datetime:
        """The instant now, for whatever is stored."""
        return utc_now()

    def _run(self, connection: sqlite3.Connection, name: str, parameters: Mapping[str, Value]) -> list[Row]:
        found: Sequence[sqlite3.Row] = connection.execute(
            query(self.folder, name, ANY_VERSION).sql, parameters
        ).fetchall()
        return [dict(row) for row in found]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        self._make_file()
        try:
            with closing(sqlite3.connect(self.file, timeout=LOCK_WAIT_S, isolation_level=None)) as connection:
                connection.row_factory = sqlite3.Row
                connection.execute("PRAGMA synchronous = NORMAL")
                self._migrate(connection)
                yield connection
        except sqlite3.Error as error:
            raise StoreError(
                f"The store {self.file} could not be used: {error}.",
                "Where another process holds it, wait; where it is damaged, restore it from a copy.",
            ) from error

    def _make_file(self) -> None:
        if self.file.exists():
            return
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            # SQLite gives its -wal and -shm files the permissions of the database.
            os.close(os.open(self.file, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise StoreError(
                f"The store {self.file} cannot be made: {error.strerror}.",
                "Name a folder that this user may write to in MS5OPS_STATE.",
            ) from error

    def _migrate(self, connection: sqlite3.Connection) -> None:
        scripts = migrations(self.folder)
        newest = scripts[-1][0]
        if _version(connection) == newest:
            return
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")  # only one process migrates; the others find it done
        stored = _version(connection)
        if stored > newest:
            connection.execute("ROLLBACK")
            raise StoreError(
                f"The store {self.file} has schema version {stored}, and this ms5ops knows versions up to {newest}.",
                "Upgrade ms5ops, or name another state folder in MS5OPS_STATE.",
            )
        for version, file in scripts:
            if version > stored:
                for statement in _statements(file.read_text(encoding="utf-8")):
                    connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {newest:d}")
        connection.execute("COMMIT")


def access_store() -> Store:
    """Accounts, sessions, failed tries and the audit log of this state folder."""
    return Store(paths.state_folder() / "access.sqlite", "access")


def migrations(folder: str) -> list[tuple[int, Path]]:
    """The versions of a store's schema in order: number and file of each of ``sql/<folder>/migrations/``."""
    found = []
    for file in sorted((paths.SQL / folder / "migrations").glob("*.sql")):
        match = _MIGRATION.fullmatch(file.name)
        if match is None:
            raise StoreError(f"{file} is not named NNNN_name.sql.", "Rename it.")
        found.append((int(match[1]), file))
    return found


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _statements(script: str) -> Iterator[str]:
    """The statements of a script, one by one: executescript would end the transaction that they belong to."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
    if pending.strip():
        yield pending
