"""The report to share: one file, nothing from elsewhere, and text from elsewhere as text."""

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser
from typer.testing import CliRunner

from ms5ops.benchmark.compare import Comparison, Side, compare
from ms5ops.benchmark.store import store_run
from ms5ops.cli import app
from ms5ops.errors import Ms5opsError
from ms5ops.history import History
from ms5ops.reports.comparison import WIDTH, comparison_html, file_name
from tests.benchmark.example_runs import example_run

HOSTILE = "</title><script>alert('x')</script>{{ 7 * 7 }}<img src=http://evil.example/x.png>"
BEFORE, AFTER = example_run(HOSTILE, seed=1), example_run("after", speed=9, seed=2)


@pytest.fixture(scope="module")
def compared() -> Comparison:
    return compare(Side(HOSTILE, (BEFORE,)), Side("after deployment 3", (AFTER,)))


class Tags(HTMLParser):
    """Every tag with its attributes, and all text outside of style."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_nothing_is_loaded_from_elsewhere(compared: Comparison) -> None:
    found = Tags(comparison_html(compared))
    names = {tag for tag, _ in found.tags}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "base", "form", "image", "use"}
    for tag, attributes in found.tags:
        assert not {"src", "href", "srcset", "data", "action", "style"} & set(attributes), tag
        assert not any(name.startswith("on") for name in attributes), tag
    style = comparison_html(compared).split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


@pytest.mark.parametrize(("width", "medium"), [(820, "screen"), (703, "print")])  # a tablet; A4 between its margins
def test_nothing_is_cut_off_on_a_tablet_or_on_paper(
    compared: Comparison, browser: Browser, tmp_path: Path, width: int, medium: Literal["screen", "print"]
) -> None:
    file = tmp_path / "comparison.html"
    file.write_text(comparison_html(compared), encoding="utf-8")
    with browser.new_context(offline=True, viewport={"width": width, "height": 900}) as context:
        page = context.new_page()
        page.goto(file.as_uri())
        page.emulate_media(media=medium)
        hidden = "[...document.querySelectorAll('.scroll')].map(one => one.scrollWidth - one.clientWidth)"
        assert set(page.evaluate(hidden)) == {0}


def test_hostile_labels_are_text(compared: Comparison) -> None:
    html = comparison_html(compared)
    assert "<script" not in html
    assert HOSTILE in "".join(Tags(html).words)
    assert "{{ 7 * 7 }}" in html
    assert file_name(compared).endswith("-after-deployment-3.html")
    assert not set(file_name(compared)) - set("abcdefghijklmnopqrstuvwxyz0123456789.-")


def test_it_says_what_was_compared_and_what_came_out(compared: Comparison) -> None:
    words = " ".join(" ".join(Tags(comparison_html(compared)).words).split())
    assert "after deployment 3 (after of 2026-10-05 02:00 UTC on plant)" in words
    assert "8.9x faster over 8 queries" in words
    assert "Plant dashboard" in words
    assert "3 to 8 s → 0.5 to 1.5 s" in words
    assert "Not measured" in words
    assert "None" not in words


def test_marks_lie_within_their_drawing(compared: Comparison) -> None:
    tags = Tags(comparison_html(compared)).tags
    marks = [float(attributes["cx"] or "nan") for tag, attributes in tags if tag == "circle"]
    assert len(marks) == 9
    assert all(0 <= place <= WIDTH for place in marks)
    zero = next(float(one["x1"] or "nan") for tag, one in tags if tag == "line" and one["class"] == "zero")
    assert sum(place > zero + 50 for place in marks) == 8  # all but the ingest, which did not change


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A history of two runs and no server, for the command line."""
    for name in ("DB_HOST", "MS5OPS_ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MS5OPS_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("MS5OPS_CONFIG", str(tmp_path / "absent.toml"))
    monkeypatch.setenv("MS5OPS_HISTORY", str(tmp_path / "history.duckdb"))
    store = History()
    store_run(store, BEFORE)
    store_run(store, AFTER)
    return tmp_path


def test_the_command_line_writes_the_same_report(history: Path, compared: Comparison) -> None:
    file = history / "report.html"
    done = CliRunner().invoke(app, ["benchmark", "compare", BEFORE.header.run_id, "after", "--html", str(file)])
    assert done.exit_code == 0, done.output
    assert "8.9x faster over 8 queries" in done.stdout
    assert "<circle" in file.read_text()
    assert "<script" not in file.read_text()
    assert "Without the server's journal" in done.stderr


def test_exit_codes_for_ci(history: Path) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["benchmark", "compare", *arguments])
        return done.exit_code, done.stdout

    assert run(BEFORE.header.run_id, "after", "--fail-on", "slower")[0] == 0
    code, text = run("after", BEFORE.header.run_id, "--fail-on", "slower", "--json")
    assert code == 1
    plain = json.loads(text)
    verdicts = {one["benchmark"]: one["verdict"] for one in plain["benchmarks"]}
    assert verdicts["latest_100"] == "slower"
    assert verdicts["energy_day_aggregate"] == "not comparable"
    assert run("after", BEFORE.header.run_id)[0] == 0  # only --fail-on makes it fail
    assert run(BEFORE.header.run_id, "after", "--fail-on", "not-comparable")[0] == 1


@pytest.mark.parametrize("words", [("nobody", "after"), ("after", "after"), ("before:1", "after:1")])
def test_what_cannot_be_compared_is_a_sentence(history: Path, words: tuple[str, str]) -> None:
    done = CliRunner().invoke(app, ["benchmark", "compare", *words])
    assert isinstance(done.exception, Ms5opsError)
    assert done.exception.next_step


def test_trends_on_the_command_line(history: Path) -> None:
    done = CliRunner().invoke(app, ["benchmark", "trends", "--json"])
    assert done.exit_code == 0, done.output
    plain = json.loads(done.stdout)
    assert {one["benchmark"] for one in plain["series"]} >= {"latest_100", "ingest_1000"}
    assert plain["regressions"] == []
    shown = CliRunner().invoke(app, ["benchmark", "trends"]).stdout
    assert "No change of level stands out over 2 runs in 1 month." in shown
