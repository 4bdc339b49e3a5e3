"""Runs in a row, each stored as it ends, and what a killed one leaves."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ms5ops.benchmark import background, query_runner, series
from ms5ops.benchmark.options import Progress
from ms5ops.benchmark.records import Run
from ms5ops.benchmark.series import run_series
from ms5ops.benchmark.store import load_run, run_headers
from ms5ops.benchmark.unfinished import Draft, read, take_in, write
from ms5ops.errors import BenchmarkError
from ms5ops.history import History
from tests.benchmark.example_runs import example_run
from tests.benchmark.processes import die, started
from tests.benchmark.sites import site_of, tiny
from tests.benchmark.stored import a_run
from tests.conftest import Sandboxes


@pytest.fixture(autouse=True)
def state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MS5OPS_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "history.duckdb")


@pytest.mark.parametrize("run", [a_run(), replace(example_run(), samples=example_run().samples.iloc[:0])])
def test_a_draft_comes_back_as_it_was(tmp_path: Path, run: Run) -> None:
    write(tmp_path / "one.draft", run)
    found = read(tmp_path / "one.draft")
    assert found is not None
    assert (found.header, found.results) == (run.header, run.results)
    pd.testing.assert_frame_equal(found.samples, run.samples.reset_index(drop=True))
    assert read(tmp_path / "none.draft") is None


def test_a_damaged_draft_is_put_aside_and_named(tmp_path: Path, history: History) -> None:
    file = tmp_path / "one.draft"
    file.write_text('{"header": {}}')
    with pytest.raises(BenchmarkError, match="put aside") as raised:
        take_in(history, file)
    assert str(tmp_path / "one.refused") in str(raised.value)
    assert take_in(history, file) is None
    assert not history.exists()


def test_a_draft_of_a_run_that_is_stored_adds_nothing(tmp_path: Path, history: History) -> None:
    """Killed after the run was stored, and before its draft was gone."""
    run = a_run()
    write(tmp_path / "one.draft", replace(run, header=replace(run.header, is_partial=True)))
    write(tmp_path / "two.draft", run)
    assert take_in(history, tmp_path / "two.draft") is not None
    assert take_in(history, tmp_path / "one.draft") is not None
    assert [one.is_partial for one in run_headers(history)] == [False]


def killed(place: str, target: Any) -> None:
    """A run that keeps everything at once, and is killed at its fortieth sample."""
    taken = 0
    honest = query_runner.QueryRun._take

    def take(self: query_runner.QueryRun, state: Any) -> Any:
        nonlocal taken
        taken += 1
        if taken > 40:
            die()
        return honest(self, state)

    query_runner.QueryRun._take = take  # type: ignore[method-assign]
    series.Draft = lambda file: Draft(file, every_s=0.0)  # type: ignore[assignment,misc,attr-defined]
    with site_of(target) as site:
        run_series(site, tiny(label="killed"), History(Path(place)))


def test_what_a_killed_run_had_measured_is_kept(sandboxes: Sandboxes, history: History) -> None:
    process = started(killed, str(history.file), sandboxes.target("legacy"))
    process.join(60)
    assert process.exitcode == -9
    assert run_headers(history) == ()
    lines: list[str] = []
    with site_of(sandboxes.target("legacy")) as site:
        (after,) = run_series(site, tiny(label="next", groups=("recent",)), history, narrate=lines.append)
    left, whole = run_headers(history)
    assert [(one.label, one.is_partial) for one in (left, whole)] == [("killed", True), ("next", False)]
    found = load_run(history, left.run_id)
    measured = [one for one in found.results if one.samples]
    assert sum(one.samples for one in measured) == len(found.samples) >= 10
    assert all(one.outcome == "ok" and one.median for one in measured)
    assert len(lines) == 1
    assert left.run_id[:8] in lines[0]
    assert not background.draft_file("sandbox").exists()
    assert whole.run_id == after.header.run_id


def test_runs_in_a_row_are_stored_one_by_one(sandboxes: Sandboxes, history: History) -> None:
    told: list[Progress] = []
    stored: list[int] = []

    def report(progress: Progress) -> None:
        if progress.label.startswith("Run 2 of 2"):
            stored.append(len(run_headers(history))) if not stored else None
        told.append(progress)

    with site_of(sandboxes.target("legacy")) as site:
        done = run_series(site, tiny(groups=("recent",), seed=5), history, repeat=2, report=report)
    assert [one.header.seed for one in done] == [5, 6]
    assert [one.run_id for one in run_headers(history)] == [one.header.run_id for one in done]
    assert stored == [1]
    assert told[-1].fraction == 1.0
    assert max(one.fraction for one in told if one.label.startswith("Run 1 of 2")) <= 0.5


def test_a_stopped_run_ends_the_series(sandboxes: Sandboxes, history: History) -> None:
    with site_of(sandboxes.target("legacy")) as site:
        done = run_series(site, tiny(groups=("recent",)), history, repeat=3, stop=lambda: True)
    assert [one.header.is_partial for one in done] == [True]
    assert len(run_headers(history)) == 1
