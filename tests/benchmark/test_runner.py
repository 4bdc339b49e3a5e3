"""The runner: order, counts, outcomes, what is kept of a stopped run, and what is recorded of the circumstances."""

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ms5ops import __version__, paths
from ms5ops.benchmark import query_runner, runner, sampling
from ms5ops.benchmark.anchor import Choice, spans
from ms5ops.benchmark.circumstances import memory, processor, read_settings
from ms5ops.benchmark.dashboards import page_client
from ms5ops.benchmark.options import Gathered, Pace, Progress, Site, Work
from ms5ops.benchmark.records import SAMPLE_DTYPES, Result, Run
from ms5ops.benchmark.runner import run_suite
from ms5ops.benchmark.store import load_run, run_headers
from ms5ops.benchmark.suite import Page, Question, Suite
from ms5ops.benchmark.suite_files import load_suite
from ms5ops.cli import app
from ms5ops.cli.benchmark import parse_anchor
from ms5ops.database import Database, Target
from ms5ops.errors import BenchmarkError, Ms5opsError, PrivilegeMissing, ReadTimeout
from ms5ops.history import History
from ms5ops.queries import Query
from tests.benchmark.sites import TINY, site_of, tiny
from tests.conftest import Sandboxes

AGGREGATES = {question.name for question in load_suite().questions if question.group == "aggregate"}


@pytest.fixture
def site(sandboxes: Sandboxes, state: str) -> Iterator[Site]:
    with site_of(sandboxes.target(state)) as site:
        yield site


def by_name(run: Run | Gathered) -> dict[str, Result]:
    return {result.benchmark: result for result in run.results}


# A whole run -------------------------------------------------------------------------------------------------


def test_a_run_on_every_state(site: Site, state: str) -> None:
    told: list[Progress] = []
    run = run_suite(site, tiny(label="first", is_quick=True, seed=7, actor="somebody"), told.append)
    suite, results = load_suite(), by_name(run)
    assert set(results) == {one.name for one in suite.questions} | {page.name for page in suite.pages}
    for name, result in results.items():
        if name in AGGREGATES and state != "optimised":
            assert (result.outcome, result.samples, result.median, result.p95) == ("not there", 0, None, None)
            assert "Phase 4 makes it" in str(result.message)
        else:
            assert result.outcome == "ok", f"{name}: {result.message}"
            assert result.median is not None
            assert 0 < result.median <= (result.p95 or 0) <= (result.maximum or 0)
            assert result.rows
            assert result.samples == len(run.samples[run.samples["benchmark"] == name])
    assert {name: str(kind) for name, kind in run.samples.dtypes.items()} == dict(SAMPLE_DTYPES)
    header = run.header
    assert (header.label, header.seed, header.actor, header.origin) == ("first", 7, "somebody", "simulated")
    assert (header.is_partial, header.is_quick, header.is_summary) == (False, True, False)
    assert header.suite_hash == suite.suite_hash
    assert header.started_at <= header.finished_at
    assert told[-1].fraction == 1.0
    assert {progress.label for progress in told} >= set(results) - (AGGREGATES if state != "optimised" else set())
    assert all(0 <= progress.fraction <= 1 and progress.remaining_seconds >= 0 for progress in told)


@pytest.mark.parametrize("state", ["optimised"])
def test_what_is_kept_of_a_question_and_of_a_page(site: Site) -> None:
    run = run_suite(site, tiny(groups=("aggregate", "dashboard")))
    results = by_name(run)
    question = results["metric_hours_of_week_aggregate"]
    samples = run.samples[run.samples["benchmark"] == question.benchmark]
    assert (samples["execute_ms"] + samples["fetch_ms"]).tolist() == pytest.approx(samples["value"].tolist())
    assert question.details["variant"] == "metric_hist_1hour"
    assert question.details["server_ms"] > 0
    assert question.details["buffers_hit"] > 0
    assert question.details["plan_hash"]
    assert "metric_hist_1hour" in question.details["text"]
    page = results["metric_trend"]
    assert {panel["variant"] for panel in page.details["panels"].values()} == {
        "only one", "metric_hist_1min", "metric_hist_1hour", "metric_hist_1day",
    }  # fmt: skip
    assert page.details["clients"] == 4
    assert page.median is not None
    assert page.median >= max(panel["median_ms"] for panel in page.details["panels"].values()) * 0.5


