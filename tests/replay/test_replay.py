"""A replay from end to end on a real engine: what it leaves, and what it keeps out meanwhile."""

import json
import os
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from ms5ops import paths
from ms5ops.benchmark.selection import DeploymentSpan, select
from ms5ops.benchmark.store import load_runs, run_headers
from ms5ops.cli import app
from ms5ops.collect import collect
from ms5ops.config import load_settings
from ms5ops.control import policy_sets
from ms5ops.control.store import control_store, written
from ms5ops.environments import connect, source_id
from ms5ops.errors import SandboxError
from ms5ops.policy.document import load_policy
from ms5ops.policy.lint import lint
from ms5ops.replay import fitted
from ms5ops.replay.calendar import months
from ms5ops.replay.replay import is_due
from ms5ops.rollout import journal
from ms5ops.sandbox import fill, replaying
from tests.replay.conftest import TINY, Replayed

pytestmark = pytest.mark.xdist_group("replay")  # one replay for all of them


def test_what_is_kept_is_marked_and_stands_at_the_simulated_instants(home: Replayed) -> None:
    source = source_id(connect(load_settings()))
    snapshots = home.history.read("snapshots", {"source": source})
    runs = run_headers(home.history, source)
    assert set(snapshots["origin"]) == {"replayed"}
    assert {run.origin for run in runs} == {"replayed"}
    filled = fill.filled(home.database)
    assert filled is not None
    ends = [month.end for month in months(filled.end, TINY)]
    assert [run.label for run in runs] == [f"{end:%Y-%m}" for end in ends]
    for run, end in zip(runs, ends, strict=True):
        assert timedelta(0) <= run.started_at - end < timedelta(minutes=10)
        assert run.finished_at > run.started_at
        assert "Truly taken" in (run.note or "")
    taken = [instant.to_pydatetime() for instant in snapshots["taken_at"]]
    assert all(any(abs(instant - end) < timedelta(minutes=10) for instant in taken) for end in ends)
    samples = load_runs(home.history, [runs[0].run_id])[0].samples["taken_at"]
    assert samples.between(runs[0].started_at, runs[0].finished_at).all()


def test_each_months_end_has_its_checks_before_phase_4_and_after(home: Replayed) -> None:
    source = source_id(connect(load_settings()))
    found = home.history.read("check_snapshots", {"source": source, "until": datetime.now(UTC)})
    assert set(found["origin"]) == {"replayed"}
    passed = found.assign(passed=found["verdict"] == "passed").groupby("taken_at")["passed"].sum().to_list()
    assert len(passed) == TINY.before + TINY.after
    assert max(passed[: TINY.before]) < 4
    assert passed[-1] >= 6


def test_phase_4_was_applied_by_the_executor_between_the_months(home: Replayed) -> None:
    filled = fill.filled(home.database)
    assert filled is not None
    (deployment,) = journal.deployments(home.database)
    assert (deployment.status, deployment.actor) == ("done", "replay")
    assert "Replayed" in (deployment.note or "")
    assert deployment.done == deployment.operations > 50
    second = months(filled.end, TINY)[1]
    assert timedelta(0) <= deployment.started_at - second.end < timedelta(minutes=10)
    assert home.database.rows("SELECT 1 FROM timescaledb_information.hypertables WHERE hypertable_name = 'metric_hist'")
    reports = list((home.folder / "reports").glob("*.md"))
    assert len(reports) == 1


def test_runs_before_and_after_the_deployment_are_found_and_compared(home: Replayed) -> None:
    source = source_id(connect(load_settings()))
    before, second, after = run_headers(home.history, source)
    assert before.surroundings is not None
    assert after.surroundings is not None
    assert (before.surroundings.deployment_id, before.surroundings.compressed_share) == (None, 0.0)
    assert after.surroundings.deployment_id == str(journal.deployments(home.database)[0].id)
    assert (after.surroundings.compressed_share or 0) > 0
    (deployment,) = journal.deployments(home.database)
    span = DeploymentSpan(str(deployment.id), 1, deployment.started_at, deployment.finished_at)
    sides = [select(f"{when}:1", run_headers(home.history, source), [span]) for when in ("before", "after")]
    assert [[run.label for run in side.headers][-1] for side in sides] == [second.label, after.label]


def test_the_data_reach_the_present_and_every_month_has_some(home: Replayed) -> None:
    filled = fill.filled(home.database)
    assert filled is not None
    assert (filled.state, filled.replay) == ("optimised", "done")
    counted = home.database.rows(
        "SELECT date_trunc('day', ts) AS day, count(*) AS rows FROM factory_telemetry.metric_hist GROUP BY 1"
    )
    assert sum(row["rows"] for row in counted) > 0.5 * filled.rows
    assert datetime.now(UTC) - filled.end < timedelta(minutes=15)
    days = {row["day"].date() for row in counted}
    # Phase 4 keeps 90 days of samples; all of the replayed ones are within, but for a day or two.
    assert len(days) >= (filled.end - filled.start).days - 3


