from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from ms5ops.observe import chunks as chunk_module
from ms5ops.observe.chunks import DTYPES, GROWTH_DTYPES, daily_growth, day_shares, of_table, plain_growth
from ms5ops.observe.tables import PlainGrowth, expected_tables, table_named, tables_from
from ms5ops.policy.document import default_policy
from tests.observe.examples import DAY, HOUR, METRICS, NOW, chunk, chunks, compressed, table

SCHEMA = "factory_telemetry"
EXPECTED = expected_tables(default_policy())
EXPECTED_NAMES = [one.name for one in EXPECTED]


def hypertable_row(**changed: Any) -> dict[str, Any]:
    return {
        "schema_name": SCHEMA, "table_name": "metric_hist", "kind": "hypertable", "storage_schema": SCHEMA,
        "storage_name": "metric_hist", "time_column": "ts", "time_type": "timestamp with time zone",
        "chunk_interval": HOUR, "dimensions": 1, "compression_enabled": True, "chunks": 2, "compressed_chunks": 1,
        "partial_chunks": 0,
    } | changed  # fmt: skip


def plain_row(name: str) -> dict[str, Any]:
    return {"schema_name": SCHEMA, "table_name": name, "size_bytes": 9, "index_bytes": 3, "rows": 5, "analyzed_at": NOW}


def test_an_empty_database_misses_all_five_tables() -> None:
    found = tables_from([], [], chunks(), SCHEMA, EXPECTED)
    assert [(one.name, one.kind) for one in found] == [(name, "missing") for name in EXPECTED_NAMES]
    assert found[0].size_bytes is None


def test_legacy_tables_are_plain_and_keep_their_size() -> None:
    found = tables_from([], [plain_row(name) for name in EXPECTED_NAMES], chunks(), SCHEMA, EXPECTED)
    assert {one.kind for one in found} == {"plain table"}
    assert (found[0].size_bytes, found[0].uncompressed_bytes, found[0].rows) == (9, 9, 5)


def test_a_hypertables_root_is_not_taken_for_a_plain_table() -> None:
    found = tables_from([hypertable_row()], [plain_row("metric_hist")], chunks(chunk(), compressed()), SCHEMA, EXPECTED)
    metrics = table_named(found, METRICS)
    assert metrics is not None
    assert (metrics.kind, metrics.rows, metrics.size_bytes) == ("hypertable", 20_000, 1_250_000)
    assert metrics.uncompressed_bytes == 1_250_000 + 1_800_000
    assert [one.kind for one in found].count("missing") == 4


def test_expected_tables_come_first_and_foreign_ones_are_kept() -> None:
    rows = [hypertable_row(schema_name="other", table_name="metric_hist", storage_schema="other"), hypertable_row()]
    found = tables_from(rows, [], chunks(), SCHEMA, EXPECTED)
    assert found[0].qualified == METRICS
    other = table_named(found, "other.metric_hist")
    assert other is not None
    assert not other.is_expected


def test_without_chunks_sizes_are_unknown_but_counts_stay() -> None:
    found = tables_from([hypertable_row()], [], None, SCHEMA, EXPECTED)
    assert (found[0].size_bytes, found[0].chunks) == (None, 2)


def test_an_empty_hypertable_takes_nothing() -> None:
    found = tables_from([hypertable_row(chunks=0)], [], chunks(), SCHEMA, EXPECTED)
    assert (found[0].size_bytes, found[0].rows) == (0, 0)


def test_rows_that_no_statistics_tell_are_unknown() -> None:
    found = tables_from([hypertable_row()], [], chunks(chunk(rows=None)), SCHEMA, EXPECTED)
    assert (found[0].size_bytes, found[0].rows) == (1_000_000, None)


def test_a_chunk_frame_has_its_dtypes_even_when_empty() -> None:
    for frame in (chunks(), chunks(chunk(), compressed())):
        assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == DTYPES


def test_integer_time_has_no_range_and_no_growth() -> None:
    frame = chunks(chunk(range_start=None, range_end=None))
    assert frame["range_start"].isna().all()
    assert len(daily_growth(frame, [table()], NOW)) == 0


def test_chunks_of_one_table_are_found_by_its_storage() -> None:
    frame = chunks(chunk(), chunk(hypertable_name="_materialized_hypertable_3", chunk="b"))
    view = table(kind="continuous aggregate", name="view", storage_name="_materialized_hypertable_3")
    assert list(of_table(frame, view)["chunk"]) == ["b"]


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        ((10, 12), {23: 1.0}),
        ((22, 26), {23: 0.5, 24: 0.5}),
        ((12, 60), {23: 0.25, 24: 0.5, 25: 0.25}),
        ((5, 5), {23: 1.0}),
    ],
)
def test_day_shares(hours: tuple[int, int], expected: dict[int, float]) -> None:
    midnight = datetime(2026, 11, 23, tzinfo=UTC)
    shares = day_shares(*(midnight + timedelta(hours=hour) for hour in hours))
    assert {day.day: share for day, share in shares} == pytest.approx(expected)


def test_growth_is_spread_over_the_chunks_days_and_the_newest_ends_now() -> None:
    week = chunk(range_start=NOW - DAY, range_end=NOW + 6 * DAY, size_bytes=2_400, rows=24)
    growth = daily_growth(chunks(week), [table()], NOW)
    assert {name: str(dtype) for name, dtype in growth.dtypes.items()} == GROWTH_DTYPES
    assert list(growth["day"].dt.day) == [22, 23]
    assert list(growth["size_bytes"]) == [1_200, 1_200]
    assert list(growth["rows"]) == [12, 12]


def test_growth_counts_compressed_chunks_now_and_as_before() -> None:
    growth = daily_growth(chunks(compressed()), [table()], NOW)
    assert (growth["size_bytes"].sum(), growth["uncompressed_bytes"].sum()) == (250_000, 2_050_000)


def test_growth_of_nothing_has_its_columns() -> None:
    growth = daily_growth(chunks(), [], NOW)
    assert {name: str(dtype) for name, dtype in growth.dtypes.items()} == GROWTH_DTYPES


def test_growth_of_a_plain_table_follows_its_histogram() -> None:
    midnight = datetime(2026, 11, 20, tzinfo=UTC)
    plain = table(kind="plain table", rows=400, size_bytes=4_000)
    bounds = tuple(midnight + timedelta(hours=12) * step for step in range(5))
    growth = plain_growth([PlainGrowth(METRICS, bounds)], [plain])
    assert list(growth["rows"]) == [200, 200]
    assert list(growth["size_bytes"]) == [2_000, 2_000]
    assert growth["is_estimate"].all()


def test_a_plain_table_that_was_never_analysed_has_no_growth() -> None:
    assert len(plain_growth([PlainGrowth(METRICS, ())], [table(kind="plain table")])) == 0


def test_instants_before_and_after_what_nanoseconds_hold() -> None:
    values = pd.Series([datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC), None], dtype="object")
    assert list(chunk_module.instants(values).isna()) == [False, False, True]
