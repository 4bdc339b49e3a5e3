import hashlib
import json
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from ms5ops.benchmark.json_lines import lines_of_keys
from ms5ops.benchmark.old_reports import read_report
from ms5ops.benchmark.report_numbers import Spot, instant, milliseconds
from ms5ops.benchmark.store import load_run, run_headers, store_run
from ms5ops.benchmark.transfer import chosen_runs, import_paths
from ms5ops.cli import app
from ms5ops.errors import BenchmarkError, BundleRefused, Ms5opsError
from ms5ops.history import History, bundles
from tests.benchmark.stored import START, a_run

EXAMPLES = Path(__file__).parent / "examples"
REPORT = EXAMPLES / "benchmark_report_20251003_021044.json"
MONTHLY = EXAMPLES / "benchmark_202510.txt"
SPOT = Spot(Path("report.txt"), "average", 7)


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "h.duckdb")


def figures(file: Path) -> dict[str, tuple[float | None, float | None]]:
    return {one.benchmark: (one.mean, one.median) for one in read_report(file).run.results}


# The old reports.


def test_the_json_report_becomes_a_summary() -> None:
    found = read_report(REPORT)
    header = found.run.header
    assert (header.is_summary, header.origin, header.surroundings) == (True, "measured", None)
    assert header.started_at == datetime(2025, 10, 3, 0, 10, 44, tzinfo=UTC)
    assert found.environment == header.environment == "production"
    assert found.run.samples.empty
    assert figures(REPORT) == {
        "recent_metrics": (241.37, 236.02),
        "oee_weekly_history": (6120.5, 6004.11),
        "dashboard_load": (4188.20, 4093.75),
        "energy_report": (None, None),
    }
    outcomes = {one.benchmark: one.outcome for one in found.run.results}
    assert outcomes["energy_report"] == "failed"  # which the report gives as 0 ms
    assert outcomes["recent_metrics"] == "ok"
    dashboard = next(one for one in found.run.results if one.benchmark == "dashboard_load")
    assert (dashboard.minimum, dashboard.maximum, dashboard.details) == (4012.4, 4392.55, {"runs": 5})
    assert all(one.samples == 0 and one.p95 is None and one.text_hash is None for one in found.run.results)
    assert header.note is not None
    assert "metric_hist.total_size = 41 GB" in header.note
    assert "iterations = 5" in header.note


@pytest.mark.parametrize(
    ("name", "taken_at", "note", "expected"),
    [
        (
            "benchmark_202510.txt",
            datetime(2025, 10, 1, 2, 0, 7, tzinfo=UTC),
            "Database size = 57 GB",
            {
                "recent_metrics": (238.11, 231.9),
                "oee_weekly_history": (6200.0, 6101.4),
                "dashboard_load": (4207.3, 4100.0),
                "energy_report": (None, None),
            },
        ),
        (
            "monthly_benchmark_log.txt",
            datetime(2025, 11, 1, 2, 0, 3, tzinfo=UTC),
            "names no zone",
            {"recent_metrics": (45.23, 44.1), "dashboard_load": (910.0, 880.0)},
        ),
        (
            "benchmark_2025-12.txt",
            datetime(2025, 12, 1, tzinfo=UTC),
            "the month in the file's name",
            {"recent_metrics": (42.05, 41.77), "oee_weekly_history": (301.4, 296.9)},
        ),
    ],
)
def test_the_text_reports_become_summaries(
    name: str, taken_at: datetime, note: str, expected: dict[str, tuple[float | None, float | None]]
) -> None:
    header = read_report(EXAMPLES / name).run.header
    assert header.is_summary
    assert header.started_at == taken_at
    assert note in (header.note or "")
    assert figures(EXAMPLES / name) == expected


def test_a_report_stands_with_the_runs_of_the_environment_it_names() -> None:
    assert read_report(REPORT, {"production": "db:5432/x/y"}).run.header.source == "db:5432/x/y"
    assert read_report(REPORT, {"test": "db:5432/x/y"}).run.header.source == "imported report of production"


def test_importing_twice_adds_nothing_wherever_the_file_lies(history: History, tmp_path: Path) -> None:
    files = sorted(EXAMPLES.iterdir())
    assert all(one.is_new for one in import_paths(history, files, {}))
    moved = tmp_path / "renamed_20251003.json"
    moved.write_bytes(REPORT.read_bytes())
    assert not any(one.is_new for one in import_paths(history, [*files, moved], {"production": "elsewhere"}))
    assert len(run_headers(history)) == len(files)
    run = load_run(history, read_report(REPORT).run.header.run_id)
    assert run.results == read_report(REPORT).run.results


