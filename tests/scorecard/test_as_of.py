"""The scorecard as it stood at an earlier instant: what happened later does not count."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from ms5ops.scorecard import rollout_answers
from ms5ops.scorecard.as_of import live_as_of, spans_as_of
from ms5ops.scorecard.material import DeploymentSteps, epoch_of
from tests.scorecard.examples import DAY, DEPLOYED, check, deployment, kept_checks, live, material, span, totals

LATER = DEPLOYED + 40 * DAY


def test_a_deployment_of_later_is_not_there_and_a_later_rollback_has_not_happened() -> None:
    first, second = span(undone_at=LATER), span(2, LATER)
    [kept] = spans_as_of([first, second], DEPLOYED + DAY)
    assert (kept.number, kept.undone_at) == (1, None)
    assert epoch_of([first, second]) != epoch_of([kept])
    assert spans_as_of([first, second], LATER + DAY) == (first, second)
    running = spans_as_of([first], DEPLOYED + timedelta(minutes=5))
    assert running[0].finished_at is None


def test_the_journal_tells_how_far_a_deployment_was() -> None:
    taken_back = DeploymentSteps(deployment(direction="rollback", status="rolled back"), ())
    found = live([taken_back, DeploymentSteps(deployment(2, LATER), ())])
    spans = [span(id=str(UUID(int=1)), undone_at=LATER), span(2, LATER)]
    then = live_as_of(found, spans, DEPLOYED + DAY)
    answer = rollout_answers.steps(material(live=then, now=DEPLOYED + DAY))
    assert (answer.status, answer.reason) == ("met", "Deployment 1 ran 57 steps, none with an error.")
    still = live_as_of(live([DeploymentSteps(deployment(), ())]), [span()], DEPLOYED + timedelta(minutes=5))
    assert rollout_answers.steps(material(live=still)).status == "not measured yet"


def test_what_is_only_known_of_now_is_not_told_of_then() -> None:
    found = live(tested=[DEPLOYED - 40 * DAY, LATER], size=totals(1, 2))
    then = material(live=live_as_of(found, [], DEPLOYED), now=DEPLOYED)
    assert rollout_answers.checks(then).status == "not measured yet"
    assert "no snapshot of the 31 days before has any" in rollout_answers.checks(then).reason
    assert (rollout_answers.alerts(then).status, rollout_answers.alerts(then).value) == ("not met", 40.0)
    assert live_as_of(found, [], DEPLOYED).totals is None
    before = material(live=live_as_of(found, [], LATER + DAY), now=LATER + DAY)
    assert rollout_answers.alerts(before).status == "met"
    assert rollout_answers.alerts(replace(before, now=LATER + 31 * DAY)).status == "not met"
    never = material(live=live_as_of(found, [], DEPLOYED - 50 * DAY), now=DEPLOYED - 50 * DAY)
    assert rollout_answers.alerts(never).reason == "No test alert was ever delivered."


def test_the_last_snapshot_before_tells_what_the_checks_found_then() -> None:
    kept = kept_checks((DEPLOYED + DAY, [check("Indexes", "failed"), check("Compression")]))
    then = material(live=live_as_of(live(), [], DEPLOYED + 2 * DAY), now=DEPLOYED + 2 * DAY, checks=kept)
    answer = rollout_answers.checks(then)
    assert (answer.status, answer.text, answer.measured_at) == ("not met", "1 of 2 pass", DEPLOYED + DAY)
    assert answer.evidence[0].title == "Snapshot of 2026-09-02 22:00 UTC"
