"""All rules over all material: what holds, and which rules could not be judged and why."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from ms5ops.alert_settings import Alerts, Rule
from ms5ops.alerts import history_rules, server_rules
from ms5ops.alerts.candidate import Candidate, RuleName
from ms5ops.benchmark.records import Run
from ms5ops.benchmark.trends import Regression
from ms5ops.control.drift import Drift
from ms5ops.errors import Ms5opsError
from ms5ops.observe.growth import Outlook
from ms5ops.observe.jobs import job_state
from ms5ops.observe.overview import Overview, Reading, reading


@dataclass(frozen=True)
class Benchmarks:
    """Of one database: what got slower and still is, and the newest two runs (None: there are not so many)."""

    regressions: tuple[Regression, ...]
    newest: Run | None
    before: Run | None


@dataclass(frozen=True)
class Material:
    """What the rules look at. ``overview`` None: the server could not be read, and ``unreachable`` says why.

    ``outlook``: of all tables, over the rule's days. ``newest_snapshot``: value None where none was ever stored.
    ``transactions``: rows of the history's query of that name, of this origin. ``drift``: value None where nothing was
    verified; an error also while the database is being changed, when differences are no drift.
    """

    now: datetime
    overview: Overview | None
    unreachable: Ms5opsError | None
    outlook: Reading[Outlook]
    newest_snapshot: Reading[datetime | None]
    transactions: Reading[pd.DataFrame]
    benchmarks: Reading[Benchmarks]
    drift: Reading[Drift | None]


@dataclass(frozen=True)
class Judgement:
    """``found``: conditions that hold. ``judged``: the rules whose alerts end where nothing was found; ``not_judged``:
    those that were not judged, and why. A rule with nothing to judge is in both: what is not there gives no alert."""

    found: tuple[Candidate, ...]
    judged: frozenset[RuleName]
    not_judged: dict[RuleName, str]


def figures_of(material: Material) -> dict[str, Any]:
    """What was read, as JSON values for monitoring: bytes, seconds, states; what could not be read is left out."""
    here, newest = material.overview, material.newest_snapshot.value
    found: dict[str, Any] = {} if newest is None else {"collected_at": newest.timestamp()}
    if here is None:
        return found
    if here.database_size.value:
        found["database_bytes"] = here.database_size.value.size_bytes
    sizes = {one.qualified: one.size_bytes for one in here.tables.found(()) if one.size_bytes is not None}
    lags = {
        one.aggregate: one.lag_behind_source.total_seconds()
        for one in here.aggregates.found(())
        if one.lag_behind_source is not None
    }
    states = [
        {"id": one.job_id, "name": one.name, "state": job_state(one, here.now, here.server.started_at)}
        for one in here.jobs.found(())
    ]
    return {**found, "table_bytes": sizes, "lag_seconds": lags, "jobs": states}


class NotJudged(Ms5opsError):
    """A rule cannot be judged; ``happened`` says why."""

    def __init__(self, why: str) -> None:
        super().__init__(why, "")


class NothingToJudge(NotJudged):
    """What a rule is about is not there: it has no alert, and that is no praise."""

    def __init__(self, why: str) -> None:
        super().__init__(f"Nothing to judge yet: {why}")


def judge(material: Material, settings: Alerts) -> Judgement:
    """Every rule that is switched on. A rule that is off counts as judged, so that its alerts end."""
    found: list[Candidate] = []
    judged: set[RuleName] = set()
    reasons: dict[RuleName, str] = {}
    for name, rule, work in _rules(material, settings):
        made = reading(work if rule.enabled else tuple)  # a defect of one rule must not silence the others
        if made.error is None:
            found += made.get()
            judged.add(name)
        else:
            reasons[name] = made.error.happened
            if isinstance(made.error, NothingToJudge):
                judged.add(name)
    return Judgement(tuple(found), frozenset(judged), reasons)


def _rules(material: Material, settings: Alerts) -> list[tuple[RuleName, Rule, Callable[[], tuple[Candidate, ...]]]]:
    now, here = material.now, material.overview

    def read(section: str) -> Any:
        if here is None:
            raise NotJudged("The server could not be read.")
        return _value(getattr(here, section))

    def jobs() -> tuple[Candidate, ...]:
        found, runs = read("jobs"), read("job_runs")
        made = server_rules.jobs(found, runs, now, here.server.started_at if here else None, settings.jobs)
        if not made and all(job.kind == "system" for job in found):
            raise NothingToJudge("there are no jobs but TimescaleDB's own.")
        return made

    def lag() -> tuple[Candidate, ...]:
        if not (found := read("aggregates")):
            raise NothingToJudge("there is no continuous aggregate.")
        return server_rules.lag(found, settings.lag)

    def retention() -> tuple[Candidate, ...]:
        policies, aggregates = read("retention"), read("aggregates")
        made = server_rules.retention(policies, aggregates, settings.retention)
        if not made and not aggregates and all(one.job_id is None for one in policies):
            raise NothingToJudge("no table has a retention policy.")
        return made

    def backlog() -> tuple[Candidate, ...]:
        found = read("compression")
        made = server_rules.backlog(found, settings.backlog)
        if not made and all(one.job_id is None for one in found):
            raise NothingToJudge("no table has a compression policy.")
        return made

    def ratio() -> tuple[Candidate, ...]:
        found = read("compression")
        if all(one.saved_share is None for one in found):
            raise NothingToJudge("nothing is compressed.")
        return server_rules.ratio(found, settings.ratio)

    def regression() -> tuple[Candidate, ...]:
        runs = _value(material.benchmarks)
        if runs.before is None:
            raise NothingToJudge("it takes two benchmark runs to tell whether one is slower.")
        return history_rules.regression(runs.regressions, now, settings.regression)

    def storage() -> tuple[Candidate, ...]:
        if settings.storage.limit_gb is None:
            raise NotJudged("No limit is set ([alerts.storage] limit_gb in ms5ops.toml).")
        return server_rules.storage(read("database_size").size_bytes, _value(material.outlook), settings.storage)

    def errors() -> tuple[Candidate, ...]:
        rising = history_rules.errors(_value(material.transactions), settings.errors)
        runs = _value(material.benchmarks)
        failed = history_rules.failed_benchmarks(runs.newest, runs.before)
        if rising is None and not failed:
            raise NotJudged("It takes snapshots over more than a day to know what is usual.")
        return (*(rising or ()), *failed)

    def drift() -> tuple[Candidate, ...]:
        found = _value(material.drift)
        if found is None and here is None:  # nothing was verified, nor could it be compared
            raise NotJudged("The server could not be read.")
        if found is None:
            raise NothingToJudge("no deployment has been verified.")
        return history_rules.drift(found)

    return [
        ("server", Rule(), lambda: server_rules.server(material.unreachable)),
        ("collector", settings.collector, lambda: history_rules.collector(
            _value(material.newest_snapshot), now, settings.collector)),
        ("jobs", settings.jobs, jobs),
        ("lag", settings.lag, lag),
        ("retention", settings.retention, retention),
        ("backlog", settings.backlog, backlog),
        ("ratio", settings.ratio, ratio),
        ("storage", settings.storage, storage),
        ("regression", settings.regression, regression),
        ("errors", settings.errors, errors),
        ("drift", settings.drift, drift),
    ]  # fmt: skip


def _value(section: Reading[Any]) -> Any:
    """The value of a section (None is one); its error where it could not be read."""
    if section.error is not None:
        raise section.error
    return section.value
