"""A month to report of: an engine with a deployment in it, and a history, alerts and an audit log around that."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ms5ops.access import audit
from ms5ops.access.roles import Actor
from ms5ops.access.store import Store
from ms5ops.alerts.state import Alert
from ms5ops.alerts.store import add_event
from ms5ops.benchmark.records import Run
from ms5ops.benchmark.store import store_run
from ms5ops.database import Database
from ms5ops.history import History
from ms5ops.observe.activity import Transactions
from ms5ops.reports.month import Month, last_whole_month
from ms5ops.rollout.executor import apply
from ms5ops.sandbox import process
from ms5ops.snapshots import AGGREGATE_COLUMNS, JOB_COLUMNS, TABLE_COLUMNS, Snapshot, store
from tests.benchmark.example_runs import example_run
from tests.rollout.apply.handmade import ONE_OF_THE_SET, RESET, VERSIONS, Plan, conditions, index

SOURCE = "sandbox not filled"
HOSTILE = "</title><script>alert('x')</script>{{ 7 * 7 }}<img src=http://evil.example/x.png>"
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MONTH = last_whole_month(datetime.now(UTC))
MIDDLE = MONTH.begins + 12 * DAY
METRIC, OEE = "factory_telemetry.metric_hist", "factory_telemetry.oee_calculations"

SIZES = {
    MONTH.before.before: (30.0, 30.0, 0),
    MONTH.before: (40.0, 40.0, 0),
    MONTH: (9.0, 50.0, 20),
}
"""GB of metric_hist at each month's end: stored, uncompressed; and its compressed chunks."""


@dataclass(frozen=True)
class Site:
    """The state folder, the history, and the two runs: of the month before, and of the month."""

    folder: Path
    history: Path
    runs: tuple[Run, Run]


class Then(Store):
    """A store that writes down another instant."""

    at = MIDDLE

    def now(self) -> datetime:
        return self.at


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("reports")
    running = process.start(folder / "sandbox", scheduler=False)
    database = Database(running.target, "write")
    database.execute([*RESET, *ONE_OF_THE_SET])
    done = apply(database, Plan((index("idx_a", "ts"),)), conditions(), server_versions=VERSIONS)
    assert done.status == "done"
    began, ended = MIDDLE.isoformat(), (MIDDLE + HOUR).isoformat()
    database.execute([f"UPDATE ms5ops.deployment SET started_at = '{began}', finished_at = '{ended}'"])
    database.close()
    history = History(folder / "history.duckdb")
    runs = (
        run("before", MONTH.before.begins + 20 * DAY, 1),
        run(HOSTILE, MONTH.begins + 20 * DAY, 9),
    )
    for one in runs:
        store_run(history, one)
    for month, (stored, raw, compressed) in SIZES.items():
        keep(history, month.ends - HOUR, stored, raw, compressed)
    history.append({"job_run": job_runs()})
    Then.at = MIDDLE
    log = Then(folder / "access.sqlite", "access")
    audit.record(Actor("anna", "operator"), "apply", "sandbox", "begun", {"plan": HOSTILE}, store=log)
    audit.record(Actor("anna", "operator"), "sign in", "anna", "done", store=log)
    write_alerts(Store(folder / "alerts.sqlite", "alerts"))
    yield Site(folder, history.file, runs)
    process.stop(folder / "sandbox")


def run(label: str, at: datetime, speed: float, origin: Any = "simulated") -> Run:
    return example_run(
        label, speed=speed, seed=int(speed), started_at=at, source=SOURCE, environment="sandbox", origin=origin
    )


def keep(
    history: History, at: datetime, stored: float, raw: float, compressed: int, *, origin: str = "simulated"
) -> None:
    """Store a snapshot of metric_hist and oee_calculations, with two jobs that ran twice a day."""
    days = (at - MONTH.before.before.begins).days
    tables = [
        (METRIC, "hypertable", 1, 30, compressed, int(stored * 1e9), int(raw * 1e9), 2 if compressed else None, 0),
        (OEE, "plain table", 1, 0, 0, int(1e9), int(1e9), None, None),
    ]
    jobs = [
        (1000, "compression", METRIC, True, "failing", 2 * days, days, 3, None),
        (1001, "retention", METRIC, True, "ok", 2 * days, 0, 0, None),
    ]
    snapshot = Snapshot(
        taken_at=at, postgres_version="17.5", timescaledb_version="2.23.0", database_bytes=None,
        tables=pd.DataFrame(tables, columns=list(TABLE_COLUMNS)), jobs=pd.DataFrame(jobs, columns=list(JOB_COLUMNS)),
        aggregates=pd.DataFrame(columns=list(AGGREGATE_COLUMNS)),
        transactions=Transactions(datetime(2020, 1, 1, tzinfo=UTC), days * 1000, days, 0, 0, None),
    )  # fmt: skip
    store(history, snapshot, source=SOURCE, environment="sandbox", origin=origin)


def job_runs() -> pd.DataFrame:
    """A failed run of an hour and a half within the month, and a longer one of the month before."""
    rows = [
        (SOURCE, 1000, MIDDLE, MIDDLE + 1.5 * HOUR, False, f"canceled {HOSTILE}"),
        (SOURCE, 1000, MONTH.begins - 5 * HOUR, MONTH.begins - HOUR, False, "an older failure"),
    ]
    columns = ["source", "job_id", "started_at", "finished_at", "succeeded", "message"]
    return pd.DataFrame(rows, columns=columns).assign(origin="simulated")


def alert(key: str, sentence: str, severity: Any = "warning") -> Alert:
    return Alert(
        environment="sandbox", key=key, rule="jobs", subject=f"Subject {key}", severity=severity, worst=severity,
        sentence=sentence, next_step="", page="jobs", value=1.0, threshold=1.0, unit="runs", level=None,
        further_from=None, status="open", first_seen_at=MIDDLE, opened_at=MIDDLE, seen_at=MIDDLE, times_seen=1,
        times_missed=0,
    )  # fmt: skip


def write_alerts(alerts: Store) -> None:
    """One that stands since the month, accepted; one that came and went; one over before; one from later."""
    with alerts.changing() as change:
        for key, kind, at in (
            ("earlier", "opened", MONTH.before.begins),
            ("earlier", "cleared", MONTH.begins - DAY),
            ("passing", "opened", MIDDLE),
            ("passing", "cleared", MIDDLE + DAY),
            ("standing", "opened", MIDDLE),
            ("later", "opened", MONTH.ends + HOUR),
        ):
            add_event(change, alert(key, f"What {key} is about."), kind, at)  # type: ignore[arg-type]
        add_event(change, alert("standing", f"Still {HOSTILE}"), "acknowledged", MIDDLE + DAY, actor="bert",
                  reason="a known matter")  # fmt: skip
        add_event(change, alert("standing", f"Still {HOSTILE}"), "cleared", MONTH.ends + DAY)


@pytest.fixture
def here(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """That engine, history and logs as this process's own."""
    for name in ("DB_HOST", "MS5OPS_ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MS5OPS_STATE", str(site.folder))
    monkeypatch.setenv("MS5OPS_HISTORY", str(site.history))
    monkeypatch.setenv("MS5OPS_CONFIG", str(site.folder / "absent.toml"))
    return site


def month_of(offset: int) -> Month:
    """The reported month (0), one before it (-1), ... or after it (1)."""
    found = MONTH
    for _ in range(-offset):
        found = found.before
    return found if offset <= 0 else Month(found.ends.strftime("%Y-%m"))
