"""Every page in every state of the sandbox, in a real browser."""

import re
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from ms5ops import paths
from ms5ops.sandbox import process
from tests.browser.conftest import Console, open_page, settled, start_console
from tests.conftest import Sandboxes

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

PAGES = (
    "overview", "scorecard", "alerts", "storage", "compression", "jobs", "aggregates", "indexes", "health",
    "benchmarks", "compare", "rollout",
)  # fmt: skip
RAW = re.compile(r"\bNone\b|\bnan\b|NaT|Traceback|Timedelta|datetime\.|<NA>|\d{7,}\.\d|\{\{|Reading\(")
Consoles = Callable[[str], Console]


def address(console: Console, name: str) -> str:
    return f"{console.url}/" if name == "overview" else f"{console.url}/{name}"


def open_tabs(page: Page) -> list[str]:
    """Open every tab in turn; returns the text of the page with each."""
    texts = []
    for tab in page.get_by_role("tab").all():
        tab.click()
        settled(page)
        texts.append(page.get_by_test_id("stMain").inner_text())
    return texts


@dataclass
class Visit:
    """A visitor's window on a console: what went wrong in it since it was last looked at, and whom it asked."""

    page: Page
    console: Console
    errors: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        open_page(self.page, self.console.url)

    def go(self, name: str) -> None:
        """Go there by the menu: scripts are loaded once per visit, which is most of the work of a page."""
        self.errors.clear()
        self.page.get_by_test_id("stSidebarNav").get_by_role("link", name=name.capitalize(), exact=True).click()
        expect(self.page.get_by_role("heading", level=1)).to_have_text(name.capitalize())
        settled(self.page)


@pytest.fixture(scope="module")
def visits(visitor: BrowserContext, consoles: Consoles) -> Callable[[str], Visit]:
    """A visit per state of the sandbox."""
    begun: dict[str, Visit] = {}

    def visit(state: str) -> Visit:
        if state not in begun:
            begun[state] = Visit(visitor.new_page(), consoles(state))
        return begun[state]

    return visit


@pytest.mark.parametrize("name", PAGES)
def test_page_is_whole(visits: Callable[[str], Visit], state: str, name: str) -> None:
    visit = visits(state)
    page = visit.page
    visit.go(name)
    expect(page.get_by_text("sandbox: simulated data")).to_be_visible()
    if name != "alerts":  # it shows what the last evaluation kept, and asks no server
        expect(page.get_by_text(re.compile(r"TimescaleDB 2\.\d+\.\d+ Community"))).to_be_visible()
    texts = [page.get_by_test_id("stMain").inner_text(), *open_tabs(page)]
    assert texts[0].splitlines()[0] == name.capitalize(), "something stands above the title"
    assert "defect" not in "".join(texts)
    assert page.locator("[data-testid=stException]").count() == 0
    raw = [line for text in texts for line in text.splitlines() if RAW.search(line)]
    assert raw == []
    assert visit.errors == []
    assert visit.hosts - {""} == {urlsplit(visit.console.url).netloc}, "something was fetched from elsewhere"


