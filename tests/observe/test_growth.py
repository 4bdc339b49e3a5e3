from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from ms5ops.observe.chunks import DTYPES, chunk_frame, daily_growth
from ms5ops.observe.compression import TableCompression
from ms5ops.observe.forecast import Lifecycle
from ms5ops.observe.growth import (
    TableGrowth,
    block_days,
    compressed_shares,
    lifecycle_of,
    monthly_rates,
    outlook,
    settled,
    table_growths,
    total_arrivals,
    total_rows,
)
from ms5ops.observe.retention import TableRetention
from ms5ops.observe.tables import Kind, Table

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def table(
    name: str = "metric_hist", kind: Kind = "hypertable", interval: timedelta | None = DAY, size: int = 0
) -> Table:
    return Table(
        schema="s", name=name, kind=kind, expected=None, storage_schema="s", storage_name=name, time_column="ts",
        time_type="timestamp with time zone", chunk_interval=interval, dimensions=1, compression_enabled=False,
        chunks=0, compressed_chunks=0, partial_chunks=0, rows=None, size_bytes=size, index_bytes=0,
        uncompressed_bytes=size,
    )  # fmt: skip


def chunks(*rows: tuple[str, datetime, timedelta, int, int | None]) -> pd.DataFrame:
    """Rows of (table, start, length, size, size before compression or None)."""
    return chunk_frame(
        pd.DataFrame(
            [
                {
                    "hypertable_schema": "s", "hypertable_name": name, "chunk_schema": "i", "chunk": f"{name}{number}",
                    "range_start": start, "range_end": start + length, "is_compressed": before is not None,
                    "is_partial": False, "is_frozen": False, "size_bytes": size, "index_bytes": 0,
                    "before_bytes": before, "after_bytes": None if before is None else size, "rows": 10,
                    "batches": None,
                }
                for number, (name, start, length, size, before) in enumerate(rows)
            ],
            columns=list(DTYPES),
        )
    )  # fmt: skip


def days_of(
    name: str, days: int, size: int = 100, until: datetime = NOW
) -> list[tuple[str, datetime, timedelta, int, None]]:
    midnight = until.replace(hour=0)
    return [(name, midnight - ahead * DAY, DAY, size, None) for ahead in range(days)]


def growths(frame: pd.DataFrame, *tables: Table, now: datetime = NOW) -> tuple[TableGrowth, ...]:
    grown = settled(daily_growth(frame, tables, now), tables, frame, now)
    return table_growths(grown, tables, frame, compression=(), retention=(), now=now)


def test_the_running_day_and_the_first_one_give_no_rate() -> None:
    (found,) = growths(chunks(*days_of("metric_hist", 20)), table(size=2_000))
    assert (found.arrivals.index[0], found.arrivals.index[-1]) == (date(2026, 11, 5), date(2026, 11, 22))
    assert found.past.index[0] == date(2026, 11, 4)
    assert set(found.arrivals) == {100.0}
    assert found.stored_bytes == 1_900  # the running day's 100 come on top
    assert set(found.rows) == {10.0}


def test_data_that_stopped_are_no_slump() -> None:
    (found,) = growths(chunks(*days_of("metric_hist", 20, until=NOW - 4 * DAY)), table(size=2_000))
    assert found.arrivals.index[-1] == date(2026, 11, 18)  # the 19th, where data end, may be half a day
    assert set(found.arrivals) == {100.0}
    assert found.stored_bytes == 2_000


def test_a_day_without_chunks_between_others_is_a_zero() -> None:
    frame = chunks(*[row for row in days_of("metric_hist", 20) if row[1].day != 15])
    (found,) = growths(frame, table(size=1_900))
    assert found.arrivals[date(2026, 11, 15)] == 0
    assert len(found.arrivals) == 18


def test_the_first_of_long_chunks_gives_no_rate() -> None:
    start = datetime(2026, 10, 22, tzinfo=UTC)
    week = 7 * DAY
    frame = chunks(*[("metric_hist", start + number * week, week, 700, None) for number in range(5)])
    (found,) = growths(frame, table(interval=week, size=3_500))
    assert found.arrivals.index[0] == date(2026, 10, 29)
    assert found.block_days == 7
    assert len(found.ahead(10)) == 10


def test_two_long_chunks_are_the_least() -> None:
    start = datetime(2026, 11, 5, tzinfo=UTC)
    frame = chunks(*[("metric_hist", start + number * 7 * DAY, 7 * DAY, 700, None) for number in range(3)])
    (found,) = growths(frame, table(interval=7 * DAY, size=2_100))
    assert len(found.arrivals) == 11
    assert found.ahead(10).empty
    ahead = outlook((found,), 10)
    assert ahead.unchanged == (found,)
    assert ahead.frame.empty


def test_a_long_first_chunk_begins_with_the_data() -> None:
    aggregate = table("daily", "continuous aggregate", 365 * DAY, size=200_000)
    frame = chunks(*days_of("metric_hist", 20), ("daily", datetime(2026, 1, 1, tzinfo=UTC), 365 * DAY, 200_000, None))
    tables = (table(size=2_000), aggregate)
    grown = settled(daily_growth(frame, tables, NOW), tables, frame, NOW)
    mine = grown[grown["table"] == "s.daily"]
    assert mine["day"].min() == pd.Timestamp("2026-11-04", tz="UTC")
    assert mine["size_bytes"].sum() == pytest.approx(200_000, rel=0.002)
    found = growths(frame, *tables)[1]
    assert found.bytes_per_day == pytest.approx(200_000 / 19.25, rel=0.05)
    assert len(found.ahead(5)) == 5


