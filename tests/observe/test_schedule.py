"""What happens next, and all jobs in one sentence."""

from datetime import timedelta

import pandas as pd

from ms5ops.observe.schedule import JOB_DTYPES, job_frame, job_summary, upcoming
from tests.observe.test_run_history import HOUR, MINUTE, NOW, job, run, runs


def test_starts_come_in_order_and_those_that_wait_come_first() -> None:
    found = upcoming(
        [
            job(1, target="s.later", next_start=NOW + HOUR),
            job(2, target="s.soon", next_start=NOW + MINUTE),
            job(3, target="s.late", next_start=NOW - HOUR),
            job(4, target="s.busy", is_running=True),
            job(5, target="s.paused", scheduled=False),
            job(6, target="s.first", next_start=None, initial_start=NOW + 2 * MINUTE),
        ],
        NOW,
    )
    assert [one.job for one in found] == ["Refresh late", "Refresh soon", "Refresh first", "Refresh later"]
    assert found[0].late == HOUR
    assert found[1].late is None


def test_no_job_is_blamed_for_the_time_before_the_server_started() -> None:
    late = [job(next_start=NOW - HOUR)]
    assert upcoming(late, NOW, up_since=NOW - MINUTE)[0].late == MINUTE


def test_jobs_that_need_someone_stand_first() -> None:
    frame = job_frame([job(1, total_runs=3), job(2, total_runs=1, last_succeeded=False)], NOW)
    assert frame["job_id"].tolist() == [2, 1]
    assert dict(frame.dtypes.astype(str)) == JOB_DTYPES


def test_all_on_schedule() -> None:
    found = job_summary([job(total_runs=9, total_successes=9, last_succeeded=True)], runs(), NOW)
    assert found.verdict.severity == "ok"
    assert found.verdict.text == "The only job is on schedule, and no last run failed."
    assert (found.fine, found.success_rate) == (1, 1.0)


def test_a_job_that_failed_once_warns_and_one_that_keeps_failing_alarms() -> None:
    once = job(total_runs=9, total_failures=1, last_succeeded=False, consecutive_failures=1)
    lasting = job(total_runs=9, total_failures=3, last_succeeded=False, consecutive_failures=3)
    assert job_summary([once], runs(), NOW).verdict.severity == "warning"
    assert job_summary([lasting], runs(), NOW).verdict.severity == "critical"
    assert job_summary([once], runs(), NOW).verdict.text == "“Refresh oee_hourly” failed in the last run."


def test_late_jobs_are_told_with_their_wait() -> None:
    late = [job(1, target="s.a", total_runs=1, next_start=NOW - HOUR), job(2, target="s.b", next_start=NOW - 2 * HOUR)]
    found = job_summary(late, runs(), NOW)
    assert found.verdict.text == "2 jobs should have started up to 2 h ago."
    assert (found.late, found.never_ran) == (("Refresh a",), ("Refresh b",))
    assert (found.longest_wait, found.longest_wait_job) == (2 * HOUR, "Refresh b")


def test_timescaledbs_own_jobs_alone_raise_no_alarm() -> None:
    own = job(1, kind="system", target=None, procedure="s.policy_telemetry", total_runs=1, last_succeeded=False)
    found = job_summary([own, job(2, total_runs=1, last_succeeded=True)], runs(), NOW)
    assert found.verdict.severity == "ok"
    assert "“Send usage statistics” failed in the last run" in found.verdict.text


def test_a_failure_that_most_share_is_the_servers() -> None:
    jobs = [
        job(n, kind=kind, target=f"s.t{n}", total_runs=1, last_succeeded=False)
        for n, kind in enumerate(["compression", "retention", "refresh"])
    ]
    failed = runs(*(run(NOW, succeeded=False, job_id=n, message="cannot drop portal") for n in range(3)))
    found = job_summary(jobs, failed, NOW)
    assert found.verdict.severity == "critical"
    assert "problem of the server" in found.verdict.text


def test_without_jobs() -> None:
    found = job_summary([], runs(), NOW)
    assert (found.verdict.severity, found.success_rate, found.longest_wait) == ("info", None, None)
    assert job_frame([], NOW).empty


def test_a_paused_policy_warns() -> None:
    found = job_summary([job(scheduled=False)], runs(), NOW + timedelta(days=1))
    assert found.verdict.text.startswith("“Refresh oee_hourly” is paused")
    assert isinstance(job_frame([job(scheduled=False)], NOW)["next_start"].iloc[0], type(pd.NaT))
