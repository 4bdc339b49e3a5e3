"""Writing, many clients, jobs and twice the volume: what is measured, and that nothing is left behind."""

import json
import multiprocessing
import os
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ms5ops.benchmark import concurrency, ingest, job_latency, load
from ms5ops.benchmark.anchor import Choice, spans
from ms5ops.benchmark.crowd import Driven
from ms5ops.benchmark.ingest import Commit
from ms5ops.benchmark.options import Gathered, Pace, Progress, Site, Work
from ms5ops.benchmark.records import Result, Run
from ms5ops.benchmark.runner import run_suite
from ms5ops.benchmark.sampling import Sample, thinned
from ms5ops.benchmark.scratch import GIVEN_UP_AFTER, SCHEMA, index_on, is_leftover, remove_leftovers, scratch_table
from ms5ops.database import Database, Target
from ms5ops.errors import BenchmarkError, ConfigError, ServerError
from ms5ops.policy.document import default_policy, load_policy
from tests.benchmark.sites import TINY, site_of, tiny
from tests.conftest import Sandboxes

pytestmark = pytest.mark.xdist_group("scratch")  # they look for, leave and drop what is in one schema

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
HOST = socket.gethostname()
MIX = ["latest_100_of_metric", "latest_per_metric", "metric_hours_of_week_aggregate", "samples_of_last_hour"]
"""What many clients ask: the same from the first stored run on."""


@pytest.fixture
def site(sandboxes: Sandboxes, state: str) -> Iterator[Site]:
    with site_of(sandboxes.target(state)) as site:
        yield site


@pytest.fixture
def write(site: Site) -> Database:
    assert site.write is not None
    return site.write.database


def by_name(run: Run) -> dict[str, Result]:
    return {result.benchmark: result for result in run.results}


def scratch_tables(database: Database) -> list[str]:
    rows = database.rows("SELECT tablename FROM pg_tables WHERE schemaname = :schema", {"schema": SCHEMA})
    return [row["tablename"] for row in rows]


def schema_is_there(database: Database) -> bool:
    return bool(database.rows("SELECT 1 FROM pg_namespace WHERE nspname = :schema", {"schema": SCHEMA}))


# Ingest and its table ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["legacy", "optimised"])
def test_ingest_counts_what_was_committed_and_leaves_nothing(site: Site) -> None:
    before = site.read.database.row("SELECT count(*) AS rows FROM factory_telemetry.metric_hist")
    run = run_suite(site, tiny(parts=("ingest",)))
    result = by_name(run)["ingest_batch_200"]
    assert (result.outcome, result.unit, result.higher_is_better) == ("ok", "rows/s", True), result.message
    assert result.details["rows"] > 0
    assert result.details["rows"] % 200 == 0
    assert result.p95 is not None
    assert result.median is not None
    assert 0 < result.p95 <= result.median
    assert result.target_p95 == 10_000
    assert not schema_is_there(site.read.database)
    assert site.read.database.row("SELECT count(*) AS rows FROM factory_telemetry.metric_hist") == before


def test_the_scratch_table_has_the_shape_of_metric_hist(write: Database, state: str) -> None:
    with scratch_table(write, "factory_telemetry") as table:
        columns, indexes = (
            [write.rows(sql.replace("?", f"'{name}'::regclass")) for name in ("factory_telemetry.metric_hist", table)]
            for sql in (
                "SELECT attname, atttypid::regtype::text AS type, attnotnull FROM pg_attribute WHERE attrelid = ?"
                " AND attnum > 0 AND NOT attisdropped ORDER BY attname",
                "SELECT regexp_replace(pg_get_indexdef(indexrelid), '^.* USING', '') AS shape FROM pg_index"
                " WHERE indrelid = ? ORDER BY 1",
            )
        )
        assert columns[0] == columns[1]
        assert indexes[0] == indexes[1]
        assert len(indexes[0]) >= 2
        intervals = write.rows(
            "SELECT time_interval FROM timescaledb_information.dimensions WHERE hypertable_name = 'metric_hist'"
            " OR hypertable_schema = :schema",
            {"schema": SCHEMA},
        )
        assert len(intervals) == (0 if state == "legacy" else 2)
        assert len({row["time_interval"] for row in intervals}) <= 1
        keys = write.row(
            "SELECT count(*) AS n FROM pg_constraint WHERE contype = 'f' AND conrelid = CAST(:table AS regclass)",
            {"table": table},
        )
        assert keys["n"] == 1
    assert not schema_is_there(write)


@pytest.mark.parametrize("state", ["legacy"])
def test_leftovers_of_a_dead_run_are_removed_and_nothing_else(write: Database) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    comments = {
        "of_the_dead": json.dumps({"host": HOST, "pid": dead.pid, "started_at": datetime.now(UTC).isoformat()}),
        "of_the_living": json.dumps({"host": HOST, "pid": os.getpid(), "started_at": datetime.now(UTC).isoformat()}),
        "of_somebody": "a table that a person made",
    }
    try:
        write.execute(f"CREATE SCHEMA {SCHEMA}")
        for name, comment in comments.items():
            write.execute(f"CREATE TABLE {SCHEMA}.{name} (n int); COMMENT ON TABLE {SCHEMA}.{name} IS '{comment}'")
        with write.session() as session:
            assert remove_leftovers(session) == ("of_the_dead",)
        with pytest.raises(ServerError), scratch_table(write, "factory_telemetry") as table:
            write.execute(f"INSERT INTO {table} (no_such_column) VALUES (1)")
        assert sorted(scratch_tables(write)) == ["of_somebody", "of_the_living"]
    finally:
        write.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")


