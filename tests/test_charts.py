"""The axes of charts: bytes as the pages write them, and marks in time that do not crowd."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ms5ops.figures.charts import (
    DAY_MS,
    MINUS,
    TIME_FORMATS,
    base_figure,
    byte_labels,
    bytes_axis,
    share_axis,
    time_axis,
)
from ms5ops.units import bytes_text

START = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("largest", "label", "text"),
    [
        (60e6, "20MB", "20 MB"),
        (60e6, "100MB", "100 MB"),
        (1.8e9, "1.5GB", "1.5 GB"),
        (1.8e9, "500MB", "500 MB"),
        (9e3, "2kB", "2 kB"),
        (700, "200B", "200 bytes"),
        (3e12, "1TB", "1 TB"),
        (60e6, "0B", "0"),
        (0, "0B", "0"),
    ],
)
def test_bytes_are_labelled_as_the_pages_write_them(largest: float, label: str, text: str) -> None:
    assert byte_labels(largest)[label] == text


@pytest.mark.parametrize("power", range(3, 14))
def test_every_scale_has_its_round_steps(power: int) -> None:
    """Of a largest value plotly makes up to ten steps of 1, 2 or 5; each of them has a label of ours."""
    texts = set(byte_labels(3.1 * 10.0**power).values())
    for step in (0.5, 1, 2, 5, 10):
        for place in (1, 2, 3):
            value = step * place * 10.0**power
            if value < 9.995e14:
                assert {bytes_text(value), bytes_text(value).replace(".0 ", " ")} & texts


def test_a_bytes_axis_goes_by_what_is_drawn_at_first() -> None:
    figure = base_figure()
    figure.add_bar(x=["a", "b"], y=[1e6, 4e6])
    figure.add_bar(x=["a", "b"], y=[None, 3e6])
    figure.add_scatter(x=["a", "b"], y=[9e9, 9e9], visible="legendonly")
    bytes_axis(figure, "On disk")
    assert figure.layout.yaxis.title.text == "On disk"
    assert figure.layout.yaxis.labelalias["2MB"] == "2 MB"
    assert "5GB" not in figure.layout.yaxis.labelalias


def test_shares_are_labelled_as_the_pages_write_them() -> None:
    figure = share_axis(base_figure(), "Share saved", "x", dtick=0.25)
    aliases = figure.layout.xaxis.labelalias
    assert [aliases[text] for text in ("0%", "25%", "100%", f"{MINUS}20%")] == ["0 %", "25 %", "100 %", f"{MINUS}20 %"]
    assert figure.layout.xaxis.dtick == 0.25


def drawn(days: float, **changed: Any) -> Any:
    figure = base_figure()
    figure.add_scatter(x=[START, START + timedelta(days=days)], y=[1, 2])
    return time_axis(figure, "Time (UTC)", **changed).layout.xaxis


@pytest.mark.parametrize(("days", "dtick"), [(0.5, None), (1.9, None), (3.5, DAY_MS), (7, DAY_MS), (11, None)])
def test_a_few_days_have_a_mark_a_day(days: float, dtick: int | None) -> None:
    assert drawn(days).dtick == dtick


def test_a_span_counts_before_what_is_drawn() -> None:
    assert drawn(0.1, span=(START, START + timedelta(days=7))).dtick == DAY_MS
    assert drawn(0.1, type="date").type == "date"


def test_an_axis_without_instants_is_left_to_plotly() -> None:
    assert time_axis(base_figure(), "Time (UTC)").layout.xaxis.dtick is None


def test_formats_leave_no_gap() -> None:
    ends: list[Any] = [one["dtickrange"] for one in TIME_FORMATS]
    assert ends[0][0] is None
    assert ends[-1][1] is None
    assert ends[2] == [60_000, DAY_MS - 1]
    assert ends[3][0] == DAY_MS
