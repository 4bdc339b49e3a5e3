"""Servers that hold what readings stumble over (awkward.sql): an embedded engine, a database on each native one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ms5ops.database import Database
from ms5ops.observe.server import Server, connect_server
from ms5ops.sandbox import process
from ms5ops.sandbox.scripts import statements
from tests.conftest import NATIVE, Sandboxes, native_targets
from tests.native import native_database

AWKWARD = Path(__file__).parent / "awkward.sql"


def load_awkward(database: Database) -> None:
    """Run awkward.sql, statement by statement: some cannot run inside a transaction."""
    for statement in statements(AWKWARD):
        database.execute(statement)


@pytest.fixture(scope="session")
def awkward_engine(sandboxes: Sandboxes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """awkward.sql on an embedded engine whose jobs do not run by themselves."""
    folder = tmp_path_factory.mktemp("awkward") / "sandbox"
    sandboxes.start(folder)
    reading = Database(process.target(folder))
    try:
        writing = Database(process.target(folder), "write")
        load_awkward(writing)
        writing.close()
        yield connect_server(reading)
    finally:
        reading.close()
        process.stop(folder)


@pytest.fixture(
    scope="module",
    params=native_targets() or [None],  # type: ignore[list-item]
    ids=lambda target: target.address if target else "none",
)
def awkward_native(request: pytest.FixtureRequest) -> Iterator[Server]:
    """awkward.sql in a database of its own on each native server."""
    if request.param is None:
        pytest.skip(f"{NATIVE} names no TimescaleDB server")
    with native_database(request.param, edition="community") as target:
        writing = Database(target, "write")
        load_awkward(writing)
        writing.execute("CREATE SCHEMA extras")
        writing.execute("CREATE EXTENSION pg_stat_statements SCHEMA extras")
        writing.close()
        reading = Database(target)
        yield connect_server(reading)
        reading.close()