def test_the_same_page_can_be_compared_before_and_after(sandboxes: Sandboxes) -> None:
    hashes, variants = set(), []
    for state in ("legacy", "optimised"):
        with site_of(sandboxes.target(state)) as site:
            page = by_name(run_suite(site, tiny(groups=("dashboard",))))["plant_overview"]
        hashes.add(page.text_hash)
        variants.append(page.details["panels"]["oee_of_day"]["variant"])
    assert len(hashes) == 1
    assert variants == ["raw", "oee_hourly"]


@pytest.mark.parametrize("state", ["optimised"])
def test_the_circumstances_are_recorded(site: Site) -> None:
    run = run_suite(site, tiny(parts=()))
    found = run.header.surroundings
    assert run.results == ()
    assert found is not None
    assert found.postgres_version.startswith("17")
    assert found.timescaledb_version.startswith("2.23")
    assert found.edition == "community"
    assert found.tool_version == __version__
    assert found.settings["random_page_cost"] == "1.1"
    assert 0.05 < (found.compressed_share or 0) < 1
    assert 20_000 < (found.rows or 0) < 30_000
    assert (found.database_bytes or 0) > 1_000_000
    assert found.hardware["client cores"] == str(os.cpu_count())
    assert "embedded" in found.hardware["server"]
    assert (found.policy_hash, found.deployment_id) == (None, None)


@pytest.mark.parametrize("state", ["legacy"])
def test_an_anchor_without_data_gives_empty_and_never_a_time(site: Site) -> None:
    past = datetime(2001, 1, 1, tzinfo=UTC)
    run = run_suite(site, tiny(groups=("recent", "dashboard"), anchor=past))
    assert run.header.anchor == past
    assert {result.outcome for result in run.results} == {"empty"}
    assert all((result.samples, result.rows, result.median) == (0, 0, None) for result in run.results)
    assert run.samples.empty


# Outcomes ----------------------------------------------------------------------------------------------------


def question(name: str, sql: str, **changes: Any) -> Question:
    query = Query(name, name, sql, (0, 0, 0), None, "any", (), {"n": "int"}, 100, Path(f"{name}.sql"))
    return Question(name, name, "a test", **{"group": "recent", "target_p95_ms": 100.0, "twin": None, **changes},
                    variants=(query,))  # fmt: skip


def measure(
    target: Target, suite: Suite, stop: Callable[[], bool] = lambda: False, timeout_ms: int = 5_000
) -> Gathered:
    now = datetime.now(UTC)
    gathered = Gathered()
    with (
        site_of(target) as site,
        site.read.database.timed_session(timeout_ms) as session,
        page_client(site.read.database, timeout_ms) as client,
        runner._cancelling([session, *client.sessions], stop),
    ):
        choice = Choice(now, spans(now), {"metric": "none", "line": "none"})
        effort = replace(TINY, statement_timeout_ms=timeout_ms)
        work = Work(site, tiny(), effort, choice, Pace(lambda _progress: None, stop))
        query_runner.QueryRun(work, suite, session, client, {"there"}).run(gathered)
    return gathered


def test_what_fails_is_said_and_the_rest_is_measured(sandboxes: Sandboxes) -> None:
    panels = (question("left", "SELECT 1 AS n"), question("right", "SELECT 1 / 0 AS n"))
    suite = Suite(
        (
            question("good", "SELECT 1 AS n"),
            question("broken", "SELECT 1 / 0 AS n"),
            question("nothing", "SELECT 1 AS n WHERE false"),
            question("absent", "SELECT n FROM no_such_table"),
            question("one_side", "SELECT 1 AS n", twin="other_side"),
            question("other_side", "SELECT 2 AS n", twin="one_side", group="aggregate"),
            question("changing", "SELECT nextval('factory_telemetry.metric_hist_id_seq') AS n"),
        ),
        (Page("page", "a page", "a test", 2_000.0, panels),),
    )  # fmt: skip
    results = by_name(measure(sandboxes.target("legacy"), suite))
    assert {name: result.outcome for name, result in results.items()} == {
        "good": "ok", "broken": "failed", "nothing": "empty", "absent": "not there", "one_side": "different answer",
        "other_side": "different answer", "changing": "failed", "page": "failed",
    }  # fmt: skip
    assert "division by zero" in str(results["broken"].message)
    assert "1 from raw data, 2 from the aggregate" in str(results["one_side"].message)
    assert "read-only" in str(results["changing"].message)
    assert results["good"].samples >= 2
    assert all(one.median is None and one.p95 is None for name, one in results.items() if name != "good")


