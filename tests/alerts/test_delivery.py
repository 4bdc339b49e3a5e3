"""Messages through apprise to a local server: what is sent, failures, retries, tests, and no secret anywhere."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import SecretStr

from ms5ops.access.roles import Actor
from ms5ops.access.store import Store
from ms5ops.alert_settings import Alerts, Channel
from ms5ops.alerts import channels, delivery
from ms5ops.alerts.delivery import channel_states, delivered_tests, pause_after, send_due, send_test
from ms5ops.alerts.state import step
from ms5ops.alerts.store import AlertError
from ms5ops.errors import ConfigError
from tests.alerts.conftest import SECRET, Clock, Receiver
from tests.alerts.test_state import LATE, Plant

ONCALL = Channel(env="ONCALL_URL")
GRAVER = replace(LATE, severity="critical")


@pytest.fixture
def plant(kept: Store, clock: Clock) -> Plant:
    return Plant(kept, clock, Alerts(channels={"oncall": ONCALL}, console_url="https://ops.example/"))


@pytest.fixture
def sent(plant: Plant) -> Callable[[], list[str | None]]:
    """Sends what is due; the failures (None: delivered)."""
    return lambda: [one.failure for one in send_due(plant.store, plant.settings, plant.clock.now)]


def test_an_alert_is_sent_once_and_when_it_is_over(
    plant: Plant, receiver: Receiver, sent: Callable[[], list[str | None]]
) -> None:
    plant.finds(LATE)
    assert [sent(), sent()] == [[None], []]
    plant.finds(LATE)
    assert sent() == []
    plant.finds()
    plant.finds()
    assert sent() == [None]
    assert receiver.titles == ["[warning] plant: a", "Over: [warning] plant: a"]
    body = receiver.messages[0]["message"]
    assert "a is 3 h behind its data." in body
    assert "What to do: See its job." in body
    assert "https://ops.example/alerts?environment=plant" in body
    assert [message["type"] for message in receiver.messages] == ["warning", "success"]


def test_two_processes_that_send_at_once_send_each_message_once(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []

    def meanwhile(_channel: Channel, _name: str, *, title: str, **_more: str) -> None:
        sent.append(title)
        assert send_due(plant.store, plant.settings, plant.clock.now) == ()  # the other process

    monkeypatch.setattr(channels, "send", meanwhile)
    plant.finds(LATE)
    assert len(send_due(plant.store, plant.settings, plant.clock.now)) == 1
    send_test(plant.store, plant.settings, "maria")
    assert sent == ["[warning] plant: a", "Test of the alerts of ms5ops"]


def test_a_process_that_dies_while_it_sends_loses_nothing(
    plant: Plant, receiver: Receiver, sent: Callable[[], list[str | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_given: object, **_more: object) -> None:
        raise KeyboardInterrupt

    plant.finds(LATE)
    with monkeypatch.context() as patched:
        patched.setattr(channels, "send", die)
        with pytest.raises(KeyboardInterrupt):
            sent()
    assert sent() == [], "it may be at it still"
    plant.clock.now += delivery.HELD_FOR
    assert sent() == [None]
    assert receiver.titles == ["[warning] plant: a"]


def test_what_was_superseded_while_it_was_sent_is_not_tried_again(
    plant: Plant, receiver: Receiver, sent: Callable[[], list[str | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_given: object, **_more: object) -> None:
        plant.finds(GRAVER)
        raise AlertError("down", "")

    plant.finds(LATE)
    with monkeypatch.context() as patched:
        patched.setattr(channels, "send", fail)
        assert sent() == ["down"]
    plant.clock.forward(hours=1)
    sent()
    assert receiver.titles == ["Worse: [critical] plant: a"]


def test_simulated_data_are_named_as_such() -> None:
    alert = step(None, LATE, environment="plant", now=Clock().now, settings=Alerts()).alert
    assert alert is not None
    assert delivery.text_of(alert, "opened", origin="simulated")[0] == "[warning] plant (simulated data): a"


def test_a_channel_for_critical_alerts_hears_of_nothing_else(plant: Plant, receiver: Receiver) -> None:
    plant.settings = Alerts(channels={"night": Channel(env="ONCALL_URL", least="critical")})
    plant.finds(LATE)
    assert send_due(plant.store, plant.settings, plant.clock.now) == ()
    plant.finds(GRAVER)
    send_due(plant.store, plant.settings, plant.clock.now)
    assert receiver.titles == ["Worse: [critical] plant: a"]


def test_a_failure_is_told_and_tried_again_with_growing_pauses(
    plant: Plant, receiver: Receiver, sent: Callable[[], list[str | None]]
) -> None:
    receiver.status = 500
    plant.finds(LATE)
    (failure,) = sent()
    assert failure is not None
    assert "oncall did not take a message" in failure
    assert sent() == [], "not before the pause is over"
    (state,) = channel_states(plant.store, plant.settings)
    assert (state.waiting, state.failure, state.last_delivered_at) == (1, failure, None)
    plant.clock.forward(minutes=1)
    assert len(sent()) == 1
    receiver.status = 200
    plant.clock.forward(minutes=1)
    assert sent() == [], "two minutes after the second failure"
    plant.clock.forward(minutes=1)
    assert sent() == [None]
    (state,) = channel_states(plant.store, plant.settings)
    assert (state.waiting, state.failure, state.last_delivered_at) == (0, None, plant.clock.now)
    assert [pause_after(n) for n in (1, 2, 3, 9, 99)] == [timedelta(minutes=n) for n in (1, 2, 4, 60, 60)]


def test_what_is_newer_takes_the_place_of_what_was_not_delivered(
    plant: Plant, receiver: Receiver, sent: Callable[[], list[str | None]]
) -> None:
    receiver.status = 500
    plant.finds(LATE)
    sent()
    plant.finds(GRAVER)
    receiver.status = 200
    assert sent() == [None]
    assert receiver.titles == ["Worse: [critical] plant: a"]


def test_a_day_of_failures_is_the_end_of_a_message(
    plant: Plant, receiver: Receiver, sent: Callable[[], list[str | None]]
) -> None:
    receiver.status = 500
    plant.finds(LATE)
    assert len(sent()) == 1
    plant.clock.forward(hours=24)
    assert len(sent()) == 1
    plant.clock.forward(days=1)
    assert sent() == []


def test_only_a_delivered_test_counts(plant: Plant, receiver: Receiver) -> None:
    assert delivered_tests(plant.store) == ()
    plant.finds(LATE)
    send_due(plant.store, plant.settings, plant.clock.now)
    assert delivered_tests(plant.store) == (), "an alert is no test"
    receiver.status = 500
    (done,) = send_test(plant.store, plant.settings, "maria")
    assert done.failure is not None
    assert delivered_tests(plant.store) == ()
    plant.clock.forward(days=1)
    assert send_due(plant.store, plant.settings, plant.clock.now) == (), "a test is not tried again"
    receiver.status = 200
    send_test(plant.store, plant.settings, "maria", "oncall")
    first = plant.clock.now
    assert delivered_tests(plant.store) == (first,)
    assert "maria" in receiver.messages[-1]["message"]
    with pytest.raises(AlertError, match="There is no alert channel nobody"):
        send_test(plant.store, plant.settings, "maria", "nobody")
    with pytest.raises(AlertError, match="No alert channel is configured"):
        send_test(plant.store, Alerts(), "maria")


def test_no_part_of_an_address_is_shown_or_kept(plant: Plant, receiver: Receiver) -> None:
    receiver.status = 500
    plant.finds(LATE)
    done = send_due(plant.store, plant.settings, plant.clock.now)
    states = channel_states(plant.store, plant.settings)
    assert SECRET not in f"{done} {states} {plant.settings!r} {plant.settings.model_dump()}"
    assert SECRET.encode() not in b"".join(file.read_bytes() for file in plant.store.file.parent.glob("alerts*"))
    assert states[0].service == "json"
    said = channels.without_secrets(
        [f"Failed to post to https://h.example/hook/{SECRET} as Rob%20ot."],
        SecretStr(f"slack://Rob%20ot:{SECRET}@h.example/{SECRET}"),
    )
    assert SECRET not in said
    assert "h.example" in said


@pytest.mark.parametrize(
    ("address", "told"),
    [("", "holds nothing"), ("nonsense", "none that apprise knows"), (f"nosuch://{SECRET}", "none that apprise knows")],
)
def test_an_address_that_cannot_be_used_is_said_without_it(
    plant: Plant, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, address: str, told: str
) -> None:
    monkeypatch.setenv("ONCALL_URL", address)
    (state,) = channel_states(plant.store, plant.settings)
    assert state.service is None
    assert told in (state.failure or "")
    with pytest.raises(ConfigError):
        channels.send(ONCALL, "oncall", title="t", body="b", kind="test")
    assert SECRET not in f"{state} {caplog.text}"


def test_a_channel_that_is_gone_from_the_settings_is_sent_nothing(plant: Plant, receiver: Receiver) -> None:
    plant.finds(LATE)
    (done,) = send_due(plant.store, Alerts(), plant.clock.now)
    assert "not configured any more" in (done.failure or "")
    assert send_due(plant.store, plant.settings, plant.clock.now) == ()
    assert receiver.messages == []


def test_a_mute_and_an_acknowledgement_hold_back_what_was_not_delivered(
    plant: Plant, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ms5ops.alerts.actions import Alerting
    from ms5ops.config import load_settings
    from ms5ops.control.service import Service
    from ms5ops.control.store import control_store

    (plant.store.file.parent / "ms5ops.toml").write_text('[environments.plant]\nhost = "db"\nread = { user = "r" }\n')
    monkeypatch.setattr(Service, "allow", lambda _self, actor, _action, _environment: actor)
    here = Alerting(Service(load_settings(), control_store()), plant.store)
    plant.finds(LATE)
    here.acknowledge(Actor("dba", "dba"), "plant", LATE.key, "known")
    assert send_due(plant.store, plant.settings, plant.clock.now) == ()
    plant.finds()
    plant.finds()
    assert send_due(plant.store, plant.settings, plant.clock.now) == (), "its end is nobody's news"
    assert receiver.messages == []
