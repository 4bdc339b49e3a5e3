from typing import Any

import pytest

from ms5ops.observe.aggregates import aggregates_from, retention_conflict
from tests.observe.examples import DAY, HOUR, METRICS, MINUTE, NOW, aggregate, job, retention_job, table

HOURLY, DAILY = "factory_telemetry.metric_hist_1hour", "factory_telemetry.metric_hist_1day"


def row(name: str, source: str, **changed: Any) -> dict[str, Any]:
    return {
        "schema_name": "factory_telemetry", "view_name": name, "storage_schema": "_timescaledb_internal",
        "storage_name": f"_{name}", "source_schema": "factory_telemetry", "source_name": source,
        "source_is_aggregate": False, "materialized_only": True, "bucket_text": "01:00:00", "bucket_width": HOUR,
        "watermark": NOW - 2 * HOUR,
    } | changed  # fmt: skip


def test_a_hierarchy_is_ordered_from_its_root() -> None:
    rows = [
        row("metric_hist_1day", "metric_hist_1hour", bucket_width=DAY, source_is_aggregate=True, watermark=NOW - DAY),
        row("metric_hist_1hour", "metric_hist"),
    ]
    hourly, daily = aggregates_from(rows, [], [], {METRICS: NOW})
    assert [(one.aggregate, one.level, one.root) for one in (hourly, daily)] == [
        (HOURLY, 1, METRICS),
        (DAILY, 2, METRICS),
    ]
    assert hourly.newest_source_at == NOW
    assert daily.newest_source_at == NOW - 2 * HOUR


def test_policies_and_sizes_are_joined() -> None:
    refresh = job(
        job_id=7, kind="refresh", target=HOURLY, start_offset=3 * DAY, end_offset=HOUR, schedule_interval=HOUR
    )
    view = table(name="metric_hist_1hour", kind="continuous aggregate", size_bytes=77)
    found = aggregates_from([row("metric_hist_1hour", "metric_hist")], [view], [refresh, retention_job()], {})[0]
    assert (found.job_id, found.start_offset, found.source_drop_after, found.size_bytes) == (7, 3 * DAY, 90 * DAY, 77)
    assert found.newest_source_at is None


def test_an_aggregate_without_policy_and_data() -> None:
    found = aggregates_from([row("metric_hist_1hour", "metric_hist", watermark=None)], [], [], {METRICS: NOW})[0]
    assert (found.has_policy, found.promised, found.lag_behind_source, found.keeps_promise) == (False, None, None, None)
    assert found.lag_behind(NOW) is None


def test_the_promise_is_end_offset_schedule_and_one_bucket() -> None:
    assert aggregate().promised == HOUR + 10 * MINUTE + HOUR
    assert aggregate(end_offset=None).promised == 10 * MINUTE + HOUR
    assert aggregate(bucket_width=None).promised is None


@pytest.mark.parametrize(
    ("watermark", "newest", "lag", "keeps"),
    [
        (NOW - HOUR, NOW, HOUR, True),
        (NOW - 2 * HOUR - 10 * MINUTE, NOW, 2 * HOUR + 10 * MINUTE, True),
        (NOW - 3 * HOUR, NOW, 3 * HOUR, False),
        (NOW, NOW - DAY, 0 * HOUR, True),
        (NOW - 9 * DAY, NOW - 9 * DAY, 0 * HOUR, True),
    ],
    ids=["fresh", "just kept", "late", "ahead", "the source itself stands still"],
)
def test_lag_behind_the_source(watermark: Any, newest: Any, lag: Any, keeps: bool) -> None:
    found = aggregate(watermark=watermark, newest_source_at=newest)
    assert (found.lag_behind_source, found.keeps_promise) == (lag, keeps)


def test_lag_behind_now_grows_though_the_source_stands_still() -> None:
    assert aggregate(watermark=NOW - 9 * DAY).lag_behind(NOW) == 9 * DAY


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({}, None),
        ({"start_offset": 90 * DAY - 10 * MINUTE}, None),
        ({"start_offset": 90 * DAY}, "reaches back 90.01 days"),
        ({"start_offset": None}, "without limit"),
        ({"start_offset": None, "source_drop_after": None}, None),
        ({"start_offset": None, "job_id": None}, None),
    ],
)
def test_conflicts_with_retention(changed: dict[str, Any], says: str | None) -> None:
    conflict = retention_conflict(aggregate(**changed))
    assert conflict is None if says is None else says in (conflict or "")
