"""Runs from server, history and statistics in one list; what a timeline draws of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from ms5ops.observe.chunks import instants
from ms5ops.observe.jobs import RUN_DTYPES, Job
from ms5ops.observe.run_history import (
    DRAWN_LIMIT,
    TIMELINE_DTYPES,
    failures_by_message,
    joined_runs,
    lane_names,
    record_gap,
    run_at,
    runs_within,
    start_delays,
    timeline,
)

NOW = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def job(job_id: int = 1000, **changed: Any) -> Job:
    """A refresh job that has run well; ``changed`` says otherwise."""
    values: dict[str, Any] = {
        "job_id": job_id, "kind": "refresh", "name": "refresh oee_hourly",
        "procedure": "_timescaledb_functions.policy_refresh_continuous_aggregate", "owner": "ms5",
        "target": "factory_telemetry.oee_hourly", "schedule_interval": MINUTE, "max_runtime": timedelta(0),
        "max_retries": -1, "retry_period": MINUTE, "scheduled": True, "fixed_schedule": False, "config": {},
        "compress_after": None, "drop_after": None, "start_offset": None, "end_offset": None, "initial_start": None,
        "next_start": NOW + MINUTE, "last_start": None, "last_finish": None, "last_successful_finish": None,
        "last_duration": None, "last_succeeded": None, "is_running": False, "total_runs": 0, "total_successes": 0,
        "total_failures": 0, "consecutive_failures": 0, "consecutive_crashes": 0,
    }  # fmt: skip
    return Job(**(values | changed))


def runs(*rows: dict[str, Any]) -> pd.DataFrame:
    """A runs frame as ``read_job_runs`` gives it."""
    empty = dict.fromkeys(RUN_DTYPES) | {"job_id": 1000, "job": "refresh oee_hourly", "is_running": False}
    frame = pd.DataFrame([empty | row for row in rows], columns=list(RUN_DTYPES))
    for column in ("start", "finish"):
        frame[column] = instants(frame[column])
    return frame.astype(RUN_DTYPES)


def run(start: datetime, seconds: float = 1, *, succeeded: bool | None = True, **more: Any) -> dict[str, Any]:
    return {"start": start, "finish": start + timedelta(seconds=seconds), "succeeded": succeeded, **more}


def stored(*rows: tuple[int, datetime, datetime | None, bool | None, str | None]) -> pd.DataFrame:
    columns = ["job_id", "started_at", "finished_at", "succeeded", "message"]
    return pd.DataFrame(rows, columns=columns).assign(origin="measured")


def test_names_are_for_people_and_each_is_used_once() -> None:
    found = lane_names(
        [
            job(1, kind="compression", target="factory_telemetry.metric_hist"),
            job(2, kind="retention", target="factory_telemetry.metric_hist"),
            job(3, kind="user", target=None, procedure="factory_telemetry.trim_realtime_index"),
            job(4, kind="user", target=None, procedure="other.trim_realtime_index"),
            job(5, target="one.oee_hourly"),
            job(6, target="two.oee_hourly"),
            job(7, kind="system", target=None, procedure="_timescaledb_internal.policy_telemetry"),
        ]
    )
    assert found == {
        1: "Compress metric_hist",
        2: "Drop old rows of metric_hist",
        3: "Trim realtime index (job 3)",
        4: "Trim realtime index (job 4)",
        5: "Refresh oee_hourly (one)",
        6: "Refresh oee_hourly (two)",
        7: "Send usage statistics",
    }


def test_a_run_known_from_three_places_is_shown_once_and_the_server_wins() -> None:
    start = NOW - HOUR
    found = joined_runs(
        runs(run(start, 2, succeeded=False, message="no room")),
        stored((1000, start, None, None, None), (1000, start - HOUR, start - HOUR + MINUTE, True, None)),
        [job(last_start=start - timedelta(microseconds=25), last_finish=start, last_succeeded=False)],
    )
    assert list(found["start"]) == [pd.Timestamp(start), pd.Timestamp(start - HOUR)]
    assert list(found["origin"]) == ["server", "history"]
    assert list(found["outcome"]) == ["failed", "succeeded"]
    assert found["message"].iloc[0] == "no room"
    assert dict(found.dtypes.astype(str)) == TIMELINE_DTYPES


def test_runs_up_to_the_last_replayed_one_are_replayed_wherever_they_are_known_from() -> None:
    kept = stored((1000, NOW - 2 * HOUR, NOW - 2 * HOUR, True, None), (1001, NOW - HOUR, NOW - HOUR, True, None))
    found = joined_runs(
        runs(run(NOW - MINUTE), run(NOW - HOUR - MINUTE)), kept.assign(origin="replayed"), [job(last_start=None)]
    )
    assert list(found["origin"]) == ["server", "history", "server", "history"]
    assert list(found["is_replayed"]) == [False, True, True, True]
    assert timeline(found, NOW - 3 * HOUR, NOW).replayed == 3
    assert not joined_runs(runs(run(NOW)), kept, [job()])["is_replayed"].any()


def test_the_last_run_stands_in_where_the_server_records_no_success() -> None:
    known = [job(last_start=NOW - MINUTE, last_finish=NOW, last_succeeded=True, total_successes=7)]
    found = joined_runs(runs(), None, known)
    assert found[["outcome", "origin", "duration_s"]].to_numpy().tolist() == [["succeeded", "last run", 60.0]]
    gap = record_gap(known, runs())
    assert gap is not None
    assert (gap.counted, gap.recorded) == (7, 0)
    assert record_gap(known, runs(run(NOW))) is None
    assert record_gap([job(kind="system", total_successes=7)], runs()) is None


@pytest.mark.parametrize(
    ("row", "outcome"),
    [
        (run(NOW - MINUTE), "succeeded"),
        (run(NOW - MINUTE, succeeded=False), "failed"),
        (run(NOW - MINUTE, succeeded=False, message="job crash detected, see server log"), "crashed"),
        ({"start": NOW - MINUTE}, "crashed"),
        ({"start": NOW - MINUTE, "is_running": True}, "running"),
    ],
)
def test_outcomes(row: dict[str, Any], outcome: str) -> None:
    assert list(joined_runs(runs(row), None, [job()])["outcome"]) == [outcome]


def test_a_run_that_goes_on_is_no_crash_though_its_record_says_so() -> None:
    busy = job(last_start=NOW - MINUTE, is_running=True)
    found = joined_runs(runs({"start": NOW - MINUTE, "message": "job crash detected, see server log"}), None, [busy])
    assert list(found["outcome"]) == ["running"]
    assert found["message"].isna().all()


def test_what_was_stored_while_it_ran_may_have_ended_either_way() -> None:
    found = joined_runs(runs(), stored((1000, NOW - HOUR, None, None, None)), [job()])
    assert list(found["outcome"]) == ["not known"]


def test_a_role_that_is_not_told_of_a_running_job_sees_no_crash() -> None:
    found = joined_runs(runs(), None, [job(last_start=NOW - HOUR, last_succeeded=None)])
    assert list(found["outcome"]) == ["not known"]


def test_runs_of_a_deleted_job_keep_their_number() -> None:
    found = joined_runs(runs(), stored((1007, NOW, NOW, False, "gone")), [])
    assert list(found["job"]) == ["Job 1007 (deleted)"]


def test_runs_within_a_span_are_those_that_touch_it() -> None:
    found = joined_runs(
        runs(
            run(NOW - 3 * HOUR, 60),
            run(NOW - 2 * HOUR, 2 * 3600 - 1),
            {"start": NOW - 5 * HOUR, "is_running": True, "job_id": 1001},
            {"start": None, "finish": NOW, "succeeded": False},
        ),
        None,
        [job(), job(1001)],
    )
    assert sorted(runs_within(found, NOW - HOUR, NOW)["start"]) == [NOW - 5 * HOUR, NOW - 2 * HOUR]


def test_a_timeline_of_few_runs_has_a_bar_for_each() -> None:
    found = joined_runs(runs(run(NOW - MINUTE), run(NOW - HOUR, succeeded=False)), None, [job()])
    drawn = timeline(found, NOW - 2 * HOUR, NOW)
    assert (drawn.runs, drawn.merged, drawn.left_out, len(drawn.bars)) == (2, 0, 0, 2)


def test_a_job_that_runs_every_minute_is_merged_and_keeps_its_failures_apart() -> None:
    often = [run(NOW - n * MINUTE, succeeded=n % 500 != 0, message=None if n % 500 else "no room") for n in range(5000)]
    daily = [run(NOW - n * timedelta(days=1), job_id=1001, job="drop") for n in range(3)]
    found = joined_runs(runs(*often, *daily), None, [job(), job(1001, kind="retention")])
    drawn = timeline(found, NOW - timedelta(days=30), NOW)
    assert len(drawn.bars) <= DRAWN_LIMIT
    assert drawn.runs == 5003
    assert drawn.bars["runs"].sum() == 5003
    assert drawn.bars.loc[drawn.bars["outcome"] == "failed", "runs"].sum() == 10
    assert (drawn.bars.loc[drawn.bars["job_id"] == 1001, "runs"] == 1).all()
    newest = drawn.bars[drawn.bars["outcome"] == "failed"].iloc[-1]
    clicked = run_at(found, 1000, newest["newest"].isoformat())
    assert clicked is not None
    assert clicked["message"] == "no room"


def test_too_many_lanes_are_cut_and_those_with_trouble_stay() -> None:
    rows = [run(NOW - MINUTE, job_id=n, succeeded=n != 99) for n in range(100)]
    found = joined_runs(runs(*rows), None, [job(n, target=f"s.a{n:02d}") for n in range(100)])
    drawn = timeline(found, NOW - HOUR, NOW)
    assert len(drawn.lanes) == 40
    assert drawn.lanes[0] == "Refresh a99"
    assert drawn.left_out == 60


def test_an_empty_timeline() -> None:
    drawn = timeline(joined_runs(runs(), None, []), NOW - HOUR, NOW)
    assert (drawn.runs, len(drawn.bars), drawn.lanes) == (0, 0, ())


def test_failures_with_one_message_stand_together() -> None:
    rows = [run(NOW - n * MINUTE, succeeded=False, message="no room", error_code="53100") for n in range(3)]
    found = joined_runs(runs(*rows, {"start": NOW - HOUR}), None, [job()])
    grouped = failures_by_message(found)
    assert grouped["times"].tolist() == [3, 1]
    assert grouped["message"].tolist() == ["no room", "No message was recorded."]
    assert grouped["last"].iloc[0] == pd.Timestamp(NOW)
    assert failures_by_message(joined_runs(runs(), None, [])).empty


def test_a_drifting_job_is_due_one_interval_after_it_finished() -> None:
    first = NOW - HOUR
    found = joined_runs(runs(run(first, 30), run(first + timedelta(seconds=30 + 60 + 5), 1)), None, [job()])
    delays = start_delays(found, [job()])
    assert delays[["runs", "worst_s", "on_time"]].to_numpy().tolist() == [[1, 5.0, 1.0]]


def test_a_job_on_a_fixed_schedule_is_due_at_its_next_slot() -> None:
    fixed = job(schedule_interval=HOUR, fixed_schedule=True, initial_start=datetime(2026, 11, 1, 0, 10, tzinfo=UTC))
    first = datetime(2026, 11, 23, 2, 10, 3, tzinfo=UTC)
    rows = runs(run(first, 60), run(datetime(2026, 11, 23, 3, 20, 3, tzinfo=UTC), 60))
    assert start_delays(joined_runs(rows, None, [fixed]), [fixed])["worst_s"].tolist() == [603.0]


def test_retries_after_a_failure_are_not_late() -> None:
    rows = runs(run(NOW - HOUR, succeeded=False), run(NOW))
    assert start_delays(joined_runs(rows, None, [job()]), [job()]).empty
