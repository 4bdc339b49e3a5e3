"""What deployments, their checks and the test alert say."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from ms5ops.observe.finding import counted
from ms5ops.rollout.check import Check
from ms5ops.scorecard import months
from ms5ops.scorecard.material import DeploymentSteps, Material
from ms5ops.scorecard.records import Answer, Evidence, Trend, judged, unmeasured
from ms5ops.snapshots import CHECK_COLUMNS
from ms5ops.units import duration_text, instant_text

ALERT_TEST_EVERY = timedelta(days=30)
"""Own choice: alerts are "configured and functioning" (spec) while a test alert was delivered within so long."""
KEPT_CHECKS_COUNT = timedelta(days=31)
"""Own choice: what the checks of a snapshot found says something for a month; the server may have changed since."""


def steps(found: Material) -> Answer:
    """Whether the newest deployment that stands, or that failed, met an error in any of its steps."""
    if found.live is None:
        return unmeasured("A deployment is read from the database's own journal.")
    reading = found.live.deployments
    if reading.error is not None:
        return unmeasured(
            f"The journal could not be read: {reading.error.happened}", details=(reading.error.next_step,)
        )
    ended = sorted(filter(_is_judged, reading.get()), key=lambda one: one.deployment.number)
    if not ended:
        return unmeasured(_no_deployment(reading.get()))
    newest = ended[-1]
    ended = [one for one in ended if one.is_replayed == newest.is_replayed]
    deployment, number = newest.deployment, len(newest.errors)
    at = deployment.finished_at or deployment.started_at
    every = counted(deployment.operations, "step", "steps")
    is_done = deployment.status == "done"
    if number:
        ending = "and it ended well after further tries" if is_done else "and it did not end"
        reason = f"{counted(number, 'step', 'steps')} of {deployment.name} met an error, {ending}."
    elif is_done:
        reason = f"{deployment.name.capitalize()} ran {every}, none with an error."
    else:
        reason = f"{deployment.name.capitalize()} broke off: {deployment.note or 'the journal does not say why'}"
    return judged(
        is_done and number == 0,
        float(number),
        f"{number} of {every} failed",
        reason,
        measured_at=at,
        origin="replayed" if newest.is_replayed else found.origin,
        evidence=(
            Evidence(
                f"{deployment.name.capitalize()} by {deployment.actor}, {instant_text(deployment.started_at)}",
                str(deployment.id),
                at,
                "python -m ms5ops deployments",
                "rollout",
                {"run": str(deployment.id)},
            ),
        ),
        details=newest.errors,
        trend=months.trend(
            [(one.deployment.started_at, float(len(one.errors))) for one in ended],
            "Steps with an error",
            "steps",
            more_is_better=False,
        ),
    )


def _is_judged(one: DeploymentSteps) -> bool:
    return one.deployment.direction == "apply" and one.deployment.status in ("done", "failed")


def _no_deployment(every: tuple[DeploymentSteps, ...]) -> str:
    if not every:
        return "Nothing was ever deployed to this database."
    newest = max((one.deployment for one in every), key=lambda one: one.number)
    words = {"rolled back": "was taken back", "cancelled": "was given up"}
    state = "is being taken back" if newest.direction == "rollback" else "has not ended"
    return f"{newest.name.capitalize()} {words.get(newest.status, state)}, and no other one stands."


def checks(found: Material) -> Answer:
    """Whether all checks after a deployment pass now, or passed when the last snapshot made them."""
    live = found.live
    if live is None or live.checks is None:
        return _kept_checks(found)
    reading = live.checks
    if reading.error is not None:
        return unmeasured(
            f"The checks could not be made: {reading.error.happened}",
            details=(reading.error.next_step,),
            trend=_passing(found),
        )
    shown = Evidence("Reading of the server", None, live.at, "python -m ms5ops check post", "rollout")
    return _judged_checks(reading.get(), live.at, shown, found)


def _kept_checks(found: Material) -> Answer:
    kept = found.checks
    if kept.empty or found.now - kept["taken_at"].max().to_pydatetime() > KEPT_CHECKS_COUNT:
        reason = (
            f"The checks are made on the server, and no snapshot of the {KEPT_CHECKS_COUNT.days} days before has any."
        )
        return unmeasured(reason, trend=_passing(found))
    newest = kept[kept["taken_at"] == kept["taken_at"].max()]
    at = newest["taken_at"].iloc[0].to_pydatetime()
    made = [
        Check(name, title, expected, told, verdict, (), advice)
        for name, title, expected, told, verdict, advice in newest[list(CHECK_COLUMNS)].itertuples(index=False)
    ]
    shown = Evidence(f"Snapshot of {instant_text(at)}", None, at, "python -m ms5ops check post", "rollout")
    return _judged_checks(made, at, shown, found)


def _judged_checks(made: Sequence[Check], at: datetime, evidence: Evidence, found: Material) -> Answer:
    passed, failed, unknown = (_titles(made, verdict) for verdict in ("passed", "failed", "could not check"))
    text, value = f"{len(passed)} of {len(made)} pass", float(len(passed))
    shown: dict[str, Any] = {
        "measured_at": at,
        "origin": found.origin,
        "evidence": (evidence,),
        "details": tuple(
            f"{one.title}: {one.verdict}, {one.found} (expected: {one.expected}). {one.advice}".strip() for one in made
        ),
        "trend": _passing(found, (at, value)),
    }
    if failed:
        return judged(False, value, text, f"Not passed: {', '.join(failed)}.", **shown)
    if unknown:
        reason = f"All that could be checked pass; not to be judged yet: {', '.join(unknown)}."
        return unmeasured(reason, value, text, **shown)
    return judged(True, value, text, f"All {len(made)} checks pass.", **shown)


def _passing(found: Material, now: tuple[datetime, float] | None = None) -> Trend | None:
    """How many checks passed when each month's last snapshot made them; ``now``: and now."""
    passed = found.checks.assign(passed=found.checks["verdict"] == "passed")
    by_snapshot = passed.groupby("taken_at", as_index=False)["passed"].sum()
    kept = [(at.to_pydatetime(), float(number)) for at, number in by_snapshot.itertuples(index=False)]
    values = [*kept, *([] if now is None else [now])]
    return months.trend(values, "Checks that pass, by the month's last snapshot", "checks", more_is_better=True)