@pytest.mark.parametrize(
    ("comment", "left"),
    [
        (None, False),
        ("words", False),
        ("[]", False),
        (json.dumps({"host": HOST, "pid": os.getpid(), "started_at": NOW.isoformat()}), False),
        (json.dumps({"host": "elsewhere", "pid": 1, "started_at": NOW.isoformat()}), False),
        (json.dumps({"host": "elsewhere", "pid": 1, "started_at": (NOW - 2 * GIVEN_UP_AFTER).isoformat()}), True),
    ],
    ids=["none", "words", "a list", "the living", "elsewhere", "elsewhere, long ago"],  # no number of a process
)
def test_whose_a_table_is_decides_over_it(comment: str | None, left: bool) -> None:
    assert is_leftover(comment, HOST, NOW) is left


def test_an_index_is_made_again_on_another_table() -> None:
    definition = (
        'CREATE UNIQUE INDEX "odd name" ON ONLY factory_telemetry.metric_hist USING btree (id, ts) WHERE (id > 1)'
    )
    assert index_on(definition, '"s"."t"') == 'CREATE UNIQUE INDEX ON "s"."t" USING btree (id, ts) WHERE (id > 1)'


@pytest.mark.parametrize("state", ["legacy"])
def test_writing_benchmarks_say_why_they_were_left_out(site: Site) -> None:
    assert site.write is not None
    protected = replace(site.write, protected=True, name="plant", maintenance_window="22:00-06:00 UTC")
    assert ingest.writable(replace(site, write=protected), NOW.replace(hour=23)) is protected
    with pytest.raises(BenchmarkError, match="is closed"):
        ingest.writable(replace(site, write=protected), NOW)
    refusal = ConfigError("The password of the deploy credential cannot be read.", "Export it.")
    run = run_suite(replace(site, write=None, refusal=refusal), tiny(parts=("ingest", "load")))
    assert {result.outcome for result in run.results} == {"not there"}
    assert {result.message for result in run.results} == {
        "The password of the deploy credential cannot be read. Export it. Or leave the writing benchmarks out."
    }
    assert len(run.results) == 4
    closed = replace(site.read, protected=True, maintenance_window="00:00-00:00 UTC")
    refused = run_suite(replace(site, read=closed), tiny(parts=("concurrency",))).results
    assert {result.outcome for result in refused} == {"not there"}
    assert all("maintenance window" in str(result.message) for result in refused)
    assert len(refused) == 4


@pytest.mark.parametrize("state", ["legacy"])
def test_a_table_that_cannot_be_made_fails_what_writes_and_not_the_run(site: Site) -> None:
    assert site.write is not None
    elsewhere = replace(site, write=replace(site.write, schema="no_such_schema"))
    results = by_name(run_suite(elsewhere, tiny(parts=("ingest", "load", "query"), groups=("recent",))))
    failed = {name: one for name, one in results.items() if one.kind in ("ingest", "load")}
    assert {one.outcome for one in failed.values()} == {"failed"}
    assert len(failed) == 4
    assert all("no_such_schema" in str(one.message) and one.median is None for one in failed.values())
    assert {one.outcome for one in results.values() if one.kind == "query"} == {"ok"}
    assert not schema_is_there(site.read.database)


def test_rates_are_of_whole_batches() -> None:
    commits = [Commit(at_s, 100, 1.0) for at_s in (0.5, 1.0, 1.5, 2.0, 4.0)]
    assert ingest.rates(commits, seconds=20.0) == [200.0, 200.0, 50.0]
    assert ingest.rates([], seconds=20.0) == []


# Many clients ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["optimised"])
def test_clients_ask_at_once(site: Site) -> None:
    run = run_suite(site, tiny(parts=("concurrency",)))
    results = by_name(run)
    assert set(results) == {f"concurrency_{n}{suffix}" for n in (1, 3) for suffix in ("", "_throughput")}
    for level in (1, 3):
        latency, throughput = results[f"concurrency_{level}"], results[f"concurrency_{level}_throughput"]
        assert (latency.outcome, throughput.outcome) == ("ok", "ok")
        assert latency.details["errors"] == 0
        assert latency.details["connected"] == level
        assert latency.details["mix"] == MIX
        assert latency.text_hash is None  # as in every run that is stored
        assert throughput.unit == "queries/s"
        assert throughput.median is not None  # 0 where a crowded machine answers only after the end
        assert latency.details["queries"] >= level
        clients = run.samples.loc[run.samples["benchmark"] == latency.benchmark, "client"]
        assert set(clients) == set(range(level))


