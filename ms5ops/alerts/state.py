"""From one evaluation to the next: which alerts open, get worse, are told again, and are over. Pure functions.

An alert is pending until ``open_after`` evaluations in a row have found its condition, and over when ``clear_after``
have not. Accepting it (acknowledging) silences it for as long as the condition lasts, unless it gets graver, or its
level goes past the one that was accepted. A rule that could not be judged leaves its alerts as they are.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from ms5ops.alert_settings import Alerts
from ms5ops.alerts.candidate import Candidate, RuleName, Severity

Status = Literal["pending", "open", "acknowledged"]
EventKind = Literal["opened", "worse", "reminder", "cleared", "acknowledged", "muted", "unmuted"]
GRAVITY: dict[str, int] = {"warning": 0, "critical": 1}


@dataclass(frozen=True)
class Alert:
    """A condition and how it stands. The fields of ``Candidate`` are those of the last evaluation that found it.

    ``worst``: the gravest severity that was told, or accepted. ``told_at``: when it was last to be sent (None: what
    it is now was not, as while it is muted). ``accepted_from``: the level from which an acknowledged one alarms again.
    """

    environment: str
    key: str
    rule: RuleName
    subject: str
    severity: Severity
    worst: Severity
    sentence: str
    next_step: str
    page: str
    value: float | None
    threshold: float | None
    unit: str
    level: float | None
    further_from: float | None
    status: Status
    first_seen_at: datetime
    opened_at: datetime | None
    seen_at: datetime
    times_seen: int
    times_missed: int
    told_at: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    reason: str | None = None
    accepted_from: float | None = None

    @property
    def since(self) -> datetime:
        """Since when it has been open, or (pending) seen."""
        return self.opened_at or self.first_seen_at


@dataclass(frozen=True)
class Step:
    """What an evaluation made of one alert: how it stands (None: it is over), and what happened to it, if anything."""

    alert: Alert | None
    event: EventKind | None = None


def step(
    known: Alert | None,
    candidate: Candidate | None,
    *,
    environment: str,
    now: datetime,
    settings: Alerts,
    is_muted: bool = False,
) -> Step:
    """One evaluation of one key. ``candidate`` None: its rule was judged and the condition does not hold."""
    if candidate is None:
        return _missed(known, settings)
    known = _first_seen(candidate, environment, now) if known is None else _with_facts(known, candidate, now)
    event = _event(known, now, settings, is_muted=is_muted)
    if event is None:
        return Step(known)
    if event == "opened":
        known = replace(known, status="open", opened_at=now)
    elif known.status == "acknowledged":
        known = replace(
            known, status="open", acknowledged_at=None, acknowledged_by=None, reason=None, accepted_from=None
        )
    worst = max(known.severity, known.worst, key=lambda severity: GRAVITY[severity])
    return Step(replace(known, worst=worst, told_at=None if is_muted else now), event)


def acknowledged(known: Alert, *, by: str, reason: str, now: datetime) -> Alert:
    """The alert as somebody accepted it: its severity and its level are no news from now on."""
    return replace(
        known, status="acknowledged", acknowledged_at=now, acknowledged_by=by, reason=reason, worst=known.severity,
        accepted_from=known.further_from,
    )  # fmt: skip


def _missed(known: Alert | None, settings: Alerts) -> Step:
    if known is None or known.status == "pending":
        return Step(None)
    missed = replace(known, times_missed=known.times_missed + 1, times_seen=0)
    return Step(None, "cleared") if missed.times_missed >= settings.clear_after else Step(missed)


def _first_seen(found: Candidate, environment: str, now: datetime) -> Alert:
    return Alert(
        environment=environment, key=found.key, rule=found.rule, subject=found.subject, severity=found.severity,
        worst=found.severity, sentence=found.sentence, next_step=found.next_step, page=found.page, value=found.value,
        threshold=found.threshold, unit=found.unit, level=found.level, further_from=found.further_from,
        status="pending", first_seen_at=now, opened_at=None, seen_at=now, times_seen=1, times_missed=0,
    )  # fmt: skip


def _with_facts(known: Alert, found: Candidate, now: datetime) -> Alert:
    return replace(
        known, subject=found.subject, severity=found.severity, sentence=found.sentence, next_step=found.next_step,
        page=found.page, value=found.value, threshold=found.threshold, unit=found.unit, level=found.level,
        further_from=found.further_from, seen_at=now, times_seen=known.times_seen + 1, times_missed=0,
    )  # fmt: skip


def _event(known: Alert, now: datetime, settings: Alerts, *, is_muted: bool) -> EventKind | None:
    """What has happened to an alert whose condition was found again."""
    if known.status == "pending":
        return "opened" if known.times_seen >= settings.open_after else None
    if _is_worse(known):
        return "worse"
    is_due = known.status == "open" and not is_muted and _is_due_again(known, now, settings)
    return "reminder" if is_due else None


def _is_worse(known: Alert) -> bool:
    """Whether it is graver than was told or accepted, or past the level that was accepted."""
    if GRAVITY[known.severity] > GRAVITY[known.worst]:
        return True
    return known.accepted_from is not None and known.level is not None and known.level >= known.accepted_from


def _is_due_again(known: Alert, now: datetime, settings: Alerts) -> bool:
    if known.told_at is None:  # it was muted when it opened, and is not any more
        return True
    every = timedelta(hours=settings.remind_after_hours)
    return bool(every) and now - known.told_at >= every
