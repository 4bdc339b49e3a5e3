"""The server: the only module that imports the driver.

A ``Database`` reads through sessions that are read-only and give up early on locks and long statements
(observing must not change, or hold up, the observed), and turns every driver error into one of
``ms5ops.errors`` with a next step. Rows leave this module as frames or mappings of plain Python values.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal, cast

import pandas as pd
import psycopg2
from pydantic import SecretStr
from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from ms5ops.errors import (
    ConnectionLost,
    FeatureMissing,
    PrivilegeMissing,
    ReadTimeout,
    ServerError,
    ServerUnreachable,
    StatementCancelled,
    StatementConflict,
)

Parameters = Mapping[str, object]
Access = Literal["read", "write"]

READ_LOCK_TIMEOUT_MS = 500
READ_STATEMENT_TIMEOUT_MS = 10_000
CONNECT_TIMEOUT_S = 5


@dataclass(frozen=True)
class Target:
    """Where a server is and as whom to go there. The password never appears in ``repr`` or in errors."""

    host: str
    port: int
    database: str
    user: str
    password: SecretStr | None = None
    sslmode: str = "prefer"

    @property
    def address(self) -> str:
        """For people and logs: ``user@host:port/database``."""
        return f"{self.user}@{self.host}:{self.port}/{self.database}"


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
        with self._connection() as connection, _translated(self.target):
            transactional = connection.execution_options(isolation_level="READ COMMITTED")
            with transactional.begin():
                yield transactional

    @contextmanager
    def session(self) -> Iterator["Session"]:
        """A connection of one's own, held until the block ends and then closed: for an executor."""
        with _translated(self.target):
            connection = self._engine.connect()
            connection.detach()
        session = Session(connection, self.target)
        try:
            yield session
        finally:
            session.close()

    @contextmanager
    def timed_session(self, statement_timeout_ms: int, *, writes: bool = False) -> Iterator["TimedSession"]:
        """A held connection for measuring; read-only unless ``writes``. Planning and JIT are the server's own."""
        with _translated(self.target):
            connection = self._engine.connect()
            connection.detach()
        session = TimedSession(connection, self.target)
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

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        with _translated(self.target), self._engine.connect() as connection:
            yield connection


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

    @property
    def in_transaction(self) -> bool:
        """Whether a ``transaction`` block is open."""
        return self._in_transaction

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
        with _translated(self.target, changing=True):
            self._connection.exec_driver_sql(statement, execution_options={"no_parameters": True}).close()

    def read(self, statement: str) -> list[dict[str, Any]]:
        """The rows of one statement that is run exactly as it is written."""
        with _translated(self.target, changing=True):
            result = self._connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
            return [dict(row) for row in result.mappings()]

    def rows(self, sql: str, parameters: Parameters | None = None) -> list[dict[str, Any]]:
        """The rows of one statement with ``:name`` parameters; none where it gives none."""
        with _translated(self.target, changing=True):
            result = self._connection.execute(text(sql), dict(parameters or {}))
            return [dict(row) for row in result.mappings()] if result.returns_rows else []

    def notices(self) -> list[str]:
        """What the server has remarked since the last call: ``WARNING: ...``, in order."""
        return self._notices.taken()

    def cancel(self) -> None:
        """Ask the server to end the running statement; for another thread. Does nothing where none runs."""
        if not self._driver.closed:
            with _translated(self.target, changing=True):
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


