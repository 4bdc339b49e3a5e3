"""Records to build examples from: each maker gives a sound one, of which a test changes what it is about."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from ms5ops.observe.aggregates import Aggregate
from ms5ops.observe.chunks import DTYPES, chunk_frame
from ms5ops.observe.compression import TableCompression
from ms5ops.observe.indexes import Index
from ms5ops.observe.jobs import Job, runs_frame
from ms5ops.observe.retention import TableRetention
from ms5ops.observe.tables import Table, expected_tables
from ms5ops.policy.document import default_policy

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HOUR, DAY, MINUTE = timedelta(hours=1), timedelta(days=1), timedelta(minutes=1)
METRICS = "factory_telemetry.metric_hist"


EXPECTED = {one.name: one for one in expected_tables(default_policy())}


def table(**changed: Any) -> Table:
    """``expected`` is by default what the default policy set says of that name."""
    values: dict[str, Any] = {
        "schema": "factory_telemetry", "name": "metric_hist", "kind": "hypertable",
        "expected": EXPECTED.get(changed.get("name", "metric_hist")),
        "storage_schema": "factory_telemetry", "storage_name": "metric_hist", "time_column": "ts",
        "time_type": "timestamp with time zone", "chunk_interval": HOUR, "dimensions": 1, "compression_enabled": True,
        "chunks": 10, "compressed_chunks": 7, "partial_chunks": 0, "rows": 1_000, "size_bytes": 1_000_000,
        "index_bytes": 300_000, "uncompressed_bytes": 4_000_000,
    }  # fmt: skip
    return Table(**{**values, **changed})


def job(**changed: Any) -> Job:
    values: dict[str, Any] = {
        "job_id": 1000, "kind": "compression", "name": "compress metric_hist",
        "procedure": "_timescaledb_functions.policy_compression", "owner": "postgres", "target": METRICS,
        "schedule_interval": 12 * HOUR, "max_runtime": 4 * HOUR, "max_retries": -1, "retry_period": HOUR,
        "scheduled": True, "fixed_schedule": False, "config": {}, "compress_after": 7 * DAY, "drop_after": None,
        "start_offset": None, "end_offset": None, "initial_start": None, "next_start": NOW + HOUR,
        "last_start": NOW - 11 * HOUR, "last_finish": NOW - 10 * HOUR, "last_successful_finish": NOW - 10 * HOUR,
        "last_duration": HOUR, "last_succeeded": True, "is_running": False, "total_runs": 10, "total_successes": 10,
        "total_failures": 0, "consecutive_failures": 0, "consecutive_crashes": 0,
    }  # fmt: skip
    return Job(**{**values, **changed})


def retention_job(**changed: Any) -> Job:
    return job(
        **{
            "job_id": 1001,
            "kind": "retention",
            "compress_after": None,
            "drop_after": 90 * DAY,
            "schedule_interval": DAY,
        }
        | changed
    )


def compression(**changed: Any) -> TableCompression:
    values: dict[str, Any] = {
        "table": METRICS, "kind": "hypertable", "enabled": True, "segment_by": ("metric_def_id",),
        "order_by": ("ts DESC",), "compress_after": 7 * DAY, "job_id": 1000, "scheduled": True, "chunks": 10,
        "compressed_chunks": 7, "partial_chunks": 0, "before_bytes": 4_000_000, "after_bytes": 400_000,
        "rows_per_batch": 800.0, "segments": 50.0, "rows_per_segment": 800.0, "rows_per_segment_measured": False,
        "backlog_chunks": 0, "backlog_bytes": 0, "late_chunks": 0,
    }  # fmt: skip
    return TableCompression(**{**values, **changed})


def retention(**changed: Any) -> TableRetention:
    values: dict[str, Any] = {
        "table": METRICS, "kind": "hypertable", "job_id": 1001, "drop_after": 90 * DAY, "scheduled": True,
        "next_start": NOW + HOUR, "last_start": NOW - 23 * HOUR, "last_succeeded": True, "chunks": 10,
        "oldest": NOW - 10 * DAY, "eligible_chunks": 0, "eligible_bytes": 0, "late_chunks": 0,
    }  # fmt: skip
    return TableRetention(**{**values, **changed})


def aggregate(**changed: Any) -> Aggregate:
    values: dict[str, Any] = {
        "aggregate": "factory_telemetry.metric_hist_1hour", "source": METRICS, "root": METRICS, "level": 1,
        "bucket_text": "01:00:00", "bucket_width": HOUR, "materialized_only": False, "watermark": NOW - HOUR,
        "newest_source_at": NOW, "job_id": 1002, "scheduled": True, "start_offset": 3 * DAY, "end_offset": HOUR,
        "schedule_interval": 10 * MINUTE, "drop_after": None, "source_drop_after": 90 * DAY,
        "compression_enabled": False, "chunks": 1, "rows": 100, "size_bytes": 50_000,
    }  # fmt: skip
    return Aggregate(**{**values, **changed})


def index(**changed: Any) -> Index:
    values: dict[str, Any] = {
        "name": "idx_metric_hist_metric_ts_desc", "schema": "factory_telemetry", "table": METRICS,
        "table_kind": "hypertable",
        "definition": "CREATE INDEX idx_metric_hist_metric_ts_desc ON factory_telemetry.metric_hist USING btree (ts)",
        "method": "btree", "columns": ("ts",), "is_unique": False, "is_primary": False, "is_partial": False,
        "is_constraint": False, "is_valid": True, "chunks": 10, "missing_chunks": 0, "invalid_chunks": 0,
        "size_bytes": 50_000_000, "expected_bytes": 40_000_000, "scans": 5_000, "tuples_read": 1, "tuples_fetched": 1,
    }  # fmt: skip
    return Index(**{**values, **changed})


def chunk(**changed: Any) -> dict[str, Any]:
    """A row of the query ``chunks``: one hour, uncompressed."""
    return {
        "hypertable_schema": "factory_telemetry", "hypertable_name": "metric_hist",
        "chunk_schema": "_timescaledb_internal", "chunk": "_hyper_1_1_chunk", "range_start": NOW - HOUR,
        "range_end": NOW, "is_compressed": False, "is_partial": False, "is_frozen": False, "size_bytes": 1_000_000,
        "index_bytes": 300_000, "before_bytes": None, "after_bytes": None, "rows": 10_000, "batches": None,
    } | changed  # fmt: skip


def compressed(**changed: Any) -> dict[str, Any]:
    return chunk(
        **{
            "is_compressed": True, "size_bytes": 250_000, "before_bytes": 2_000_000, "after_bytes": 200_000,
            "batches": 20, "range_start": NOW - 240 * HOUR, "range_end": NOW - 239 * HOUR,
        }
        | changed
    )  # fmt: skip


def chunks(*rows: dict[str, Any]) -> pd.DataFrame:
    return chunk_frame(pd.DataFrame(list(rows), columns=list(DTYPES)))


def runs(*rows: dict[str, Any], jobs: tuple[Job, ...] = ()) -> pd.DataFrame:
    columns = ["job_id", "start", "finish", "succeeded", "is_running", "error_code", "message"]
    return runs_frame(pd.DataFrame(list(rows), columns=columns), jobs)


def failed_run(job_id: int, message: str, start: datetime = NOW - HOUR) -> dict[str, Any]:
    return {
        "job_id": job_id, "start": start, "finish": start + MINUTE, "succeeded": False, "is_running": False,
        "error_code": "XX000", "message": message,
    }  # fmt: skip
