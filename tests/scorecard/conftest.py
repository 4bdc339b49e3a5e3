"""An engine of our own with a journal of two deployments, and a history of runs and snapshots around them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from ms5ops.benchmark.records import Run
from ms5ops.benchmark.store import store_run
from ms5ops.database import Database
from ms5ops.history import History
from ms5ops.observe.activity import Transactions
from ms5ops.rollout.executor import apply
from ms5ops.sandbox import process
from ms5ops.snapshots import AGGREGATE_COLUMNS, JOB_COLUMNS, TABLE_COLUMNS, Snapshot, store
from tests.benchmark.example_runs import example_run
from tests.rollout.apply.handmade import ONE_OF_THE_SET, RESET, VERSIONS, WRONG, Plan, conditions, index

SOURCE = "sandbox not filled"
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Site:
    """The state folder of the engine, the history's file, and the stored runs, oldest first."""

    folder: Path
    history: Path
    runs: tuple[Run, ...]
    price: Path


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("scorecard")
    running = process.start(folder / "sandbox", scheduler=False)
    database = Database(running.target, "write")
    database.execute([*RESET, *ONE_OF_THE_SET])
    first = apply(database, Plan((index("idx_a", "ts"),)), conditions(), server_versions=VERSIONS)
    assert first.status == "done"
    failed = apply(database, Plan((index("idx_b", "value"), WRONG)), conditions(), server_versions=VERSIONS)
    assert failed.status == "failed"
    database.close()
    now = datetime.now(UTC)
    runs = tuple(
        example_run(
            label, speed=speed, seed=seed, started_at=now + days * DAY, source=SOURCE, environment="sandbox",
            origin="simulated",
        )
        for seed, (label, speed, days) in enumerate((("old", 1, -70), ("older", 1, -40), ("new", 9, 1)))
    )  # fmt: skip
    history = History(folder / "history.duckdb")
    for run in runs:
        store_run(history, run)
    for days, stored, raw, total in (
        (-60, 10.0, 10.0, 0), (-30, 20.0, 20.0, 10_000), (20, 8.0, 22.0, 40_000), (50, 9.0, 32.0, 60_000),
    ):  # fmt: skip
        store(history, _snapshot(now + days * DAY, stored, raw, total), source=SOURCE, environment="sandbox",
              origin="simulated")  # fmt: skip
    price = folder / "priced.toml"
    price.write_text('[costs]\nprice_per_gb_month = 2.0\ncurrency = "EUR"\n')
    yield Site(folder, history.file, runs, price)
    process.stop(folder / "sandbox")


def _snapshot(at: datetime, stored: float, raw: float, transactions: int) -> Snapshot:
    table = ("factory_telemetry.metric_hist", "hypertable", 1, 10, 5, int(stored * 1e9), int(raw * 1e9), 0, 0)
    return Snapshot(
        taken_at=at, postgres_version="17.5", timescaledb_version="2.23.0", database_bytes=None,
        tables=pd.DataFrame([table], columns=list(TABLE_COLUMNS)),
        jobs=pd.DataFrame(columns=list(JOB_COLUMNS)),
        aggregates=pd.DataFrame(columns=list(AGGREGATE_COLUMNS)),
        transactions=Transactions(datetime(2020, 1, 1, tzinfo=UTC), transactions, transactions // 100, 0, 0, None),
    )  # fmt: skip


@pytest.fixture
def here(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """That engine and history as this process's own, with a price."""
    for name in ("DB_HOST", "MS5OPS_ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MS5OPS_STATE", str(site.folder))
    monkeypatch.setenv("MS5OPS_HISTORY", str(site.history))
    monkeypatch.setenv("MS5OPS_CONFIG", str(site.price))
    return site