def test_an_aggregate_that_ends_before_the_finer_data_stays_where_it_is() -> None:
    frame = chunks(*days_of("metric_hist", 5), ("daily", datetime(2026, 1, 1, tzinfo=UTC), 30 * DAY, 300, None))
    tables = (table(), table("daily", "continuous aggregate", 30 * DAY))
    grown = settled(daily_growth(frame, tables, NOW), tables, frame, NOW)
    assert grown["day"].min() == pd.Timestamp("2026-01-01", tz="UTC")


def test_days_to_come_are_left_out() -> None:
    frame = chunks(*days_of("metric_hist", 10), ("metric_hist", NOW + 300 * DAY, DAY, 5, None))
    (found,) = growths(frame, table(size=1_005))
    assert found.past.index[-1] == date(2026, 11, 22)


def test_an_estimate_ends_at_its_last_whole_day() -> None:
    plain = table("metric_hist", "plain table", None, size=1_000)
    instants = pd.to_datetime([NOW.replace(hour=0) - ahead * DAY for ahead in range(10, 3, -1)], utc=True)
    grown = pd.DataFrame(
        {"table": "s.metric_hist", "day": instants, "size_bytes": 100, "uncompressed_bytes": 100, "rows": 5}
    ).assign(is_estimate=True)
    empty = chunks()
    (found,) = table_growths(grown, (plain,), empty, compression=(), retention=(), now=NOW)
    assert (found.arrivals.index[0], found.arrivals.index[-1]) == (date(2026, 11, 14), date(2026, 11, 18))
    assert found.is_estimate


def test_one_row_of_the_year_one_does_no_harm() -> None:
    frame = chunks(*days_of("metric_hist", 10), ("metric_hist", datetime(1, 1, 2, tzinfo=UTC), DAY, 5, None))
    (found,) = growths(frame, table(size=1_005))
    assert len(found.past) < 4_000


def policies(**days: float) -> tuple[TableCompression, TableRetention]:
    compression = TableCompression(
        table="s.metric_hist", kind="hypertable", enabled=True, segment_by=(), order_by=(),
        compress_after=timedelta(days=days["compress"]), job_id=1, scheduled=True, chunks=1, compressed_chunks=1,
        partial_chunks=0, before_bytes=1, after_bytes=1, rows_per_batch=None, segments=None, rows_per_segment=None,
        rows_per_segment_measured=False, backlog_chunks=0, backlog_bytes=0, late_chunks=0,
    )  # fmt: skip
    retention = TableRetention(
        table="s.metric_hist", kind="hypertable", job_id=2, drop_after=timedelta(days=days["keep"]), scheduled=True,
        next_start=None, last_start=None, last_succeeded=None, chunks=1, oldest=None, eligible_chunks=0,
        eligible_bytes=0, late_chunks=0,
    )  # fmt: skip
    return compression, retention


def test_policies_make_the_lifecycle() -> None:
    compression, retention = policies(compress=7, keep=90)
    assert lifecycle_of(table(), 0.2, compression, retention) == Lifecycle(7, 0.2, 90)
    assert lifecycle_of(table(interval=7 * DAY), 0.2, compression, retention) == Lifecycle(10, 0.2, 93)
    paused = (replace(compression, scheduled=False), replace(retention, scheduled=False))
    assert lifecycle_of(table(), 0.2, *paused) == Lifecycle()


def test_shares_are_of_whole_compressed_chunks() -> None:
    frame = chunks(
        ("metric_hist", NOW, DAY, 20, 100), ("metric_hist", NOW, DAY, 40, 100), ("metric_hist", NOW, DAY, 9, None)
    )
    assert compressed_shares(frame) == {("s", "metric_hist"): pytest.approx(0.3)}
    assert compressed_shares(chunks()) == {}


def test_block_days() -> None:
    assert block_days(table(interval=timedelta(hours=1))) == 1
    assert block_days(table(interval=7 * DAY)) == 7
    assert block_days(table(kind="plain table", interval=None)) == 1


def test_all_tables_as_one() -> None:
    frame = chunks(*days_of("metric_hist", 20), *days_of("small", 5, size=1))
    found = growths(frame, table(size=2_000), table("small", size=5))
    ahead = outlook(found, 40)
    assert [one.table for one in ahead.unchanged] == ["s.small"]
    assert ahead.stored_bytes == 1_904
    assert ahead.frame["expected_bytes"].iloc[0] == 2_004
    assert ahead.next_month_bytes == pytest.approx(100 * 365.25 / 12)
    assert ahead.on(date(2026, 11, 24)) is not None
    assert ahead.on(date(2036, 11, 24)) is None
    arrivals = total_arrivals(found)
    assert arrivals.index[0] == date(2026, 11, 5)  # the small table does not decide which days are known
    assert arrivals.iloc[-1] == 101
    assert total_rows(found).iloc[-1] == 20


def test_nothing_at_all() -> None:
    (found,) = growths(chunks(), table(size=0))
    assert found.bytes_per_day is None
    assert outlook((found,), 10).frame.empty
    assert outlook((), 10).next_month_bytes is None
    assert total_arrivals((found,)).empty
    assert monthly_rates(total_arrivals(())).empty


def test_monthly_rates() -> None:
    days = [date(2026, 11, 1) + ahead * DAY for ahead in range(8)]
    rates = monthly_rates(pd.Series(np.full(8, 100.0), index=days))
    assert list(rates["bytes_per_month"]) == [pytest.approx(3043.75)] * 2
    assert rates["day"].iloc[0] == pd.Timestamp("2026-11-07", tz="UTC")
