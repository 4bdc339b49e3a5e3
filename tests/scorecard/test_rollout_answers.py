"""Deployments, their checks and the test alert: met, not met, not measured yet."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from ms5ops.errors import PrivilegeMissing
from ms5ops.scorecard.material import DeploymentSteps
from ms5ops.scorecard.records import Status
from ms5ops.scorecard.rollout_answers import alerts, checks, steps
from tests.scorecard.examples import DAY, DEPLOYED, NOW, check, deployment, kept_checks, live, material

DENIED = PrivilegeMissing("The role may not read schema ms5ops.", "Grant pg_monitor to it.")
CLEAN = DeploymentSteps(deployment(), ())
FAULTY = DeploymentSteps(deployment(2, DEPLOYED + 30 * DAY), ("04.idx: lock timeout", "05.hourly: disk full"))


def test_a_deployment_without_an_error_meets_it() -> None:
    answer = steps(material(live=live([CLEAN])))
    assert (answer.status, answer.value, answer.text) == ("met", 0.0, "0 of 57 steps failed")
    assert answer.measured_at == CLEAN.deployment.finished_at
    assert (answer.evidence[0].id, answer.evidence[0].page) == (str(CLEAN.deployment.id), "rollout")


def test_the_newest_deployment_counts_and_names_its_failed_steps() -> None:
    answer = steps(material(live=live([FAULTY, CLEAN])))
    assert (answer.status, answer.value) == ("not met", 2.0)
    assert answer.reason == "2 steps of deployment 2 met an error, and it ended well after further tries."
    assert answer.details == FAULTY.errors
    assert answer.trend is not None
    assert [(one.month, one.value) for one in answer.trend.points] == [("2026-09", 0.0), ("2026-10", 2.0)]
    assert (answer.trend.direction, answer.trend.text) == ("worse", "worse than last month")


def test_one_that_broke_off_misses_it_although_no_step_is_known_to_have_failed() -> None:
    broken = DeploymentSteps(deployment(status="failed", finished_at=None, note="Connection lost."), ())
    answer = steps(material(live=live([broken])))
    assert (answer.status, answer.value, answer.reason) == ("not met", 0.0, "Deployment 1 broke off: Connection lost.")


def test_a_replayed_deployment_is_marked_so_and_stands_in_no_line_with_others() -> None:
    replayed = DeploymentSteps(deployment(3, NOW - DAY, applied_note="Replayed: the calendar was simulated."), ())
    answer = steps(material(origin="simulated", live=live([replayed, FAULTY, CLEAN])))
    assert (answer.status, answer.origin) == ("met", "replayed")
    assert answer.trend is not None
    assert [one.month for one in answer.trend.points] == ["2026-11"]


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ((), "Nothing was ever deployed to this database."),
        ([replace(CLEAN, deployment=deployment(status="running"))], "Deployment 1 has not ended, and"),
        ([replace(CLEAN, deployment=deployment(status="rolled back", direction="rollback"))], "Deployment 1 was taken"),
        (DENIED, "The journal could not be read: The role may not"),
    ],
)
def test_what_does_not_stand_is_not_judged(found: object, reason: str) -> None:
    answer = steps(material(live=live(found)))  # type: ignore[arg-type]
    assert (answer.status, answer.value) == ("not measured yet", None)
    assert answer.reason.startswith(reason)


@pytest.mark.parametrize(
    ("verdicts", "status", "text"),
    [
        (("passed", "passed"), "met", "2 of 2 pass"),
        (("passed", "failed"), "not met", "1 of 2 pass"),
        (("passed", "could not check"), "not measured yet", "1 of 2 pass"),
        (("failed", "could not check"), "not met", "0 of 2 pass"),
    ],
)
def test_checks(verdicts: tuple[str, str], status: Status, text: str) -> None:
    made = [check(title, verdict) for title, verdict in zip(("Indexes", "Compression"), verdicts, strict=True)]
    answer = checks(material(live=live(checks=made)))
    assert (answer.status, answer.text) == (status, text)
    assert all(title in answer.reason for title, verdict in zip(("Indexes", "Compression"), verdicts, strict=True)
               if verdict != "passed" and (verdict == "failed" or status == "not measured yet"))  # fmt: skip
    assert len(answer.details) == 2


def test_checks_that_could_not_be_made_say_why() -> None:
    answer = checks(material(live=live(checks=DENIED)))
    assert (answer.status, answer.details) == ("not measured yet", ("Grant pg_monitor to it.",))


@pytest.mark.parametrize(
    ("age", "status", "value"),
    [(timedelta(days=29), "met", 29.0), (timedelta(days=31), "not met", 31.0), (None, "not measured yet", None)],
)
def test_a_test_alert_counts_for_thirty_days(age: timedelta | None, status: Status, value: float | None) -> None:
    answer = alerts(material(live=live(tested=[] if age is None else [NOW - timedelta(days=90), NOW - age])))
    assert (answer.status, answer.value) == (status, value)


def test_a_test_alert_is_older_at_a_months_end_or_younger() -> None:
    tested = [datetime(2026, 9, 10, tzinfo=UTC), datetime(2026, 11, 20, 12, tzinfo=UTC)]
    trend = alerts(material(live=live(tested=tested))).trend
    assert trend is not None
    assert [(one.month, round(one.value)) for one in trend.points] == [("2026-09", 21), ("2026-10", 52), ("2026-11", 3)]
    assert (trend.direction, trend.unit) == ("better", "days")


def kept_of_three_months() -> pd.DataFrame:
    good, bad = check("Indexes"), check("Compression", "failed")
    return kept_checks(
        (datetime(2026, 9, 30, tzinfo=UTC), [bad, bad, bad]),
        (datetime(2026, 10, 31, tzinfo=UTC), [good, bad, good]),
        (datetime(2026, 11, 2, tzinfo=UTC), [bad, bad, good]),
    )


def test_checks_by_month_end_with_those_of_now() -> None:
    answer = checks(material(live=live(checks=[check(), check(), check()]), checks=kept_of_three_months()))
    assert (answer.status, answer.measured_at) == ("met", NOW)
    assert answer.trend is not None
    assert [(one.month, one.value) for one in answer.trend.points] == [("2026-09", 0), ("2026-10", 2), ("2026-11", 3)]
    assert answer.trend.direction == "better"


def test_checks_that_fail_to_be_made_now_leave_the_months_and_no_verdict() -> None:
    answer = checks(material(live=live(checks=DENIED), checks=kept_of_three_months()))
    assert (answer.status, answer.value) == ("not measured yet", None)
    assert answer.trend is not None
    assert (answer.trend.points[-1].value, answer.trend.direction) == (1.0, "worse")


def test_a_server_out_of_reach_has_the_checks_of_its_last_snapshot_for_a_month() -> None:
    away = material(live=None, checks=kept_of_three_months())
    answer = checks(away)
    assert (answer.status, answer.text) == ("not met", "1 of 3 pass")
    assert answer.measured_at == datetime(2026, 11, 2, tzinfo=UTC)
    later = checks(replace(away, now=datetime(2026, 12, 4, tzinfo=UTC)))
    assert (later.status, later.value) == ("not measured yet", None)


def test_what_is_read_live_is_of_no_replayed_month() -> None:
    replayed = material(live=None, origin="replayed")
    assert {answer(replayed).status for answer in (steps, checks, alerts)} == {"not measured yet"}
