"""A connection of one's own whose statements are timed: for a benchmark."""

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

import psycopg2
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ms5ops.database.target import Parameters, Target
from ms5ops.database.translation import translate, translated
from ms5ops.errors import ServerError


@dataclass(frozen=True)
class Answer:
    """One timed answer. ``execute_ms``: from sending the statement until its whole answer has arrived; ``fetch_ms``:
    until the rows are Python values. Both by the monotonic clock."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    execute_ms: float
    fetch_ms: float


def parameter_names(sql: str) -> frozenset[str]:
    """The ``:name`` parameters in a statement's text. A colon that begins none is written ``\\:``."""
    return frozenset(text(sql).compile().params)


class TimedSession:
    """One held connection whose statements are timed: the driver's own cursor, with nothing between it and the clock.

    Statements are composed before they are timed, values written into the text, and sent by the simple query protocol,
    as pgbench does by default: the server parses and plans each of them anew. Every statement is a transaction of its
    own. One that is cancelled, or takes longer than the session's limit, raises ReadTimeout; all else as in
    ``Database``.
    """

    def __init__(self, connection: Connection, target: Target) -> None:
        self.target = target
        self._connection = connection
        self._driver = cast(Any, connection.connection.dbapi_connection)
        self._driver.autocommit = True
        self._cursor = self._driver.cursor()

    def statement(self, sql: str, parameters: Parameters | None = None) -> bytes:
        """One statement with ``:name`` parameters as it will be sent."""
        compiled = text(sql).compile(dialect=self._connection.dialect)
        values = dict(parameters or {})
        wanted = {name: values[name] for name in compiled.params}
        if not wanted:  # the driver halves no per cent signs where there is nothing to write in
            return str(compiled).replace("%%", "%").encode()
        with translated(self.target):
            return bytes(self._cursor.mogrify(str(compiled), wanted))

    def time(self, statement: bytes) -> Answer:
        """Run a statement that gives rows, and time it."""
        cursor = self._cursor
        try:
            began = time.perf_counter_ns()
            cursor.execute(statement)
            answered = time.perf_counter_ns()
            rows = cursor.fetchall()
            ended = time.perf_counter_ns()
        except psycopg2.Error as error:
            raise self._failure(error) from error
        columns = tuple(column.name for column in cursor.description)
        return Answer(columns, rows, (answered - began) / 1e6, (ended - answered) / 1e6)

    def run(self, statement: str | bytes) -> float:
        """Run a statement that gives no rows; how long it took, in milliseconds."""
        try:
            began = time.perf_counter_ns()
            self._cursor.execute(statement)
            return (time.perf_counter_ns() - began) / 1e6
        except psycopg2.Error as error:
            raise self._failure(error) from error

    def explain(self, statement: bytes) -> dict[str, Any]:
        """What EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) says of a statement, which it runs once more."""
        rows = self.time(b"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + statement).rows
        document: dict[str, Any] = rows[0][0][0]
        return document

    def cancel(self) -> None:
        """Ask the server to end the running statement; for another thread. Does nothing where none runs."""
        if not self._driver.closed:
            with suppress(psycopg2.Error):  # the connection broke: then nothing runs any more
                self._driver.cancel()

    def close(self) -> None:
        """Close the connection."""
        with suppress(SQLAlchemyError, psycopg2.Error):
            self._connection.close()

    def _failure(self, error: psycopg2.Error) -> ServerError:
        wrapped = DBAPIError.instance(None, None, error, psycopg2.Error, dialect=self._connection.dialect)
        return translate(wrapped, self.target) if isinstance(wrapped, DBAPIError) else ServerError(str(error), "")