@pytest.mark.parametrize("state", ["optimised"])
def test_a_client_process_that_dies_fails_what_it_measured_and_nothing_else(site: Site) -> None:
    def kill_one(progress: Progress) -> None:
        if progress.label.startswith("concurrency_3"):
            multiprocessing.active_children()[0].kill()

    run = run_suite(site, tiny(parts=("concurrency",)), report=kill_one)
    outcomes = {result.benchmark: (result.outcome, result.message) for result in run.results}
    gone = ("failed", "A client process ended before it was done. Try again.")
    assert outcomes == {
        "concurrency_1": ("ok", None),
        "concurrency_1_throughput": ("ok", None),
        "concurrency_3": gone,
        "concurrency_3_throughput": gone,
    }
    assert not run.header.is_partial


def test_throughput_is_counted_in_windows_by_when_answers_came() -> None:
    latencies = [(0, at / 100, 1.0) for at in range(100)]  # asked from 0 to 0.99 s
    latencies += [(1, 0.9, 700.0)]  # asked in time, answered too late
    driven = Driven(seconds=1.0, connected=2, latencies=latencies, errors={}, cpu_share=0.1)
    assert concurrency.windows(driven) == pytest.approx([100.0, 100.0])


def test_clients_without_an_answer_make_a_step_fail() -> None:
    driven = Driven(1.0, 2, [(0, 0.1, 5.0)] * 90, {"The server did not answer.": 10}, 0.1)
    gathered = Gathered()
    concurrency._add(gathered, 2, NOW, driven, ["a question"])
    (result,) = gathered.results
    assert (result.outcome, result.p95, result.samples) == ("failed", None, 0)
    assert result.message == "10 of 100 queries had no answer: The server did not answer."
    assert result.details["errors"] == 10


def test_samples_are_thinned_evenly() -> None:
    taken = [Sample(NOW, float(value)) for value in range(10)]
    kept, step = thinned(taken, 4)
    assert ([one.value for one in kept], step) == ([0.0, 3.0, 6.0, 9.0], 3)
    assert thinned(taken, 10) == (taken, 1)


# Jobs --------------------------------------------------------------------------------------------------------


def test_job_delays_are_told_or_said_to_be_unknown(site: Site, state: str) -> None:
    (result,) = run_suite(site, tiny(parts=("jobs",))).results
    assert (result.benchmark, result.unit, result.target_p95) == ("job_start_delay", "s", 300.0)
    if state == "optimised" and result.outcome == "ok":
        assert result.median is not None
        assert result.median >= 0
        assert {"job", "runs", "median_s"} <= set(result.details["jobs"][0])
    else:
        assert result.outcome == "not there"
        assert ("recorded" if state == "optimised" else "no policy jobs") in str(result.message)


@pytest.mark.native
def test_jobs_that_cannot_be_read_fail_alone(native: Target) -> None:
    holder = Database(native, "write")
    now, gathered = datetime.now(UTC), Gathered()
    try:
        with site_of(native) as site, holder.session() as session, session.transaction():
            site.read.database.row("SELECT 1 AS connected")  # its limit on waiting for locks is set once it is
            session.run("LOCK TABLE _timescaledb_catalog.chunk IN ACCESS EXCLUSIVE MODE")
            work = Work(site, tiny(), TINY, Choice(now, spans(now), {}), Pace(lambda _progress: None, lambda: False))
            job_latency.measure(work, gathered)
    finally:
        holder.close()
    (result,) = gathered.results
    assert (result.outcome, result.median) == ("failed", None)
    assert "holds a lock" in str(result.message)


# Twice the volume --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["optimised"])
def test_twice_the_volume_with_dashboards_at_once(site: Site) -> None:
    results = by_name(run_suite(site, tiny(parts=("load",))))
    assert set(results) == {load.INGEST, load.PAGES, load.HEADROOM}
    assert {result.outcome for result in results.values()} == {"ok"}, [one.message for one in results.values()]
    due = 2 * load.expected_rows_per_s(site.policy)
    assert results[load.INGEST].details["due_rows_per_s"] == pytest.approx(due)
    assert (results[load.INGEST].maximum or 0) <= due + 1e-6
    assert results[load.PAGES].samples == results[load.INGEST].details["dashboards_loaded"] >= 2
    assert results[load.HEADROOM].details["times_expected"] > 0
    assert not schema_is_there(site.read.database)


def test_the_expected_volume_is_the_policys() -> None:
    per_day = sum(one.rows_per_day for one in load_policy().expected.values())
    assert load.expected_rows_per_s(default_policy()) == pytest.approx(per_day / 86_400)
    assert load.expected_rows_per_s(default_policy()) > 1_000


def test_the_kept_pace_shows_falling_behind() -> None:
    on_time = [Commit(0.05, 100, 1.0), Commit(0.11, 100, 1.0)]
    behind = [Commit(0.05, 100, 1.0), Commit(0.40, 100, 1.0)]
    assert load.kept_pace(on_time, 1_000.0) == [1_000.0, 1_000.0]
    assert load.kept_pace(behind, 1_000.0) == [1_000.0, 500.0]
