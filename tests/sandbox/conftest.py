"""Real engines for the tests: one shared by those that leave it running, and folders for the others."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from ms5ops.errors import SandboxError
from ms5ops.sandbox import process
from tests.conftest import Sandboxes

Connect = Callable[..., Any]


@pytest.fixture(scope="session")
def engine(sandboxes: Sandboxes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[process.Running]:
    """One running engine with scheduler. Tests must leave it running, and use objects of their own names."""
    folder = tmp_path_factory.mktemp("sandbox")
    try:
        running = sandboxes.start(folder, scheduler=True)
    except SandboxError as error:
        if "not installed" in error.happened:
            pytest.skip(str(error))
        raise
    yield running
    process.stop(folder)


@pytest.fixture
def connect(engine: process.Running) -> Iterator[Connect]:
    """Opens autocommit connections to the shared engine and closes them after the test."""
    opened: list[Any] = []

    def _connect(**parameters: Any) -> Any:
        connection = open_connection(engine, **parameters)
        opened.append(connection)
        return connection

    yield _connect
    for connection in opened:
        connection.close()


def open_connection(running: process.Running, **parameters: Any) -> Any:
    target = running.target
    assert target.password is not None
    defaults: dict[str, Any] = {
        "host": target.host,
        "port": target.port,
        "dbname": target.database,
        "user": target.user,
        "password": target.password.get_secret_value(),
        "connect_timeout": 20,
    }
    connection = psycopg2.connect(**{**defaults, **parameters})
    connection.autocommit = True
    return connection


def ask(connection: Any, sql: str, parameters: object = None) -> list[tuple[Any, ...]]:
    """The rows of one statement."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall()) if cursor.description else []


@contextmanager
def own_engine(sandboxes: Sandboxes, folder: Path, *, scheduler: bool = False) -> Iterator[process.Running]:
    """An engine for a test that stops or kills it."""
    running = sandboxes.start(folder, scheduler=scheduler)
    try:
        yield running
    finally:
        process.stop(folder)


@contextmanager
def client(running: process.Running, **parameters: Any) -> Iterator[Any]:
    with closing(open_connection(running, **parameters)) as connection:
        yield connection