JSON = '{\n "timestamp": "2025-10-03T02:10:44Z",\n "query_performance": {\n  "q": {\n   %s\n  }\n }\n}'
TEXT = "Date: 2025-10-01 02:00:07 UTC\nQuery performance\n%s\n"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.json",
            JSON % '"average_ms": "38,4"',
            "query_performance.q.average_ms in line 5 is '38,4', which is no time",
        ),
        ("a.json", JSON % '"average_ms": -1', "query_performance.q.average_ms in line 5 is -1"),
        ("a.json", JSON % '"average_ms": true', "query_performance.q.average_ms in line 5 is True"),
        ("a.json", JSON % '"average_ms": 4,\n   "runs": 2.5', "query_performance.q.runs in line 6 is 2.5"),
        ("a.json", JSON % '"average_ms": 4,\n   "runs": [1, 2]', "has the average 1.50 ms, and average_ms says 4.00"),
        ("a.json", JSON % '"runs": 5', "query_performance.q in line 4 has neither average_ms nor median_ms"),
        ("a.json", JSON % '"average_ms": NaN', "holds NaN, which is no number"),
        ("a.json", JSON % f'"average_ms": 1{"0" * 400}', "has more digits than any time"),
        ("a.json", "[" * 100_000, "holds lists in lists without end"),
        ("a.json", JSON % '"average_ms": 4,', "is not JSON: .* in line 6"),
        ("a.json", '{"timestamp": "2025-10-03T02:10:44Z"}', "has no key 'query_performance'"),
        ("a.json", '{"query_performance": {}}', "has no key 'timestamp'"),
        (
            "a.json",
            JSON.replace("2025-10-03T", "2025-13-03T") % '"average_ms": 4',
            "timestamp in line 2 is '2025-13-03",
        ),
        ("a.json", "[1, 2]", "holds a list, not a report"),
        ("a.txt", TEXT % "| average | median |\n| 38.4 ms | 36.9 ms |", "the table's row in line 4 names no query"),
        ("a.txt", TEXT % "recent: average 38,4 ms", "average in line 3 is '38,4 ms', which is no time"),
        ("a.txt", TEXT % "recent: average 38.4 min", "average in line 3 has the unit 'min'"),
        ("a.txt", TEXT % "recent: 38.4 ms", "recent in line 3 is a time without a word"),
        ("a.txt", TEXT % "recent: average 1 ms\nrecent: average 2 ms", "recent in line 4 stands there a second time"),
        ("a.txt", TEXT % "recent: average 1 ms, mean 2 ms", "mean in line 3 stands there a second time for recent"),
        ("a.txt", "Date: yesterday\nrecent: average 1 ms", "date in line 1 is 'yesterday', which is no instant"),
        ("a.txt", "Date: Wed Oct  1 02:00:07 CST 2025\nr: average 1 ms", "which is no instant"),
        ("a.txt", "recent: average 1 ms", "tells no date, and its name no month"),
        ("a.txt", "Dear all,\nall is well.\n", "holds no query with an average or a median"),
        ("a.txt", "  \n", "is empty"),
        ("a.bin", "\0\1", "is no text file"),
    ],
)
def test_a_wrong_report_is_refused_with_file_key_and_line(
    history: History, tmp_path: Path, name: str, content: str, message: str
) -> None:
    file = tmp_path / name
    file.write_text(content)
    with pytest.raises(BenchmarkError, match=message) as caught:
        import_paths(history, [REPORT, file], {})
    assert str(file) in caught.value.happened
    assert caught.value.next_step
    assert not history.exists()  # the good one beside it was not stored either


@given(st.floats(0.001, 1e7), st.sampled_from(["{:.3f} ms", "{:.3f}ms", "{:,.3f} ms", "{:.3f}"]))
def test_a_time_is_read_exactly_as_it_is_written(value: float, form: str) -> None:
    written = form.format(value)
    expected = float(re.sub(r"[, ms]", "", written))
    assert milliseconds(written, SPOT) == (expected or None)


