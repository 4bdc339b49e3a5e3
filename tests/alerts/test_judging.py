"""What becomes of a rule that has nothing to judge: no praise, no alert, and an end to the alert that it had."""

from typing import Any

import pandas as pd

from ms5ops.alert_settings import Alerts
from ms5ops.alerts.candidate import RuleName
from ms5ops.alerts.judging import Benchmarks, Judgement, Material, judge
from ms5ops.observe.growth import Outlook
from ms5ops.observe.overview import Overview, Reading
from tests.observe.examples import NOW, job
from tests.observe.test_health import overview

ABOUT_THE_SERVER: set[RuleName] = {"jobs", "lag", "retention", "backlog", "ratio"}


def value(anything: Any) -> Reading[Any]:
    return Reading(anything, None, NOW, 0.0)


def judged(there: Overview) -> Judgement:
    material = Material(
        now=NOW,
        overview=there,
        unreachable=None,
        outlook=value(Outlook(pd.DataFrame(), NOW.date(), 0, ())),
        newest_snapshot=value(NOW),
        transactions=value(pd.DataFrame()),
        benchmarks=value(Benchmarks((), None, None)),
        drift=value(None),
    )
    return judge(material, Alerts())


def test_an_empty_database_gives_nothing_to_judge() -> None:
    found = judged(overview(jobs=(job(kind="system"),), aggregates=(), retention=(), compression=()))
    nothing = {name: why for name, why in found.not_judged.items() if why.startswith("Nothing to judge yet: ")}
    assert set(nothing) == ABOUT_THE_SERVER | {"regression", "drift"}
    assert nothing["lag"] == "Nothing to judge yet: there is no continuous aggregate."
    assert found.found == ()
    assert set(nothing) <= found.judged, "an alert about what is gone must end"
    assert "storage" not in found.judged, "without a limit it is not known whether it is passed"


def test_what_is_there_is_judged() -> None:
    assert not ABOUT_THE_SERVER & set(judged(overview()).not_judged)
