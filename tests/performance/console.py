"""A filled sandbox and a console on it, for the benchmarks."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from ms5ops.database import Database
from ms5ops.sandbox import fill, process
from tests.browser import chromium
from tests.browser.chromium import launch_options
from tests.browser.conftest import Console, start_console


@contextmanager
def filled_sandbox(state: fill.State, volume: fill.Volume) -> Iterator[Path]:
    """A state folder (``MS5OPS_STATE``) with a running, filled engine; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="ms5ops-performance-") as name:
        folder = Path(name)
        process.start(folder / "sandbox")
        try:
            database = Database(process.target(folder / "sandbox"), "write")
            fill.fill(database, state, volume, lambda _progress: None)
            database.close()
            yield folder
        finally:
            process.stop(folder / "sandbox")


@contextmanager
def console(folder: Path) -> Iterator[Console]:
    """A console on that sandbox."""
    started = start_console(folder, folder / "console.log")
    try:
        yield started
    finally:
        started.process.terminate()
        started.process.wait(timeout=20)


@contextmanager
def headless() -> Iterator[Browser]:
    """The browser of the tests."""
    found = chromium.install()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**launch_options(found))
        yield browser
        browser.close()