def test_in_the_last_hours_jobs_ran_at_their_own_time_and_the_calendar_is_the_machines_again(home: Replayed) -> None:
    filled = fill.filled(home.database)
    assert filled is not None
    runs = home.database.rows(
        "SELECT h.job_id, h.start_time FROM timescaledb_information.job_history h JOIN timescaledb_information.jobs j"
        " USING (job_id) WHERE j.schedule_interval = interval '1 minute' AND h.start_time < :end ORDER BY h.start_time",
        {"end": filled.end},
    )
    starts = [row["start_time"] for row in runs]
    assert len(starts) >= TINY.closing / timedelta(minutes=1) - 3
    assert max(later - earlier for earlier, later in pairwise(starts)) < timedelta(minutes=2)
    now = home.database.row("SELECT now() AS now")["now"]
    assert abs(now - datetime.now(UTC)) < timedelta(seconds=10)


def test_the_jobs_of_the_strides_are_in_the_history(home: Replayed) -> None:
    source = source_id(connect(load_settings()))
    since = datetime.now(UTC) - timedelta(days=120)
    kept = home.history.read("job_runs", {"source": source, "since": since})
    server = home.database.row("SELECT min(start_time) AS first FROM timescaledb_information.job_history")["first"]
    assert (kept["started_at"] < server).sum() > 10
    assert set(kept["origin"]) == {"replayed"}


def test_the_sandbox_is_planned_by_a_named_set_of_its_own(home: Replayed) -> None:
    store = control_store()
    chosen = policy_sets.in_force(store, "sandbox")
    (version,) = [one for one in policy_sets.versions(store) if one.number == chosen.number]
    assert version.comment.startswith(fitted.NAME)
    assert fitted.is_in_force(store, "sandbox")
    changed = {change.where for change in policy_sets.compare(load_policy(), chosen.policy)}
    assert changed == {".".join(key) for key in fitted.CHANGES}
    assert [one for one in lint(chosen.policy) if one.severity == "error"] == []


def test_the_interrupted_one_left_nothing_behind_and_a_second_start_does_not_replay_again(home: Replayed) -> None:
    filled = fill.filled(home.database)
    assert not is_due(filled)
    # What the interrupted one measured stands under its own fill, which no page asks for any more.
    source = source_id(connect(load_settings()))
    others = {run.source for run in run_headers(home.history)} - {source}
    assert len(others) == 1


def test_pages_are_told_month_by_month(home: Replayed) -> None:
    assert [status.month for status in home.told] == sorted(status.month for status in home.told)
    assert home.told[-1].months == TINY.months
    assert replaying.status() is None


def test_while_it_runs_nothing_else_changes_measures_or_collects(home: Replayed) -> None:
    with replaying.alone(3):
        assert replaying.status() == replaying.Status(3, pid=os.getpid())
        for attempt in (
            lambda: connect(load_settings(), "sandbox", "deploy"),
            lambda: collect(load_settings()),
            lambda: replaying.alone(3).__enter__(),
        ):
            with pytest.raises(SandboxError, match="being replayed"):
                attempt()
        assert connect(load_settings(), "sandbox").origin == "simulated"  # pages go on reading
    connect(load_settings(), "sandbox", "deploy")


def test_the_rest_of_an_interrupted_replay_is_due_again(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    rest = fill.Filled("legacy", 1, now, now, 1, 1, now, "under way")
    assert is_due(None, tmp_path)
    assert is_due(rest, tmp_path)
    assert not is_due(fill.Filled("legacy", 1, now, now, 1, 1, now), tmp_path)
    with replaying.alone(3, tmp_path):
        assert not is_due(rest, tmp_path)


def test_progress_is_told_in_words() -> None:
    assert replaying.Status(8, 3, "data", 0.3, 40.2).text == "replaying month 3 of 8, about 40 s left"
    assert replaying.Status(8).text == "replaying month 1 of 8"


def test_readings_are_judged_by_the_set_in_force(home: Replayed) -> None:
    def findings() -> set[str]:
        told = CliRunner().invoke(app, ["status", "--json"])
        return {one["key"] for one in json.loads(told.stdout)["findings"]}

    store, now = control_store(), datetime.now(UTC)
    number = policy_sets.in_force_number(store, "sandbox")
    assert "tables.ok" in findings()
    assert "server.policy" not in findings()
    policy_sets.choose(store, "sandbox", 0, by="maria", now=now)
    try:
        assert "tables.chunk_interval" in findings(), "the set that comes with ms5ops has shorter chunks"
        store.change("put_in_force", environment="sandbox", version=99, chosen_by="maria", chosen_at=written(now))
        assert {"tables.chunk_interval", "server.policy"} <= findings(), "a version that is gone"
    finally:
        policy_sets.choose(store, "sandbox", number, by="maria", now=now)


def test_a_replayed_run_after_phase_4_names_the_deployment_in_force(home: Replayed) -> None:
    page = AppTest.from_file(str(paths.PROJECT / "ms5ops" / "ui" / "navigation.py"), default_timeout=60)
    page.switch_page(str(paths.PROJECT / "pages" / "benchmarks.py"))
    page.query_params["benchmark_tab"] = "Circumstances"
    page.run()
    assert not page.exception, page.exception
    facts = page.dataframe[0].value.set_index("what")["value"]
    assert facts["Deployment in force"] == "deployment 1"
    assert facts["Database"].startswith("sandbox, filled 20")
    assert facts["Origin of the data"] == "replayed"
