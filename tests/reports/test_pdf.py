"""The report as PDF: by the browser of this machine where there is one that prints, and what is said where not."""

import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from typer.testing import CliRunner

from ms5ops.cli import app
from ms5ops.reports import chromium
from ms5ops.reports.month import ReportError
from tests.reports.conftest import MONTH, Site
from tests.reports.test_page import opened

pytestmark = pytest.mark.xdist_group("reports")
PDF = b"%PDF-1.4\nthe page\n%%EOF\n"
PRINTS = r"printf '%%PDF-1.4\nthe page\n%%%%EOF\n' > $out"
LOOKS = 'for one in "$@"; do case "$one" in --print-to-pdf=*) out="${one#*=}";; esac; done\n'


@pytest.fixture
def browser_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Names a script as the browser; ``$out`` is where it shall print to. Its temporary folders are in ``tmp``."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))

    def make(does: str) -> Path:
        script = tmp_path / "browser"
        script.write_text(f"#!/bin/sh\n{LOOKS}{does}\n")
        script.chmod(0o700)
        monkeypatch.setenv("MS5OPS_CHROMIUM", str(script))
        return script

    return make


def left(folder: Path) -> list[str]:
    return [one.name for one in (folder / "tmp").iterdir()]


def test_the_page_is_printed_in_a_private_folder_that_is_removed(
    browser_that: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "told"
    monkeypatch.setenv("DB_PASSWORD", "secret")
    browser_that(f'(env; echo "$@"; stat -c %a .; cat report.html) > {told}; {PRINTS}')
    assert chromium.pdf("<h1>October</h1>") == PDF
    said = told.read_text()
    assert "secret" not in said
    assert f"HOME={tmp_path / 'tmp'}/ms5ops-pdf-" in said
    assert ("--no-sandbox" in said) == (os.geteuid() == 0)
    assert "\n700\n<h1>October</h1>" in said
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("echo no display >&2; exit 7", r"ended with code 7 \(it said: no display\)\."),
        ("exit 0", "has printed nothing"),
        ("printf '%%PDF-1.4 half of it' > $out", "has printed nothing"),
        ("kill -9 $$", "ended with code -9"),
    ],
)
def test_a_browser_that_fails_is_told_of(
    browser_that: Callable[[str], Path], tmp_path: Path, does: str, said: str
) -> None:
    browser_that(does)
    with pytest.raises(ReportError, match=said) as error:
        chromium.pdf("<p>")
    assert "Write it as .html" in error.value.next_step
    assert left(tmp_path) == []


def test_one_that_hangs_is_ended_with_all_that_it_started(browser_that: Callable[[str], Path], tmp_path: Path) -> None:
    browser_that(f"sleep 300 & echo $! > {tmp_path}/child; wait")
    with pytest.raises(ReportError, match="did not print the report within 1 s"):
        chromium.pdf("<p>", limit_s=0.6)
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 5
    while _is_alive(child):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert left(tmp_path) == []


def _is_alive(pid: int) -> bool:
    """Whether it runs; one that nobody has buried yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_without_a_browser_the_next_step_is_said_before_anything_is_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("MS5OPS_CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    done = CliRunner().invoke(app, ["report", "--environment", "is never looked for", "--out", str(tmp_path / "r.PDF")])
    assert "No browser was found that could print the report" in str(done.exception)
    assert "print that from any browser; or install Chromium" in str(done.exception)
    monkeypatch.setenv("MS5OPS_CHROMIUM", "/no/such/browser")
    with pytest.raises(ReportError, match="MS5OPS_CHROMIUM is /no/such/browser, which is no program"):
        chromium.pdf("<p>")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["google-chrome", "microsoft-edge"])
def test_browsers_on_the_path_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    monkeypatch.delenv("MS5OPS_CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / name).touch(mode=stat.S_IRWXU)
    assert chromium.find() == str(tmp_path / name)


def test_a_file_that_cannot_be_printed_stays_as_it_was(
    here: Site, browser_that: Callable[[str], Path], tmp_path: Path
) -> None:
    file = tmp_path / "report.pdf"
    file.write_bytes(b"last month's")
    browser_that("exit 1")
    asked = ["report", "--month", MONTH.name, "--out", str(file)]
    assert "ended with code 1" in str(CliRunner().invoke(app, asked).exception)
    assert file.read_bytes() == b"last month's"
    browser_that(f"grep -q '<h1>TimescaleDB in {MONTH.title}' report.html && {PRINTS}")
    done = CliRunner().invoke(app, asked)
    assert (done.exit_code, file.read_bytes()[:5]) == (0, b"%PDF-"), done.output
    assert not [one for one in tmp_path.iterdir() if one.name.endswith(".new")]
    (tmp_path / "folder.pdf").mkdir()
    assert "cannot be written" in str(CliRunner().invoke(app, [*asked[:-1], str(tmp_path / "folder.pdf")]).exception)


def test_the_page_offers_it_only_where_a_browser_is_there(here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chromium, "find", lambda: None)
    page = opened("scorecard")
    assert not page.exception
    assert not [one for one in page.button if one.key == "make_pdf"]
    assert any("print it for a PDF" in one.value for one in page.caption)


def test_the_page_makes_it_when_asked_for(here: Site, browser_that: Callable[[str], Path]) -> None:
    browser_that("echo no paper >&2; exit 3")
    page = opened("scorecard")
    page.button(key="make_pdf").click().run()
    assert not page.exception
    assert any("ended with code 3" in one.value and "no paper" in one.value for one in page.error)
    browser_that(PRINTS)
    page.button(key="make_pdf").click().run()
    assert not page.exception
    assert not [one for one in page.button if one.key == "make_pdf"], "the download stands in its place"
    page.selectbox(key="report_month").select(MONTH.before.name).run()
    assert page.button(key="make_pdf") is not None, "another month has to be made first"


# A real one -------------------------------------------------------------------------------------------------


@pytest.fixture
def prints() -> None:
    """Skips where no browser of this machine prints by itself: the one from npm was built without that."""
    if chromium.find() is None:
        pytest.skip("no Chromium, Chrome or Edge on this machine that prints (MS5OPS_CHROMIUM names none either)")


class Asked(BaseHTTPRequestHandler):
    """Counts who asks."""

    paths: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.paths.append(self.path)
        self.send_response(204)
        self.end_headers()


@pytest.fixture
def site_that_counts() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Asked)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_real_browser_prints_the_months_report(here: Site, prints: None, tmp_path: Path) -> None:
    file = tmp_path / "report.pdf"
    done = CliRunner().invoke(app, ["report", "--month", MONTH.name, "--out", str(file)])
    assert done.exit_code == 0, (done.output, done.exception)
    printed = file.read_bytes()
    assert printed.startswith(b"%PDF-")
    title = f"TimescaleDB in {MONTH.title}: sandbox"
    assert f"/Title ({title})".encode() in printed
    assert 2 <= printed.count(b"/Type /Page\n") <= 8
    assert b"/MediaBox [0 0 594.95996 841.91998]" in printed
    assert len(printed) > 20_000


def test_it_asks_nobody(prints: None, site_that_counts: str) -> None:
    page = f"<style>@import '{site_that_counts}/s.css'</style><img src='{site_that_counts}/x.png'><p>Text"
    assert chromium.pdf(page).startswith(b"%PDF-")
    assert Asked.paths == []