@given(st.text(max_size=12))
def test_any_text_is_a_time_or_refused_in_a_sentence(text: str) -> None:
    with suppress(BenchmarkError):
        found = milliseconds(text, SPOT)
        assert found is None or found > 0


@given(st.recursive(st.none() | st.text(max_size=4) | st.integers(), lambda inner: st.lists(inner, max_size=3)
                    | st.dictionaries(st.text(max_size=4), inner, max_size=3)))  # fmt: skip
def test_every_key_of_a_json_text_is_found_on_its_line(value: object) -> None:
    text = json.dumps(value, indent=1)
    lines = text.splitlines()
    found = lines_of_keys(text)
    assert all(lines[line - 1].lstrip().startswith(json.dumps(path[-1])) for path, line in found.items())
    assert len(found) == sum(bool(re.match(r'\s*"(?:[^"\\]|\\.)*": ', line)) for line in lines)


def test_an_instant_may_name_its_zone() -> None:
    assert instant("2025-10-01 02:00:07 +0200", SPOT) == (datetime(2025, 10, 1, 0, 0, 7, tzinfo=UTC), None)
    taken_at, note = instant("20251001_020007", SPOT)
    assert taken_at == datetime(2025, 10, 1, 2, 0, 7, tzinfo=UTC)
    assert note is not None


# Exports.


def test_an_export_brings_runs_and_everything_else_to_another_history_once(history: History, tmp_path: Path) -> None:
    runs = [a_run(START + timedelta(days=day)) for day in range(3)]
    for run in runs:
        store_run(history, run)
    job_run = {"source": "test", "job_id": 7, "started_at": pd.Timestamp(START), "succeeded": True}
    history.append({"job_run": pd.DataFrame([job_run])})
    held = history.export(tmp_path / "whole")
    assert {table: file.rows for table, file in held.tables.items() if file.rows} == {
        "benchmark_run": 3, "benchmark_result": 6, "benchmark_sample": 60, "job_run": 1,
    }  # fmt: skip
    history.export(tmp_path / "one", [runs[1].header.run_id])
    other = History(tmp_path / "other.duckdb")
    assert other.take_in(tmp_path / "one")["benchmark_run"] == 1
    added = other.take_in(tmp_path / "whole")
    assert (added["benchmark_run"], added["benchmark_sample"], added["job_run"]) == (2, 40, 1)
    assert not any(other.take_in(tmp_path / "whole").values())
    for run in runs:
        found = load_run(other, run.header.run_id)
        assert (found.header, found.results) == (run.header, run.results)
        pd.testing.assert_frame_equal(found.samples, run.samples, check_exact=True)


def _rewrite(folder: Path, change: Callable[[str], str]) -> None:
    manifest = folder / bundles.MANIFEST
    manifest.write_text(change(manifest.read_text()))


def _cut(folder: Path) -> None:
    file = folder / "benchmark_sample.parquet"
    file.write_bytes(file.read_bytes()[:-10])


def _other_columns(folder: Path) -> None:
    """A whole and rightly signed file that holds something else."""
    held = bundles.check(folder).tables["benchmark_run"].sha256
    (folder / "benchmark_run.parquet").write_bytes((folder / "benchmark_result.parquet").read_bytes())
    _rewrite(
        folder,
        lambda text: text.replace(held, bundles.Manifest.model_validate_json(text).tables["benchmark_result"].sha256),
    )


