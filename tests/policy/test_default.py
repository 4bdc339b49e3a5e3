"""The default policy loads and asks for Phase 4, whose values stand here once more, as its guide has them."""

import re
from datetime import time, timedelta
from pathlib import Path

import pytest

from ms5ops import paths
from ms5ops.observe.tables import expected_tables
from ms5ops.policy import ms5_schema
from ms5ops.policy.document import AggregatePolicy, PolicySet, UserJobPolicy, ViewPolicy, load_policy


@pytest.fixture(scope="module")
def policy() -> PolicySet:
    return load_policy()


HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MATRIX = {
    # Phase 4's hypertable matrix: time column, chunk, segment by, compress after, retain for.
    "metric_hist": ("ts", HOUR, ("metric_def_id",), 7 * DAY, 90 * DAY),
    "oee_calculations": ("calculation_time", DAY, ("line_id", "equipment_code"), 7 * DAY, 365 * DAY),
    "energy_consumption": ("consumption_time", DAY, ("equipment_code",), 14 * DAY, 365 * DAY),
    "production_kpis": ("created_at", DAY, ("line_id",), 7 * DAY, 365 * DAY),
    "production_context_history": ("changed_at", DAY, ("equipment_code",), 30 * DAY, 730 * DAY),
}


def test_tables_are_the_matrix(policy: PolicySet) -> None:
    found = {
        table.name: (table.time_column, table.chunk_interval, table.segment_by, table.compress_after, table.drop_after)
        for table in policy.tables.values()
    }
    assert found == MATRIX
    orders = [", ".join(map(str, table.order_by)) for table in policy.tables.values()]
    assert orders == [f"{one[0]} DESC" for one in MATRIX.values()]


def test_readings_expect_what_the_policy_says(policy: PolicySet) -> None:
    assert [one.name for one in expected_tables(policy)] == list(MATRIX)
    aggregates = [name for table in expected_tables(policy) for name in table.aggregates]
    assert sorted(aggregates) == sorted(policy.aggregates)


def test_settings(policy: PolicySet) -> None:
    assert policy.settings.database.model_dump() == {
        "max_parallel_workers_per_gather": 4,
        "random_page_cost": 1.1,
        "effective_cache_size_share": 0.75,
        "jit": False,
    }
    assert policy.settings.server.model_dump() == {
        "max_background_workers": 8,
        "max_worker_processes": 19,
        "max_locks_per_transaction": 256,
        "enable_job_execution_logging": True,
    }


def test_schedules_of_compression_and_retention(policy: PolicySet) -> None:
    compression, retention = policy.schedules.compression, policy.schedules.retention
    assert (compression.every, compression.max_runtime, compression.retry_period) == (12 * HOUR, 4 * HOUR, HOUR)
    assert (compression.initial_start, compression.max_retries) == (None, -1)
    assert (retention.every, retention.max_runtime, retention.retry_period) == (DAY, HOUR, 6 * HOUR)
    starts = [policy.retention_schedule(table) for table in policy.tables.values()]
    assert [one.initial_start for one in starts] == [time(2, minute) for minute in (0, 10, 20, 30, 40)]
    assert {one.first_run_after_days for one in starts} == {2}, "a whole day for the aggregates to take up the old rows"


def test_autovacuum(policy: PolicySet) -> None:
    scale = {
        name: (table.autovacuum.vacuum_scale_factor, table.autovacuum.analyze_scale_factor)
        for name, table in policy.tables.items()
        if table.autovacuum
    }
    assert scale == {name: (0.05, 0.02) if name == "metric_hist" else (0.1, 0.05) for name in MATRIX}