def _titles(made: Sequence[Check], verdict: str) -> list[str]:
    return [one.title for one in made if one.verdict == verdict]


def alerts(found: Material) -> Answer:
    """Whether a test alert was delivered of late."""
    if found.live is None:
        return unmeasured("Alerts are sent for the live system alone.")
    reading = found.live.alert_tests
    if reading.error is not None:
        return unmeasured(
            f"The record of alerts could not be read: {reading.error.happened}", details=(reading.error.next_step,)
        )
    tests = reading.get()
    if not tests:
        return unmeasured("No test alert was ever delivered.")
    tested = tests[-1]
    age = found.now - tested
    good = age <= ALERT_TEST_EVERY
    reason = f"The last test alert was delivered on {instant_text(tested)}"
    return judged(
        good,
        age / timedelta(days=1),
        f"{duration_text(max(0.0, age.total_seconds()))} ago",
        f"{reason}." if good else f"{reason}: whether alerts still reach anybody is not known.",
        measured_at=tested,
        origin=found.origin,
        evidence=(Evidence("Test alert delivered", None, tested, "python -m ms5ops alerts list", "alerts"),),
        trend=months.trend(
            _days_since(tests, found.now),
            "Days since the last delivered test alert, at each month's end",
            "days",
            more_is_better=False,
        ),
    )


def _days_since(tests: Sequence[datetime], now: datetime) -> Iterator[tuple[datetime, float]]:
    """At the end of each month since the first test, and now: how long ago the last one was, in days."""
    ends = [*months.ends_between(tests[0], now), now]
    for end in ends:
        last = max(at for at in tests if at <= end)
        yield end, (end - last) / timedelta(days=1)
