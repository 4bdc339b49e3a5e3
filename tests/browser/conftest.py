"""A console of its own process, and a real headless browser looking at it."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from ms5ops import paths
from tests.conftest import Sandboxes


@dataclass
class Console:
    """A running console: its address and what it wrote to its log."""

    url: str
    log: Path
    process: "subprocess.Popen[bytes]"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_console(folder: Path, log: Path, **variables: str) -> Console:
    """Start the console with ``MS5OPS_STATE`` in ``folder`` and wait until it answers."""
    port = free_port()
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("DB_", "MS5OPS_"))}
    environment |= {
        "MS5OPS_STATE": str(folder),
        "MS5OPS_HISTORY": str(log.parent / f"{log.stem}.duckdb"),
        "MS5OPS_CONFIG": str(log.parent / "absent.toml"),
        **variables,
    }
    command = [sys.executable, "-m", "streamlit", "run", "streamlit_app.py", f"--server.port={port}"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=paths.PROJECT, env=environment, stdout=output, stderr=output)
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=1):
                return Console(url, log, process)
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    process.kill()
    raise AssertionError(f"the console did not come up: {log.read_text()[-2000:]}")


@pytest.fixture(scope="session")
def consoles(sandboxes: Sandboxes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Console]]:
    """A console on the sandbox in the given state, started once each."""
    running: dict[str, Console] = {}
    folder = tmp_path_factory.mktemp("consoles")

    def console(state: str) -> Console:
        if state not in running:
            running[state] = start_console(sandboxes.folder(state), folder / f"{state}.log")
        return running[state]

    yield console
    for started in running.values():
        started.process.terminate()
        started.process.wait(timeout=20)


@pytest.fixture(scope="module")
def visitor(browser: Browser) -> Iterator[BrowserContext]:
    """One visitor of all tests of a module, whose browser keeps scripts that were loaded once."""
    with browser.new_context(viewport={"width": 1366, "height": 900}) as context:
        yield context


@pytest.fixture
def page(visitor: BrowserContext) -> Iterator[Page]:
    with visitor.new_page() as page:
        yield page


def open_page(page: Page, address: str) -> None:
    """Go there and wait until the script has ended and its elements stand."""
    page.goto(address)
    settled(page)


def settled(page: Page) -> None:
    """Wait until no script runs and no skeleton or spinner is left."""
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=60_000)
    page.wait_for_selector("h1", timeout=60_000)
    page.wait_for_function(
        "document.querySelectorAll('[data-testid=stSkeleton], [data-testid=stSpinner]').length === 0", timeout=60_000
    )
