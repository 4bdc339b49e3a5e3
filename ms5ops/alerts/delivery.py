"""What is to be sent about alerts, to whom, and how that went; failures are tried again with growing pauses.

A message is kept before it is sent, so that neither a crash nor a service that is down loses it. What is newer about
an alert takes the place of what was not delivered yet.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from ms5ops.access.store import Row, Store
from ms5ops.alert_settings import Alerts
from ms5ops.alerts import channels
from ms5ops.alerts.candidate import value_text
from ms5ops.alerts.state import GRAVITY, Alert, EventKind
from ms5ops.alerts.store import AlertError, Change, alert_store, written
from ms5ops.errors import Ms5opsError
from ms5ops.units import instant_text

FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=1)
GIVE_UP_AFTER = timedelta(hours=24)
"""Own choices: a mail server that restarts is back in minutes; what is a day late is no alarm any more."""
HELD_FOR = timedelta(minutes=2)
"""Own choice: for so long a message that is being sent is nobody else's, longer than sending takes; if the process ends
meanwhile, it is sent then."""
_WORDS: Mapping[EventKind, str] = {"opened": "", "worse": "Worse: ", "reminder": "Still: ", "cleared": "Over: "}


@dataclass(frozen=True)
class Delivery:
    """How one message went: ``failure`` None: it was delivered."""

    channel: str
    title: str
    failure: str | None
    next_step: str = ""


@dataclass(frozen=True)
class ChannelState:
    """A channel as a person wants to know it. ``service``: None where the address cannot be used (``failure``)."""

    name: str
    service: str | None
    least: str
    last_delivered_at: datetime | None
    failure: str | None
    waiting: int


def queue(change: Change, alert: Alert, kind: EventKind, *, settings: Alerts, origin: str, now: datetime) -> int:
    """Keep messages about an alert for every channel that wants this severity; how many."""
    change("supersede_notices", environment=alert.environment, key=alert.key)
    wanting = [name for name, one in settings.channels.items() if GRAVITY[alert.worst] >= GRAVITY[one.least]]
    title, body = text_of(alert, kind, origin=origin, console_url=settings.console_url)
    for name in wanting:
        severity = "cleared" if kind == "cleared" else alert.severity
        change(
            "add_notice", environment=alert.environment, key=alert.key, channel=name, kind=kind, severity=severity,
            title=title, body=body, now=written(now), next_try_at=written(now),
        )  # fmt: skip
    return len(wanting)


def text_of(alert: Alert, kind: EventKind, *, origin: str, console_url: str | None = None) -> tuple[str, str]:
    """Title and body of a message, in plain text."""
    where = alert.environment + ("" if origin == "measured" else f" ({origin} data)")
    title = f"{_WORDS.get(kind, '')}[{alert.severity}] {where}: {alert.subject}"
    lines = [f"It is over: {alert.sentence}" if kind == "cleared" else alert.sentence]
    if alert.value is not None and alert.threshold is not None:
        at = value_text(alert.threshold, alert.unit)
        lines.append(f"Value: {value_text(alert.value, alert.unit)}, alarm at: {at}")
    lines.append(f"Since: {instant_text(alert.since)}")
    if kind != "cleared":
        lines.append(f"What to do: {alert.next_step}")
    if console_url:
        lines.append(f"Console: {console_url.rstrip('/')}/alerts?environment={alert.environment}")
    return title, "\n".join(lines)


def send_due(store: Store, settings: Alerts, now: datetime) -> tuple[Delivery, ...]:
    """Send what is due. A channel that fails is left alone for the rest of this call.

    Several processes may send at once, as those that watch different environments do: each message is one's only.
    """
    done: list[Delivery] = []
    failing: set[str] = set()
    for row in store.rows("due_notices", now=written(now)):
        if row["channel"] in failing:
            continue
        until = written(store.now() + HELD_FOR)
        if store.change("claim_notice", id=row["id"], due=row["next_try_at"], until=until):
            one = _send(store, settings, row, now)
            done.append(one)
            if one.failure:
                failing.add(one.channel)
    return tuple(done)


def send_test(store: Store, settings: Alerts, by: str, name: str | None = None) -> tuple[Delivery, ...]:
    """Send a test to one channel (None: to all) at once, and keep how it went; AlertError where there is none."""
    wanted = list(settings.channels) if name is None else [name]
    if not wanted or any(one not in settings.channels for one in wanted):
        raise AlertError(
            f"There is no alert channel {name}." if name else "No alert channel is configured.",
            'Name one in ms5ops.toml: [alerts.channels.oncall] env = "MS5OPS_ALERT_URL", which holds its address.',
        )
    done = []
    for channel in wanted:
        now = store.now()
        (added,) = store.change(
            "add_notice", environment="", key="", channel=channel, kind="test", severity="test",
            title="Test of the alerts of ms5ops", now=written(now), next_try_at=None,
            body=f"This is a test, asked for by {by} at {instant_text(now)}. Nothing is wrong.",
        )  # fmt: skip
        row = store.row("notice", id=added["id"])
        if row is not None:
            done.append(_send(store, settings, row, now))
    return tuple(done)


def delivered_tests(store: Store | None = None) -> tuple[datetime, ...]:
    """When test alerts were delivered from this installation, oldest first. A test that failed does not count."""
    rows = (store or alert_store()).rows("delivered_tests")
    return tuple(datetime.fromisoformat(row["delivered_at"]) for row in rows)


def delivered_at(store: Store) -> dict[str, datetime]:
    """When a message was last delivered, by channel; channels that never took one are left out."""
    rows = store.rows("channels")
    return {
        row["channel"]: datetime.fromisoformat(row["last_delivered_at"]) for row in rows if row["last_delivered_at"]
    }


def channel_states(store: Store, settings: Alerts) -> tuple[ChannelState, ...]:
    """The configured channels and how they did."""
    rows = {row["channel"]: row for row in store.rows("channels")}
    found = []
    for name, channel in settings.channels.items():
        row = rows.get(name, {})
        failure, service = row.get("failure"), None
        try:
            service = channels.service_of(channel, name)
        except Ms5opsError as error:
            failure = f"{error.happened} {error.next_step}"
        at = row.get("last_delivered_at")
        delivered = datetime.fromisoformat(at) if at else None
        found.append(ChannelState(name, service, channel.least, delivered, failure, int(row.get("waiting", 0))))
    return tuple(found)


def pause_after(attempts: int) -> timedelta:
    """How long to wait after that many failed attempts: 1, 2, 4, ... minutes, at most an hour."""
    doublings = max(0, min(attempts - 1, 10))
    return min(LONGEST_PAUSE, FIRST_PAUSE * (1 << doublings))


def _send(store: Store, settings: Alerts, row: Row, now: datetime) -> Delivery:
    name, channel = row["channel"], settings.channels.get(row["channel"])
    if channel is None:
        gone = f"The channel {name} is not configured any more."
        store.change("note_try", id=row["id"], delivered_at=None, next_try_at=None, failure=gone)
        return Delivery(name, row["title"], gone)
    try:
        channels.send(channel, name, title=row["title"], body=row["body"], kind=row["severity"])
    except Ms5opsError as error:
        again = now + pause_after(int(row["attempts"]) + 1)
        too_late = row["kind"] == "test" or again - datetime.fromisoformat(row["created_at"]) > GIVE_UP_AFTER
        store.change(
            "note_try", id=row["id"], delivered_at=None, next_try_at=None if too_late else written(again),
            failure=error.happened,
        )  # fmt: skip
        return Delivery(name, row["title"], error.happened, error.next_step)
    store.change("note_try", id=row["id"], delivered_at=written(store.now()), next_try_at=None, failure=None)
    return Delivery(name, row["title"], None)
