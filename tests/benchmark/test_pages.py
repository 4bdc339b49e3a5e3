"""The pages Benchmarks and Compare, with runs in the history, none, and one under way."""

import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from streamlit.testing.v1 import AppTest

from ms5ops import paths
from ms5ops.access import shell
from ms5ops.access.roles import Actor
from ms5ops.benchmark import background
from ms5ops.benchmark.old_reports import read_report
from ms5ops.benchmark.store import load_run, run_headers, store_run
from ms5ops.database import Database
from ms5ops.history import History
from ms5ops.sandbox import fill
from ms5ops.ui import benchmark_readings, measure_parts
from tests.benchmark.example_runs import SURROUNDINGS, example_run
from tests.benchmark.test_import import REPORT
from tests.conftest import Sandboxes

Open = Callable[..., AppTest]
AFTER = replace(SURROUNDINGS, compressed_share=0.83, policy_hash="b7e1" * 16)
HOSTILE = "August <b>bold</b> $x$ :red[no]"


@pytest.fixture
def opened(sandboxes: Sandboxes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens a page of the console on the optimised sandbox, with a history of its own."""
    for name in ("DB_HOST", "MS5OPS_ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MS5OPS_STATE", str(sandboxes.folder("optimised")))
    monkeypatch.setenv("MS5OPS_CONFIG", str(tmp_path / "absent.toml"))
    monkeypatch.setenv("MS5OPS_HISTORY", str(tmp_path / "history.duckdb"))
    for cache in (benchmark_readings._headers, benchmark_readings._runs, benchmark_readings._results):
        cache.clear()

    def page(name: str, **parameters: str) -> AppTest:
        test = AppTest.from_file(str(paths.PROJECT / "ms5ops" / "ui" / "navigation.py"), default_timeout=60)
        for parameter, value in parameters.items():
            test.query_params[parameter] = value
        test.switch_page(str(paths.PROJECT / "pages" / f"{name}.py"))
        return test.run()

    return page


@pytest.fixture(scope="module")
def stored(sandboxes: Sandboxes, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A history with three runs of this sandbox, two slow ones and a fast one, oldest first: the file and their ids."""
    database = Database(sandboxes.target("optimised"))
    filled = fill.filled(database)
    database.close()
    assert filled is not None
    source = f"sandbox filled at {filled.filled_at.isoformat()}"
    file = tmp_path_factory.mktemp("pages") / "history.duckdb"
    made = [
        example_run(
            label, speed=speed, seed=month, started_at=datetime(2026, month, 3, 2, tzinfo=UTC), source=source,
            environment="sandbox", origin="simulated", surroundings=around, is_partial=month == 7,
        )
        for month, label, speed, around in (
            (7, "July", 1, SURROUNDINGS), (8, HOSTILE, 1, SURROUNDINGS), (9, "after Phase 4", 9, AFTER),
        )
    ]  # fmt: skip
    for one in made:
        store_run(History(file), one)
    return file, [one.header.run_id for one in made]


@pytest.fixture
def runs(opened: Open, stored: tuple[Path, list[str]]) -> list[str]:
    """The ids of the stored runs, in the history that the pages read."""
    shutil.copy(stored[0], os.environ["MS5OPS_HISTORY"])
    return stored[1]


def words(test: AppTest) -> str:
    assert not test.exception, test.exception
    parts = [*test.markdown, *test.caption, *test.success, *test.warning, *test.error, *test.info]
    return "\n".join(str(one.value) for one in parts)


def test_without_runs_the_pages_say_how_to_get_one(opened: Open) -> None:
    benchmarks = opened("benchmarks")
    assert "No benchmark run yet" in words(benchmarks)
    assert "python -m ms5ops benchmark run" in words(benchmarks)
    assert "Nothing to compare yet" in words(opened("compare"))


def test_the_newest_run_is_shown_with_its_verdict_and_groups(opened: Open, runs: list[str]) -> None:
    page = opened("benchmarks")
    text = words(page)
    assert "9 of 9 performance targets met" in text
    assert page.selectbox(key="run_choice").value == runs[2]
    cards = {one.label: (one.value, one.delta) for one in page.metric}
    assert cards["Dashboards"][1] == "met: at most 2 s"
    assert cards["Ingest"][0].endswith("k/s")
    figure = json.loads(page.get("plotly_chart")[0].proto.spec)
    assert {trace["name"] for trace in figure["data"] if "name" in trace} >= {"One sample", "Target met", "Target"}


def test_a_run_by_its_address_and_by_choice(opened: Open, runs: list[str]) -> None:
    page = opened("benchmarks", run=runs[0])
    assert "4 of 9 performance targets met" in words(page)
    assert "The run was stopped: it holds what was measured until then." in words(page)
    assert page.selectbox(key="run_choice").value == runs[0]
    page.selectbox(key="run_choice").select(runs[2]).run()
    assert page.query_params["run"] == runs[2]
    assert "9 of 9 performance targets met" in words(page)
    unknown = opened("benchmarks", run="00000000")
    assert "There is no run 00000000" in words(unknown)


@pytest.mark.parametrize("tab", ["One benchmark", "All figures", "Plans", "Circumstances", "Past runs"])
def test_every_tab_of_a_run_opens(opened: Open, runs: list[str], tab: str) -> None:
    page = opened("benchmarks", run=runs[1], benchmark_tab=tab)
    words(page)
    if tab == "One benchmark":
        assert len(page.get("plotly_chart")) == 2
    else:
        assert len(page.dataframe) == 1
    if tab == "Past runs":
        assert list(page.dataframe[0].value["label"]) == ["after Phase 4", HOSTILE, "July"]
        page.text_input(key="run_label").input("july").run()
        assert list(page.dataframe[0].value["marks"]) == ["simulated data, partial"]


def test_the_last_two_runs_are_compared_at_first(opened: Open, runs: list[str]) -> None:
    page = opened("compare")
    text = words(page)
    assert "faster over 8 queries" in text
    assert [page.selectbox(key=f"compare_{side}").value for side in ("before", "after")] == [runs[1], runs[2]]
    assert "\\<b\\>" in text  # a label is shown as it is
    cards = {one.label: (one.value, one.delta) for one in page.metric}
    assert cards["Reports"][1] == "faster"
    verdicts = page.dataframe[-1].value.set_index("benchmark")
    assert verdicts.loc["latest_100", "verdict"] == "Faster"
    assert verdicts.loc["energy_day_aggregate", "verdict"] == "Not comparable"
    differences = page.dataframe[0].value
    assert "Compressed share" in set(differences["subject"])


def test_sides_are_chosen_by_month_and_kept_in_the_address(opened: Open, runs: list[str]) -> None:
    page = opened("compare", before="2026-09", after="2026-07")
    assert "slower over 8 queries" in words(page)
    page.selectbox(key="compare_after").select("2026-08").run()
    assert page.query_params["after"] == "2026-08"
    assert "slower over 8 queries" in words(page)
    same = opened("compare", before="2026-09", after="2026-09")
    assert "a run says nothing against itself" in words(same)
    gone = opened("compare", before="2020-01", after="2026-09")
    assert "No benchmark run started in 2020-01" in words(gone)


@pytest.mark.parametrize("tab", ["What was promised", "One benchmark", "Month by month"])
def test_every_tab_of_a_comparison_opens(opened: Open, runs: list[str], tab: str) -> None:
    page = opened("compare", compare_tab=tab)
    text = words(page)
    if tab == "What was promised":
        promises = page.dataframe[-1].value.set_index("title")
        assert promises.loc["Loading a dashboard", "met"] == "Met"
        assert promises.loc["Growth of storage", "met"] == "Not measured"
    elif tab == "One benchmark":
        assert "**Faster**: " in text
    else:
        assert "No change of level stands out over 3 runs in 3 months." in text
        assert list(page.dataframe[-1].value.columns)[2:] == ["2026-07", "2026-08", "2026-09"]


@pytest.fixture
def imported(opened: Open, stored: tuple[Path, list[str]]) -> None:
    """A history with two reports of the old benchmark: summaries, whose queries are of no group."""
    source = load_run(History(stored[0]), stored[1][0]).header.source
    for month in (10, 11):
        run = read_report(REPORT).run
        header = replace(
            run.header, run_id=str(UUID(int=month)), environment="sandbox", source=source,
            started_at=datetime(2025, month, 3, tzinfo=UTC), anchor=datetime(2025, month, 3, tzinfo=UTC),
        )  # fmt: skip
        store_run(History(Path(os.environ["MS5OPS_HISTORY"])), replace(run, header=header))


@pytest.mark.parametrize(
    ("name", "tab"),
    [
        ("benchmarks", "Distributions"),
        ("benchmarks", "All figures"),
        ("benchmarks", "Circumstances"),
        ("compare", "Before and after"),
        ("compare", "Month by month"),
    ],
)
def test_reports_of_the_old_benchmark_are_shown_on_every_tab(opened: Open, imported: None, name: str, tab: str) -> None:
    parameter = {"benchmarks": "benchmark_tab", "compare": "compare_tab"}[name]
    page = opened(name, **{parameter: tab})
    text = words(page)
    if name == "compare":
        assert "a side is a summary without samples" in text
        assert "Imported reports do not tell versions" in text
    else:
        assert "shell benchmark on sandbox. Imported from a report" in text
        assert not page.metric, "nothing of it is held against a promise"
    if tab in ("All figures", "Before and after", "Month by month"):
        frame = page.dataframe[-1].value
        assert set(frame["group"]) == {"Other queries"}
        assert "Recent metrics" in set(frame["title"])
    if tab == "All figures":
        assert set(frame["kept"]) == {"No target", "Not measured"}


def test_nobody_who_is_not_signed_in_may_measure(opened: Open) -> None:
    page = opened("benchmarks")
    assert next(one for one in page.button if one.label == "Run benchmarks").disabled
    assert "Nobody is signed in; running benchmarks takes the role dba or more." in words(page)


def test_a_run_is_started_seen_by_others_and_stopped(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    me = Actor(shell.user(), "admin", "shell")
    monkeypatch.setattr(measure_parts, "actor", lambda touch=False: me)  # a browser's cookie cannot be had here
    page = opened("benchmarks")
    page.text_input(key="measure_label").input("from the page")
    page.number_input(key="measure_repeat").set_value(2)
    next(one for one in page.button if one.label == "Run benchmarks").click()
    page.run()
    try:
        assert "**Measuring: from the page**" in words(page)
        other = opened("benchmarks")  # another session
        assert "**Measuring: from the page**" in words(other)
        assert not [one for one in other.button if one.label == "Run benchmarks"]
        deadline = time.monotonic() + 30
        while (seen := background.current("sandbox")) and not seen.step.startswith("Run 1 of 2: "):
            assert time.monotonic() < deadline, seen.step
            time.sleep(0.05)
        other.button(key="stop_benchmarks").click().run()
    finally:
        background.ask_to_stop("sandbox")
        deadline = time.monotonic() + 60
        while (seen := background.current("sandbox")) and seen.is_running and time.monotonic() < deadline:
            time.sleep(0.05)
    assert seen is not None
    assert seen.outcome == "stopped", seen.message
    page.run()
    assert "The last run was stopped" in words(page)
    header = run_headers(History())[0]
    assert (header.label, header.actor, header.is_partial) == ("from the page", me.name, True)
    assert load_run(History(), header.run_id).header == header
    assert page.selectbox(key="run_choice").value == header.run_id
