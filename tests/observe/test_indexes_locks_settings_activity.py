from datetime import timedelta
from typing import Any

import pytest

from ms5ops.observe.activity import activity_from, lock_waits, long_transactions
from ms5ops.observe.indexes import duplicates, expected_index_bytes, indexes_from, unused
from ms5ops.observe.locks import lock_budget, table_locks
from ms5ops.observe.settings import NAMES, Setting, setting, setting_number, settings_from
from tests.observe.examples import METRICS, MINUTE, NOW, index, table


@pytest.mark.parametrize(
    ("scans", "category"),
    [
        (0, "UNUSED"),
        (1, "LOW USAGE"),
        (99, "LOW USAGE"),
        (100, "MODERATE USAGE"),
        (999, "MODERATE USAGE"),
        (1_000, "HIGH USAGE"),
    ],
)
def test_usage_category(scans: int, category: str) -> None:
    assert index(scans=scans).usage_category == category


@pytest.mark.parametrize("changed", [{"is_valid": False}, {"invalid_chunks": 1}, {"missing_chunks": 2}])
def test_broken(changed: dict[str, Any]) -> None:
    assert not index().is_broken
    assert index(**changed).is_broken


def test_duplicates_keep_the_constraint_and_name_the_rest() -> None:
    spare = index(name="a")
    key = index(
        name="z_pkey", is_unique=True, is_constraint=True, definition=spare.definition.replace("INDEX", "UNIQUE INDEX")
    )
    other = index(name="b", definition="CREATE INDEX b ON t USING btree (ts) WHERE (v > 1)")
    assert [[one.name for one in group] for group in duplicates([spare, other, key])] == [["z_pkey", "a"]]
    assert duplicates([index(), index(table="other.table")]) == []


def test_unused_leaves_constraints_and_timescaledbs_own_alone() -> None:
    indexes = [
        index(name="small", scans=0, size_bytes=1), index(name="large", scans=0, size_bytes=2), index(name="used"),
        index(name="key", scans=0, is_constraint=True), index(name="own", scans=0, table_kind="continuous aggregate"),
    ]  # fmt: skip
    assert [one.name for one in unused(indexes)] == ["large", "small"]


def test_expected_size_of_a_b_tree() -> None:
    # 1,000 rows: 8 + 4 bytes and an 8-byte key at 90 % fill take 2.7 pages; a page above them, and a metapage.
    assert expected_index_bytes(1_000, 8) == (1 + 3 + 1) * 8192
    assert expected_index_bytes(1_000, 9) == (1 + 4 + 1) * 8192
    assert expected_index_bytes(200, 8) == (1 + 1) * 8192
    # As measured after CREATE INDEX of 10 M bigints: 27,422 pages.
    assert expected_index_bytes(10_000_000, 8) == pytest.approx(27_422 * 8192, rel=0.02)


def test_many_small_b_trees_take_whole_pages_each() -> None:
    # As measured: 400 rows a chunk with a key of uuid and time, 4 pages per chunk index, 22.1 MB in all.
    row = index_row(chunks=673, indexed_chunks=673, filled_chunks=673, entries=267_000, key_width_bytes=24)
    assert indexes_from([row], [])[0].expected_bytes == pytest.approx(22_100_000, rel=0.01)
    # Compressed chunks keep a metapage alone.
    few = index_row(chunks=673, indexed_chunks=673, filled_chunks=168, entries=67_000, key_width_bytes=24)
    assert indexes_from([few], [])[0].expected_bytes == (168 * 4 + 505 + 1) * 8192


def test_bloat_is_a_hint_only_where_it_is_known_and_large() -> None:
    assert index(expected_bytes=20_000_000).is_bloated
    assert not index(expected_bytes=None).is_bloated
    assert not index(size_bytes=100_000, expected_bytes=10_000).is_bloated


def index_row(**changed: Any) -> dict[str, Any]:
    return {
        "schema_name": "factory_telemetry", "table_name": "metric_hist", "index_name": "i", "is_hypertable": True,
        "definition": "CREATE INDEX i ON t USING btree (ts)", "method": "btree", "columns": ["ts"], "is_unique": False,
        "is_primary": False, "is_partial": False, "is_constraint": False, "is_valid": True, "chunks": 3,
        "indexed_chunks": 2, "invalid_chunks": 0, "size_bytes": 5, "scans": 1, "tuples_read": 1, "tuples_fetched": 1,
        "key_width_bytes": 8, "entries": 100, "filled_chunks": 2,
    } | changed  # fmt: skip


def test_a_chunk_without_the_index_is_missing_it() -> None:
    assert indexes_from([index_row()], [table()])[0].missing_chunks == 1
    assert indexes_from([index_row(is_hypertable=False)], [table()])[0].missing_chunks == 0


@pytest.mark.parametrize(
    "changed", [{"method": "brin"}, {"is_partial": True}, {"key_width_bytes": None}, {"entries": 0}]
)
def test_what_cannot_be_estimated_is_not(changed: dict[str, Any]) -> None:
    assert indexes_from([index_row(**changed)], [])[0].expected_bytes is None


# Locks ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chunks", "compressed", "indexes", "measured"),
    [(2_001, 1_832, 4, 13_671), (210, 0, 1, 422), (2_160, 1_992, 2, 10_467)],
)
def test_locks_come_out_as_measured(chunks: int, compressed: int, indexes: int, measured: int) -> None:
    found = table_locks(table(chunks=chunks, compressed_chunks=compressed), indexes).locks
    assert found == pytest.approx(measured, rel=0.001)


