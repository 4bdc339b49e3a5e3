from dataclasses import replace
from datetime import date, timedelta

import pandas as pd
import pytest

from ms5ops.figures.storage import stored_against_uncompressed
from ms5ops.observe import storage, storage_words
from ms5ops.observe.chunks import daily_growth
from ms5ops.observe.forecast import Lifecycle, reach
from ms5ops.observe.growth import Outlook, TableGrowth, outlook
from ms5ops.observe.tables import DatabaseSize, Table
from ms5ops.observe.totals import Totals
from tests.observe.test_growth import DAY, NOW, chunks, days_of, growths, table

TOTALS = Totals(None, False, 2_000_000, 2_000_000, None, 0, None, None, None, None, None)
MB = 1_000_000


def grown(days: int = 30, lifecycle: Lifecycle | None = None) -> tuple[tuple[TableGrowth, ...], Outlook]:
    found = growths(chunks(*days_of("metric_hist", days, size=MB)), table(size=days * MB))
    found = tuple(replace(one, lifecycle=lifecycle or Lifecycle()) for one in found)
    return found, outlook(found, 3_653)


def sized(**values: int) -> Table:
    return replace(table(), **values)  # type: ignore[arg-type]


def test_tables_largest_first() -> None:
    small = replace(table("small", "plain table", None), size_bytes=100, index_bytes=25, uncompressed_bytes=100)
    large = sized(size_bytes=300, index_bytes=150, uncompressed_bytes=1_200, chunks=4, compressed_chunks=3, rows=7)
    missing = replace(table("gone", "missing"), size_bytes=None)
    frame = storage.table_sizes([small, large, missing], (), "s")
    assert list(frame["table"]) == ["metric_hist", "small"]
    assert list(frame["share"]) == [0.75, 0.25]
    assert list(frame["index_share"]) == [0.5, 0.25]
    assert frame["ratio"].iloc[0] == 4
    assert pd.isna(frame["ratio"].iloc[1])  # nothing compressed: not a ratio of one
    assert list(frame["saved_bytes"]) == [900, 0]
    assert storage.table_sizes([], (), "s").empty


def test_every_level_of_the_tree_adds_up() -> None:
    frame = chunks(("metric_hist", NOW, DAY, 100, 400), ("metric_hist", NOW, DAY, 200, None))
    tables = [sized(size_bytes=300, index_bytes=80, chunks=2, compressed_chunks=1)]
    tables += [
        replace(table(f"t{n}", "continuous aggregate"), size_bytes=10, index_bytes=4, chunks=1) for n in range(40)
    ]
    tree = storage.size_tree(tables, frame, "s", DatabaseSize(1_000, True, 5))
    assert tree["id"].is_unique
    assert len(tree) < 110
    sums = tree[tree["parent"] != ""].groupby("parent")["size_bytes"].sum()
    sizes = tree.set_index("id")["size_bytes"]
    assert (sums == sizes[sums.index]).all()
    assert sizes["all"] == 1_000
    assert set(tree["part_of"]) >= {"", "All", "Tables", "Continuous aggregates", "metric_hist"}
    assert list(tree.loc[tree["parent"] == "Tables/s.metric_hist", "label"]) == [
        "1 compressed chunk", "Rows of 1 uncompressed chunk", "Indexes of 1 uncompressed chunk",
    ]  # fmt: skip
    estimated = storage.size_tree(tables, frame, "s", DatabaseSize(1_000, False, 5))
    assert "Everything else" not in set(estimated["id"])


@pytest.mark.parametrize(("days", "bucket"), [(30, "day"), (300, "week"), (900, "month")])
def test_bars_stay_few(days: int, bucket: str) -> None:
    tables = tuple(table(f"t{number}", size=days) for number in range(12))
    frame = chunks(*(row for number in range(12) for row in days_of(f"t{number}", days, size=number + 1)))
    growth = daily_growth(frame, tables, NOW)
    bars, found = storage.growth_bars(growth, growths(frame, *tables), "s", NOW)
    assert found == bucket
    assert len(bars) < 1_000
    assert bars["table"].nunique() == storage.SHOWN_TABLES + 1
    assert bars["table"].iloc[0] == "t11"
    assert bars["table"].iloc[-1] == storage.OTHERS
    assert bars["size_bytes"].sum() == growth["size_bytes"].sum()
    edges = bars[bars["table"] == "t11"].set_index("at")["is_complete"]
    assert not edges.iloc[0]
    assert not edges.iloc[-1]
    assert edges.iloc[1:-1].all()


def test_no_bars_without_growth() -> None:
    bars, _ = storage.growth_bars(pd.DataFrame(), (), "s", NOW)
    assert bars.empty


def test_cumulated() -> None:
    frame = chunks(("metric_hist", NOW - 2 * DAY, DAY / 24, 10, 40), ("metric_hist", NOW - DAY, DAY / 24, 5, None))
    summed = storage.cumulated(daily_growth(frame, (table(),), NOW))
    assert list(summed["size_bytes"]) == [10, 15]
    assert list(summed["uncompressed_bytes"]) == [40, 45]


