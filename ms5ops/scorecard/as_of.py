"""Material as it stood at an earlier instant: only what had happened by then. Pure functions."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from ms5ops.benchmark.selection import DeploymentSpan
from ms5ops.observe.overview import Reading
from ms5ops.scorecard.material import DeploymentSteps, Live


def spans_as_of(spans: Sequence[DeploymentSpan], until: datetime) -> tuple[DeploymentSpan, ...]:
    """The deployments that had begun by then, as far as they had got: not ended later, not taken back later."""
    return tuple(
        replace(one, finished_at=_by(one.finished_at, until), undone_at=_by(one.undone_at, until))
        for one in spans
        if one.started_at < until
    )


def live_as_of(live: Live, spans: Sequence[DeploymentSpan], until: datetime) -> Live:
    """What a reading still tells of an earlier instant: the server's journal and the alerts' store, and no more.

    ``spans``: all deployments, from which it is known when one was taken back.
    """
    undone = {one.id: one.undone_at for one in spans}
    found = live.deployments
    if found.error is None:
        begun = [one for one in found.get() if one.deployment.started_at < until]
        found = replace(found, value=tuple(_steps(one, undone, until) for one in begun))
    return Live(
        at=until,
        deployments=found,
        checks=None,
        totals=None,
        alert_tests=_tested(live.alert_tests, until),
    )


def _steps(one: DeploymentSteps, undone: Mapping[str, datetime | None], until: datetime) -> DeploymentSteps:
    made = one.deployment
    taken_back = undone.get(str(made.id))
    if taken_back is not None and taken_back >= until:
        return replace(one, deployment=replace(made, direction="apply", status="done"))
    if made.finished_at is not None and made.finished_at >= until:
        return replace(one, deployment=replace(made, status="running", finished_at=None))
    return one


def _tested(reading: Reading[tuple[datetime, ...]], until: datetime) -> Reading[tuple[datetime, ...]]:
    if reading.error is not None:
        return reading
    return replace(reading, value=tuple(at for at in reading.get() if at < until))


def _by(instant: datetime | None, until: datetime) -> datetime | None:
    return instant if instant is not None and instant < until else None