@dataclass(frozen=True)
class Answer:
    """One timed answer. ``execute_ms``: from sending the statement until its whole answer has arrived; ``fetch_ms``:
    until the rows are Python values. Both by the monotonic clock."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    execute_ms: float
    fetch_ms: float


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
        with _translated(self.target):
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
            raise self._translated(error) from error
        columns = tuple(column.name for column in cursor.description)
        return Answer(columns, rows, (answered - began) / 1e6, (ended - answered) / 1e6)

    def run(self, statement: str | bytes) -> float:
        """Run a statement that gives no rows; how long it took, in milliseconds."""
        try:
            began = time.perf_counter_ns()
            self._cursor.execute(statement)
            return (time.perf_counter_ns() - began) / 1e6
        except psycopg2.Error as error:
            raise self._translated(error) from error

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

    def _translated(self, error: psycopg2.Error) -> ServerError:
        wrapped = DBAPIError.instance(None, None, error, psycopg2.Error, dialect=self._connection.dialect)
        return _translate(wrapped, self.target) if isinstance(wrapped, DBAPIError) else ServerError(str(error), "")


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


@contextmanager
def _translated(target: Target, *, changing: bool = False) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise _translate(error, target, changing) from error
    except psycopg2.Error as error:  # from a call on the driver's own connection
        raise ConnectionLost(
            f"The connection to {target.address} was lost: {_first_line(error)}.", "Try again in a moment."
        ) from error
    except SQLAlchemyError as error:
        raise ServerUnreachable(
            f"No free connection to {target.address}: {type(error).__name__}.", "Try again in a moment."
        ) from error


_REMEDIES: dict[str, tuple[type[ServerError], str, str]] = {
    # SQLSTATE: error, what happened, next step. Source: PostgreSQL documentation, appendix A.
    "57014": (
        ReadTimeout,
        "The server did not answer within the time allowed.",
        "Reload; if it happens again, look at Health for what keeps the server busy.",
    ),
    "55P03": (
        ReadTimeout,
        "Another session holds a lock that this reading had to wait for.",
        "Reload when that session is done; Health shows who holds it.",
    ),
    "40P01": (ReadTimeout, "The reading deadlocked with another session and was given up.", "Reload."),
    "42501": (
        PrivilegeMissing,
        "The role {user} lacks a privilege: {message}.",
        "Grant it (README, “Your own server”) or use another role.",
    ),
    "3F000": (FeatureMissing, "A schema is missing: {message}.", "Check the environment's database and schema."),
    "42P01": (FeatureMissing, "An object is missing: {message}.", "Check the environment's database and schema."),
    "42883": (
        FeatureMissing,
        "A function is missing: {message}.",
        "Check that the timescaledb extension is installed in this database.",
    ),
    "25006": (PrivilegeMissing, "A change was tried in a read-only session: {message}.", "Use the deploy credential."),
    "28P01": (
        ServerUnreachable,
        "The server refused the password of {user}.",
        "Check the password's variable or file.",
    ),
    "53300": (
        ServerUnreachable,
        "The server has no connection left ({address}).",
        "Raise max_connections or close idle sessions.",
    ),
}


# For a connection that was refused the driver gives no SQLSTATE: part of the server's message, what happened, next
# step.
_REFUSALS = (
    ("password authentication failed", *_REMEDIES["28P01"][1:]),
    (
        "no password supplied",
        "The server asks {user} for a password, and none is configured.",
        "Export DB_PASSWORD, or name password_env or password_file in ms5ops.toml.",
    ),
    (
        "no pg_hba.conf entry",
        "The server admits no {address} from here: {message}.",
        "Ask its administrator (pg_hba.conf).",
    ),
    (
        "does not support SSL",
        "The server does not offer TLS, which sslmode asks for.",
        "Set sslmode, or enable TLS there.",
    ),
    ("certificate", "The server's certificate was not accepted: {message}.", "Check sslmode and the root certificate."),
    ("too many clients", *_REMEDIES["53300"][1:]),
    ("remaining connection slots", *_REMEDIES["53300"][1:]),
    ("does not exist", "{address} is not there: {message}.", "Check the names of the database and the role."),
    ("could not translate host name", "The host of {address} is not known.", "Check its name."),
)

_CONFLICTS = ("55P03", "40P01", "40001")
"""A lock not had in time, a deadlock, a serialisation failure."""

_CONFLICT_MESSAGES = ("tuple concurrently updated", "tuple concurrently deleted")
"""Two sessions changed one catalogue row at once; PostgreSQL has no code of its own for it."""


def _translate_change(original: BaseException | None, state: str | None, target: Target) -> ServerError | None:
    message = _first_line(original)
    if state in _CONFLICTS or message in _CONFLICT_MESSAGES:
        return StatementConflict(f"Another session was in the way: {message}.", "It can be tried again.")
    if state == "57014":
        return StatementCancelled(f"A statement was ended before it was done: {message}.", "It can be tried again.")
    if (state is None and isinstance(original, psycopg2.OperationalError | psycopg2.InterfaceError)) or (
        state and state.startswith(("08", "57P", "25P03"))
    ):
        return ConnectionLost(f"The connection to {target.address} was lost: {message}.", "Try again in a moment.")
    return None


def _translate(error: DBAPIError, target: Target, changing: bool = False) -> ServerError:
    original = error.orig
    state = getattr(original, "pgcode", None)
    message = _first_line(original)
    if changing and (found := _translate_change(original, state, target)):
        return found
    if state in _REMEDIES:
        kind, happened, next_step = _REMEDIES[state]
        values = {"user": target.user, "address": target.address, "message": message}
        return kind(happened.format_map(values), next_step)
    if state is None and isinstance(error, OperationalError):
        for part, happened, next_step in _REFUSALS:
            if part in message:
                values = {"user": target.user, "address": target.address, "message": message}
                return ServerUnreachable(happened.format_map(values), next_step)
        return ServerUnreachable(
            f"No connection to {target.address}: {message}.",
            "Check that the server runs and that host, port, database and role are right.",
        )
    if state and state.startswith(("08", "57P")):
        return ServerUnreachable(f"The connection to {target.address} was lost: {message}.", "Try again in a moment.")
    return ServerError(f"The server refused a statement: {message}.", "Report this with the server's version.")


def _first_line(original: BaseException | None) -> str:
    diagnostics = getattr(original, "diag", None) if isinstance(original, psycopg2.Error) else None
    primary = getattr(diagnostics, "message_primary", None)
    lines = [line for line in str(primary or original or "").strip().splitlines() if line.strip()]
    text_line = lines[0].strip() if lines else "unknown error"
    return text_line.removeprefix("FATAL:").strip().rstrip(".")
