"""The report of a month: figures traced to their rows, hostile text as text, nothing loaded, missing parts named."""

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ms5ops.benchmark.store import store_run
from ms5ops.cli import app
from ms5ops.errors import Ms5opsError
from ms5ops.history import History
from ms5ops.reports.month import ReportError
from tests.reports.conftest import HOSTILE, HOUR, MIDDLE, MONTH, Site, keep, month_of, run

pytestmark = pytest.mark.xdist_group("reports")


METRIC = "metric_hist"


class Tags(HTMLParser):
    """Every tag with its attributes, the cells of every row, and all text outside of style."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self.in_cell = False
        self.feed(re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.in_cell = True
        if tag in ("br", "p", "td", "b", "h2", "span"):
            self.handle_data(" ")

    def handle_endtag(self, tag: str) -> None:
        self.in_cell = self.in_cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.in_cell:
            self.rows[-1][-1] += data

    def row(self, first: str, nth: int = 0) -> list[str]:
        found = [row for row in self.rows if row and " ".join(row[0].split()).startswith(first)]
        return [" ".join(cell.split()) for cell in found[nth]]


def made(*arguments: str, month: str = MONTH.name) -> str:
    done = CliRunner().invoke(app, ["report", "--month", month, "--out", "-", *arguments])
    if done.exception is not None:
        raise done.exception
    return done.stdout


@pytest.fixture(scope="module")
def html(site: Site) -> str:
    with pytest.MonkeyPatch.context() as patched:
        for name in ("DB_HOST", "MS5OPS_ENVIRONMENT"):
            patched.delenv(name, raising=False)
        patched.setenv("MS5OPS_STATE", str(site.folder))
        patched.setenv("MS5OPS_HISTORY", str(site.history))
        patched.setenv("MS5OPS_CONFIG", str(site.folder / "absent.toml"))
        return made()


@pytest.fixture(scope="module")
def found(html: str) -> Tags:
    return Tags(html)


def median(site: Site, which: int, benchmark: str) -> float:
    return next(one.median or 0 for one in site.runs[which].results if one.benchmark == benchmark)


def test_sizes_are_those_of_the_snapshots(found: Tags) -> None:
    assert found.row(METRIC)[2:] == ["40.0 GB", "9.0 GB", "−31.0 GB"]
    totals = next(row for row in found.rows if row and row[0].strip() == "All")
    assert [" ".join(cell.split()) for cell in totals[2:]] == ["41.0 GB", "10.0 GB", "−31.0 GB"]
    assert found.row(METRIC, 1) == [METRIC, "9.0 GB", "50.0 GB", "82 %", "20 of 30", "2"]
    drawn = [name for tag, one in found.tags if tag == "rect" and (name := one["class"])]
    assert drawn.count("stored") == drawn.count("raw") == 3


def test_jobs_are_counted_from_month_end_to_month_end(found: Tags) -> None:
    days = (MONTH.ends - MONTH.before.ends).days
    failing = found.row(f"Compression of {METRIC}")
    assert failing[1:5] == ["last run failed", str(2 * days), str(days), "1 h 30 min"]
    assert failing[5] == f"canceled {HOSTILE}"
    assert found.row(f"Retention of {METRIC}")[1:5] == ["on schedule", str(2 * days), "0", "–"]
    assert f"Failed job runs {days} of {4 * days} runs" in " ".join(found.text.split())


def test_benchmarks_are_compared_with_the_month_before(here: Site, found: Tags) -> None:
    row = found.row("Recent metric")
    assert row[1] == f"{median(here, 0, 'recent_metric'):.0f} ms"
    assert row[2] == f"{median(here, 1, 'recent_metric'):.1f} ms"
    assert row[4] == "Faster"
    assert "8.9x faster over 8 queries" in found.text
    assert here.runs[0].header.run_id[:8] in found.text
    assert f"Benchmarks against {month_of(-1).title}" in found.text


def test_the_scorecard_is_that_of_the_month_s_end(found: Tags) -> None:
    words = " ".join(found.text.split())
    assert f"as it stood at the end of {MONTH.title}" in words
    assert "Deployment 1 ran 1 step, none with an error." in words
    assert "no snapshot of the 31 days before has any." in words
    met = sum(row[0].strip() == "Met" for row in found.rows if row)
    assert f"{met} of 12 success criteria {'is' if met == 1 else 'are'} met" in words


def test_changes_and_alerts_are_those_of_the_month(found: Tags) -> None:
    deployed = found.row("Deployment 1")
    assert deployed[1] == f"Began {MIDDLE:%Y-%m-%d %H:%M} UTC Ended {MIDDLE + HOUR:%Y-%m-%d %H:%M} UTC"
    assert deployed[3] == "1 of 1 operation done (Indexes 1)"
    assert found.row(f"{MIDDLE:%Y-%m-%d %H:%M} UTC") == [
        f"{MIDDLE:%Y-%m-%d %H:%M} UTC", "anna", "apply", "begun", f"plan: {HOSTILE}",
    ]  # fmt: skip
    assert "sign in" not in found.text
    standing, passing = found.row("Warning"), found.row("Warning", 1)
    assert standing[1] == f"Subject standing Still {HOSTILE} Accepted by bert: a known matter"
    assert standing[3] == "still open"
    assert passing[1] == "Subject passing What passing is about."
    assert "Subject earlier" not in found.text
    assert "Subject later" not in found.text


def test_it_is_one_small_file_without_scripts(html: str, found: Tags) -> None:
    assert len(html) < 200_000
    assert not {tag for tag, _ in found.tags} & {
        "script", "link", "img", "iframe", "object", "embed", "base", "form", "image", "use"
    }  # fmt: skip
    for tag, attributes in found.tags:
        assert not {"src", "href", "srcset", "data", "action", "style"} & set(attributes), tag
        assert not any(name.startswith("on") for name in attributes), tag
    assert "url(" not in html
    assert "@import" not in html
    assert "<script" not in html
    assert "{{ 7 * 7 }}" in found.text
    assert not re.search(r"\bNone\b(?! of)", found.text)
    assert "nan" not in found.text.split()


def test_a_month_of_which_nothing_is_stored_is_one_sentence(here: Site) -> None:
    with pytest.raises(ReportError) as refused:
        made(month="2020-01")
    assert refused.value.happened == (
        f"Nothing of January 2020 is stored for sandbox, only of {MONTH.before.before.name} to {MONTH.name}."
    )
    assert refused.value.next_step == f"For the newest: --month {MONTH.name}."


def test_parts_that_are_missing_are_said_to_be(here: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MS5OPS_HISTORY", str(tmp_path / "history.duckdb"))
    words = " ".join(Tags(made()).text.split())  # the journal alone tells of the month
    assert f"No snapshot of {MONTH.title} holds sizes, so what was stored is not known." in words
    assert f"No snapshot of {MONTH.title} holds jobs" in words
    assert f"No benchmark run was stored in {MONTH.before.title} or {MONTH.title}" in words
    assert "Deployment 1" in words
    keep(History(), MONTH.begins + HOUR, 3.0, 3.0, 0)
    words = " ".join(Tags(made()).text.split())
    assert "the only one: what changed is not known" in words
    assert "3.0 GB" in words


def test_replayed_figures_are_marked_and_never_beside_others(
    here: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MS5OPS_HISTORY", str(tmp_path / "history.duckdb"))
    history = History()
    keep(history, MONTH.before.ends - HOUR, 70.0, 70.0, 0, origin="replayed")
    keep(history, MONTH.ends - 2 * HOUR, 20.0, 80.0, 20, origin="replayed")
    keep(history, MONTH.ends - HOUR, 5.0, 5.0, 0)
    store_run(history, run("replayed", MONTH.before.begins, 1, "replayed"))
    store_run(history, run("simulated", MONTH.begins, 9))
    found = Tags(made())
    words = " ".join(found.text.split())
    assert found.row(METRIC)[2:] == ["70.0 GB", "20.0 GB", "−50.0 GB"]  # not from the one, to the other
    assert "Replayed data of the schema factory_telemetry, from the snapshot of" in words
    assert "in months that were replayed: only the calendar is simulated" in words
    assert f"No benchmark run was stored in {MONTH.before.title}, so there is nothing to compare." in words


def test_the_running_month_is_called_so_and_is_read_from_the_server(
    here: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MS5OPS_HISTORY", str(tmp_path / "history.duckdb"))
    now = datetime.now(UTC)
    keep(History(), now, 3.0, 3.0, 0)
    words = " ".join(Tags(made(month=f"{now:%Y-%m}")).text.split())
    assert f"{now:%B %Y} is not over" in words
    assert "Not passed: " in words  # the checks were made


def test_whoever_may_not_read_the_audit_log_gets_a_report_without_it(
    here: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = tmp_path / "ms5ops.toml"
    settings.write_text("[access.shell.users]\n")
    monkeypatch.setenv("MS5OPS_CONFIG", str(settings))
    words = " ".join(Tags(made()).text.split())
    assert "Left out: whoever made this report may not read the audit log." in words
    assert f"plan: {HOSTILE}" not in words


def test_it_is_written_where_it_was_asked_for(here: Site, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    done = CliRunner().invoke(app, ["report", "--month", MONTH.name, "--out", str(file)])
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == str(file)
    assert f"TimescaleDB in {MONTH.title}: sandbox: " in done.stderr
    assert file.read_text().startswith("<!doctype html>")
    with pytest.raises(Ms5opsError, match="cannot be written"):
        made("--out", str(tmp_path / "nowhere" / "report.html"))
