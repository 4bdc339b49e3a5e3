"""Alerts as kept: those that stand, what happened to them, mutes, evaluations; ``alerts.sqlite`` in the state folder.

Not in the history: alerts change from minute to minute, and a page asks for them on every load (docs/adr/0012).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from ms5ops import paths
from ms5ops.access.store import Row, Store
from ms5ops.alerts.state import Alert, EventKind
from ms5ops.errors import Ms5opsError

Change = Callable[..., list[Row]]
_INSTANTS = ("first_seen_at", "opened_at", "seen_at", "told_at", "acknowledged_at")


class AlertError(Ms5opsError):
    """Something asked of the alerts is not there, or not as it has to be."""


@dataclass(frozen=True)
class Event:
    """One thing that happened to an alert. ``actor`` and ``reason`` where a person did it."""

    environment: str
    key: str
    kind: EventKind
    at: datetime
    severity: str
    subject: str
    sentence: str
    value: float | None
    threshold: float | None
    unit: str
    actor: str | None
    reason: str | None


@dataclass(frozen=True)
class Mute:
    """Who muted what: ``key`` None: the whole environment; ``until`` None: until somebody ends it."""

    environment: str
    key: str | None
    muted_by: str
    muted_at: datetime
    until: datetime | None
    reason: str


@dataclass(frozen=True)
class Evaluation:
    """The last evaluation of an environment. ``judged``: how many rules; ``not_judged``: rule to the reason.

    ``figures``: what was read then, as ``judging.figures_of`` gives it; empty where the server could not be read.
    """

    environment: str
    origin: str
    at: datetime
    evaluations: int
    judged: int
    not_judged: Mapping[str, str]
    figures: Mapping[str, Any]


def alert_store() -> Store:
    """Alerts of this state folder."""
    return Store(paths.state_folder() / "alerts.sqlite", "alerts")


def written(instant: datetime) -> str:
    """An aware instant as the store keeps it: ISO 8601 in UTC, which sorts as text."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds")


def read_alerts(store: Store, environment: str | None = None) -> tuple[Alert, ...]:
    """The alerts that stand in an environment (None: in all), pending ones too, by key."""
    return tuple(as_alert(row) for row in store.rows("alerts", environment=environment))


def as_alert(row: Row) -> Alert:
    """A row of the query ``alerts`` as the record."""
    return Alert(**{**row, **{name: _instant(row[name]) for name in _INSTANTS}})


def put(change: Change, alert: Alert) -> None:
    """Keep an alert as it stands."""
    values = asdict(alert)
    change("put_alert", **{**values, **{name: _text(values[name]) for name in _INSTANTS}})


def add_event(
    change: Change, alert: Alert, kind: EventKind, now: datetime, *, actor: str | None = None, reason: str | None = None
) -> None:
    """Keep what happened to an alert."""
    change(
        "add_event",
        environment=alert.environment, key=alert.key, kind=kind, at=written(now), severity=alert.severity,
        subject=alert.subject, sentence=alert.sentence, value=alert.value, threshold=alert.threshold, unit=alert.unit,
        actor=actor, reason=reason,
    )  # fmt: skip


def events(store: Store, environment: str, limit: int = 500) -> tuple[Event, ...]:
    """What happened in an environment, newest first."""
    rows = store.rows("events", environment=environment, limit=limit)
    return tuple(Event(**{**row, "at": _instant(row["at"])}) for row in rows)


def mutes(store: Store, environment: str | None, now: datetime) -> tuple[Mute, ...]:
    """The mutes that stand, newest first."""
    return as_mutes(store.rows("mutes", environment=environment, now=written(now)))


def as_mutes(rows: Sequence[Row]) -> tuple[Mute, ...]:
    """Rows of the query ``mutes`` as records."""
    instants = ("muted_at", "until")
    return tuple(Mute(**{**row, **{name: _instant(row[name]) for name in instants}}) for row in rows)


def is_muted(standing: Sequence[Mute], environment: str, key: str) -> Mute | None:
    """The mute that silences an alert, None where none does."""
    found = (one for one in standing if one.environment == environment and one.key in (None, key))
    return next(found, None)


def put_evaluation(change: Change, done: Evaluation) -> None:
    """Keep that an environment was evaluated."""
    change(
        "put_evaluation", environment=done.environment, origin=done.origin, at=written(done.at), judged=done.judged,
        not_judged=json.dumps(dict(done.not_judged)), figures=json.dumps(dict(done.figures)),
    )  # fmt: skip


def evaluations(store: Store) -> dict[str, Evaluation]:
    """The last evaluation of each environment, by its name."""
    return {
        row["environment"]: Evaluation(
            **{
                **row,
                "at": datetime.fromisoformat(row["at"]),
                "not_judged": json.loads(row["not_judged"]),
                "figures": json.loads(row["figures"]),
            }
        )
        for row in store.rows("evaluations")
    }


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else written(instant)
