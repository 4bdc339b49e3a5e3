"""The alerts page: open, accepted and muted alerts, who may act, delivery, and nothing evaluated yet."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from streamlit.testing.v1 import AppTest

from ms5ops import paths
from ms5ops.access.roles import Actor
from ms5ops.access.store import Store
from ms5ops.alert_settings import Alerts
from ms5ops.alerts.actions import Alerting
from ms5ops.alerts.candidate import RULES
from ms5ops.alerts.judging import Judgement
from ms5ops.alerts.store import Evaluation, read_alerts
from ms5ops.alerts.watching import keep
from ms5ops.ui import alert_parts, alert_tabs
from tests.alerts.conftest import Clock, People, Receiver
from tests.alerts.test_state import LATE, Plant

Open = Callable[[Actor | None], AppTest]
HOSTILE = replace(LATE, subject="<b>x</b> :red[y]", severity="critical", key="lag.f.b")


@pytest.fixture
def opened(kept: Store, monkeypatch: pytest.MonkeyPatch) -> Open:
    (kept.file.parent / "ms5ops.toml").write_text(
        '[environments.plant]\nhost = "127.0.0.1"\nport = 1\nread = { user = "r" }\n'
        '[alerts.channels.oncall]\nenv = "ONCALL_URL"\n'
    )

    def page(who: Actor | None) -> AppTest:
        for module in (alert_parts, alert_tabs):
            monkeypatch.setattr(module, "actor", lambda **_: who)
        test = AppTest.from_file(str(paths.PROJECT / "ms5ops" / "ui" / "navigation.py"), default_timeout=30)
        test.switch_page(str(paths.PROJECT / "pages" / "alerts.py"))
        shown = test.run()
        assert not shown.exception
        return shown

    return page


@pytest.fixture
def plant(kept: Store, clock: Clock) -> Plant:
    return Plant(kept, clock, Alerts())


def texts(page: AppTest) -> str:
    return "\n".join(
        one.value for kind in (page.markdown, page.caption, page.error, page.success, page.info) for one in kind
    )


def test_nothing_evaluated_yet_says_how(opened: Open) -> None:
    page = opened(None)
    assert "Nothing has been evaluated here yet" in page.info[0].value
    assert "watch --every 5" in texts(page)


def test_open_alerts_stand_gravest_first_though_the_server_is_down(opened: Open, plant: Plant) -> None:
    plant.finds(LATE, HOSTILE)
    page = opened(None)
    assert "1 critical alert and 1 warning" in page.error[0].value
    shown = texts(page)
    assert "since 2026-11-23 12:05 UTC" in shown
    assert "\\<b\\>x\\</b\\> \\:red\\[y\\]" in shown
    assert shown.index("red") < shown.index("**a**")
    assert "takes the role dba" in page.button(key="evaluate").help
    assert page.button(key="evaluate").disabled


def test_a_dba_acknowledges_with_a_reason(opened: Open, plant: Plant, people: People) -> None:
    plant.finds(LATE)
    page = opened(people["dba"])
    button = next(one for one in page.button if one.label == "Acknowledge")
    button.click().run()
    assert "No reason was given" in page.error[0].value
    next(one for one in page.text_input if "mended" in (one.placeholder or "")).input("known since Monday")
    next(one for one in page.button if one.label == "Acknowledge").click().run()
    assert not page.exception
    assert read_alerts(plant.store)[0].reason == "known since Monday"
    assert page.success[0].value == "**No alert is open.** 1 is accepted or muted."
    assert "Acknowledged by dba" in texts(page)


def test_a_mute_is_shown_and_ended(opened: Open, plant: Plant, people: People) -> None:
    plant.finds(LATE)
    page = opened(people["dba"])
    next(one for one in page.text_input if "maintenance" in (one.placeholder or "")).input("tonight")
    next(one for one in page.button if one.label == "Mute").click().run()
    assert "Muted by dba until 2026-11-23 20:05 UTC: tonight" in texts(page)
    page.button(key=f"unmute_{LATE.key}").click().run()
    assert "1 warning" in page.warning[0].value


def test_an_old_evaluation_is_no_word_on_now(opened: Open, plant: Plant, clock: Clock) -> None:
    plant.finds()
    assert "No alert is open" in opened(None).success[0].value
    clock.forward(minutes=61)
    page = opened(None)
    assert not page.success
    assert "Nothing has been evaluated for 1 h 1 min" in page.warning[0].value


def test_silence_is_no_praise_where_most_rules_were_not_judged(opened: Open, plant: Plant) -> None:
    reasons: dict[str, str] = dict.fromkeys(RULES[:6], "Nothing to judge yet: there is nothing.")
    done = Evaluation("plant", "measured", plant.clock.now, 1, len(RULES) - 6, reasons, {})
    keep(plant.store, Judgement((), frozenset(RULES), {}), done, plant.settings)
    page = opened(None)
    assert not page.success
    assert f"No alert is open, but 6 of {len(RULES)} rules were not judged" in page.info[0].value


def test_a_mute_of_the_environment_is_shown_and_ended(opened: Open, plant: Plant, people: People, clock: Clock) -> None:
    Alerting.here().mute(people["dba"], "plant", None, timedelta(hours=2), "moving house")
    plant.finds(LATE)
    page = opened(people["dba"])
    assert "**Everything here is muted** until 2026-11-23 14:00 UTC, by dba: moving house" in texts(page)
    assert "No alert is open" in page.success[0].value
    page.button(key="unmute_all").click().run()
    assert "1 warning" in page.warning[0].value
    assert "Everything here is muted" not in texts(page)


def test_a_role_that_was_taken_away_meanwhile_is_refused(opened: Open, plant: Plant, people: People) -> None:
    plant.finds(LATE)
    page = opened(Actor("viewer", "dba"))  # the page believes it; the account says otherwise
    next(one for one in page.text_input if "mended" in (one.placeholder or "")).input("mine")
    next(one for one in page.button if one.label == "Acknowledge").click().run()
    assert "has the role viewer" in page.error[-1].value
    assert read_alerts(plant.store)[0].status == "open"


def test_delivery_shows_a_failure_and_then_a_test_that_arrived(
    opened: Open, plant: Plant, people: People, receiver: Receiver
) -> None:
    receiver.status = 500
    page = opened(people["dba"])
    assert "No test has been delivered yet." in texts(page)
    page.button(key="test_delivery").click().run()
    assert "oncall did not take a message" in page.error[0].value
    receiver.status = 200
    page.button(key="test_delivery").click().run()
    assert "**oncall** took the test." in page.success[-1].value
    assert receiver.titles == ["Test of the alerts of ms5ops"]
    assert "The last test arrived" in texts(page.run())
