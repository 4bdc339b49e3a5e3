from typing import Any

import pandas as pd
import pytest

from ms5ops.observe.compression import (
    TableCompression,
    chunk_ratios,
    compression_from,
    describe_rows_per_segment,
    poor_chunks,
    segment_count,
)
from ms5ops.observe.retention import read_retention
from tests.observe.examples import (
    DAY,
    HOUR,
    METRICS,
    NOW,
    chunk,
    chunks,
    compressed,
    compression,
    job,
    retention_job,
    table,
)

SETTINGS = [
    {"hypertable_schema": "factory_telemetry", "hypertable_name": "metric_hist", "segment_by": ["metric_def_id"],
     "order_by": ["ts DESC"]}
]  # fmt: skip


def statistics(distinct: float) -> list[dict[str, Any]]:
    return [
        {"hypertable_schema": "factory_telemetry", "hypertable_name": "metric_hist", "column_name": "metric_def_id",
         "distinct_values": distinct}
    ]  # fmt: skip


def read(*rows: dict[str, Any], jobs: Any = None, distinct: float | None = 50.0) -> TableCompression:
    return compression_from(
        [table(), table(kind="plain table", name="x")],
        settings=SETTINGS,
        statistics=[] if distinct is None else statistics(distinct),
        chunks=chunks(*rows),
        jobs=[job()] if jobs is None else jobs,
        now=NOW,
    )[0]


def test_ratio_and_saved_share_come_from_what_was_stored() -> None:
    found = read(compressed(), compressed(chunk="b", before_bytes=1_000_000, after_bytes=400_000))
    assert (found.before_bytes, found.after_bytes) == (3_000_000, 600_000)
    assert found.ratio == 5.0
    assert found.saved_share == pytest.approx(0.8)


def test_nothing_compressed_has_no_ratio() -> None:
    found = read(chunk())
    assert (found.ratio, found.saved_share, found.rows_per_batch) == (None, None, None)


def test_the_backlog_is_what_is_past_compress_after() -> None:
    old = {"range_start": NOW - 9 * DAY, "range_end": NOW - 8 * DAY}
    found = read(
        chunk(**old), compressed(**old, chunk="b"), compressed(**old, is_partial=True, chunk="c"), chunk(chunk="d")
    )
    assert (found.backlog_chunks, found.late_chunks) == (2, 2)
    assert found.backlog_bytes == 1_250_000


def test_a_chunk_that_became_due_after_the_last_run_is_not_late() -> None:
    found = read(chunk(range_start=NOW - 8 * DAY, range_end=NOW - 7 * DAY - HOUR))
    assert (found.backlog_chunks, found.late_chunks) == (1, 0)


def test_a_policy_that_never_ran_has_a_backlog_but_nothing_late() -> None:
    found = read(chunk(range_start=NOW - 90 * DAY, range_end=NOW - 89 * DAY), jobs=[job(last_start=None)])
    assert (found.backlog_chunks, found.late_chunks) == (1, 0)


def test_without_a_policy_there_is_no_backlog() -> None:
    found = read(chunk(range_start=NOW - 90 * DAY, range_end=NOW - 89 * DAY), jobs=[])
    assert (found.job_id, found.compress_after, found.backlog_chunks) == (None, None, 0)


def test_integer_time_has_no_backlog() -> None:
    assert read(chunk(range_start=None, range_end=None)).backlog_chunks == 0


@pytest.mark.parametrize(
    ("rows", "distinct", "expected"),
    [
        ([compressed(rows=2_300, batches=100)], 50.0, (23.0, True)),
        ([compressed(rows=20_000, batches=20)], 50.0, (400.0, False)),
        ([chunk(rows=10_000)], 50.0, (200.0, False)),
        ([chunk(rows=10_000)], None, (None, False)),
        ([chunk(rows=None)], 50.0, (None, False)),
        ([], 50.0, (None, False)),
    ],
    ids=["small batches tell", "full batches do not", "uncompressed", "never analysed", "rows unknown", "no chunk"],
)
def test_rows_per_segment(rows: list[Any], distinct: float | None, expected: tuple[float | None, bool]) -> None:
    found = read(*rows, distinct=distinct)
    assert (found.rows_per_segment, found.rows_per_segment_measured) == expected


