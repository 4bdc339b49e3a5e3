from datetime import timedelta
from typing import Any

import pytest

from ms5ops.observe.jobs import (
    RUN_DTYPES,
    JobState,
    common_failure,
    handled_until,
    job_state,
    jobs_from,
    last_messages,
    overdue_by,
    policy_of,
)
from tests.observe.examples import DAY, HOUR, METRICS, MINUTE, NOW, failed_run, job, retention_job, runs, table

PORTAL = 'cannot drop portal "" while it is being set up'


@pytest.mark.parametrize(
    ("changed", "state"),
    [
        ({}, "ok"),
        ({"is_running": True, "next_start": None, "last_succeeded": False}, "running"),
        ({"scheduled": False, "last_succeeded": False}, "paused"),
        ({"last_succeeded": False}, "failing"),
        ({"next_start": NOW - 4 * MINUTE}, "ok"),
        ({"next_start": NOW - 6 * MINUTE}, "overdue"),
        ({"next_start": None, "last_start": None, "total_runs": 0, "last_succeeded": None}, "new"),
        ({"next_start": NOW - HOUR, "last_start": None, "total_runs": 0, "last_succeeded": None}, "never ran"),
        (
            {
                "next_start": None,
                "initial_start": NOW - HOUR,
                "last_start": None,
                "total_runs": 0,
                "last_succeeded": None,
            },
            "never ran",
        ),
        ({"next_start": None, "initial_start": NOW - HOUR}, "ok"),
    ],
)
def test_job_state(changed: dict[str, Any], state: JobState) -> None:
    assert job_state(job(**changed), NOW) == state


def test_no_job_is_late_for_the_time_before_the_server_started() -> None:
    old = job(next_start=None, initial_start=NOW - 9000 * DAY, last_start=None, total_runs=0, last_succeeded=None)
    assert job_state(old, NOW, up_since=NOW - MINUTE) == "new"
    assert overdue_by(old, NOW, up_since=NOW - HOUR) == HOUR


def test_success_rate_of_a_job_that_never_ended_is_unknown() -> None:
    assert job(total_successes=0, total_failures=0).success_rate is None
    assert job(total_successes=3, total_failures=1).success_rate == 0.75


def test_what_must_be_done_by_now() -> None:
    assert handled_until(job(), NOW) == NOW - 11 * HOUR
    assert handled_until(job(is_running=True), NOW) == NOW - 23 * HOUR
    assert handled_until(job(last_start=NOW - 10 * DAY), NOW) == NOW - DAY
    assert handled_until(job(last_start=None), NOW) is None


def test_the_scheduled_policy_is_preferred() -> None:
    jobs = [job(job_id=1, scheduled=False), job(job_id=2), retention_job()]
    found = policy_of(jobs, "compression", METRICS)
    assert found is not None
    assert found.job_id == 2
    assert policy_of(jobs, "refresh", METRICS) is None
    assert policy_of([], "refresh", METRICS) is None


def row(**changed: Any) -> dict[str, Any]:
    sound = job()
    return {
        "proc_schema": "_timescaledb_functions", "proc_name": "policy_compression",
        "target_schema": "factory_telemetry", "target_name": "metric_hist", "application_name": "Compression Policy",
        **{key: getattr(sound, key) for key in sound.__dataclass_fields__ if key not in ("kind", "name", "target")},
    } | changed  # fmt: skip


def test_a_refresh_job_of_an_old_server_names_its_aggregate() -> None:
    view = table(name="metric_hist_1hour", kind="continuous aggregate", storage_schema="_timescaledb_internal",
                 storage_name="_materialized_hypertable_3")  # fmt: skip
    refresh = row(
        proc_schema="_timescaledb_internal",
        proc_name="policy_refresh_continuous_aggregate",
        target_schema="_timescaledb_internal",
        target_name="_materialized_hypertable_3",
    )
    found = jobs_from([refresh], [view])[0]
    assert (found.kind, found.target, found.name) == (
        "refresh", "factory_telemetry.metric_hist_1hour", "refresh metric_hist_1hour"
    )  # fmt: skip


def test_a_job_without_config_or_target() -> None:
    found = jobs_from(
        [row(proc_schema="public", proc_name="own", config=None, target_schema=None, target_name=None)], []
    )
    assert (found[0].kind, found[0].target, found[0].config, found[0].name) == ("user", None, {}, "own")


def test_a_users_own_job_keeps_its_own_meaning_of_drop_after() -> None:
    assert jobs_from([row(proc_schema="public", drop_after=DAY)], [])[0].drop_after is None


@pytest.mark.parametrize(
    ("procedure", "kind"),
    [("policy_retention", "retention"), ("policy_telemetry", "system"), ("policy_reorder", "reorder")],
)
def test_kinds(procedure: str, kind: str) -> None:
    assert jobs_from([row(proc_name=procedure)], [])[0].kind == kind


def test_runs_have_their_dtypes_even_when_there_are_none() -> None:
    crashed = failed_run(7, "job crash detected, see server logs") | {"succeeded": None, "finish": None}
    for frame in (runs(), runs(failed_run(1000, "x"), crashed, jobs=(job(),))):
        assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == RUN_DTYPES
    assert list(frame["job"]) == ["compress metric_hist", "job 7"]
    assert frame["duration_s"].isna().tolist() == [False, True]


def test_the_last_message_is_the_newest_failure() -> None:
    frame = runs(failed_run(1, "new", NOW), failed_run(1, "old", NOW - DAY), failed_run(2, "other"))
    assert last_messages(frame) == {1: "new", 2: "other"}


def failing(*kinds: str) -> list[Any]:
    return [job(job_id=number, kind=kind, last_succeeded=False) for number, kind in enumerate(kinds)]


def test_jobs_of_two_kinds_that_fail_alike_are_a_server_problem() -> None:
    jobs = failing("compression", "retention", "refresh")
    found = common_failure(jobs, runs(*(failed_run(one.job_id, PORTAL) for one in jobs)))
    assert found is not None
    assert (found.message, found.job_ids, found.of_jobs) == (PORTAL, (0, 1, 2), 3)


@pytest.mark.parametrize(
    "kinds",
    [(), ("compression", "retention"), ("compression", "compression", "compression")],
    ids=["none", "only two", "one kind"],
)
def test_other_failures_are_not(kinds: tuple[str, ...]) -> None:
    jobs = failing(*kinds)
    assert common_failure(jobs, runs(*(failed_run(one.job_id, PORTAL) for one in jobs))) is None


def test_a_minority_that_fails_alike_is_not() -> None:
    jobs = [*failing("compression", "retention", "refresh"), *(job(job_id=number) for number in range(10, 14))]
    assert common_failure(jobs, runs(*(failed_run(one.job_id, PORTAL) for one in jobs[:3]))) is None


def test_failures_that_recovered_do_not_count() -> None:
    jobs = [job(job_id=number, last_succeeded=True) for number in range(4)]
    assert common_failure(jobs, runs(*(failed_run(number, PORTAL) for number in range(4)))) is None


def test_intervals_of_zero_do_not_hurt() -> None:
    assert handled_until(job(schedule_interval=timedelta(0)), NOW) == NOW
