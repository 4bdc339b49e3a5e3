"""Every rule made to fire, and to be silent again, at its threshold."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ms5ops.alert_settings import Alerts, ErrorsRule, JobsRule, LagRule, RatioRule, RegressionRule, StorageRule
from ms5ops.alerts import history_rules, server_rules
from ms5ops.alerts.candidate import Candidate
from ms5ops.alerts.reading import all_tables_ahead
from ms5ops.benchmark.records import Run
from ms5ops.benchmark.trends import trends
from ms5ops.control.drift import Drift
from ms5ops.errors import ReadTimeout, ServerUnreachable
from ms5ops.observe.chunks import GROWTH_DTYPES
from ms5ops.observe.growth import Outlook
from tests.benchmark.example_runs import START, example_run
from tests.observe.examples import DAY, HOUR, MINUTE, NOW, aggregate, compression, failed_run, job, retention, runs
from tests.observe.test_health import overview, server

NONE = runs()
DEFAULT = Alerts()


def keys(found: tuple[Candidate, ...] | None) -> list[str]:
    assert found is not None
    return [one.key for one in found]


def test_a_server_that_cannot_be_read() -> None:
    (alert,) = server_rules.server(ServerUnreachable("No connection to a@b:1/c: refused.", "Check that it runs."))
    assert (alert.severity, alert.next_step) == ("critical", "Check that it runs.")
    assert server_rules.server(None) == ()


def judged_jobs(*found: Any, rule: JobsRule = DEFAULT.jobs, recorded: pd.DataFrame = NONE) -> tuple[Candidate, ...]:
    return server_rules.jobs(found, recorded, NOW, None, rule)


def test_a_failing_job_fires_and_a_success_clears_it() -> None:
    failing = job(last_succeeded=False, consecutive_failures=2)
    (alert,) = judged_jobs(failing, recorded=runs(failed_run(1000, "no space left on device")))
    assert (alert.key, alert.severity, alert.value, alert.unit) == ("jobs.failing.1000", "warning", 2, "failures")
    assert "no space left on device" in alert.sentence
    assert judged_jobs(job()) == ()
    assert judged_jobs(failing, rule=JobsRule(failures=3)) == ()
    assert judged_jobs(replace(failing, consecutive_failures=3))[0].severity == "critical"


def test_a_failing_job_that_is_trying_again_has_not_succeeded_yet() -> None:
    assert keys(judged_jobs(job(is_running=True, last_succeeded=None, consecutive_failures=1))) == ["jobs.failing.1000"]
    assert judged_jobs(job(is_running=True, consecutive_failures=0)) == ()


@pytest.mark.parametrize(("late", "fires"), [(4 * MINUTE, False), (6 * MINUTE, True)])
def test_an_overdue_job(late: timedelta, fires: bool) -> None:
    found = judged_jobs(job(next_start=NOW - late))
    assert keys(found) == (["jobs.overdue.1000"] if fires else [])
    assert judged_jobs(job(next_start=NOW - late), rule=JobsRule(overdue_minutes=10)) == ()


def test_a_job_that_never_ran_is_critical_and_a_paused_one_is_told() -> None:
    never = job(last_start=None, last_finish=None, last_succeeded=None, total_runs=0, next_start=NOW - HOUR)
    assert [(one.key, one.severity) for one in judged_jobs(never)] == [("jobs.overdue.1000", "critical")]
    assert keys(judged_jobs(job(scheduled=False, next_start=None))) == ["jobs.paused.1000"]
    assert judged_jobs(job(kind="user", scheduled=False, next_start=None)) == ()
    assert judged_jobs(job(kind="system", last_succeeded=False, consecutive_failures=9)) == ()


def test_jobs_that_fail_alike_are_one_alert() -> None:
    kinds = ("compression", "retention", "refresh")
    failing = [job(job_id=n, kind=kind, last_succeeded=False, consecutive_failures=1) for n, kind in enumerate(kinds)]
    recorded = runs(*(failed_run(n, "cannot drop portal") for n in range(3)))
    assert keys(judged_jobs(*failing, recorded=recorded)) == ["jobs.common_failure"]


def test_an_aggregate_behind_its_promise() -> None:
    late = aggregate(watermark=NOW - 3 * HOUR)  # allowed: 1 h end_offset + 10 min schedule + 1 h bucket
    (alert,) = server_rules.lag([late], DEFAULT.lag)
    assert (alert.value, alert.threshold, alert.severity) == (3 * 3600, 2 * 3600 + 600, "warning")
    assert server_rules.lag([aggregate(watermark=NOW - 2 * HOUR)], DEFAULT.lag) == ()
    assert server_rules.lag([late], LagRule(times_promised=2)) == ()
    assert server_rules.lag([aggregate(watermark=NOW - DAY)], DEFAULT.lag)[0].severity == "critical"
    assert server_rules.lag([aggregate(watermark=None)], DEFAULT.lag) == ()


def test_a_compression_backlog_and_a_poor_ratio() -> None:
    late = compression(late_chunks=3, backlog_chunks=4, backlog_bytes=8_000_000)
    assert [(one.key, one.value) for one in server_rules.backlog([late], DEFAULT.backlog)] == [
        ("backlog.factory_telemetry.metric_hist", 3.0)
    ]
    assert server_rules.backlog([compression(backlog_chunks=1)], DEFAULT.backlog) == ()
    poor = compression(before_bytes=200_000_000, after_bytes=100_000_000)
    (alert,) = server_rules.ratio([poor], DEFAULT.ratio)
    assert (alert.value, alert.threshold, alert.unit) == (0.5, 0.7, "share")
    assert server_rules.ratio([replace(poor, after_bytes=60_000_000)], DEFAULT.ratio) == ()
    assert server_rules.ratio([poor], RatioRule(least_mb=500)) == ()


def test_retention_that_does_not_run_or_drops_under_an_aggregate() -> None:
    rule = DEFAULT.retention
    late = retention(late_chunks=2, eligible_chunks=3, eligible_bytes=5_000_000)
    assert keys(server_rules.retention([late], [], rule)) == ["retention.late.factory_telemetry.metric_hist"]
    assert keys(server_rules.retention([retention(scheduled=False)], [], rule)) == [
        "retention.paused.factory_telemetry.metric_hist"
    ]
    eating = aggregate(start_offset=100 * DAY)
    (alert,) = server_rules.retention([retention()], [eating], rule)
    assert (alert.key, alert.severity) == ("retention.under.factory_telemetry.metric_hist_1hour", "critical")
    assert server_rules.retention([retention()], [aggregate()], rule) == ()


def test_storage_past_its_limit_now_or_by_the_forecast() -> None:
    days = [date(2026, 11, 23) + timedelta(days=n) for n in range(1, 101)]
    expected = np.linspace(1.01e9, 2e9, 100)  # a hundredth of a GB a day
    frame = pd.DataFrame({"day": days, "expected_bytes": expected, "low_bytes": expected, "high_bytes": expected})
    ahead = Outlook(frame, date(2026, 11, 23), 1_000_000_000, ())
    size = 1_200_000_000  # 0.2 GB are in no table of the forecast
    (over,) = server_rules.storage(size, ahead, StorageRule(limit_gb=1.1))
    assert over.severity == "critical"
    (soon,) = server_rules.storage(size, ahead, StorageRule(limit_gb=1.5))
    assert soon.severity == "warning"
    assert "2026-12-23" in soon.sentence, "30 days of 0.01 GB"
    assert server_rules.storage(size, ahead, StorageRule(limit_gb=1.5, days_ahead=20)) == ()
    assert server_rules.storage(size, ahead, StorageRule(limit_gb=5)) == ()
    assert server_rules.storage(size, ahead, StorageRule()) == ()


def with_speeds(*speeds: float) -> list[Run]:
    """A run a day, each so many times as fast as the example."""
    return [
        example_run(str(n), speed=speed, seed=n, started_at=START + timedelta(days=n)) for n, speed in enumerate(speeds)
    ]


def test_a_benchmark_that_got_slower_and_still_is() -> None:
    found = trends(with_speeds(*[2.0] * 6, *[1.0] * 6)).regressions
    now = START + timedelta(days=13)
    alerts = history_rules.regression(found, now, DEFAULT.regression)
    assert "regression.recent_metric" in keys(alerts)
    one = next(alert for alert in alerts if alert.key == "regression.recent_metric")
    assert one.value == pytest.approx(2.0, rel=0.2)
    assert one.level is not None
    assert one.further_from == pytest.approx(one.level * 1.05)
    assert history_rules.regression(found, now + timedelta(days=60), DEFAULT.regression) == (), "an old shift"
    assert history_rules.regression(found, now, RegressionRule(slower_by=0.9, days=1)) == ()
    back = trends(with_speeds(*[2.0] * 6, *[1.0] * 6, *[2.0] * 6)).regressions
    assert history_rules.regression(back, START + timedelta(days=19), DEFAULT.regression) == ()


def test_drift_since_the_last_verified_deployment() -> None:
    (alert,) = history_rules.drift(Drift(4, NOW, ("a", "b", "c", "d")))
    assert alert.value == 4
    assert "a; b; c and 1 more" in alert.sentence
    assert history_rules.drift(Drift(4, NOW, ())) == ()


@pytest.mark.parametrize("section", ["compression", "retention"])
def test_without_its_policies_nothing_is_forecast(section: str) -> None:
    late = ReadTimeout("The read took too long.", "Try again.")
    growth = pd.DataFrame(columns=list(GROWTH_DTYPES)).astype(GROWTH_DTYPES)
    with pytest.raises(ReadTimeout):
        all_tables_ahead(overview(growth=growth, **{section: late}), 90)
    apache = overview(server=server(edition="apache"), growth=growth, compression=late, retention=late)
    assert all_tables_ahead(apache, 90).stored_bytes > 0, "an edition without policies has a forecast"


def counted(*per_hour: int, hours_each: float = 24) -> pd.DataFrame:
    """Snapshots of a counter: so many rollbacks an hour in each span, the last span one hour long."""
    at, total = NOW - timedelta(hours=hours_each) * (len(per_hour) - 1) - HOUR, 0
    rows = [(at, total)]
    for place, rate in enumerate(per_hour):
        hours = 1 if place == len(per_hour) - 1 else hours_each
        at, total = at + timedelta(hours=hours), total + int(rate * hours)
        rows.append((at, total))
    frame = pd.DataFrame(rows, columns=["taken_at", "rolled_back"])
    return frame.assign(counted_since=NOW - 90 * DAY, committed=0, deadlocks=0, conflicts=0)


def test_rollbacks_well_over_what_is_usual() -> None:
    rule = DEFAULT.errors
    (alert,) = history_rules.errors(counted(10, 10, 10, 40), rule) or ()
    assert (alert.value, alert.threshold) == (40, 30)
    assert history_rules.errors(counted(10, 10, 10, 25), rule) == ()
    assert history_rules.errors(counted(1, 1, 1, 9), rule) == (), "nine an hour are no flood"
    assert history_rules.errors(counted(1, 1, 1, 9), ErrorsRule(least_per_hour=5)) != ()
    assert history_rules.errors(counted(40), rule) is None, "what is usual is not known"
    assert history_rules.errors(counted().iloc[0:0], rule) is None
    reset = counted(10, 10, 10, 40)
    reset.loc[reset.index[-1], "counted_since"] = NOW
    assert history_rules.errors(reset, rule) == (), "a reset counter tells nothing of the hour"


def test_benchmark_queries_that_did_not_fail_before() -> None:
    before, newest = with_speeds(1.0, 1.0)
    failed = replace(newest.results[0], outcome="timed out")
    broken = replace(newest, results=(failed, *newest.results[1:]))
    (alert,) = history_rules.failed_benchmarks(broken, before)
    assert (alert.key, alert.value) == ("errors.benchmark", 1)
    assert history_rules.failed_benchmarks(broken, broken) == (), "known since the run before"
    assert history_rules.failed_benchmarks(newest, broken) == ()
    assert history_rules.failed_benchmarks(None, None) == ()


@pytest.mark.parametrize(("newest", "fires"), [(None, True), (NOW - 2 * HOUR, True), (NOW - 59 * MINUTE, False)])
def test_a_collector_that_is_silent(newest: Any, fires: bool) -> None:
    assert keys(history_rules.collector(newest, NOW, DEFAULT.collector)) == (["collector.silent"] if fires else [])
