"""A pool of connections to one server, and the sessions that are taken out of it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import pandas as pd
from sqlalchemy import URL, Connection, Engine, create_engine, event, text

from ms5ops.database.session import Session
from ms5ops.database.target import Parameters, Target
from ms5ops.database.timed import TimedSession
from ms5ops.database.translation import translated
from ms5ops.errors import ServerError

Access = Literal["read", "write"]

READ_LOCK_TIMEOUT_MS = 500
READ_STATEMENT_TIMEOUT_MS = 10_000
CONNECT_TIMEOUT_S = 5


class Database:
    """A pool of connections to one server for one purpose.

    ``access="read"`` sessions are read-only with a lock_timeout of 500 ms and a statement_timeout of
    10 s (monitoring queries have deadlocked with retention and blocked during compression:
    timescale/timescaledb issues 3423 and 2732). ``access="write"`` sessions have neither limit.
    """

    def __init__(self, target: Target, access: Access = "read") -> None:
        self.target = target
        self.access = access
        self._engine = _engine(target, access)

    def frame(self, sql: str, parameters: Parameters | None = None) -> pd.DataFrame:
        """The rows of one statement as a frame, columns named as in the statement."""
        with self._connection() as connection:
            result = connection.execute(text(sql), dict(parameters or {}))
            return pd.DataFrame(result.fetchall(), columns=list(result.keys()))

    def rows(self, sql: str, parameters: Parameters | None = None) -> list[dict[str, Any]]:
        """The rows of one statement as mappings."""
        with self._connection() as connection:
            return [dict(row) for row in connection.execute(text(sql), dict(parameters or {})).mappings()]

    def row(self, sql: str, parameters: Parameters | None = None) -> dict[str, Any]:
        """The single row of a statement; ServerError if there is not exactly one."""
        rows = self.rows(sql, parameters)
        if len(rows) != 1:
            raise ServerError(f"A query that should give one row gave {len(rows)}.", "Report this with the query.")
        return rows[0]

    def execute(self, statements: str | Sequence[str], parameters: Parameters | None = None) -> None:
        """Run statements one after the other, each in a transaction of its own, discarding rows.

        A string without parameters may be a script of several statements; the server then runs it
        as one implicit transaction. Colons and per cent signs in it need no escaping.
        """
        with self._connection() as connection:
            for statement in [statements] if isinstance(statements, str) else statements:
                if parameters is None:
                    connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
                else:
                    connection.execute(text(statement), dict(parameters))

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction: committed when the block ends, rolled back when it raises."""
        with self._connection() as connection, translated(self.target):
            transactional = connection.execution_options(isolation_level="READ COMMITTED")
            with transactional.begin():
                yield transactional

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A connection of one's own, held until the block ends and then closed: for an executor."""
        session = Session(self._detached(), self.target)
        try:
            yield session
        finally:
            session.close()

    @contextmanager
    def timed_session(self, statement_timeout_ms: int, *, writes: bool = False) -> Iterator[TimedSession]:
        """A held connection for measuring; read-only unless ``writes``. Planning and JIT are the server's own."""
        session = TimedSession(self._detached(), self.target)
        try:
            session.run(
                "SET application_name = 'ms5ops benchmark'; RESET jit;"
                f" SET default_transaction_read_only = {'off' if writes else 'on'};"
                f" SET lock_timeout = {READ_LOCK_TIMEOUT_MS}; SET statement_timeout = {int(statement_timeout_ms)}"
            )
            yield session
        finally:
            session.close()

    def close(self) -> None:
        """Close the pooled connections. The object may be used again; it will reconnect."""
        self._engine.dispose()

    def _detached(self) -> Connection:
        """A connection that does not go back to the pool."""
        with translated(self.target):
            connection = self._engine.connect()
            connection.detach()
        return connection

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        with translated(self.target), self._engine.connect() as connection:
            yield connection


def _engine(target: Target, access: Access) -> Engine:
    url = URL.create(
        "postgresql+psycopg2",
        username=target.user,
        password=target.password.get_secret_value() if target.password else None,
        host=target.host,
        port=target.port,
        database=target.database,
    )
    engine = create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        pool_size=4,
        max_overflow=8,
        pool_timeout=CONNECT_TIMEOUT_S,
        pool_pre_ping=True,
        use_native_hstore=False,  # looked up before any limit below is set: it hung where the catalogue was locked
        connect_args={
            "sslmode": target.sslmode,
            "connect_timeout": CONNECT_TIMEOUT_S,
            "application_name": "ms5ops",
        },
    )
    settings = ["SET timezone = 'UTC'"]
    if access == "read":
        # Catalogue queries look costly to the planner; compiling them takes longer than running them.
        settings += [
            "SET jit = off",
            "SET default_transaction_read_only = on",
            f"SET lock_timeout = {READ_LOCK_TIMEOUT_MS}",
            f"SET statement_timeout = {READ_STATEMENT_TIMEOUT_MS}",
        ]

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        previous, connection.autocommit = connection.autocommit, True
        with connection.cursor() as cursor:
            cursor.execute("; ".join(settings))
        connection.autocommit = previous

    return engine
