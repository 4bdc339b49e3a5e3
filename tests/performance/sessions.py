"""What many open browsers cost: memory of the console and of the engine."""

import psutil

from ms5ops.sandbox import process
from ms5ops.sandbox.fill import Volume
from tests.browser.conftest import open_page
from tests.browser.test_pages import PAGES, address
from tests.performance.console import console, filled_sandbox, headless

SESSIONS = 20


def main() -> None:
    """Resident memory with 20 sessions open.

    Optimised sandbox of half a million rows; every session visits two of the pages and stays open. Resident
    set sizes of the two processes as the operating system tells them.
    """
    with filled_sandbox("optimised", Volume()) as folder, console(folder) as started, headless() as browser:
        server = psutil.Process(started.process.pid)
        context = browser.new_context()
        open_page(context.new_page(), started.url)
        print(f"console, 1 session:   {server.memory_info().rss / 1e6:6.0f} MB")
        for number in range(1, SESSIONS):
            page = context.new_page()
            for name in (PAGES[number % len(PAGES)], PAGES[(number + 1) % len(PAGES)]):
                open_page(page, address(started, name))
        print(f"console, {SESSIONS} sessions: {server.memory_info().rss / 1e6:6.0f} MB")
        memory_bytes = process.status(folder / "sandbox").memory_bytes or 0
        print(f"engine:               {memory_bytes / 1e6:6.0f} MB")