def test_indexes_and_the_job_that_moves_the_window(policy: PolicySet) -> None:
    found = {table: [index for index in policy.indexes.values() if index.table == table] for table in MATRIX}
    assert [len(indexes) for indexes in found.values()] == [3, 3, 3, 3, 3]
    assert {"idx_metric_hist_metric_ts_desc", "idx_metric_hist_ts_brin", "idx_metric_hist_realtime"} <= {
        *policy.indexes
    }
    for indexes in found.values():
        assert any(index.include and index.columns[-1].descending for index in indexes), (
            "entity, newest first, covering"
        )
    assert [index.name for index in policy.indexes.values() if index.window is not None] == ["idx_metric_hist_realtime"]
    moving, (job,) = policy.indexes["idx_metric_hist_realtime"], policy.jobs.values()
    assert (moving.window, moving.trim_job) == (DAY, job.name)
    assert (job.every, dict(job.config)) == (HOUR, {"keep_for": "24 hours", "at_most": 200})


def test_refresh_of_the_aggregates(policy: PolicySet) -> None:
    by_bucket = {
        timedelta(minutes=1): (3 * DAY, timedelta(minutes=1), timedelta(minutes=1)),
        HOUR: (7 * DAY, HOUR, timedelta(minutes=10)),
        DAY: (30 * DAY, DAY, HOUR),
        7 * DAY: (56 * DAY, 7 * DAY, HOUR),
    }
    assert len(policy.aggregates) == 9
    for one in policy.aggregates.values():
        assert (one.start_offset, one.end_offset, one.schedule_interval) == by_bucket[one.bucket], one.name
        assert not one.materialized_only


def test_every_body_is_named_by_the_default_and_no_other(policy: PolicySet) -> None:
    entries: list[AggregatePolicy | ViewPolicy | UserJobPolicy] = [
        *policy.aggregates.values(), *policy.views.values(), *policy.jobs.values(),
    ]  # fmt: skip
    files = {
        str(file.relative_to(paths.SQL))
        for kind in ("aggregates", "views", "jobs")
        for file in (paths.SQL / kind).iterdir()
    }
    assert {entry.body.file for entry in entries} == files
    assert all(Path(entry.body.file).stem == entry.name for entry in entries)


def test_the_schema_as_data_is_the_schema_as_sql() -> None:
    text = (paths.SQL / "schema" / "ms5_tables.sql").read_text()
    for table, columns in ms5_schema.COLUMNS.items():
        body = re.search(rf"CREATE TABLE factory_telemetry\.{table} \(\n(.*?)\n\);", text, re.DOTALL)
        assert body is not None
        found = re.findall(r"^    (\w+)\s+(double precision|\w+)", body[1], re.MULTILINE)
        assert dict(found) == dict(columns), table
        assert [name for name, _ in found] == list(columns), table
    rest = (paths.SQL / "schema" / "ms5_foreign_keys.sql").read_text()
    keys = re.findall(r"ALTER TABLE factory_telemetry\.(\w+)\s+ADD CONSTRAINT \w+\s+FOREIGN KEY \((\w+)\)", rest)
    assert keys == [(table, column) for table, found in ms5_schema.FOREIGN_KEYS.items() for column in found]
    indexes = re.findall(r"CREATE INDEX (\w+) ON factory_telemetry\.(\w+) \(([^)]+)\)", rest)
    assert {(name, table, tuple(columns.split(", "))) for name, table, columns in indexes} == {
        (name, table, columns) for table, found in ms5_schema.INDEXES.items() for name, columns in found.items()
    }
    others = set(re.findall(r"CREATE TABLE factory_telemetry\.(\w+)", text)) - set(ms5_schema.COLUMNS)
    assert others == set(ms5_schema.OTHER_RELATIONS)


def test_aggregates_come_after_what_they_read(policy: PolicySet) -> None:
    order = [entry.name for entry in policy.active_aggregates]
    for entry in policy.active_aggregates:
        assert entry.source in policy.tables or order.index(entry.source) < order.index(entry.name)
    assert [policy.level(name) for name in ("metric_hist", "metric_hist_1min", "metric_hist_1day")] == [0, 1, 3]
    assert policy.root("oee_weekly") == "oee_calculations"
    assert policy.qualified("oee_weekly") == "factory_telemetry.oee_weekly"
    assert policy.drop_after("oee_weekly") is None
    assert policy.drop_after("oee_calculations") == timedelta(days=365)