@pytest.mark.parametrize(
    ("distinct", "columns", "rows", "expected"),
    [
        ({"a": 10.0}, ["a"], 1_000, 10),
        ({"a": -0.5}, ["a"], 1_000, 500),
        ({"a": 10.0, "b": 20.0}, ["a", "b"], 1_000, 200),
        ({"a": 100.0, "b": 100.0}, ["a", "b"], 1_000, 1_000),
        ({"a": 10.0}, ["a", "b"], 1_000, None),
        ({}, [], 1_000, None),
        ({"a": 10.0}, ["a"], 0, None),
    ],
)
def test_segment_count(distinct: dict[str, float], columns: list[str], rows: float, expected: float | None) -> None:
    assert segment_count(distinct, columns, rows) == expected


def test_ratios_over_time_are_oldest_first_and_survive_zero_bytes() -> None:
    frame = chunk_ratios(chunks(chunk(), compressed(chunk="new"), compressed(
        chunk="old", range_start=NOW - 999 * HOUR, before_bytes=0, after_bytes=0, batches=0
    )))  # fmt: skip
    assert list(frame["chunk"]) == ["old", "new"]
    assert frame["ratio"].isna().tolist() == [True, False]
    assert frame["ratio"].iloc[1] == 10.0


def reasons(*rows: dict[str, Any], live: Any = None, **changed: Any) -> str:
    found = poor_chunks(chunks(*rows), compression(**changed), live)
    return " ".join(reason for one in found for reason in one.reasons)


def test_good_chunks_are_not_named() -> None:
    assert reasons(compressed(), chunk()) == ""


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"before_bytes": 3_000_000, "after_bytes": 2_000_000, "batches": 1_000}, "10 rows per batch"),
        ({"before_bytes": 90_000, "after_bytes": 80_000}, "the chunk is tiny"),
        ({"before_bytes": 3_000_000, "after_bytes": 2_000_000}, "its values compress badly"),
        ({"is_partial": True}, "rows came after it was compressed"),
    ],
)
def test_why_a_chunk_is_poor(row: dict[str, Any], says: str) -> None:
    assert says in reasons(compressed(**row))


def test_no_segment_by_is_a_reason() -> None:
    assert "no segment-by" in reasons(compressed(before_bytes=3_000_000, after_bytes=2_000_000), segment_by=())


def test_live_sizes_show_bloat() -> None:
    live = pd.DataFrame({"chunk": ["_hyper_1_1_chunk"], "live_bytes": [400_000]})
    assert "Bloated or changed since: takes 400 kB now, 200 kB" in reasons(compressed(), live=live)
    assert reasons(compressed(), live=live.assign(live_bytes=210_000)) == ""


@pytest.mark.parametrize(
    ("value", "says"),
    [(2.0, "too few to compress"), (23.0, "longer chunks"), (550.0, "enough"), (None, None)],
)
def test_rows_per_segment_in_words(value: float | None, says: str | None) -> None:
    text = describe_rows_per_segment(compression(rows_per_segment=value))
    assert text is None if says is None else says in (text or "")


def test_retention_counts_what_is_wholly_too_old() -> None:
    rows = [
        chunk(range_start=NOW - 101 * DAY, range_end=NOW - 100 * DAY),
        chunk(range_start=NOW - 91 * DAY, range_end=NOW - 90 * DAY, chunk="b"),
        chunk(range_start=NOW - 90 * DAY, range_end=NOW - 89 * DAY, chunk="c"),
    ]
    found = read_retention([table()], chunks(*rows), [retention_job()], NOW)[0]
    assert (found.eligible_chunks, found.late_chunks, found.eligible_bytes) == (2, 1, 2_000_000)
    assert found.oldest == NOW - 101 * DAY


def test_without_retention_nothing_is_eligible() -> None:
    found = read_retention([table(), table(kind="missing")], chunks(chunk()), [], NOW)
    assert [(one.table, one.drop_after, one.eligible_chunks) for one in found] == [(METRICS, None, 0)]


def test_retention_of_an_empty_table() -> None:
    found = read_retention([table()], chunks(), [retention_job(last_start=None)], NOW)[0]
    assert (found.oldest, found.eligible_chunks, found.late_chunks) == (None, 0, 0)