def settings(**values: str) -> tuple[Setting, ...]:
    rows = [
        {
            "name": name,
            "setting": value,
            "unit": None,
            "vartype": "integer",
            "context": "postmaster",
            "source": "default",
            "boot_value": value,
            "pending_restart": False,
        }
        for name, value in values.items()
    ]
    return settings_from(rows, "factory_telemetry")


def test_the_widest_table_decides_how_many_queries_fit() -> None:
    tables = [table(chunks=1_000, compressed_chunks=0), table(name="small", chunks=1)]
    budget = lock_budget(tables, [index()], settings(max_locks_per_transaction="64", max_connections="100"))
    assert budget.slots == 6_400
    assert budget.widest is not None
    assert (budget.widest.table, budget.widest.locks, budget.queries_at_once) == (METRICS, 2_002, 3)


def test_no_chunks_or_unseen_settings_give_no_answer() -> None:
    assert lock_budget([], [], settings(max_locks_per_transaction="64", max_connections="100")).queries_at_once is None
    assert lock_budget([table()], [], settings()).queries_at_once is None


# Settings ---------------------------------------------------------------------------------------------------


def one(name: str, value: str, unit: str | None = None, vartype: str = "integer", **others: str) -> Setting:
    rows = [
        {
            "name": key,
            "setting": text,
            "unit": unit if key == name else None,
            "vartype": vartype if key == name else "integer",
            "context": "user",
            "source": "default",
            "boot_value": "",
            "pending_restart": False,
        }
        for key, text in {name: value, **others}.items()
    ]
    found = setting(settings_from(rows, "factory"), name)
    assert found is not None
    return found


def test_units_are_resolved() -> None:
    assert one("shared_buffers", "131072", "8kB").number == 1024**3
    assert one("shared_buffers", "131072", "8kB").text == "1.1 GB"
    assert one("statement_timeout", "10000", "ms").text == "10 s"
    assert one("work_mem", "4096", "kB").number == 4 * 1024**2
    assert one("jit", "on", vartype="bool").number == 1


def test_off_and_default_keep_their_sign() -> None:
    assert one("statement_timeout", "0", "ms").number == 0
    assert one("maintenance_work_mem", "-1", "kB").number == -1


@pytest.mark.parametrize(
    ("name", "value", "vartype", "satisfied"),
    [
        ("random_page_cost", "4", "real", False),
        ("random_page_cost", "1.1", "real", True),
        ("jit", "on", "bool", False),
        ("autovacuum", "on", "bool", True),
        ("timescaledb.max_background_workers", "4", "integer", False),
        ("timescaledb.max_background_workers", "16", "integer", True),
        ("max_worker_processes", "8", "integer", None),
        ("work_mem", "4", "integer", None),
    ],
)
def test_what_phase_4_asks_for(name: str, value: str, vartype: str, satisfied: bool | None) -> None:
    assert one(name, value, vartype=vartype).satisfied is satisfied


def test_worker_processes_are_judged_against_all_workers() -> None:
    workers = {"timescaledb.max_background_workers": "8", "max_parallel_workers": "8"}
    assert one("max_worker_processes", "18", **workers).satisfied is False
    assert one("max_worker_processes", "19", **workers).satisfied is True


def test_the_remedy_is_what_the_setting_allows() -> None:
    assert one("jit", "on", vartype="bool").remedy_sql == 'ALTER DATABASE "factory" SET jit = off;'
    logging = one("timescaledb.enable_job_execution_logging", "off", vartype="bool")
    assert logging.reach == "reload"
    assert "ALTER SYSTEM" in (logging.remedy_sql or "")


def test_unseen_settings_are_there_without_value() -> None:
    found = settings_from([], "factory")
    assert [one.name for one in found] == list(NAMES)
    assert {(one.value, one.satisfied, one.text) for one in found} == {(None, None, "–")}
    assert setting_number(found, "jit") is None
    assert setting(found, "no such setting") is None


# Activity ---------------------------------------------------------------------------------------------------


def session(pid: int, **changed: Any) -> dict[str, Any]:
    return {
        "pid": pid, "role": "app", "application": "x", "client": None, "backend_type": "client backend",
        "state": "active", "waits_for": None, "connected_at": NOW, "transaction_started_at": NOW - MINUTE,
        "query_started_at": NOW - MINUTE, "state_changed_at": NOW, "blocked_by": [], "query": "SELECT 1",
    } | changed  # fmt: skip


def test_sessions_are_counted() -> None:
    rows = [
        session(1), session(2, state="idle in transaction (aborted)"), session(3, state=None),
        session(4, backend_type="autovacuum worker"), session(5, blocked_by=[2, 99]), session(6, blocked_by=None),
    ]  # fmt: skip
    found = activity_from(rows)
    assert (found.connections, found.active, found.idle_in_transaction, found.blocked) == (5, 3, 1, 1)
    assert [(one.pid, [other.pid for other in blockers]) for one, blockers in lock_waits(found)] == [(5, [2])]


def test_long_ones_are_clients_and_oldest_first() -> None:
    rows = [
        session(1, transaction_started_at=NOW - 20 * MINUTE, query_started_at=NOW - 6 * MINUTE),
        session(2, transaction_started_at=NOW - 30 * MINUTE, state="idle in transaction"),
        session(3, transaction_started_at=NOW - timedelta(days=1), backend_type="walsender"),
        session(4, transaction_started_at=None, query_started_at=None),
    ]
    found = activity_from(rows)
    assert [one.pid for one in long_transactions(found, NOW)] == [2, 1]


def test_nobody_connected() -> None:
    found = activity_from([])
    assert (found.connections, long_transactions(found, NOW), lock_waits(found)) == (0, [], [])
