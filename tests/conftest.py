"""Real engines, one per state of the sandbox, shared by all workers of a test run; and native servers by DSN."""

import fcntl
import multiprocessing
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import Browser, sync_playwright
from pydantic import SecretStr

from ms5ops.database import Database, Target
from ms5ops.sandbox import fill, process
from tests.browser import chromium

STATES = ("legacy", "hypertables", "optimised")
NATIVE = "MS5OPS_NATIVE_DSN"
SMALL = fill.Volume(rows=24_000, days=10)
FORKS = multiprocessing.get_context("forkserver")
"""Processes of tests begin at once: there is one server of forks per worker, and it has imported what they need."""
FORKS.set_forkserver_preload(["ms5ops.control.service", "tests.benchmark.stored", "tests.rollout.apply.handmade"])


@pytest.fixture(autouse=True)
def _main_is_left_as_it_was() -> Iterator[None]:
    """A page that was run as a script has become ``__main__``, which every process of a later test would run again."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


def _root(factory: pytest.TempPathFactory) -> Path:
    """The run's folder: the same for every worker of one run."""
    base = factory.getbasetemp()
    return base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    with file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


class Sandboxes:
    """The engines of this run by state; each is started and filled when it is first asked for."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def start(self, folder: Path, *, scheduler: bool = False) -> process.Running:
        """An engine of one's own on an empty database, to be stopped by ``process.stop``.

        The database is made once per run and copied: an engine starts on a copy with a third of the work (1.5 s
        instead of 4.2 s of CPU) that it takes to make one.
        """
        made = self.root / "empty"
        with _alone(self.root / "empty.lock"):
            if not (made / "data").exists():
                process.start(made / "draft", scheduler=False)
                process.stop(made / "draft")
                (made / "draft" / "data").rename(made / "data")
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not (folder / "data").exists():
            shutil.copytree(made / "data", folder / "data")
        return process.start(folder, scheduler=scheduler)

    def folder(self, state: str) -> Path:
        """The state folder (``MS5OPS_STATE``) of that engine, running and filled."""
        folder = self.root / f"sandbox-{state}"
        with _alone(self.root / f"{state}.lock"):
            target = self.start(folder / "sandbox", scheduler=True).target
            if fill.filled(Database(target)) is None:
                fill.fill(Database(target, "write"), state, SMALL, lambda _progress: None)  # type: ignore[arg-type]
        return folder

    def target(self, state: str) -> Target:
        """Where that engine is."""
        return process.target(self.folder(state) / "sandbox")


@pytest.fixture(scope="session")
def sandboxes(tmp_path_factory: pytest.TempPathFactory) -> Sandboxes:
    return Sandboxes(_root(tmp_path_factory))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The headless browser of this worker: one, since Playwright starts only once in a thread."""
    found = chromium.find()
    assert found is not None, "no browser: run `make setup-dev`, or name one in MS5OPS_CHROMIUM"
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(**chromium.launch_options(found))
        yield launched
        launched.close()


@pytest.fixture(params=STATES)
def state(request: pytest.FixtureRequest) -> str:
    """Each of the three states of the sandbox in turn."""
    return str(request.param)


@pytest.fixture
def database(sandboxes: Sandboxes, state: str) -> Iterator[Database]:
    """A reading connection to the engine in each of the three states."""
    database = Database(sandboxes.target(state))
    yield database
    database.close()


def native_targets() -> list[Target]:
    """The servers of MS5OPS_NATIVE_DSN (comma-separated postgresql:// addresses)."""
    found = []
    for dsn in filter(None, os.environ.get(NATIVE, "").split(",")):
        parts = urlsplit(dsn)
        found.append(
            Target(
                host=parts.hostname or "127.0.0.1",
                port=parts.port or 5432,
                database=parts.path.lstrip("/"),
                user=unquote(parts.username or "postgres"),
                password=SecretStr(unquote(parts.password)) if parts.password else None,
            )
        )
    return found


NATIVE_TARGETS: list[Target | None] = [*native_targets()] or [None]


@pytest.fixture(params=NATIVE_TARGETS, ids=lambda target: target.address if target else "none")
def native(request: pytest.FixtureRequest) -> Target:
    """Each native server in turn; the test is skipped, and says so, where none is named."""
    if request.param is None:
        pytest.skip(f"{NATIVE} names no TimescaleDB server")
    return request.param  # type: ignore[no-any-return]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop the engines when the last worker is done."""
    if os.environ.get("PYTEST_XDIST_WORKER"):
        return
    factory = session.config._tmp_path_factory  # type: ignore[attr-defined]
    for state in STATES:
        folder = factory.getbasetemp() / f"sandbox-{state}" / "sandbox"
        if folder.exists():
            process.stop(folder)
