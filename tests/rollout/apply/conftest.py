"""An engine of our own, since these tests change it; native servers get a database of our own."""

import multiprocessing
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ms5ops.database import Database, Target
from ms5ops.sandbox import process
from tests.conftest import Sandboxes
from tests.rollout.apply.handmade import RESET

FORKS = multiprocessing.get_context("forkserver")


@pytest.fixture(scope="session")
def engine(sandboxes: Sandboxes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    folder = tmp_path_factory.mktemp("applying") / "sandbox"
    running = sandboxes.start(folder)
    yield running.target
    process.stop(folder)


@pytest.fixture
def probe(engine: Target) -> Iterator[Database]:
    """The embedded engine with the small hypertable, and no journal."""
    database = Database(engine, "write")
    database.execute(RESET)
    yield database
    database.close()


@pytest.fixture
def dies() -> Callable[..., None]:
    """Run a function in a process of its own that ends itself with SIGKILL."""
    # What a child runs is imported once, not by each of a hundred children.
    FORKS.set_forkserver_preload(
        ["tests.rollout.apply.handmade", "tests.rollout.apply.test_phase4", "tests.rollout.apply.test_approved"]
    )

    def run(function: Callable[..., None], *arguments: Any) -> None:
        child = FORKS.Process(target=function, args=arguments)
        child.start()
        child.join(60)
        assert child.exitcode == -9, f"it ended with {child.exitcode}"

    return run
