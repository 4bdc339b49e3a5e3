"""Material as it stood at an earlier instant: only what had happened by then. Pure functions."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from ms5ops.benchmark.selection import DeploymentSpan
from ms5ops.errors import Ms5opsError
from ms5ops.observe.overview import Reading
from ms5ops.scorecard.material import DeploymentSteps, Live

NOT_KEPT = Ms5opsError(
    "What they would have found then is not kept.",
    "python -m ms5ops check post makes them now.",
)
TESTED_LATER = Ms5opsError(
    "Only the last test alert is kept, and it was delivered later.", "The alerts page shows when that was."
)


def spans_as_of(spans: Sequence[DeploymentSpan], until: datetime) -> tuple[DeploymentSpan, ...]:
    """The deployments that had begun by then, as far as they had got: not ended later, not taken back later."""
    return tuple(
        replace(one, finished_at=_by(one.finished_at, until), undone_at=_by(one.undone_at, until))
        for one in spans
        if one.started_at < until
    )


def live_as_of(live: Live, spans: Sequence[DeploymentSpan], until: datetime) -> Live:
    """What a reading of the server still tells of an earlier instant: its journal, and no more.

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
        checks=replace(live.checks, value=None, error=NOT_KEPT),
        totals=None,
        alert_tested_at=_tested(live.alert_tested_at, until),
    )


def _steps(one: DeploymentSteps, undone: Mapping[str, datetime | None], until: datetime) -> DeploymentSteps:
    made = one.deployment
    taken_back = undone.get(str(made.id))
    if taken_back is not None and taken_back >= until:
        return replace(one, deployment=replace(made, direction="apply", status="done"))
    if made.finished_at is not None and made.finished_at >= until:
        return replace(one, deployment=replace(made, status="running", finished_at=None))
    return one


def _tested(reading: Reading[datetime | None], until: datetime) -> Reading[datetime | None]:
    if reading.value is not None and reading.value >= until:
        return replace(reading, value=None, error=TESTED_LATER)
    return reading


def _by(instant: datetime | None, until: datetime) -> datetime | None:
    return instant if instant is not None and instant < until else None
