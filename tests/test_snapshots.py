from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from ms5ops.collect import keep
from ms5ops.database import Database
from ms5ops.environments import Connected, source_id
from ms5ops.errors import ConfigError
from ms5ops.history import History
from ms5ops.observe.overview import read_all
from ms5ops.observe.server import connect_server
from ms5ops.policy.document import PolicySet, load_policy
from ms5ops.rollout.postcheck import postchecks
from ms5ops.sandbox import fill
from ms5ops.snapshots import (
    AGGREGATE_COLUMNS,
    CHECK_COLUMNS,
    JOB_COLUMNS,
    TABLE_COLUMNS,
    Snapshot,
    changes,
    job_runs_to_store,
    snapshot_of,
    store,
    stored_snapshot,
)
from tests.conftest import Sandboxes

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


Row = tuple[object, ...]


def table(name: str = "s.t", kind: str = "hypertable", size: int = 1_000_000, chunks: int = 10, packed: int = 5) -> Row:
    return (name, kind, 100, chunks, packed, size, size, 0, 0)


def job(job_id: int = 1000, state: str = "ok") -> Row:
    return (job_id, "compression", "s.t", True, state, 5, 0, 0, None)


def snapshot(*tables: Row, jobs: tuple[Row, ...] = (), aggregates: tuple[str, ...] = ()) -> Snapshot:
    return Snapshot(
        taken_at=NOW,
        postgres_version="15.18",
        timescaledb_version="2.28.3",
        database_bytes=1_000,
        tables=pd.DataFrame(list(tables), columns=list(TABLE_COLUMNS)),
        jobs=pd.DataFrame(list(jobs), columns=list(JOB_COLUMNS)),
        aggregates=pd.DataFrame([(name, 0, 0.0) for name in aggregates], columns=list(AGGREGATE_COLUMNS)),
    )


WELL, ILL = snapshot(jobs=(job(),)), snapshot(jobs=(job(state="failing"),))


def lines(before: Snapshot, after: Snapshot) -> list[str]:
    return [
        f"{'! ' if one.is_worse else ''}{one.subject}: {one.before} -> {one.after}" for one in changes(before, after)
    ]


def test_nothing_changed() -> None:
    one = snapshot(table(), jobs=(job(),), aggregates=("s.a",))
    assert changes(one, one) == []


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (snapshot(table(kind="plain table")), snapshot(table()), ["s.t: plain table -> hypertable"]),
        (snapshot(table()), snapshot(table(size=1_005_000)), []),
        (snapshot(table()), snapshot(table(size=2_000_000)), ["Size of s.t: 1.0 MB -> 2.0 MB"]),
        (snapshot(table()), snapshot(table(packed=8)), ["Compressed chunks of s.t: 5 -> 8"]),
        (snapshot(table()), snapshot(table(chunks=9)), ["Chunks of s.t (some were dropped): 10 -> 9"]),
        (snapshot(table()), snapshot(), ["! Table s.t: there -> gone"]),
        (snapshot(), snapshot(jobs=(job(),)), ["Job 1000: not there -> there"]),
        (
            snapshot(jobs=(job(),)),
            snapshot(jobs=(job(state="failing"),)),
            ["! Job 1000 (compression of s.t): ok -> failing"],
        ),
        (
            snapshot(jobs=(job(state="failing"),)),
            snapshot(jobs=(job(),)),
            ["Job 1000 (compression of s.t): failing -> ok"],
        ),
        (snapshot(jobs=(job(),)), snapshot(jobs=(job(state="running"),)), []),
        (
            snapshot(aggregates=("s.a",)),
            snapshot(aggregates=("s.b",)),
            ["! Continuous aggregate s.a: there -> gone", "Continuous aggregate s.b: not there -> there"],
        ),
        (snapshot(), replace(snapshot(), timescaledb_version="2.29.2"), ["TimescaleDB: 2.28.3 -> 2.29.2"]),
    ],
)
def test_a_change_is_said_and_worse_comes_first(before: Snapshot, after: Snapshot, said: list[str]) -> None:
    assert lines(before, after) == said


def test_what_could_not_be_read_is_not_said_to_be_gone() -> None:
    whole = snapshot(table(), jobs=(job(),), aggregates=("s.a",))
    blind = replace(snapshot(), unread=frozenset({"tables", "jobs", "aggregates"}))
    assert lines(whole, blind) == lines(blind, whole) == []
    assert lines(whole, replace(snapshot(), unread=frozenset({"jobs", "aggregates"}))) == ["! Table s.t: there -> gone"]