ENDLESS = "SELECT count(*) AS n FROM generate_series(1, 2000000000)"
"""Minutes of work on any server, the embedded one too: what ends it there is a new engine (docs/adr/0002)."""


def test_what_takes_too_long_is_timed_out(sandboxes: Sandboxes) -> None:
    suite = Suite((question("good", "SELECT 1 AS n"), question("slow", ENDLESS)), ())
    results = by_name(measure(sandboxes.target("legacy"), suite, timeout_ms=1_000))
    assert (results["good"].outcome, results["slow"].outcome) == ("ok", "timed out")
    assert results["slow"].median is None
    assert results["good"].samples >= 2  # the session outlives it


def test_stopping_ends_a_running_statement(sandboxes: Sandboxes) -> None:
    asked = threading.Event()
    timer = threading.Timer(0.5, asked.set)
    timer.start()
    began = time.monotonic()
    suite = Suite((question("slow", ENDLESS),), ())
    results = by_name(measure(sandboxes.target("legacy"), suite, asked.is_set, 240_000))
    assert time.monotonic() - began < 120  # half its limit: it was cancelled
    assert results["slow"].outcome == "stopped"


@pytest.mark.parametrize("state", ["legacy"])
def test_a_stopped_run_keeps_what_was_measured(site: Site) -> None:
    steps: list[str] = []
    seen = threading.Event()

    def report(progress: Progress) -> None:
        steps.append(progress.label)
        warm = len(load_suite().questions) - len(AGGREGATES) + len(load_suite().pages) + 1
        if len(steps) > warm + 12:
            seen.set()

    run = run_suite(site, tiny(), report, seen.is_set)
    outcomes = Counter(result.outcome for result in run.results)
    assert run.header.is_partial
    assert outcomes["ok"] > 3
    assert outcomes["stopped"] > 0
    assert 0 < len(run.samples) < 20
    assert all(result.median is None for result in run.results if result.outcome == "stopped")


# Order and counts --------------------------------------------------------------------------------------------


def test_the_order_is_random_interleaved_and_repeatable() -> None:
    counts = {"a": 20, "b": 20, "c": 20, "slow": 5}
    order = sampling.schedule(counts, seed=3)
    assert order == sampling.schedule(counts, seed=3)
    assert order != sampling.schedule(counts, seed=4)
    assert Counter(order) == counts
    fast = [name for name in order if name != "slow"]
    rounds = [tuple(fast[place : place + 3]) for place in range(0, 60, 3)]
    assert all(set(one) == {"a", "b", "c"} for one in rounds)
    assert len(set(rounds)) > 3
    places = [place for place, name in enumerate(order) if name == "slow"]
    assert max(later - before for before, later in itertools.pairwise(places)) < 20  # spread, not at one end


@pytest.mark.parametrize(
    ("once_ms", "count"), [(0.5, 30), (100, 30), (400, 20), (1_600, 5), (5_000, 5), (20_000, 4), (200_000, 1)]
)
def test_slow_queries_get_fewer_samples(once_ms: float, count: int) -> None:
    assert sampling.sample_count(once_ms, sampling.FULL) == count


def test_figures_of_samples() -> None:
    found = sampling.figures([float(value) for value in range(1, 101)])
    assert (found.median, found.minimum, found.maximum, found.mean) == (50.5, 1.0, 100.0, 50.5)
    assert found.p95 == pytest.approx(95.05)
    assert sampling.figures(range(1, 101), higher_is_better=True).p95 == pytest.approx(5.95)
    assert sampling.figures([]) == sampling.NOTHING


# The timed session -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["legacy"])
def test_a_timed_session_reads_with_the_servers_own_settings(database: Database) -> None:
    with database.timed_session(1_000) as session:
        text = session.statement("SELECT CAST(:n AS int) AS n, 7 % 4 AS rest", {"n": 5, "unused": 1})
        answer = session.time(text)
        assert (answer.columns, answer.rows) == (("n", "rest"), [(5, 3)])
        assert answer.execute_ms > 0
        assert session.time(session.statement("SELECT 7 % 4 AS rest")).rows == [(3,)]
        assert session.explain(text)["Execution Time"] >= 0
        with pytest.raises(PrivilegeMissing):
            session.run("CREATE TABLE public.never (n int)")
    assert set(read_settings(database)) >= {"shared_buffers", "jit", "timescaledb.enable_chunk_append"}