def _no_number(number: str, table: str, column: str) -> Callable[[Path], None]:
    """A whole and rightly signed file with a figure that is no finite number."""

    def spoil(folder: Path) -> None:
        file = folder / f"{table}.parquet"
        held = bundles.check(folder).tables[table].sha256
        with duckdb.connect() as connection:
            connection.execute(f"CREATE TABLE t AS SELECT * REPLACE ('{number}'::DOUBLE AS {column}) FROM '{file}'")
            connection.execute(f"COPY t TO '{file}'")
        _rewrite(folder, lambda text: text.replace(held, hashlib.sha256(file.read_bytes()).hexdigest()))

    return spoil


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_no_number("nan", "benchmark_sample", "value"), "'benchmark_sample' holds figures that are no finite numbers"),
        (_no_number("inf", "benchmark_sample", "value"), "'benchmark_sample' holds figures that are no finite numbers"),
        (_no_number("nan", "benchmark_result", "median"), "'benchmark_result' holds figures"),
        (_cut, "benchmark_sample.parquet is not as it was written"),
        (lambda folder: (folder / "benchmark_run.parquet").unlink(), "benchmark_run.parquet is missing"),
        (lambda folder: (folder / bundles.MANIFEST).unlink(), "is not an export of ms5ops"),
        (lambda folder: _rewrite(folder, lambda text: text[:40]), "its manifest.json is not one of ms5ops"),
        (lambda folder: _rewrite(folder, lambda text: re.sub(r'"schema_version": \d+', '"schema_version": 99', text)),
         "schema version 99"),
        (lambda folder: _rewrite(folder, lambda text: text.replace('"benchmark_run"', '"../orders"')),
         "a table '../orders', which no history has"),
        (_other_columns, "its rows do not fit the history"),
    ],
)  # fmt: skip
def test_a_damaged_newer_or_foreign_export_is_refused_whole(
    history: History, tmp_path: Path, spoil: Callable[[Path], object], message: str
) -> None:
    store_run(history, a_run())
    folder = tmp_path / "export"
    history.export(folder)
    spoil(folder)
    other = History(tmp_path / "other.duckdb")
    store_run(other, kept := a_run(START + timedelta(days=1)))
    with pytest.raises(BundleRefused, match=re.escape(message)) as caught:
        other.take_in(folder)
    assert caught.value.next_step
    assert [header.run_id for header in run_headers(other)] == [kept.header.run_id]


def test_an_export_never_writes_over_anything(history: History, tmp_path: Path) -> None:
    store_run(history, a_run())
    (tmp_path / "there").mkdir()
    for folder, message in ((tmp_path / "there", "already there"), (tmp_path / "h.duckdb" / "x", "cannot be written")):
        with pytest.raises(Ms5opsError, match=message):
            history.export(folder)


def test_runs_to_export_are_chosen_by_label_month_and_id() -> None:
    headers = [
        a_run(START + timedelta(days=20 * number), label=label).header
        for number, label in enumerate(["before", "after", "after"])
    ]
    assert chosen_runs(headers, ["after"]) == headers[1:]
    assert chosen_runs(headers, ["2026-10"]) == headers[:2]
    assert chosen_runs(headers, [headers[2].run_id[:8], "before", "2026-10"]) == headers
    with pytest.raises(BenchmarkError):
        chosen_runs(headers, ["2031-01"])


# The commands.


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    monkeypatch.setenv("MS5OPS_HISTORY", str(tmp_path / "h.duckdb"))
    monkeypatch.setenv("MS5OPS_CONFIG", str(tmp_path / "ms5ops.toml"))
    monkeypatch.setenv("MS5OPS_STATE", str(tmp_path / "state"))
    monkeypatch.delenv("DB_HOST", raising=False)

    def call(*words: object) -> str:
        done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    return call


def test_the_commands_import_list_show_and_export(command: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "ms5ops.toml").write_text(
        '[environments.production]\nhost = "db"\ndatabase = "mes"\nread = {user = "reader"}\n'
    )
    assert "No benchmark run is stored" in command("benchmark", "list")
    assert "Stored." in command("benchmark", "import", REPORT, MONTHLY)
    assert "in the history already" in command("benchmark", "import", REPORT)
    rows = json.loads(command("benchmark", "list", "--json"))
    assert [row["source"] for row in rows] == ["db:5432/mes/factory_telemetry"] * 2
    assert "summary only" in command("benchmark", "list")
    shown = json.loads(command("benchmark", "show", rows[0]["run_id"][:8], "--json"))
    assert shown["results"][0]["median"] == 236.02
    assert "[red]" not in command("benchmark", "show", rows[0]["run_id"])
    assert "Wrote 2 runs" in command("benchmark", "export", "2025-10", "--out", tmp_path / "runs")
    assert "everything is in the history already" in command("benchmark", "import", tmp_path / "runs")
    assert "Wrote 10 rows" in command("history", "export", "--out", tmp_path / "whole")
    assert json.loads(command("history", "show", "--json"))["benchmark_runs"] == 2


def test_the_commands_share_a_history(
    command: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    share = tmp_path / "a share"
    assert share.as_uri() in command("history", "share", share)
    monkeypatch.setenv("MS5OPS_HISTORY", share.as_uri())
    command("benchmark", "import", REPORT)
    told = command("history", "show")
    assert f"kept in {share}" in told
    assert "Benchmark runs: 1" in told
