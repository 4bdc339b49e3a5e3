"""The report as it is read: in a browser without a network, light and dark, narrow, and on A4."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from typer.testing import CliRunner

from ms5ops.cli import app
from tests.reports.conftest import MONTH, Site

pytestmark = pytest.mark.xdist_group("reports")
A4_WIDTH = 703
"""Pixels between the margins of the report's own pages: 210 mm less twice 12 mm, at 96 a inch."""
OVERFLOWING = """() => [...document.querySelectorAll('th, td, .tile, h1, p')]
    .filter(one => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).display !== 'inline')
    .map(one => one.textContent.trim().slice(0, 60))"""


@pytest.fixture
def file(here: Site, tmp_path: Path) -> Path:
    made = tmp_path / "report.html"
    done = CliRunner().invoke(app, ["report", "--month", MONTH.name, "--out", str(made)])
    assert done.exit_code == 0, done.output
    return made


def test_it_opens_offline_without_a_word_in_the_console_and_fits_its_paper(
    file: Path,
    browser: Browser,
    tmp_path: Path,
) -> None:
    asked: list[str] = []
    said: list[str] = []
    with browser.new_context(offline=True, viewport={"width": 1366, "height": 900}) as context:
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(file.as_uri())
        assert asked == [file.as_uri()]
        assert said == []
        assert page.title() == f"TimescaleDB in {MONTH.title}: sandbox"
        assert page.locator("h2").all_inner_texts() == [
            "Success criteria", "Storage", "Compression", "Background jobs", f"Benchmarks against {MONTH.before.title}",
            "Changes made", "Alerts",
        ]  # fmt: skip
        assert page.locator(".tile").count() == 6
        assert page.evaluate(OVERFLOWING) == []
        for width in (820, 400):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert _on_paper(page) == []
        printed = page.pdf(prefer_css_page_size=True)
        assert printed.startswith(b"%PDF-")
        boxes = re.findall(rb"/MediaBox\s*\[0 0 (\d+)[\d.]* (\d+)", printed)
        assert 2 <= len(boxes) <= 8
        assert set(boxes) <= {(b"594", b"841"), (b"595", b"842")}
        assert said == []


def test_dark_is_dark_and_paper_is_white(file: Path, browser: Browser) -> None:
    with browser.new_context(color_scheme="dark", offline=True) as context:
        page = context.new_page()
        page.goto(file.as_uri())
        background = "getComputedStyle(document.body).backgroundColor"
        assert page.evaluate(background) == "rgb(17, 22, 28)"
        page.emulate_media(media="print")
        assert page.evaluate(background) == "rgb(255, 255, 255)"


def _on_paper(page: Page) -> list[str]:
    """What does not fit the width of a page as it is printed."""
    page.emulate_media(media="print")
    page.set_viewport_size({"width": A4_WIDTH, "height": 1000})
    found: list[str] = page.evaluate(OVERFLOWING)
    page.emulate_media(media="screen")
    return found
