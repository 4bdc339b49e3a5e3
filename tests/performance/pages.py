"""How long each page takes: its script on the server, and a click in the menu in the browser."""

import os
import statistics
import time
from pathlib import Path

from playwright.sync_api import Page
from streamlit.testing.v1 import AppTest

from ms5ops import paths
from ms5ops.sandbox.fill import Volume
from tests.browser.conftest import open_page, settled
from tests.browser.test_pages import PAGES
from tests.performance.console import console, filled_sandbox, headless

ROUNDS = 15


def main() -> None:
    """Script and navigation times per page, warm.

    Optimised sandbox of half a million rows; one session; 15 rounds through the menu after a first one that is
    not counted. Script: from the click until the server's script has ended (data-test-script-state). Whole: until
    the page's elements stand.
    """
    with filled_sandbox("optimised", Volume()) as folder, console(folder) as started, headless() as browser:
        page = browser.new_page(viewport={"width": 1366, "height": 900})
        open_page(page, started.url)
        for name in PAGES:
            navigate(page, name)
        whole: dict[str, list[float]] = {name: [] for name in PAGES}
        for _ in range(ROUNDS):
            for name in PAGES:
                whole[name].append(navigate(page, name))
        show("in-app navigation", whole)
        show("script alone", script_times(folder))


def show(what: str, times_ms: dict[str, list[float]]) -> None:
    """Print the median and the longest of each page's times."""
    print(f"{'page':<14}{'median':>10}{'longest':>10}   {what}, ms, n = {ROUNDS}")
    for name, times in times_ms.items():
        print(f"{name:<14}{statistics.median(times):>10.0f}{max(times):>10.0f}")


def navigate(page: Page, name: str) -> float:
    """Click the page in the menu and wait until it stands; milliseconds."""
    began = time.perf_counter()
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=name.capitalize(), exact=True).click()
    page.wait_for_function("name => document.querySelector('h1')?.innerText === name", arg=name.capitalize())
    settled(page)
    return (time.perf_counter() - began) * 1000


def script_times(folder: Path) -> dict[str, list[float]]:
    """The scripts alone, by Streamlit's own test runner in this process, readings warm; milliseconds."""
    os.environ["MS5OPS_STATE"] = str(folder)
    times: dict[str, list[float]] = {}
    test = AppTest.from_file(str(paths.PROJECT / "ms5ops" / "ui" / "navigation.py"), default_timeout=60).run()
    for name in PAGES:
        test.switch_page(f"../../pages/{name}.py").run()
        times[name] = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            test.run()
            times[name].append((time.perf_counter() - began) * 1000)
        if test.exception or test.title[0].value != name.capitalize():
            raise RuntimeError(f"the page {name} did not run: {test.exception}")
    return times
