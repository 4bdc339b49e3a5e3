"""Short connections to one DuckDB file, and waiting for whoever holds it.

DuckDB lets one process write or many read, never both, so every access is short: open, one piece of work, close, and
try again while another process holds the file. Within a process a lock keeps readers and the writer apart, because
DuckDB refuses one file opened in two modes.
"""

import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from ms5ops.errors import HistoryError, HistoryLocked

Narrate = Callable[[str], None]
SILENT_WAIT_S = 0.5
"""Own choice: a wait that is shorter than this is not worth a line."""

_IN_PROCESS = threading.RLock()
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    # Whatever is not in the package would be fetched from the network in the middle of a query.
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


@contextmanager
def opened(file: Path, *, read_only: bool, wait_s: float, narrate: Narrate) -> Iterator[duckdb.DuckDBPyConnection]:
    """The file, open until the block ends; duckdb's errors leave the block as HistoryError.

    Raises HistoryLocked where others hold the file for longer than ``wait_s``.
    """
    deadline = time.monotonic() + wait_s
    if not _IN_PROCESS.acquire(timeout=max(wait_s, 0.01)):
        raise HistoryLocked(
            f"The history {file} has been held by another task of this program for {wait_s:.0f} s.",
            "Wait for it to end, and try again.",
        )
    try:
        connection = _connect(file, read_only, deadline, wait_s, narrate)
        try:
            _prepare(connection)
            yield connection
        except duckdb.Error as error:
            raise HistoryError(
                f"The history {file} could not be {'read' if read_only else 'written'}: {sentence(error)}.",
                "Restore it from a copy, or move it away to start a new one.",
            ) from error
        finally:
            connection.close()
    finally:
        _IN_PROCESS.release()


@contextmanager
def in_memory() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database of its own that is gone when the block ends. Errors of duckdb pass."""
    connection = duckdb.connect(config=_CONFIG)
    try:
        _prepare(connection)
        yield connection
    finally:
        connection.close()


def _prepare(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")  # it would write among the data on stdout


def sentence(error: duckdb.Error) -> str:
    """What duckdb says, without its further lines and its full stop."""
    return str(error).splitlines()[0].rstrip(".!")


def _connect(
    file: Path, read_only: bool, deadline: float, wait_s: float, narrate: Narrate
) -> duckdb.DuckDBPyConnection:
    began, told = time.monotonic(), False
    while True:
        try:
            return duckdb.connect(str(file), read_only=read_only, config=_CONFIG)
        except duckdb.Error as error:
            if not _is_locked(error):
                raise HistoryError(
                    f"The history {file} cannot be opened: {sentence(error)}.",
                    "It may be damaged or from a newer ms5ops: restore a copy, upgrade, or move it away.",
                ) from error
            if time.monotonic() > deadline:
                raise HistoryLocked(
                    f"The history {file} has been held by another process for {wait_s:.0f} s{_holder(error)}.",
                    "Wait for it to end, or end it, and try again.",
                ) from error
            if not told and time.monotonic() - began > SILENT_WAIT_S:
                narrate(f"Waiting for the history {file}, which another process holds{_holder(error)}.")
                told = True
        time.sleep(random.uniform(0.02, 0.08))


def _is_locked(error: duckdb.Error) -> bool:
    return isinstance(error, duckdb.IOException) and "Could not set lock" in str(error)


def _holder(error: duckdb.Error) -> str:
    match = re.search(r"\(PID (\d+)\)", str(error))
    return f" (process {match[1]})" if match else ""
