"""What a DBA asks of the indexes."""

from dataclasses import replace

import pytest

from ms5ops.observe.index_remedies import drop_sql, rebuild_sql, reindex_sql
from ms5ops.observe.index_review import (
    COLUMNS,
    counting,
    covered,
    index_frame,
    index_totals,
    key_columns,
    key_text,
    lock_frame,
    lock_text,
    performance_indexes,
    purpose,
    state_text,
    usage_totals,
    verdict,
    wanted_indexes,
)
from ms5ops.observe.indexes import Index, IndexReading, duplicates
from ms5ops.observe.locks import LockBudget, TableLocks
from ms5ops.policy.document import default_policy
from tests.observe.examples import DAY, HOUR, NOW, index, table
from tests.policy.examples import other_tables

SCHEMA = "factory_telemetry"


def made(name: str, rest: str, *columns: str, **changed: object) -> Index:
    """An index on metric_hist by its definition after USING."""
    definition = f"CREATE INDEX {name} ON factory_telemetry.metric_hist USING {rest}"
    return index(**{"name": name, "definition": definition, "columns": columns} | changed)


def reading(*indexes: Index, days: int = 10) -> IndexReading:
    return IndexReading(indexes, NOW - days * DAY)


def many(count: int, **changed: object) -> list[Index]:
    return [made(f"idx_{number:02}", f"btree (c{number})", f"c{number}", **changed) for number in range(count)]


KEY = made(
    "metric_hist_pkey", "btree (id, ts)", "id", "ts", is_unique=True, is_primary=True, is_constraint=True, scans=0
)


@pytest.mark.parametrize(
    ("rest", "key"),
    [
        ("btree (metric_def_id, ts DESC) INCLUDE (value_real)", ("metric_def_id", "ts DESC")),
        ('btree (lower((name)::text), "odd,na)me" DESC)', ("lower((name)::text)", '"odd,na)me" DESC')),
        ("btree (coalesce(a, ','::text))", ("coalesce(a, ','::text)",)),
        ("brin (ts)", ("ts",)),
        ("btree (ts) WHERE (oee < (0.80)::double precision)", ("ts",)),
    ],
)
def test_key_columns_are_read_from_the_definition(rest: str, key: tuple[str, ...]) -> None:
    assert key_columns(made("i", rest)) == key


def test_key_text_mentions_what_is_beside_the_key() -> None:
    assert key_text(made("i", "btree (a, b) INCLUDE (c)", "a", "b", "c")) == "a, b (+ 1 included)"
    assert key_text(made("i", "btree (a) WHERE (a > 0)", "a", is_partial=True)) == "a, some rows only"


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({}, "complete"),
        ({"is_valid": False}, "invalid: its build did not finish"),
        ({"invalid_chunks": 2}, "invalid on 2 of 10 chunks"),
        ({"missing_chunks": 3}, "missing on 3 of 10 chunks"),
        ({"missing_chunks": 3, "is_partial": True}, "complete; left away from 3 chunks"),
    ],
)
def test_state_in_words(changed: dict[str, object], says: str) -> None:
    assert state_text(index(**changed)) == says


def test_a_trimmed_partial_index_is_not_broken() -> None:
    assert not index(is_partial=True, missing_chunks=8).is_broken
    assert index(is_partial=True, missing_chunks=8, is_valid=False).is_broken


def test_purpose() -> None:
    assert [purpose(one) for one in (KEY, index(is_unique=True), index(is_constraint=True), index())] == [
        "primary key",
        "unique",
        "constraint",
        "queries",
    ]


def test_performance_indexes_leave_out_keys_duplicates_and_broken_ones() -> None:
    indexes = [
        KEY,
        made("idx_a", "btree (a)", "a"),
        made("twin", "btree (a)", "a"),
        made("idx_b", "btree (b)", "b", is_valid=False),
        made("idx_c", "btree (c)", "c", table="other.table"),
    ]
    assert [one.name for one in performance_indexes(indexes, [table()])] == ["idx_a"]


def test_of_duplicates_the_known_name_stays() -> None:
    twins = [made(name, "btree (a)", "a") for name in ("another", "idx_known")]
    assert [[one.name for one in group] for group in duplicates(twins)] == [["idx_known", "another"]]


