"""One evaluation: read, judge, keep what changed, send what is due. One process at a time per environment."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from ms5ops import paths
from ms5ops.access.store import Store
from ms5ops.alert_settings import Alerts
from ms5ops.alerts import delivery
from ms5ops.alerts.candidate import RULES
from ms5ops.alerts.delivery import Delivery
from ms5ops.alerts.judging import Judgement, figures_of, judge
from ms5ops.alerts.reading import read_material
from ms5ops.alerts.state import Alert, EventKind, step
from ms5ops.alerts.store import (
    AlertError,
    Evaluation,
    add_event,
    alert_store,
    as_alert,
    as_mutes,
    is_muted,
    mutes,
    put,
    put_evaluation,
    read_alerts,
    written,
)
from ms5ops.config import Settings
from ms5ops.control.service import Service
from ms5ops.control.store import control_store
from ms5ops.history import History

WAIT_S = 60.0
_POLL_S = 0.1
Narrate = Callable[[str], None]


class WatchTaken(AlertError):
    """Another process evaluates this environment now."""


@dataclass(frozen=True)
class Evaluated:
    """What one evaluation found. ``alerts``: those open or acknowledged; ``muted``: keys of those that nobody is told
    of; ``events``: key and what happened; ``not_judged``: rule to the reason."""

    environment: str
    origin: str
    at: datetime
    alerts: tuple[Alert, ...]
    muted: frozenset[str]
    pending: int
    events: tuple[tuple[str, EventKind], ...]
    judged: int
    not_judged: dict[str, str]
    deliveries: tuple[Delivery, ...]

    @property
    def is_critical(self) -> bool:
        """Whether a critical alert is open that nobody has accepted or muted."""
        return any(
            one.severity == "critical" and one.status == "open" and one.key not in self.muted for one in self.alerts
        )


def evaluate(
    settings: Settings,
    environment: str | None = None,
    *,
    history: History | None = None,
    store: Store | None = None,
    wait_s: float = WAIT_S,
    narrate: Narrate = lambda _line: None,
) -> Evaluated:
    """Evaluate an environment (None: the default one), and send what is due.

    A server that cannot be read is an alert, not an error. Raises ConfigError for an environment that is not
    configured whole, WatchTaken where another process evaluates it for longer than ``wait_s``, StoreError.
    """
    store = store or alert_store()
    name = settings.chosen(environment)
    with alone(name, wait_s, narrate):
        service = Service(settings, control_store())
        material, origin = read_material(service, name, history or History())
        judgement = judge(material, settings.alerts)
        now = store.now()
        not_judged = {str(rule): reason for rule, reason in judgement.not_judged.items()}
        done = Evaluation(name, origin, now, 1, len(RULES) - len(not_judged), not_judged, figures_of(material))
        events = keep(store, judgement, done, settings.alerts)
        deliveries = delivery.send_due(store, settings.alerts, now)
    found = read_alerts(store, name)
    standing = mutes(store, name, now)
    return Evaluated(
        environment=name,
        origin=origin,
        at=now,
        alerts=tuple(one for one in found if one.status != "pending"),
        muted=frozenset(one.key for one in found if is_muted(standing, name, one.key)),
        pending=sum(one.status == "pending" for one in found),
        events=events,
        judged=done.judged,
        not_judged=not_judged,
        deliveries=deliveries,
    )


def keep(store: Store, judgement: Judgement, done: Evaluation, settings: Alerts) -> tuple[tuple[str, EventKind], ...]:
    """Keep what an evaluation makes of the alerts, all of it or nothing; returns what happened to which."""
    environment, now = done.environment, done.at
    happened: list[tuple[str, EventKind]] = []
    candidates = {one.key: one for one in judgement.found}
    with store.changing() as change:
        known = {row["key"]: as_alert(row) for row in change("alerts", environment=environment)}
        standing = as_mutes(change("mutes", environment=environment, now=written(now)))
        for key in sorted(candidates.keys() | known.keys()):
            before = known.get(key)
            if before is not None and key not in candidates and before.rule not in judgement.judged:
                continue  # whether it still holds is not known
            muted = is_muted(standing, environment, key) is not None
            made = step(
                before, candidates.get(key), environment=environment, now=now, settings=settings, is_muted=muted
            )
            if made.alert is not None:
                put(change, made.alert)
            elif before is not None:
                change("drop_alert", environment=environment, key=key)
            subject = made.alert or before
            if made.event is None or subject is None:
                continue
            happened.append((key, made.event))
            add_event(change, subject, made.event, now)
            # Of what nobody was told, or of what somebody has accepted, nobody is told that it is over.
            is_news = made.event != "cleared" or (subject.status == "open" and subject.told_at is not None)
            if is_news and not muted:
                delivery.queue(change, subject, made.event, settings=settings, origin=done.origin, now=now)
        put_evaluation(change, done)
    return tuple(happened)


@contextmanager
def alone(environment: str, wait_s: float, narrate: Narrate) -> Iterator[None]:
    """Only one process evaluates an environment at a time; the kernel frees the lock however that one ends."""
    folder = paths.state_folder()
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / f"watch-{environment}.lock", os.O_CREAT | os.O_RDWR, 0o600)
    deadline, told = time.monotonic() + wait_s, False
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() >= deadline:
                    raise WatchTaken(
                        f"Another process has been evaluating the alerts of {environment} for {wait_s:.0f} s.",
                        "Wait for it to end; one watcher is enough.",
                    ) from error
            if not told:
                narrate(f"Waiting for another process that evaluates the alerts of {environment} now.")
                told = True
            time.sleep(_POLL_S)
        yield
    finally:
        os.close(handle)
