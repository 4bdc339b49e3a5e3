import io
from datetime import UTC, datetime

import pandas as pd
import pytest

from ms5ops.ui.tables import Column, byte_step, csv_text, scaled, time_step

FRAME = pd.DataFrame(
    {
        "name": ["a", "b", "c"],
        "size": [2_500_000, 100_000, None],
        "share": [0.634, None, 1.0],
        "at": [pd.Timestamp(datetime(2026, 11, 23, 5, 0, tzinfo=UTC)), pd.NaT, pd.NaT],
    }
)
COLUMNS = [
    Column("name", "Table"),
    Column("size", "Size", "bytes"),
    Column("share", "Saved", "percent"),
    Column("at", "Taken", "instant"),
]


def test_a_column_of_bytes_has_one_unit() -> None:
    shown = scaled(FRAME, COLUMNS)
    assert byte_step(FRAME["size"]) == (1e6, "MB", 2)
    assert list(shown["size"].dropna()) == [2.5, 0.1]
    assert list(shown["share"].dropna()) == [63.4, 100.0]
    assert list(FRAME["size"].dropna()) == [2_500_000, 100_000]


@pytest.mark.parametrize(
    ("values", "unit", "decimals"),
    [
        ([999], "bytes", 0),
        ([1_000], "kB", 2),
        ([-30e9, 2e9], "GB", 1),
        ([1.7e9, 17e6, 0], "MB", 1),
        ([17e9, 4e6], "GB", 1),
        ([2_000, 8], "kB", 2),
        ([None], "bytes", 0),
        ([], "bytes", 0),
    ],
)
def test_the_unit_fits_the_largest_and_shows_the_smallest(values: list[float | None], unit: str, decimals: int) -> None:
    assert byte_step(pd.Series(values, dtype="Float64"))[1:] == (unit, decimals)


@pytest.mark.parametrize(
    ("values", "unit", "first"),
    [([1.5, 100], "s", 1.5), ([60, 130.0], "min", 1.0), ([1_800, 140_400], "h", 0.5), ([None], "s", None)],
)
def test_a_column_of_times_has_one_unit(values: list[float | None], unit: str, first: float | None) -> None:
    frame = pd.DataFrame({"lag": pd.Series(values, dtype="Float64")})
    column = Column("lag", "Behind", "seconds")
    assert time_step(frame["lag"])[1] == unit
    shown = scaled(frame, [column])["lag"]
    assert shown.isna()[0] if first is None else shown[0] == first
    assert csv_text(frame, [column]).splitlines()[0] == "Behind (s)"
    assert csv_text(frame, [column]).splitlines()[-1] == ('""' if values[-1] is None else str(float(values[-1])))


def test_counts_are_whole() -> None:
    frame = pd.DataFrame({"rows": [824.729, None]})
    assert scaled(frame, [Column("rows", "Rows per segment", "count")])["rows"][0] == 825


def test_csv_holds_plain_numbers_under_headings_with_units() -> None:
    lines = csv_text(FRAME, COLUMNS).splitlines()
    assert lines[0] == "Table,Size (bytes),Saved (share),Taken (UTC)"
    assert lines[1] == "a,2500000.0,0.634,2026-11-23T05:00:00+0000"


def test_csv_holds_no_formula() -> None:
    names = ['=HYPERLINK("http://x","y")', "+1", "-1", "@SUM(1)", "\tx", "  =1", "metric_hist", None]
    for kind in ("object", "string", "category"):
        frame = pd.DataFrame({"name": pd.Series(names, dtype=kind), "size": [-1.5] * len(names)})
        read = pd.read_csv(io.StringIO(csv_text(frame, [Column("name", "Table"), Column("size", "Size")])))
        assert list(read["Table"][:6]) == [f"'{name}" for name in names[:6]]
        assert (read["Table"][6], read["Table"].isna()[7]) == ("metric_hist", True)
        assert set(read["Size"]) == {-1.5}, "a number stays one"
