"""From evaluation to evaluation: opening, flapping, getting worse, reminders, accepted levels, mutes."""

from dataclasses import replace
from datetime import timedelta

import pytest

from ms5ops.access.store import Store
from ms5ops.alert_settings import Alerts
from ms5ops.alerts.actions import Alerting
from ms5ops.alerts.candidate import RULES, Candidate
from ms5ops.alerts.judging import Judgement
from ms5ops.alerts.state import Alert, acknowledged, step
from ms5ops.alerts.store import AlertError, Evaluation, events, mutes, read_alerts
from ms5ops.alerts.watching import keep
from ms5ops.config import load_settings
from ms5ops.control.service import Service
from ms5ops.control.store import control_store
from ms5ops.errors import NotAllowed
from tests.alerts.conftest import Clock, People

LATE = Candidate(
    "lag.f.a", "lag", "a", "warning", "a is 3 h behind its data.", "See its job.", "aggregates", 3.0, 2.0, "seconds"
)
SLOW = Candidate(
    "regression.q", "regression", "Q", "warning", "Q got slower.", "Compare.", "compare", 1.3, 1.05, "x",
    level=130.0, further_from=136.5,
)  # fmt: skip


class Plant:
    """Evaluations of one environment, five minutes apart, of what the test says holds."""

    def __init__(self, store: Store, clock: Clock, settings: Alerts) -> None:
        self.store, self.clock, self.settings = store, clock, settings

    def finds(self, *found: Candidate, not_judged: str | None = None) -> list[str]:
        """What happened at the next evaluation."""
        self.clock.forward(minutes=5)
        judged = frozenset(name for name in RULES if name != not_judged)
        done = Evaluation("plant", "measured", self.clock.now, 1, len(judged), {}, {})
        happened = keep(self.store, Judgement(found, judged, {}), done, self.settings)
        return [kind for _, kind in happened]

    @property
    def alert(self) -> Alert:
        """The one that stands."""
        (found,) = read_alerts(self.store, "plant")
        return found


@pytest.fixture
def plant(kept: Store, clock: Clock) -> Plant:
    return Plant(kept, clock, Alerts())


@pytest.fixture
def here(kept: Store) -> Alerting:
    (kept.file.parent / "ms5ops.toml").write_text('[environments.plant]\nhost = "db"\nread = { user = "r" }\n')
    return Alerting(Service(load_settings(), control_store()), kept)


def test_an_alert_opens_once_and_is_over_after_two_evaluations_without_it(plant: Plant) -> None:
    assert plant.finds(LATE) == ["opened"]
    since = plant.alert.since
    assert [plant.finds(LATE), plant.finds(), plant.finds(LATE), plant.finds()] == [[], [], [], []], "flapping"
    assert plant.alert.since == since
    assert plant.finds() == ["cleared"]
    assert read_alerts(plant.store) == ()
    assert [one.kind for one in events(plant.store, "plant")] == ["cleared", "opened"]


def test_with_open_after_a_hiccup_alarms_nobody(plant: Plant) -> None:
    plant.settings = Alerts(open_after=3)
    assert [plant.finds(LATE), plant.finds(LATE), plant.finds()] == [[], [], []]
    assert [plant.finds(LATE), plant.finds(LATE), plant.finds(LATE)] == [[], [], ["opened"]]


def test_a_rule_that_cannot_be_judged_leaves_its_alerts_as_they_are(plant: Plant) -> None:
    plant.finds(LATE)
    for _ in range(5):
        assert plant.finds(not_judged="lag") == []
    assert plant.alert.times_missed == 0


def test_facts_are_those_of_the_last_evaluation_and_getting_graver_is_told_once(plant: Plant) -> None:
    plant.finds(LATE)
    graver = replace(LATE, severity="critical", value=30.0)
    assert [plant.finds(graver), plant.finds(LATE), plant.finds(graver)] == [["worse"], [], []]
    assert plant.alert.value == 30.0


def test_reminders_come_at_the_interval_until_somebody_acknowledges(plant: Plant) -> None:
    plant.finds(LATE)
    plant.clock.forward(hours=23)
    assert plant.finds(LATE) == []
    plant.clock.forward(hours=1)
    assert plant.finds(LATE) == ["reminder"]
    accepted = acknowledged(plant.alert, by="d", reason="known", now=plant.clock.now)
    later = plant.clock.now + timedelta(days=30)
    made = step(accepted, LATE, environment="plant", now=later, settings=plant.settings)
    assert made.event is None


def test_an_accepted_level_shift_alarms_again_on_a_further_shift_only(
    plant: Plant, here: Alerting, people: People
) -> None:
    plant.finds(SLOW)
    here.acknowledge(people["dba"], "plant", "regression.q", "the price of encryption")
    for level in (130.0, 136.0, 120.0):  # noise around the accepted level
        assert plant.finds(replace(SLOW, level=level, further_from=level * 1.05)) == []
    assert plant.alert.status == "acknowledged"
    assert plant.finds(replace(SLOW, level=140.0, further_from=147.0)) == ["worse"]
    assert (plant.alert.status, plant.alert.acknowledged_by) == ("open", None)


def test_acknowledging_asks_for_the_role_and_a_reason_and_is_kept(plant: Plant, here: Alerting, people: People) -> None:
    plant.finds(LATE)
    with pytest.raises(NotAllowed):
        here.acknowledge(people["viewer"], "plant", LATE.key, "known")
    with pytest.raises(NotAllowed):
        here.acknowledge(None, "plant", LATE.key, "known")
    with pytest.raises(AlertError, match="No reason"):
        here.acknowledge(people["dba"], "plant", LATE.key, "  ")
    with pytest.raises(AlertError, match=r"did you mean lag\.f\.a"):
        here.acknowledge(people["dba"], "plant", "lag.f.b", "known")
    assert plant.alert.status == "open"
    here.acknowledge(people["dba"], "plant", LATE.key, "known")
    assert (plant.alert.acknowledged_by, plant.alert.reason) == ("dba", "known")
    newest = events(plant.store, "plant")[0]
    assert (newest.kind, newest.actor, newest.reason) == ("acknowledged", "dba", "known")
    assert [plant.finds(), plant.finds()] == [[], ["cleared"]]
    assert plant.finds(LATE) == ["opened"], "accepted for as long as it lasted"


def test_a_mute_silences_until_it_ends_and_then_it_is_told(plant: Plant, here: Alerting, people: People) -> None:
    with pytest.raises(AlertError, match="up to 90 days"):
        here.mute(people["dba"], "plant", None, timedelta(days=91), "for ever")
    here.mute(people["dba"], "plant", None, timedelta(hours=2), "maintenance")
    assert plant.finds(LATE) == ["opened"]
    assert plant.alert.told_at is None
    assert plant.finds(LATE) == []
    plant.clock.forward(hours=2)
    assert mutes(plant.store, "plant", plant.clock.now) == ()
    assert plant.finds(LATE) == ["reminder"], "nobody had been told"
    here.mute(people["dba"], "plant", LATE.key, timedelta(hours=1), "and again")
    graver = replace(LATE, severity="critical")
    assert plant.finds(graver) == ["worse"]
    plant.clock.forward(hours=1)
    assert plant.finds(graver) == ["reminder"], "that it got worse was not told"
    here.mute(people["dba"], "plant", LATE.key, timedelta(hours=2), "once more")
    assert here.unmute(people["dba"], "plant", LATE.key)
    assert not here.unmute(people["dba"], "plant", LATE.key)
