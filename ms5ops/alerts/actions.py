"""What people do with alerts: accept them, mute them, test the delivery. Roles are asked and everything is recorded."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ms5ops.access.manage import recorded
from ms5ops.access.roles import Action, Actor
from ms5ops.access.store import Store
from ms5ops.alerts import delivery
from ms5ops.alerts.delivery import Delivery
from ms5ops.alerts.state import Alert, EventKind, acknowledged
from ms5ops.alerts.store import AlertError, Change, add_event, alert_store, as_alert, put, read_alerts, written
from ms5ops.control.service import Service
from ms5ops.strict import nearest

ACTION: Action = "acknowledge alerts"
LONGEST_REASON = 1_000
LONGEST_MUTE = timedelta(days=90)
"""Own choice: who needs to be left alone for longer changes the threshold."""


@dataclass(frozen=True)
class Alerting:
    """The settings and records under which people act on alerts."""

    service: Service
    store: Store

    @classmethod
    def here(cls) -> "Alerting":
        """Of this installation, with the settings as they are now."""
        return cls(Service.here(), alert_store())

    def acknowledge(self, actor: Actor | None, environment: str | None, key: str, reason: str) -> Alert:
        """Accept an alert for as long as its condition lasts (a level shift: until it gets worse by another one)."""
        name = self.service.settings.chosen(environment)
        who = self.service.allow(actor, ACTION, name)
        reason = _reason(reason)
        with recorded(who, ACTION, name, {"what": "acknowledge", "alert": key, "reason": reason}):
            now = self.store.now()
            with self.store.changing() as change:
                found = [as_alert(row) for row in change("alerts", environment=name)]
                alert = _named(found, key, name)
                accepted = acknowledged(alert, by=who.name, reason=reason, now=now)
                put(change, accepted)
                add_event(change, accepted, "acknowledged", now, actor=who.name, reason=reason)
                change("supersede_notices", environment=name, key=key)
        return accepted

    def mute(
        self, actor: Actor | None, environment: str | None, key: str | None, lasting: timedelta, reason: str
    ) -> datetime:
        """Tell nobody about an alert (None: about the environment) for a time; until when."""
        name = self.service.settings.chosen(environment)
        who = self.service.allow(actor, ACTION, name)
        reason = _reason(reason)
        if not timedelta(0) < lasting <= LONGEST_MUTE:
            raise AlertError(
                f"An alert is muted for up to {LONGEST_MUTE.days} days.",
                "Give a shorter time, or change its threshold.",
            )
        now = self.store.now()
        until = now + lasting
        details = {"what": "mute", "alert": key or "all", "until": until.isoformat(), "reason": reason}
        with recorded(who, ACTION, name, details), self.store.changing() as change:
            found = [as_alert(row) for row in change("alerts", environment=name)]
            named = None if key is None else _named(found, key, name)
            change("end_mutes", environment=name, key=key, now=written(now), by=who.name)
            change(
                "add_mute", environment=name, key=key, muted_by=who.name, muted_at=written(now), until=written(until),
                reason=reason,
            )  # fmt: skip
            _keep(change, [named] if named else found, "muted", now, who=who, reason=reason)
            for one in [named] if named else found:
                change("supersede_notices", environment=name, key=one.key)
        return until

    def unmute(self, actor: Actor | None, environment: str | None, key: str | None) -> bool:
        """End the mute of an alert (None: of the environment); whether there was one."""
        name = self.service.settings.chosen(environment)
        who = self.service.allow(actor, ACTION, name)
        now = self.store.now()
        with recorded(who, ACTION, name, {"what": "unmute", "alert": key or "all"}), self.store.changing() as change:
            ended = change("end_mutes", environment=name, key=key, now=written(now), by=who.name)
            found = [as_alert(row) for row in change("alerts", environment=name)]
            if ended:
                _keep(change, [one for one in found if key in (None, one.key)], "unmuted", now, who=who)
        return bool(ended)

    def test(self, actor: Actor | None, channel: str | None = None) -> tuple[Delivery, ...]:
        """Send a test alert to one channel (None: to all) now."""
        name = self.service.settings.chosen(None)
        who = self.service.allow(actor, ACTION, name)
        with recorded(who, ACTION, name, {"what": "test the delivery", "channel": channel or "all"}):
            return delivery.send_test(self.store, self.service.settings.alerts, who.name, channel)

    def open_alerts(self, environment: str | None = None) -> tuple[Alert, ...]:
        """The alerts of an environment (None: of all) that are open or acknowledged."""
        return tuple(one for one in read_alerts(self.store, environment) if one.status != "pending")


def _keep(
    change: Change, alerts: Sequence[Alert], kind: EventKind, now: datetime, *, who: Actor, reason: str | None = None
) -> None:
    for one in alerts:
        add_event(change, one, kind, now, actor=who.name, reason=reason)


def _named(found: list[Alert], key: str, environment: str) -> Alert:
    for one in found:
        if one.key == key and one.status != "pending":
            return one
    keys = [one.key for one in found if one.status != "pending"]
    raise AlertError(
        f"No alert {key} is open in {environment}{nearest(key, keys)}.",
        "See the open ones with `python -m ms5ops alerts list`.",
    )


def _reason(text: str) -> str:
    reason = text.strip()
    if not reason:
        raise AlertError("No reason was given.", "Say in a few words why: others will read it.")
    if len(reason) > LONGEST_REASON:
        raise AlertError(f"The reason has {len(reason):,} characters.", f"Keep it under {LONGEST_REASON:,}.")
    return reason