@pytest.mark.native
def test_limits_and_jit_of_a_timed_session(native: Target) -> None:
    database = Database(native)
    assert database.row("SHOW jit")["jit"] == "off"
    default = Database(native, "write").row("SELECT boot_val FROM pg_settings WHERE name = 'jit'")["boot_val"]
    with database.timed_session(200) as session:
        assert session.time(b"SHOW jit").rows == [(default,)]
        with pytest.raises(ReadTimeout):
            session.time(b"SELECT pg_sleep(5)")
        assert session.time(b"SELECT 1").rows == [(1,)]
    database.close()


# The command line --------------------------------------------------------------------------------------------


@pytest.fixture
def console(sandboxes: Sandboxes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    variables = {"MS5OPS_STATE": str(sandboxes.folder("legacy")), "MS5OPS_HISTORY": str(tmp_path / "history.duckdb"),
                 "MS5OPS_CONFIG": str(tmp_path / "none.toml")}  # fmt: skip
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


def test_benchmark_run_stores_the_run(console: dict[str, str]) -> None:
    done = CliRunner().invoke(app, ["benchmark", "run", "--quick", "--group", "recent", "--label", "cli", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    stored = load_run(History(Path(console["MS5OPS_HISTORY"])), told["header"]["run_id"])
    assert stored.header.label == "cli"
    assert {result.benchmark for result in stored.results} == {one["benchmark"] for one in told["results"]}
    assert {result.group for result in stored.results} == {"recent"}
    assert len(stored.samples) == told["samples"] > 0


def test_ctrl_c_keeps_what_was_measured(console: dict[str, str]) -> None:
    command = [sys.executable, "-m", "ms5ops", "benchmark", "run", "--only", "query", "--label", "cut"]
    status = Path(console["MS5OPS_STATE"]) / "benchmark" / "sandbox.json"
    process = subprocess.Popen(
        command,
        cwd=paths.PROJECT,
        env={**os.environ, **console},
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 (a job in the background ignores it)
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        now = json.loads(status.read_text()) if status.exists() else {}
        if now.get("pid") == process.pid and now.get("done", 0) >= 15:  # tenths of a second
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, narration = process.communicate(timeout=60)
    assert process.returncode == 130, narration.decode()
    assert b"marked partial" in narration
    (header,) = run_headers(History(Path(console["MS5OPS_HISTORY"])))
    assert (header.label, header.is_partial) == ("cut", True)


def test_wrong_options_are_refused(console: dict[str, str]) -> None:
    for arguments, says in ((["--only", "query", "--all"], "both given"), (["--anchor", "noon"], "not an instant")):
        done = CliRunner().invoke(app, ["benchmark", "run", *arguments])
        assert isinstance(done.exception, Ms5opsError)
        assert says in str(done.exception)
    assert not Path(console["MS5OPS_HISTORY"]).exists()


def test_anchors_are_in_utc() -> None:
    assert parse_anchor("2026-11-23T05:49") == datetime(2026, 11, 23, 5, 49, tzinfo=UTC)
    assert parse_anchor("2026-11-23T05:49+02:00") == datetime(2026, 11, 23, 3, 49, tzinfo=UTC)
    assert parse_anchor(None) is None
    with pytest.raises(BenchmarkError, match="not an instant"):
        parse_anchor("yesterday")


def test_benchmark_suite_lists_every_question() -> None:
    done = CliRunner().invoke(app, ["benchmark", "suite", "--json"])
    told = json.loads(done.stdout)
    assert len(told["questions"]) == len(load_suite().questions)
    assert {page["name"] for page in told["pages"]} == {page.name for page in load_suite().pages}


def test_hardware_is_read_from_linux_or_not_told() -> None:
    assert processor("processor : 0\nmodel name\t: Some CPU @ 2 GHz\n") == "Some CPU @ 2 GHz"
    assert memory("MemTotal:       16384 kB\n") == "16.8 MB"
    assert memory("") == "not told"