@pytest.fixture(scope="module")
def tablet(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context(viewport={"width": 820, "height": 1180}, color_scheme="dark") as context:
        yield context


@pytest.mark.parametrize("name", PAGES)
def test_page_fits_a_tablet_and_the_dark(tablet: BrowserContext, consoles: Consoles, name: str) -> None:
    page = tablet.new_page()
    open_page(page, address(consoles("optimised"), name))
    background = page.evaluate("getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor")
    assert background == "rgb(17, 22, 28)"
    overflow = page.evaluate(
        "(() => { const m = document.querySelector('[data-testid=stMain]'); return m.scrollWidth - m.clientWidth; })()"
    )
    assert overflow <= 0, "the page is wider than the screen"
    page.close()


def test_a_fresh_process_serves_no_page_around_the_entry(page: Page, sandboxes: Sandboxes, tmp_path: Path) -> None:
    console = start_console(sandboxes.folder("legacy"), tmp_path / "fresh.log")
    try:
        open_page(page, f"{console.url}/jobs")  # the first request that this process ever gets
        expect(page.get_by_test_id("stSidebarNav")).to_be_visible()
        expect(page.get_by_text("sandbox: simulated data")).to_be_visible()
        every = len([*(paths.PROJECT / "pages").glob("*.py")])
        assert page.get_by_test_id("stSidebarNav").get_by_role("link").count() == every
    finally:
        console.process.terminate()
        console.process.wait(timeout=20)


def test_security_headers_are_sent(consoles: Consoles) -> None:
    with urllib.request.urlopen(consoles("legacy").url) as response:
        headers = response.headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"


def test_a_table_downloads_as_csv(page: Page, consoles: Consoles) -> None:
    open_page(page, consoles("legacy").url)
    with page.expect_download() as waiting:
        page.get_by_test_id("stDownloadButton").get_by_role("button").first.click()
    lines = Path(waiting.value.path()).read_text().splitlines()
    assert lines[0].startswith("Table,Size (bytes),Uncompressed (bytes),Rows (about)")
    assert len(lines) == 6
    assert any(line.startswith("metric_hist,") and line.endswith(",plain table") for line in lines)


def test_a_sandbox_that_is_down_is_said_in_a_sentence(page: Page, tmp_path: Path) -> None:
    console = start_console(tmp_path / "empty", tmp_path / "down.log")
    try:
        for name in PAGES:
            open_page(page, address(console, name))
            expect(page.get_by_text("The sandbox is not running.").first).to_be_visible()
            expect(page.get_by_text("python -m ms5ops sandbox start").first).to_be_visible()
    finally:
        console.process.terminate()
        console.process.wait(timeout=20)


def test_an_unreachable_server_is_said_in_a_sentence(page: Page, tmp_path: Path) -> None:
    console = start_console(tmp_path, tmp_path / "gone.log", DB_HOST="127.0.0.1", DB_PORT="1", DB_PASSWORD="hidden-one")
    try:
        for name in PAGES:
            open_page(page, address(console, name))
            expect(page.get_by_text("No connection to postgres@127.0.0.1:1/factory_telemetry").first).to_be_visible()
            if name != "alerts":  # which reads no server
                expect(page.get_by_text("DB_HOST: not read")).to_be_visible()
            assert "hidden-one" not in page.content()
    finally:
        console.process.terminate()
        console.process.wait(timeout=20)
    assert "hidden-one" not in console.log.read_text()


def test_the_environment_that_was_chosen_is_the_one_that_is_read(
    page: Page, sandboxes: Sandboxes, tmp_path: Path
) -> None:
    file = tmp_path / "servers.toml"
    server = '[environments.{0}]\nhost = "127.0.0.1"\nport = {1}\nread = {{ user = "u" }}\n'
    file.write_text('default_environment = "one"\n' + server.format("one", 1) + server.format("two", 2))
    console = start_console(sandboxes.folder("legacy"), tmp_path / "chosen.log", MS5OPS_CONFIG=str(file))
    try:
        open_page(page, console.url)
        expect(page.get_by_text("No connection to u@127.0.0.1:1/")).to_be_visible()
        open_page(page, f"{console.url}/?environment=two")
        expect(page.get_by_text("No connection to u@127.0.0.1:2/")).to_be_visible()
        open_page(page, f"{console.url}/?environment=sandbox")
        expect(page.get_by_text("sandbox: simulated data")).to_be_visible()
        file.write_text(file.read_text().replace("port = 2", "port = 3"))
        open_page(page, f"{console.url}/?environment=two")
        expect(page.get_by_text("No connection to u@127.0.0.1:3/")).to_be_visible()
        file.write_text("garbage [")
        page.reload()
        settled(page)
        expect(page.get_by_text("is not valid TOML").first).to_be_visible()
    finally:
        console.process.terminate()
        console.process.wait(timeout=20)


def test_an_engine_that_is_killed_is_said_and_comes_back(page: Page, sandboxes: Sandboxes, tmp_path: Path) -> None:
    folder = tmp_path / "state"
    sandboxes.start(folder / "sandbox", scheduler=True)
    console = start_console(folder, tmp_path / "killed.log")
    try:
        open_page(page, console.url)
        expect(page.get_by_text("sandbox: simulated data")).to_be_visible()
        subprocess.run(["kill", "-9", str(process.status(folder / "sandbox").pid)], check=True)
        page.reload()
        settled(page)
        expect(page.get_by_text(re.compile("The sandbox is not running"))).to_be_visible()
        process.start(folder / "sandbox")
        page.get_by_role("button", name="Try again").click()
        expect(page.get_by_text("sandbox: simulated data")).to_be_visible(timeout=30_000)
    finally:
        console.process.terminate()
        console.process.wait(timeout=20)
        process.stop(folder / "sandbox")