def snapshots(count: int) -> pd.DataFrame:
    at = [NOW + timedelta(hours=hour) for hour in range(count)]
    rows = [(t, name, size + n, 2 * size) for n, t in enumerate(at) for name, size in (("s.a", 100), ("s.b", 10))]
    frame = pd.DataFrame(rows, columns=["taken_at", "table_name", "size_bytes", "uncompressed_bytes"])
    return pd.concat([frame, frame.head(1).assign(table_name="s.gone", size_bytes=None)])


def test_snapshots_as_a_line() -> None:
    sizes = storage.snapshot_sizes(snapshots(3))
    assert list(sizes["size_bytes"]) == [110, 112, 114]
    assert list(storage.snapshot_sizes(snapshots(3), ["s.b"])["size_bytes"]) == [10, 11, 12]
    many = storage.snapshot_sizes(snapshots(5_000))
    assert len(many) <= storage.SNAPSHOTS_SHOWN + 1
    assert many["size_bytes"].iloc[-1] == 110 + 2 * 4_999
    found = storage.measured(sizes)
    assert found is not None
    assert found.change_bytes == 4
    assert storage_words.measured_text(found).endswith("(2 h) it grew by 4 bytes.")
    assert storage.measured(sizes.head(1)) is None
    assert storage.snapshot_sizes(snapshots(1).iloc[0:0]).empty


def test_no_line_holds_two_origins() -> None:
    own = snapshots(3).assign(origin="simulated")
    earlier = snapshots(3).assign(origin="replayed")
    earlier["taken_at"] -= timedelta(days=30)
    earlier["size_bytes"] = 5
    sizes = storage.sizes_by_origin(pd.concat([own, earlier]))
    assert list(sizes) == ["replayed", "simulated"]
    assert list(sizes["simulated"]["size_bytes"]) == [110, 112, 114]
    assert set(sizes["replayed"]["size_bytes"]) == {10, 15}
    figure = stored_against_uncompressed(sizes, "taken_at", "Snapshot taken (UTC)")
    assert [trace.name for trace in figure.data] == [
        "Without compression (replayed)", "On disk (replayed)", "Without compression (simulated)",
        "On disk (simulated)",
    ]  # fmt: skip
    words = storage_words.measured_texts(sizes)
    assert words.startswith("Replayed data: From 2026-")
    assert "Simulated data: From 2026-" in words
    assert storage_words.measured_texts({"measured": sizes["simulated"]}).startswith("From 2026-")
    assert storage.sizes_by_origin(own.iloc[0:0]) == {}


def test_without_policies_it_grows_without_end() -> None:
    found, ahead = grown()
    text = storage_words.verdict(TOTALS, found, ahead)
    assert text == (
        "The data take 2.0 MB and are expected to grow by about 30.4 MB in the next month. "
        "Nothing is compressed and nothing expires: it "
        "grows without end."
    )
    assert storage_words.level(ahead.frame) is None
    unknown = storage_words.verdict(TOTALS, found, ahead, policies_known=False)
    assert "without end" not in unknown


def test_with_retention_it_levels_off() -> None:
    found, ahead = grown(lifecycle=Lifecycle(7, 0.1, 90))
    assert storage_words.level(ahead.frame) == pytest.approx((7 + 8.3) * MB, rel=0.01)
    packed = replace(TOTALS, uncompressed_bytes=8_000_000, compressed_chunks=5)
    text = storage_words.verdict(packed, found, ahead)
    assert "Without compression they would take 8.0 MB (75 % saved)." in text
    assert "levels off near 15.3 MB" in text


def test_answers() -> None:
    found, ahead = grown()
    assert storage_words.at_date(ahead, date(2026, 12, 23)).startswith("On 23 Dec 2026 it will hold 60.0 MB, ")
    assert storage_words.at_date(ahead, date(2060, 1, 1)) == ""

    def asked(limit: float, of: Outlook = ahead) -> str:
        return storage_words.at_size(reach(of.frame, limit), of, limit)

    assert asked(1e6) == "It holds more than 1.0 MB already."
    assert asked(59e6) == "It passes 59.0 MB on 22 Dec 2026."
    assert asked(1e12).startswith("It stays below 1.0 TB until 22 Nov 2036")
    _, level = grown(lifecycle=Lifecycle(retain_days=60))
    assert "levels off near 60.0 MB" in asked(1e9, level)
    scattered = ahead.frame.assign(
        low_bytes=ahead.frame["expected_bytes"] * 0.9, high_bytes=ahead.frame["expected_bytes"] * 1.1
    )
    assert "between 17 Dec 2026 and " in asked(59e6, replace(ahead, frame=scattered))
    rows = storage_words.forecast_table(ahead.frame, date(2026, 11, 24))
    assert list(rows["day"]) == ["2026-11-23", "2026-11-24"]
    assert "no policy is in force" in storage_words.basis(found, ahead)
    assert storage_words.basis((), outlook((), 5)) == ""
    assert list(storage_words.assumptions(found, "s")["dropped"]) == ["never"]


@pytest.mark.parametrize(("stored", "nice"), [(0, 1e6), (8e6, 20e6), (201e6, 500e6), (1.3e9, 5e9), (3e12, 10e12)])
def test_nice_sizes(stored: float, nice: float) -> None:
    assert storage_words.nice_size(stored) == nice
