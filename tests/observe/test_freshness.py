"""Aggregates as people read them: promise, hierarchy, refresh windows, and data that have ended."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from ms5ops.figures.aggregate_diagram import diagram_html
from ms5ops.observe.aggregates import Aggregate
from ms5ops.observe.freshness import (
    FRESHNESS_DTYPES,
    SETTING_DTYPES,
    WINDOW_DTYPES,
    behind_words,
    conflicts,
    data_ends,
    freshness,
    freshness_frame,
    freshness_verdict,
    hierarchy,
    lag_history,
    lag_origin,
    missing_aggregates,
    promise_words,
    settings_frame,
    summary,
    window_frame,
    window_words,
)
from tests.observe.examples import EXPECTED
from tests.observe.examples import table as made

NOW = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def aggregate(name: str = "metric_hist_1min", source: str = "metric_hist", **changed: Any) -> Aggregate:
    """A one-minute aggregate that is 2 min behind and may be 3; ``changed`` says otherwise."""
    values: dict[str, Any] = {
        "aggregate": f"factory_telemetry.{name}", "source": f"factory_telemetry.{source}",
        "root": "factory_telemetry.metric_hist", "level": 1, "bucket_text": "00:01:00", "bucket_width": MINUTE,
        "materialized_only": False, "watermark": NOW - 2 * MINUTE, "newest_source_at": NOW, "job_id": 1011,
        "scheduled": True, "start_offset": 3 * DAY, "end_offset": MINUTE, "schedule_interval": MINUTE,
        "drop_after": None, "source_drop_after": 90 * DAY, "compression_enabled": False, "chunks": 3, "rows": 1000,
        "size_bytes": 5_000_000,
    }  # fmt: skip
    return Aggregate(**(values | changed))


def over(name: str, source: str, level: int, **changed: Any) -> Aggregate:
    return aggregate(name, source, level=level, source_drop_after=None, **changed)


@pytest.mark.parametrize(
    ("changed", "state"),
    [
        ({}, "fresh"),
        ({"watermark": NOW - 4 * MINUTE}, "late"),
        ({"scheduled": False}, "paused"),
        ({"job_id": None}, "no policy"),
        ({"watermark": None, "chunks": 0}, "empty"),
        ({"watermark": None}, "not known"),
        ({"newest_source_at": None}, "not known"),
    ],
)
def test_states(changed: dict[str, Any], state: str) -> None:
    assert freshness(aggregate(**changed)) == state


def test_words() -> None:
    assert behind_words(aggregate()) == "2 min behind its source"
    assert behind_words(aggregate(watermark=NOW)) == "up to date with its source"
    assert promise_words(aggregate()) == "promise 3 min"
    assert promise_words(aggregate(scheduled=False)) == "promise 3 min (paused)"
    assert promise_words(aggregate(job_id=None)) == "no refresh policy"
    assert window_words(aggregate()) == "from 3 days ago to 1 min ago"
    assert window_words(aggregate(start_offset=None, end_offset=None)) == "from the beginning to now"


def test_data_that_have_ended_are_not_an_aggregate_that_lags() -> None:
    quiet = aggregate(newest_source_at=NOW - 5 * HOUR, watermark=NOW - 5 * HOUR - MINUTE)
    assert freshness(quiet) == "fresh"
    verdict = freshness_verdict([quiet], NOW)
    assert verdict.severity == "ok"
    assert verdict.text == (
        "The only summary is as fresh as promised. The data themselves end 5 h ago: nothing newer has come in."
    )
    frame = freshness_frame([quiet], NOW)
    assert frame[["lag_s", "behind_now_s", "data_age_s"]].to_numpy().tolist() == [[60.0, 18_060.0, 18_000.0]]
    assert dict(frame.dtypes.astype(str)) == FRESHNESS_DTYPES


def test_the_data_end_of_a_level_above_is_that_of_the_table_at_the_bottom() -> None:
    chain = [aggregate(), over("metric_hist_1hour", "metric_hist_1min", 2, newest_source_at=NOW - HOUR)]
    assert [(end.source, end.newest) for end in data_ends(chain, NOW)] == [("factory_telemetry.metric_hist", NOW)]


def test_verdicts_name_the_worst() -> None:
    danger = aggregate(start_offset=None)
    late = aggregate("metric_hist_1hour", watermark=NOW - DAY)
    assert freshness_verdict([aggregate(), late], NOW).text == "metric_hist_1hour is later than promised."
    assert freshness_verdict([late, danger], NOW).severity == "critical"
    assert [one.aggregate for one, _ in conflicts([late, danger])] == ["factory_telemetry.metric_hist_1min"]
    assert freshness_verdict([], NOW).severity == "info"
    assert freshness_verdict([aggregate(newest_source_at=None)], NOW).severity == "info"


def test_the_numbers_at_the_head() -> None:
    found = summary([aggregate(), aggregate("b", watermark=NOW - 6 * MINUTE), aggregate("c", job_id=None)])
    assert (found.judged, found.fresh, found.worst, found.worst_share) == (2, 1, "b", 2.0)
    assert (found.size_bytes, found.rows) == (15_000_000, 3000)
    nothing = summary([])
    assert (nothing.judged, nothing.worst, nothing.size_bytes) == (0, None, None)
    tables = [made(name=name) for name in EXPECTED]
    assert len(missing_aggregates([], tables)) == 9
    assert len(missing_aggregates([aggregate()], tables)) == 8


def test_hierarchy_runs_from_left_to_right_and_branches_downwards() -> None:
    found = hierarchy(
        [
            aggregate(),
            aggregate("metric_hist_1hour_percentiles"),
            over("metric_hist_1hour", "metric_hist_1min", 2),
            over("metric_hist_1day", "metric_hist_1hour", 3),
        ],
        (),
        NOW,
    )
    assert {node.name.partition(".")[2]: (node.column, node.row) for node in found} == {
        "metric_hist": (0, 0),
        "metric_hist_1min": (1, 0),
        "metric_hist_1hour": (2, 0),
        "metric_hist_1day": (3, 0),
        "metric_hist_1hour_percentiles": (1, 1),
    }
    assert found[0].freshness is None
    assert found[0].lines == ("raw rows, –", "newest row just now")


def test_the_diagram_shows_names_as_text() -> None:
    found = diagram_html(hierarchy([aggregate("<script>alert(1)</script>")], (), NOW))
    assert "<script>" not in found
    assert "&lt;script&gt;" in found


def test_windows() -> None:
    frame = window_frame([aggregate(), aggregate("b", start_offset=None), aggregate("c", job_id=None)])
    assert frame["aggregate"].tolist() == ["metric_hist_1min", "b"]
    assert frame["reach_s"].tolist()[0] == (3 * DAY + MINUTE).total_seconds()
    assert frame["is_unlimited"].tolist() == [False, True]
    assert frame["conflict"].isna().tolist() == [True, False]
    assert dict(frame.dtypes.astype(str)) == WINDOW_DTYPES


def test_settings() -> None:
    frame = settings_frame([aggregate(), aggregate("b", materialized_only=True, job_id=None)], ())
    assert frame["reads"].tolist() == ["real-time", "materialized only"]
    assert frame["every"].tolist() == ["every 1 min", "never"]
    assert frame["kept"].tolist() == ["for ever", "for ever"]
    assert dict(frame.dtypes.astype(str)) == SETTING_DTYPES


def test_lag_history_keeps_the_worst_of_many_snapshots() -> None:
    times = [NOW - n * MINUTE for n in range(5000)]
    stored = pd.DataFrame(
        {
            "taken_at": pd.to_datetime(times, utc=True),
            "aggregate_name": "factory_telemetry.metric_hist_1min",
            "lag_seconds": [900.0 if n == 2345 else 60.0 for n in range(5000)],
        }
    )
    found = lag_history(stored, [aggregate()])
    assert len(found) <= 2000
    assert found["share"].max() == 5.0
    assert lag_history(stored.iloc[:0], [aggregate()]).empty
    assert lag_history(stored, []).empty


def test_lags_are_those_of_one_origin() -> None:
    def taken(origin: str, *hours: int) -> pd.DataFrame:
        return pd.DataFrame({"taken_at": [NOW + timedelta(hours=hour) for hour in hours], "origin": origin})

    replayed = taken("replayed", -5_000, -700)
    assert lag_origin(pd.concat([replayed, taken("simulated", -2, 0)]), "simulated") == "replayed"
    assert lag_origin(pd.concat([replayed, taken("simulated", -30, 0)]), "simulated") == "simulated"
    assert lag_origin(taken("measured", -2, 0), "measured") == "measured"
    assert lag_origin(taken("measured"), "measured") == "measured"
