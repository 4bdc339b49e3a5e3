"""Filling a real embedded engine: the three states, what Phase 4 makes of it, and starting afresh."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from ms5ops import paths
from ms5ops.database import Database
from ms5ops.errors import SandboxError
from ms5ops.sandbox import fill, process, telemetry
from ms5ops.sandbox.scripts import parts, statements
from tests.conftest import Sandboxes

MATRIX = pd.DataFrame(
    # The default policy set (chunk interval, compression, retention) of Phase 4.
    [
        ("metric_hist", "1 hour", "7 days", "90 days"),
        ("oee_calculations", "1 day", "7 days", "365 days"),
        ("energy_consumption", "1 day", "14 days", "365 days"),
        ("production_kpis", "1 day", "7 days", "365 days"),
        ("production_context_history", "1 day", "30 days", "730 days"),
    ],
    columns=["table", "chunk", "compress_after", "drop_after"],
).set_index("table")
REFRESH = {
    # aggregate: start offset, end offset, schedule, bucket, retention of the source
    "metric_hist_1min": ("3 days", "1 minute", "1 minute", "1 minute", "90 days"),
    "metric_hist_1hour": ("7 days", "1 hour", "10 minutes", "1 hour", "90 days"),
    "metric_hist_1hour_percentiles": ("7 days", "1 hour", "10 minutes", "1 hour", "90 days"),
    "metric_hist_1day": ("30 days", "1 day", "1 hour", "1 day", "90 days"),
    "oee_hourly": ("7 days", "1 hour", "10 minutes", "1 hour", "365 days"),
    "oee_daily": ("30 days", "1 day", "1 hour", "1 day", "365 days"),
    "oee_weekly": ("56 days", "7 days", "1 hour", "7 days", "365 days"),
    "energy_hourly": ("7 days", "1 hour", "10 minutes", "1 hour", "365 days"),
    "energy_daily": ("30 days", "1 day", "1 hour", "1 day", "365 days"),
}


@pytest.fixture
def optimised(sandboxes: Sandboxes) -> Iterator[Database]:
    database = Database(sandboxes.target("optimised"))
    yield database
    database.close()


@pytest.fixture(scope="module")
def own(sandboxes: Sandboxes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """An engine that no other test sees, empty."""
    folder = tmp_path_factory.mktemp("own-sandbox")
    database = Database(sandboxes.start(folder).target, "write")
    yield database
    database.close()
    process.stop(folder)


def interval(value: object) -> pd.Timedelta:
    return pd.Timedelta(str(value))


# Every state ------------------------------------------------------------------------------------------------


def test_each_state_holds_the_generated_rows(database: Database, state: str) -> None:
    found = fill.filled(database)
    assert found is not None
    assert found.state == state
    rows = 0
    for table in telemetry.TABLES:
        column = telemetry.TIME_COLUMN[table]
        expected = telemetry.rows(table, found.start, found.end, found.volume)
        actual = database.row(
            f"SELECT count(*) AS n, min({column}) AS first, max({column}) AS last FROM factory_telemetry.{table}"
            f" WHERE {column} < :end",
            {"end": found.end},
        )
        assert actual["n"] == len(expected), table
        assert pd.Timestamp(actual["first"]) == expected[column].min()
        assert pd.Timestamp(actual["last"]) == expected[column].max()
        rows += len(expected)
    assert found.rows == rows


def test_each_state_has_the_keys_it_is_found_with(database: Database, state: str) -> None:
    keys = database.frame("""
        SELECT c.conrelid::regclass::text AS name, c.contype::text AS kind, pg_get_constraintdef(c.oid) AS definition
        FROM pg_constraint c WHERE c.connamespace = 'factory_telemetry'::regnamespace""")
    for table, column in telemetry.TIME_COLUMN.items():
        key = keys[(keys.name == f"factory_telemetry.{table}") & (keys.kind == "p")].definition.item()
        assert key == ("PRIMARY KEY (id)" if state == "legacy" else f"PRIMARY KEY (id, {column})")
    foreign = keys[(keys.kind == "f")].name.str.removeprefix("factory_telemetry.")
    assert set(foreign) == {"metric_hist", "oee_calculations", "production_context_history"}
    nullable = database.frame("""
        SELECT table_name FROM information_schema.columns WHERE table_schema = 'factory_telemetry'
        AND column_name IN ('created_at', 'changed_at', 'ts', 'calculation_time', 'consumption_time')
        AND is_nullable = 'YES' AND table_name IN ('metric_hist', 'oee_calculations', 'energy_consumption',
                                                   'production_kpis', 'production_context_history')""")
    assert set(nullable.table_name) == (
        {"production_kpis", "production_context_history"} if state == "legacy" else set()
    )


def test_hypertables_have_the_intervals_of_their_state(database: Database, state: str) -> None:
    found = database.frame("""
        SELECT hypertable_name, time_interval FROM timescaledb_information.dimensions
        WHERE hypertable_schema = 'factory_telemetry'""").set_index("hypertable_name")
    if state == "legacy":
        assert found.empty
        return
    assert set(found.index) == set(MATRIX.index)
    for table, chunk in MATRIX.chunk.to_dict().items():
        assert found.time_interval.to_dict()[table] == interval("7 days" if state == "hypertables" else chunk)


def test_values_arrive_as_generated(database: Database) -> None:
    found = fill.filled(database)
    assert found is not None
    start = found.start + timedelta(days=1)
    span = {"start": start, "end": start + timedelta(hours=6)}
    expected = telemetry.rows("metric_hist", span["start"], span["end"], found.volume)
    actual = database.frame(
        "SELECT metric_def_id::text, ts, value_bool, value_int, value_real, value_text, value_json::text"
        " FROM factory_telemetry.metric_hist WHERE ts >= :start AND ts < :end ORDER BY metric_def_id, ts",
        span,
    )
    expected = expected.sort_values(["metric_def_id", "ts"]).reset_index(drop=True)
    assert list(actual.metric_def_id) == list(expected.metric_def_id)
    assert (pd.to_datetime(actual.ts, utc=True) == expected.ts).all()
    for name in ("value_bool", "value_int", "value_real", "value_text"):
        assert actual[name].isna().tolist() == expected[name].isna().tolist()
        assert actual[name].dropna().tolist() == expected[name].dropna().tolist()
    assert [json.loads(x) for x in actual.value_json.dropna()] == [json.loads(x) for x in expected.value_json.dropna()]


# Phase 4 ----------------------------------------------------------------------------------------------------


def test_compression_and_retention_are_as_planned(optimised: Database) -> None:
    jobs = optimised.frame("""
        SELECT hypertable_name, proc_name, schedule_interval, max_runtime, retry_period, scheduled, config,
               coalesce(config ->> 'compress_after', config ->> 'drop_after') AS period, initial_start
        FROM timescaledb_information.jobs
        WHERE proc_name IN ('policy_compression', 'policy_retention')""")
    for proc, column, schedule, runtime, retry in (
        ("policy_compression", "compress_after", "12 hours", "4 hours", "1 hour"),
        ("policy_retention", "drop_after", "1 day", "1 hour", "6 hours"),
    ):
        own_jobs = jobs[jobs.proc_name == proc].set_index("hypertable_name")
        assert len(own_jobs) == 5
        assert {table: interval(period) for table, period in own_jobs.period.items()} == {
            table: interval(period) for table, period in MATRIX[column].items()
        }
        assert (own_jobs.schedule_interval == interval(schedule)).all()
        assert (own_jobs.max_runtime == interval(runtime)).all()
        assert (own_jobs.retry_period == interval(retry)).all()
        assert own_jobs.scheduled.all()
    first_runs = pd.to_datetime(jobs[jobs.proc_name == "policy_retention"].initial_start, utc=True)
    assert set(first_runs.dt.hour) == {2}


def test_old_chunks_are_compressed_and_young_ones_are_not(optimised: Database) -> None:
    chunks = optimised.frame("""
        SELECT hypertable_name, is_compressed, range_end, now() AS now FROM timescaledb_information.chunks
        WHERE hypertable_schema = 'factory_telemetry'""")
    due_at = pd.to_datetime(chunks.range_end, utc=True) + chunks.hypertable_name.map(
        MATRIX.compress_after.map(interval)
    )
    found = fill.filled(optimised)
    assert found is not None
    assert chunks.is_compressed[due_at <= found.end].all()  # those that came of age since then wait for their job
    assert not chunks.is_compressed[due_at > pd.to_datetime(chunks.now, utc=True)].any()
    assert chunks[chunks.is_compressed].hypertable_name.value_counts()["metric_hist"] > 24


def test_indexes_are_there_valid_and_counted_over_chunks(optimised: Database) -> None:
    valid = optimised.frame("""
        SELECT c.relname AS name, i.indisvalid AS valid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE c.relnamespace = 'factory_telemetry'::regnamespace AND c.relname LIKE 'idx\\_%'""")
    assert len(valid) >= 15
    assert valid.valid.all()
    assert {"idx_metric_hist_metric_ts_desc", "idx_metric_hist_ts_brin", "idx_metric_hist_realtime"} <= set(valid.name)
    usage = optimised.frame("SELECT * FROM factory_telemetry.v_index_usage").set_index("index_name")
    assert set(valid.name) <= set(usage.index)
    assert set(usage.usage_category) <= {"UNUSED", "LOW USAGE", "MODERATE USAGE", "HIGH USAGE"}
    chunks = optimised.frame(
        "SELECT hypertable_name AS h, count(*) AS n FROM timescaledb_information.chunks GROUP BY 1"
    )
    for table, count in chunks.set_index("h").n.items():
        if table in MATRIX.index:
            full = usage[(usage.table_name == table) & (usage.index != "idx_metric_hist_realtime")]
            assert set(full.chunk_indexes) == {count}, table
    assert (usage.size_bytes > 0).all()


def test_the_realtime_index_serves_queries_that_say_now_and_is_trimmed(own: Database) -> None:
    volume = fill.Volume(rows=6_000, days=3)
    fill.fill(own, "optimised", volume, lambda _progress: None)
    query = "SELECT ts, metric_def_id FROM factory_telemetry.metric_hist WHERE ts > now() - INTERVAL '2 hours'"
    own.execute(["SET enable_seqscan = off", "SET enable_bitmapscan = off"])
    plan = "\n".join(own.frame(f"EXPLAIN {query} ORDER BY ts DESC LIMIT 20").iloc[:, 0])
    own.execute(["RESET enable_seqscan", "RESET enable_bitmapscan"])
    assert "idx_metric_hist_realtime" in plan
    count = (
        "SELECT chunk_indexes AS n FROM factory_telemetry.v_index_usage WHERE index_name = 'idx_metric_hist_realtime'"
    )
    assert own.row(count)["n"] > 70
    job = own.row("SELECT job_id FROM timescaledb_information.jobs WHERE proc_name = 'trim_realtime_index'")["job_id"]
    own.execute(f"CALL run_job({job})")
    assert 24 <= own.row(count)["n"] <= 26


def test_every_aggregate_has_a_refresh_policy_that_spares_what_retention_dropped(optimised: Database) -> None:
    found = optimised.frame("""
        SELECT a.view_name, a.materialized_only, j.schedule_interval, j.scheduled,
               j.config ->> 'start_offset' AS start_offset, j.config ->> 'end_offset' AS end_offset
        FROM timescaledb_information.continuous_aggregates a
        LEFT JOIN timescaledb_information.jobs j ON j.proc_name = 'policy_refresh_continuous_aggregate'
             AND j.hypertable_name IN (a.view_name, a.materialization_hypertable_name)
        WHERE a.view_schema = 'factory_telemetry'""").set_index("view_name")
    assert len(found) >= 8
    assert set(found.index) == set(REFRESH)
    assert not found.materialized_only.any()
    assert found.scheduled.all()
    for name, (start, end, schedule, bucket, drop_after) in REFRESH.items():
        row = found.loc[[name]].iloc[0]
        window = interval(row.start_offset) - interval(row.end_offset)
        assert (interval(row.start_offset), interval(row.end_offset)) == (interval(start), interval(end))
        assert row.schedule_interval == interval(schedule)
        assert interval(row.start_offset) + row.schedule_interval <= interval(drop_after)
        assert window >= 2 * interval(bucket)


METRIC_MEASURES = """count(*) AS sample_count, count(coalesce(value_real, value_int)) AS value_count,
    avg(coalesce(value_real, value_int)) AS value_avg, min(coalesce(value_real, value_int)) AS value_min,
    max(coalesce(value_real, value_int)) AS value_max, stddev_samp(coalesce(value_real, value_int)) AS value_stddev,
    last(value_real, ts) AS last_real, last(value_int, ts) AS last_int,
    count(*) FILTER (WHERE value_bool) AS true_count, count(*) FILTER (WHERE NOT value_bool) AS false_count"""
PERCENTILES = """count(*) AS value_count, percentile_cont(0.5) WITHIN GROUP (ORDER BY coalesce(value_real, value_int))
    AS value_p50, percentile_cont(0.95) WITHIN GROUP (ORDER BY coalesce(value_real, value_int)) AS value_p95"""
OEE_MEASURES = """count(*) AS calculation_count, avg(oee::float8) AS oee_avg, min(oee) AS oee_min, max(oee) AS oee_max,
    avg(availability::float8) AS availability_avg, avg(performance::float8) AS performance_avg,
    min(performance) AS performance_min, avg(quality::float8) AS quality_avg, sum(good_parts) AS good_parts,
    sum(total_parts) AS total_parts, sum(planned_production_time - actual_production_time) AS downtime_seconds"""
ENERGY_MEASURES = """count(*) AS reading_count, sum(energy_consumption_kwh::float8) AS energy_kwh,
    avg(power_consumption_kw::float8) AS power_kw_avg, max(power_consumption_kw) AS peak_demand_kw,
    avg(power_factor::float8) AS power_factor_avg, min(power_factor) AS power_factor_min"""
METRIC, OEE, ENERGY = "metric_def_id::text", "line_id::text, equipment_code", "equipment_code"


@pytest.mark.parametrize(
    ("aggregate", "source", "keys", "measures"),
    [
        ("metric_hist_1min", "metric_hist", METRIC, METRIC_MEASURES),
        ("metric_hist_1hour", "metric_hist", METRIC, METRIC_MEASURES),
        ("metric_hist_1day", "metric_hist", METRIC, METRIC_MEASURES),
        ("metric_hist_1hour_percentiles", "metric_hist", METRIC, PERCENTILES),
        ("oee_hourly", "oee_calculations", OEE, OEE_MEASURES),
        ("oee_daily", "oee_calculations", OEE, OEE_MEASURES),
        ("oee_weekly", "oee_calculations", OEE, OEE_MEASURES),
        ("energy_hourly", "energy_consumption", ENERGY, ENERGY_MEASURES),
        ("energy_daily", "energy_consumption", ENERGY, ENERGY_MEASURES),
    ],
)
def test_aggregates_equal_what_the_raw_rows_give(
    optimised: Database, aggregate: str, source: str, keys: str, measures: str
) -> None:
    column, bucket = telemetry.TIME_COLUMN[source], REFRESH[aggregate][3]
    where = "WHERE value_real IS NOT NULL OR value_int IS NOT NULL" if measures == PERCENTILES else ""
    count = len(keys.split(",")) + 1
    order = ", ".join(map(str, range(1, count + 1)))
    raw = optimised.frame(
        f"SELECT {keys}, time_bucket(INTERVAL '{bucket}', {column}) AS bucket, {measures}"
        f" FROM factory_telemetry.{source} {where} GROUP BY {order} ORDER BY {order}"
    )
    names = list(raw.columns)
    rolled_up = optimised.frame(
        f"SELECT {keys}, {', '.join(names[count - 1 :])} FROM factory_telemetry.{aggregate} ORDER BY {order}"
    )
    assert len(raw) > 5
    assert raw.iloc[:, :count].astype(str).equals(rolled_up.iloc[:, :count].astype(str))
    for name in names[count:]:
        wanted, got = (frame[name].astype(float) for frame in (raw, rolled_up))
        # Sums of squares of counters near ten thousand leave 1e-8 of noise in a deviation of zero.
        tolerance = 1e-3 if name == "value_stddev" else 1e-9
        pd.testing.assert_series_equal(got, wanted, rtol=1e-6, atol=tolerance)
    if aggregate == "metric_hist_1hour":
        assert raw.value_stddev.astype(float).max() > 1


def test_most_of_the_history_is_materialised(optimised: Database) -> None:
    found = optimised.frame("""
        SELECT a.view_name, count(c.chunk_name) AS chunks
        FROM timescaledb_information.continuous_aggregates a
        LEFT JOIN timescaledb_information.chunks c ON c.hypertable_name = a.materialization_hypertable_name
        GROUP BY 1""").set_index("view_name")
    assert (found.chunks >= 1).all()
    assert found.chunks["metric_hist_1min"] >= 10


def test_v_retention_status_tells_period_runs_chunks_and_size(optimised: Database) -> None:
    found = optimised.frame("SELECT * FROM factory_telemetry.v_retention_status").set_index("hypertable_name")
    assert set(found.index) == set(MATRIX.index)
    for table, period in MATRIX.drop_after.to_dict().items():
        assert found.retention_period.to_dict()[table] == interval(period)
    assert (found.total_chunks > 0).all()
    assert (found.chunks_eligible_for_drop == 0).all()
    assert (found.size_bytes > 0).all()
    live = optimised.row("SELECT hypertable_size('factory_telemetry.metric_hist') AS size_bytes")["size_bytes"]
    assert found.size_bytes["metric_hist"] == pytest.approx(live, rel=0.6)


# Filling again ----------------------------------------------------------------------------------------------


class Interrupted(Exception):
    """What a test stops a fill with."""


def test_progress_rises_with_labels_and_an_estimate(own: Database) -> None:
    seen: list[fill.Progress] = []
    done = fill.fill(own, "legacy", fill.Volume(rows=6_000, days=3, end=datetime(2026, 11, 4, tzinfo=UTC)), seen.append)
    assert [step.done for step in seen] == sorted(step.done for step in seen)
    assert "Loading metric_hist, 2 Nov" in [step.label for step in seen]
    assert seen[-1].fraction == 1.0
    assert seen[-1].remaining_seconds == pytest.approx(0.0)
    assert seen[0].remaining_seconds is None
    assert any(step.remaining_seconds for step in seen)
    assert fill.filled(own) == done


def test_an_interrupted_fill_is_seen_and_made_afresh(own: Database) -> None:
    volume = fill.Volume(rows=6_000, days=3)

    def stop(progress: fill.Progress) -> None:
        if progress.label.startswith("Phase 4, aggregates") and progress.fraction > 0.8:
            raise Interrupted

    with pytest.raises(Interrupted):
        fill.fill(own, "optimised", volume, stop)
    assert fill.filled(own) is None
    done = fill.fill(own, "hypertables", volume, lambda _progress: None)
    assert fill.filled(own) == done
    left = own.row("""
        SELECT (SELECT count(*) FROM timescaledb_information.jobs WHERE job_id >= 1000) AS jobs,
               (SELECT count(*) FROM _timescaledb_catalog.continuous_agg) AS aggregates,
               (SELECT count(*) FROM _timescaledb_catalog.hypertable) AS hypertables,
               (SELECT count(*) FROM pg_db_role_setting WHERE setrole = 0) AS settings""")
    assert left == {"jobs": 0, "aggregates": 0, "hypertables": 5, "settings": 0}


def test_a_fill_never_touches_a_schema_that_is_not_its_own(own: Database) -> None:
    fill.fill(own, "legacy", fill.Volume(rows=6_000, days=3), lambda _progress: None)
    for comment in ("'MS5.0, production'", "NULL", "'[]'", "'{}'"):
        own.execute(f"COMMENT ON SCHEMA factory_telemetry IS {comment}")
        assert fill.filled(own) is None
        with pytest.raises(SandboxError, match="was not made by the sandbox"):
            fill.fill(own, "legacy", fill.Volume(rows=6_000, days=3), lambda _progress: None)
        assert own.row("SELECT count(*) AS n FROM factory_telemetry.metric_hist")["n"] > 1_000
    own.execute("DROP SCHEMA factory_telemetry CASCADE")
    assert fill.filled(own) is None


def test_a_state_that_does_not_exist_is_refused(own: Database) -> None:
    with pytest.raises(SandboxError, match="legacy, hypertables, optimised"):
        fill.fill(own, "tuned", fill.Volume(rows=6_000, days=3), lambda _progress: None)  # type: ignore[arg-type]


# Scripts ----------------------------------------------------------------------------------------------------

SCRIPTS = sorted((paths.SQL / "phase4").glob("*.sql"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_scripts_split_into_whole_statements(script: Path) -> None:
    text, found = script.read_text(), parts(script)
    assert [part.title for part in found if part.title] == [
        title.replace("''", "'") for title in re.findall(r"^\\echo '(.*)'$", text, re.MULTILINE)
    ]
    whole = statements(script)
    first_words = {re.match(r"\w+", statement)[0] for statement in whole if re.match(r"\w+", statement)}  # type: ignore[index]
    assert first_words <= {"CREATE", "CALL", "SELECT", "LOCK", "ALTER", "COMMENT", "DO"}
    joined = "\n".join(whole)
    for word in ("CREATE OR REPLACE PROCEDURE", "CREATE INDEX", "CREATE MATERIALIZED VIEW", "SELECT alter_job"):
        assert len(re.findall(rf"^{word}", joined, re.MULTILINE)) == len(re.findall(rf"^{word}", text, re.MULTILINE))
    assert not any(re.fullmatch(r"BEGIN|COMMIT|\\.*", statement) for statement in whole)
    locking = [statement for statement in whole if statement.startswith("LOCK TABLE")]
    assert all("create_hypertable" in statement for statement in locking), "a transaction is one text"
    assert len(locking) == (5 if "_01_" in script.name else 0)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_scripts_avoid_the_known_mistakes(script: Path) -> None:
    for statement in statements(script):
        assert not re.search(r"\bCONCURRENTLY\b|\bWITH DATA\b|compression_stats\s+WHERE|if_not_exists", statement)
        if statement.startswith("CREATE INDEX"):
            assert not re.search(r"\bnow\(\)", statement, re.IGNORECASE)
        for missing in ("consumption_kwh", "peak_power_kw", "shift_name", "old_operator", "downtime_minutes"):
            assert not re.search(rf"\b{missing}\b", statement)