def test_a_longer_key_covers_a_shorter_one() -> None:
    short = made("ix_def", "btree (metric_def_id, ts DESC)", "metric_def_id", "ts")
    wide = made("idx_wide", "btree (metric_def_id, ts DESC) INCLUDE (v)", "metric_def_id", "ts", "v")
    longer = made("idx_longer", "btree (metric_def_id, ts DESC, v)", "metric_def_id", "ts", "v")
    assert {(one.index.name, one.by.name) for one in covered([short, wide])} == {("ix_def", "idx_wide")}
    assert {one.index.name for one in covered([short, longer])} == {"ix_def"}


@pytest.mark.parametrize(
    "other",
    [
        made("o", "btree (ts, a)", "ts", "a"),
        made("o", "btree (a DESC, ts)", "a", "ts"),
        made("o", "brin (a)", "a", method="brin"),
        made("o", "btree (a, ts) WHERE (a > 0)", "a", "ts", is_partial=True),
        made("o", "btree (a, ts)", "a", "ts", is_valid=False),
        made("o", "btree (a, ts)", "a", "ts", table="other.table"),
        made("o", "btree (a)", "a"),
    ],
)
def test_what_does_not_cover(other: Index) -> None:
    assert covered([made("one", "btree (a)", "a"), other]) == []


def test_constraints_are_never_called_covered() -> None:
    key = made("pk", "btree (a)", "a", is_unique=True, is_primary=True, is_constraint=True)
    assert covered([key, made("o", "btree (a, ts)", "a", "ts")]) == []


def test_of_two_that_cover_each_other_one_stays() -> None:
    twins = [made("a", "btree (x) INCLUDE (p, q)", "x", "p", "q"), made("b", "btree (x) INCLUDE (q, p)", "x", "q", "p")]
    assert [(one.index.name, one.by.name) for one in covered(twins)] == [("a", "b")]


def test_counting_takes_a_week() -> None:
    assert counting(reading(days=7), NOW).long_enough
    short = counting(IndexReading((), NOW - HOUR), NOW)
    assert not short.long_enough
    assert "too short" in short.text
    assert counting(IndexReading((), None), NOW).span is None


def test_totals() -> None:
    idle = made("idx_idle", "btree (z)", "z", scans=0, size_bytes=7)
    own = made("own", "btree (y)", "y", scans=0, table_kind="continuous aggregate")
    found = index_totals(reading(KEY, idle, own, index()), [table()])
    assert (found.indexes, found.unused, found.unused_bytes, found.broken) == (4, 1, 7, 0)


BUDGET = LockBudget(1_000, (TableLocks("factory_telemetry.metric_hist", 100, 0, 3, 400),))


@pytest.mark.parametrize(
    ("found", "budget", "severity", "says"),
    [
        (reading(), None, "info", "no indexes"),
        (reading(index(is_valid=False)), None, "critical", "1 index is incomplete"),
        (reading(index(), KEY), None, "warning", "1 index serves queries"),
        (reading(*many(15)), None, "ok", "15 of them serve"),
        (reading(*many(15)), BUDGET, "warning", "only 2 queries"),
        (reading(*many(15)), LockBudget(500, BUDGET.tables), "critical", "only 1 query"),
        (reading(*many(15)), LockBudget(300, BUDGET.tables), "critical", "more locks than there are"),
        (reading(*many(15)), LockBudget(None, BUDGET.tables), "ok", "15 of them serve"),
        (reading(*many(15, scans=0)), None, "warning", "15 indexes (750 MB) have not been used in 10 days"),
        (reading(*many(15, scans=0), days=1), None, "ok", "15 of them serve"),
    ],
)
def test_verdict(found: IndexReading, budget: LockBudget | None, severity: str, says: str) -> None:
    wanted = wanted_indexes(default_policy(), found.indexes, [table()])
    said = verdict(found, [table()], budget, NOW, wanted)
    assert (said.severity, says in said.text) == (severity, True), said.text


