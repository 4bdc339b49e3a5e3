"""A connection of one's own that changes things: for an executor."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, cast

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from ms5ops.database.target import Parameters, Target
from ms5ops.database.translation import translated
from ms5ops.errors import ServerError


class _Notices:
    """Where the driver puts what the server remarks. No list: SQLAlchemy empties any iterable after every statement."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def append(self, line: str) -> None:
        """Called by the driver, once for each remark."""
        self._lines.append(line.strip())

    def taken(self) -> list[str]:
        """All of them, in order; after that there are none."""
        lines, self._lines = self._lines, []
        return lines


class Session:
    """One held connection that changes things: statements run exactly as written, transactions begin and end on demand.

    Outside ``transaction`` every statement is a transaction of its own. A lock that was not had in time, a deadlock
    and their like raise StatementConflict (it may be tried again), a cancelled or too long statement
    StatementCancelled, a broken connection ConnectionLost, all else as in ``Database``.
    """

    def __init__(self, connection: Connection, target: Target) -> None:
        self.target = target
        self._connection = connection
        self._driver = cast(Any, connection.connection.dbapi_connection)  # driver_connection is None once detached
        self._driver.notices = self._notices = _Notices()
        self._in_transaction = False

    @contextmanager
    def transaction(
        self, *, lock_timeout_ms: int | None = None, statement_timeout_ms: int | None = None
    ) -> Iterator[None]:
        """One transaction: committed when the block ends, rolled back when it raises. 0 is no limit, None the role's.

        ConnectionLost from the end of the block leaves open whether it was committed.
        """
        self.run("BEGIN")
        self._in_transaction = True
        try:
            self.limit(lock_timeout_ms=lock_timeout_ms, statement_timeout_ms=statement_timeout_ms)
            yield
            self.run("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        finally:
            self._in_transaction = False

    def limit(self, *, lock_timeout_ms: int | None = None, statement_timeout_ms: int | None = None) -> None:
        """Bound waits for locks, and statements, in milliseconds: for the transaction, or outside one the session."""
        reach = "LOCAL" if self._in_transaction else "SESSION"
        for name, value in (("lock_timeout", lock_timeout_ms), ("statement_timeout", statement_timeout_ms)):
            if value is not None:
                self.run(f"SET {reach} {name} = {int(value)}")

    def run(self, statement: str) -> None:
        """Run one statement exactly as it is written, discarding rows."""
        with translated(self.target, changing=True):
            self._connection.exec_driver_sql(statement, execution_options={"no_parameters": True}).close()

    def read(self, statement: str) -> list[dict[str, Any]]:
        """The rows of one statement that is run exactly as it is written."""
        with translated(self.target, changing=True):
            result = self._connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
            return [dict(row) for row in result.mappings()]

    def rows(self, sql: str, parameters: Parameters | None = None) -> list[dict[str, Any]]:
        """The rows of one statement with ``:name`` parameters; none where it gives none."""
        with translated(self.target, changing=True):
            result = self._connection.execute(text(sql), dict(parameters or {}))
            return [dict(row) for row in result.mappings()] if result.returns_rows else []

    def notices(self) -> list[str]:
        """What the server has remarked since the last call: ``WARNING: ...``, in order."""
        return self._notices.taken()

    def cancel(self) -> None:
        """Ask the server to end the running statement; for another thread. Does nothing where none runs."""
        if not self._driver.closed:
            with translated(self.target, changing=True):
                self._driver.cancel()

    def close(self) -> None:
        """Close the connection; the server rolls an open transaction back."""
        with suppress(SQLAlchemyError):  # closing a connection that broke says again that it broke
            self._connection.close()

    def _roll_back(self) -> None:
        try:
            self.run("ROLLBACK")
        except ServerError:
            self.close()  # the server rolls back what has no connection; the first error is on its way up
