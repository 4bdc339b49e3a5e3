"""Rules that read SQL bodies: what must not be rolled up, and buckets that do not nest."""

from pathlib import Path

import pytest

from ms5ops.policy.document import PolicySet
from ms5ops.policy.measured import LintFinding, Measured
from ms5ops.policy.rollups import columns, roll_ups
from ms5ops.policy.scheduling import refresh_lag
from ms5ops.policy.windows import buckets_nest
from tests.policy.examples import bodies, changed

DAILY = """-- name: oee_daily
-- about: An example.
-- source: oee_hourly

SELECT line_id, -- a comment, with a comma
       time_bucket(INTERVAL '1 day', bucket) AS bucket,
       {column}
FROM factory_telemetry.oee_hourly
GROUP BY line_id, time_bucket(INTERVAL '1 day', bucket);
"""
WEEKLY = DAILY.replace("oee_daily", "oee_weekly").replace("oee_hourly", "oee_daily").replace("1 day", "7 days")


def findings(folder: Path, daily: str, weekly: str = "sum(oee_count) AS oee_count") -> list[LintFinding]:
    return list(roll_ups(policy_with(folder, daily, weekly), Measured()))


def policy_with(folder: Path, daily: str, weekly: str) -> PolicySet:
    copy = bodies(folder, {})
    (copy / "aggregates/oee_daily.sql").write_text(DAILY.format(column=daily))
    (copy / "aggregates/oee_weekly.sql").write_text(WEEKLY.format(column=weekly))
    return changed(sql_folder=copy)


def test_the_default_rolls_up_nothing_wrong() -> None:
    assert list(roll_ups(changed(), Measured())) == []


@pytest.mark.parametrize(
    ("column", "severity", "says"),
    [
        ("avg(oee_avg) AS oee_avg", "error", "a mean over buckets, not over rows"),
        ("AVG ( oee_avg ) AS oee_avg", "error", "Divide the sum of its sums by the sum of its counts"),
        ("avg(oee_sum / oee_count) AS oee_avg", "error", "avg of an expression"),
        ("round(avg(oee_avg)::numeric, 2) AS oee_avg", "error", "avg of oee_avg"),
        ("sum(oee_avg) AS x", "error", "oee_avg of oee_hourly is a mean: its sum means nothing"),
        ("sum(oee_avg) FILTER (WHERE oee_count > 0) AS x", "error", "its sum means nothing"),
        ("stddev_samp(oee_avg) AS x", "error", "Derive it from sums, sums of squares and counts"),
        ("percentile_cont(0.95) WITHIN GROUP (ORDER BY oee_avg) AS p95", "error", "Percentiles do not combine"),
        ("percentile_disc(0.5) within group (order by oee_max) AS p50", "error", "percentile_disc of oee_max"),
        ("max(oee_avg) AS oee_max", "warning", "the largest of them is not the mean of the longer bucket"),
        ("count(*) AS calculation_count", "warning", "counts buckets of oee_hourly here, not rows"),
        ("count(oee_count) AS oee_count", "warning", "take the sum of its count"),
    ],
)
def test_what_does_not_combine_is_found(tmp_path: Path, column: str, severity: str, says: str) -> None:
    (found,) = findings(tmp_path, column)
    assert found.severity == severity
    assert says in found.reason
    assert found.subject.startswith("oee_daily.")
    assert found.key == "aggregates.oee_daily.body"


@pytest.mark.parametrize(
    "column",
    [
        "sum(oee_sum) AS oee_sum",
        "sum(oee_count)::bigint AS oee_count",
        "sum(oee_sum) / nullif(sum(oee_count), 0)::double precision AS oee_avg",
        "sum(oee_avg * oee_count) / nullif(sum(oee_count), 0) AS oee_avg",
        "min(oee_min) AS oee_min",
        "max(oee_max) AS oee_max",
        "last(oee_max, bucket) AS last_oee",
        "sum(oee_sum) FILTER (WHERE oee_count > 0) AS x",
        "max(bucket) AS last_bucket",
        "'avg(oee_avg)'::text AS remark",
        "rollup(oee_sketch) AS oee_sketch",
    ],
)
def test_what_combines_passes(tmp_path: Path, column: str) -> None:
    assert findings(tmp_path, column) == []


def test_a_derived_mean_is_a_mean_one_level_up(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, "sum(oee_sum) / sum(oee_count) AS oee_avg", "sum(oee_avg) AS oee_sum")
    assert found.subject == "oee_weekly.oee_sum"
    assert "derived figure" in found.reason


def test_a_percentile_may_be_taken_from_raw_rows_and_nowhere_else(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, "max(oee_max) AS oee_max", "avg(oee_max) AS oee_max")
    assert found.subject == "oee_weekly.oee_max"


def test_columns_are_told_apart() -> None:
    found = columns("SELECT a, f(b, c) AS d, e::text AS g -- x, y\n, sum(h) FILTER (WHERE i IN (1, 2)) AS j FROM k")
    assert list(found) == ["a", "d", "g", "j"]
    assert found["d"] == ("f", "(", "b", ",", "c", ")")
    assert columns("VALUES (1)") == {}


def test_buckets_that_do_not_nest_are_found(tmp_path: Path) -> None:
    copy = bodies(tmp_path, {"aggregates/oee_weekly.sql": ("'7 days'", "'36 hours'")})
    policy = changed({"aggregates.oee_weekly.bucket": "36 hours"}, copy)
    (found,) = buckets_nest(policy, Measured())
    assert (found.severity, found.subject) == ("error", "oee_weekly")
    assert "1 day 12 hours is not a multiple of the 1 day of oee_daily" in found.reason
    assert found.key == "aggregates.oee_weekly.bucket"
    assert list(buckets_nest(changed(), Measured())) == []


def test_a_bucket_of_ten_seconds_can_keep_the_promise(tmp_path: Path) -> None:
    copy = bodies(tmp_path, {"aggregates/metric_hist_1min.sql": ("'1 minute'", "'10 seconds'")})
    fast = {"bucket": "10 seconds", "end_offset": "10 seconds", "schedule_interval": "30 seconds"}
    changes = {f"aggregates.metric_hist_1min.{key}": value for key, value in fast.items()}
    assert list(refresh_lag(changed(changes, copy), Measured())) == []