def test_a_set_of_other_tables_asks_for_its_own_indexes_by_name() -> None:
    tables = [table(schema="shop", name="readings")]
    there = index(schema="shop", table="shop.readings", name="idx_readings_meter")
    wanted = wanted_indexes(other_tables(), [there], tables)
    assert (wanted.number, wanted.missing, wanted.any_will_do) == (2, ("idx_readings_kwh",), False)
    assert wanted.text == "1 of the policy set's 2"
    said = verdict(reading(there), tables, None, NOW, wanted)
    assert said.severity == "warning"
    assert said.text.startswith("1 index of the policy set is missing: idx_readings_kwh.")
    both = reading(there, replace(there, name="idx_readings_kwh", columns=("kwh",)))
    wanted = wanted_indexes(other_tables(), both.indexes, tables)
    assert verdict(both, tables, None, NOW, wanted).severity == "ok"
    elsewhere = [replace(one, schema="lab") for one in both.indexes]
    assert len(wanted_indexes(other_tables(), elsewhere, tables).missing) == 2


def test_where_none_of_its_tables_is_there_no_index_is_asked_for() -> None:
    tables = [table(kind="missing"), table(name="conditions", expected=None)]
    own = index(table="factory_telemetry.conditions")
    wanted = wanted_indexes(default_policy(), [own], tables)
    assert (wanted.number, wanted.missing, wanted.text) == (0, (), "none asked for")
    assert verdict(reading(own), tables, None, NOW, wanted).severity == "ok"
    assert index_totals(reading(own), tables).performance == 1


def test_frames() -> None:
    found = [index(), KEY, index(name="view_idx", table="other.view", scans=0, size_bytes=1, expected_bytes=None)]
    frame = index_frame(found, SCHEMA)
    assert frame["table"].tolist() == ["metric_hist", "metric_hist", "other.view"]
    usage = usage_totals(found, SCHEMA)
    assert len(usage) == 8
    assert usage.loc[usage["usage"] == "HIGH USAGE", "indexes"].tolist() == [1, 0]
    assert index_frame([], SCHEMA).columns.tolist() == COLUMNS
    assert usage_totals([], SCHEMA).empty


def test_sql_to_copy() -> None:
    odd = made('o"dd', "btree (a) WHERE (a > 0)", "a", is_partial=True)
    assert drop_sql([KEY, odd]) == 'DROP INDEX "factory_telemetry"."o""dd";'
    assert rebuild_sql(KEY) is None
    rebuilt = rebuild_sql(odd)
    assert rebuilt is not None
    assert "USING btree (a) WITH (timescaledb.transaction_per_chunk) WHERE (a > 0);" in rebuilt
    filled = rebuild_sql(made("f", "btree (a) WITH (fillfactor='70')", "a"))
    assert filled is not None
    assert "WITH (fillfactor='70', timescaledb.transaction_per_chunk);" in filled
    plain = rebuild_sql(made("p", "btree (a)", "a", chunks=0))
    assert plain is not None
    assert plain.endswith("USING btree (a);")


def test_reindex_goes_chunk_by_chunk() -> None:
    assert reindex_sql(index(chunks=0)).startswith("REINDEX INDEX CONCURRENTLY ")
    statement = reindex_sql(made("idx_it's", "btree (a)", "a"))
    assert "inhparent = 'factory_telemetry.metric_hist'::regclass" in statement
    assert r"LIKE '%\_idx\_it''s'" in statement


def test_locks_in_words_and_rows() -> None:
    frame = lock_frame(BUDGET, SCHEMA)
    assert frame[["table", "locks", "share", "queries_at_once"]].to_numpy().tolist() == [["metric_hist", 400, 0.4, 2]]
    assert "so 2 such queries fit at once" in lock_text(BUDGET, SCHEMA)
    assert "not even one fits" in lock_text(LockBudget(300, BUDGET.tables), SCHEMA)
    assert "not visible" in lock_text(LockBudget(None, BUDGET.tables), SCHEMA)
    assert "No table has chunks" in lock_text(LockBudget(500, ()), SCHEMA)
    assert lock_frame(LockBudget(None, BUDGET.tables), SCHEMA)["share"].isna().all()