def test_what_is_stored_is_what_was_read(database: Database, state: str, tmp_path: Path) -> None:
    overview = read_all(connect_server(database))
    assert overview.errors() == {}
    taken = snapshot_of(overview)
    history = History(tmp_path / "h.duckdb")
    store(history, taken, source="here", environment="sandbox", origin="simulated")
    back = stored_snapshot(history, "here", NOW + timedelta(days=36500))
    assert back is not None
    assert (back.taken_at, back.origin) == (taken.taken_at, "simulated")
    assert changes(taken, back) == []
    assert len(back.tables) == len(taken.tables) >= 5
    assert len(back.aggregates) == len(taken.aggregates)
    assert (len(back.aggregates) >= 8) is (state == "optimised")
    assert stored_snapshot(history, "elsewhere", NOW) is None
    assert stored_snapshot(history, "here", taken.taken_at) is None
    counted = history.read("transaction_snapshots", {"source": "here"})
    assert taken.transactions is not None
    assert counted.iloc[0][["committed", "rolled_back", "deadlocks"]].to_list() == [
        taken.transactions.committed, taken.transactions.rolled_back, taken.transactions.deadlocks,
    ]  # fmt: skip


def test_the_checks_are_kept_with_each_snapshot_and_told_of_each_month(
    database: Database, state: str, tmp_path: Path
) -> None:
    history = History(tmp_path / "h.duckdb")
    here = Connected("plant", database, "measured", protected=False, maintenance_window="always", schema=fill.SCHEMA)
    done = keep(history, here, load_policy)
    assert done.unread == {}
    found = history.read("check_snapshots", {"source": source_id(here), "until": NOW + timedelta(days=36500)})
    made = postchecks(connect_server(database), load_policy())
    assert found["title"].to_list() == [one.title for one in made]
    assert set(found["taken_at"]) == {done.taken_at}
    verdicts = dict(zip(found["name"], found["verdict"], strict=True))
    assert verdicts["indexes"] == verdicts["aggregates"] == ("passed" if state == "optimised" else "failed")


def test_of_each_month_and_origin_the_last_checks_before_an_instant_are_told(tmp_path: Path) -> None:
    history = History(tmp_path / "h.duckdb")
    for day, month, origin, verdict in (
        (1, 9, "replayed", "failed"), (30, 9, "replayed", "passed"), (30, 9, "measured", "failed"),
        (2, 10, "measured", "passed"), (20, 10, "measured", "could not check"),
    ):  # fmt: skip
        checks = pd.DataFrame([("a", "A", "x", "y", verdict, "")], columns=list(CHECK_COLUMNS))
        taken = replace(snapshot(), taken_at=datetime(2026, month, day, tzinfo=UTC), checks=checks)
        store(history, taken, source="here", environment="plant", origin=origin)
    store(history, replace(snapshot(), taken_at=datetime(2026, 10, 31, tzinfo=UTC)), source="here",
          environment="plant", origin="measured")  # fmt: skip
    until = datetime(2026, 10, 20, tzinfo=UTC)
    told = [
        history.read("check_snapshots", {"source": "here", "until": at})[["origin", "verdict"]].to_numpy().tolist()
        for at in (until, until + timedelta(days=30))
    ]
    september = [["measured", "failed"], ["replayed", "passed"]]
    assert sorted(told[0]) == sorted([*september, ["measured", "passed"]])
    assert sorted(told[1]) == sorted([*september, ["measured", "could not check"]])


def test_a_policy_that_cannot_be_read_costs_the_checks_alone(database: Database, tmp_path: Path) -> None:
    def broken() -> PolicySet:
        raise ConfigError("The policy set is damaged.", "Choose another one.")

    history = History(tmp_path / "h.duckdb")
    here = Connected("plant", database, "measured", protected=False, maintenance_window="always", schema=fill.SCHEMA)
    done = keep(history, here, broken)
    assert list(done.unread) == ["checks"]
    assert len(history.read("snapshots", {"source": source_id(here)})) == 1
    assert history.read("check_snapshots", {"source": source_id(here), "until": NOW + timedelta(days=36500)}).empty


def test_job_runs_are_kept_once(sandboxes: Sandboxes, tmp_path: Path) -> None:
    database = Database(sandboxes.target("optimised"))
    runs = read_all(connect_server(database)).job_runs.get()
    database.close()
    rows = job_runs_to_store(runs, "here", "measured")
    assert len(rows) > 0
    history = History(tmp_path / "h.duckdb")
    history.append({"job_run": rows})
    history.append({"job_run": rows})
    assert len(history.read("job_runs", {"source": "here", "since": NOW - timedelta(days=36500)})) == len(rows)
