"""Figures: frames in, plotly figures out. No reading, no reckoning, no streamlit.

Bytes are drawn in the units of ``ms5ops.units``, time in UTC; colours come from the theme's ten
(``.streamlit/config.toml``) except where a colour carries a meaning.
"""

import math
from collections.abc import Iterable
from datetime import datetime, timedelta
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ms5ops.units import BYTE_STEPS

GOOD = "#2a9d6f"
BAD = "#d64545"
WARNING = "#e0a100"
NEUTRAL = "#8a99a8"
STORED = "#2f80d0"
REPLAYED = "#8a63d2"
"""What was measured in months that were replayed: the violet of their badges."""
"""What lies on disk, in every chart that sets it against what it would be uncompressed."""

HEIGHT = 320

MINUS = "\u2212"
"""Plotly's minus sign."""
SHARE_LABELS = {
    f"{MINUS if per_cent < 0 else ''}{abs(per_cent)}%": f"{MINUS if per_cent < 0 else ''}{abs(per_cent)} %"
    for per_cent in (*range(-300, 301, 10), *range(-95, 100, 5))
}
"""Plotly's labels of round shares (format ".0%"), and what people read instead."""
DAY_MS = 86_400_000
DAILY_FROM, DAILY_UNTIL = timedelta(days=2), timedelta(days=10)
"""Own choice: under two days the hours tell more, and over ten days a mark a day is too many on a tablet."""
TIME_FORMATS: list[dict[str, Any]] = [
    {"dtickrange": [None, 1000], "value": "%H:%M:%S.%L"},
    {"dtickrange": [1000, 60_000], "value": "%H:%M:%S\n%-d %b"},
    {"dtickrange": [60_000, DAY_MS - 1], "value": "%H:%M\n%-d %b"},
    {"dtickrange": [DAY_MS, 27 * DAY_MS], "value": "%-d %b\n%Y"},
    {"dtickrange": ["M1", "M6"], "value": "%b\n%Y"},
    {"dtickrange": ["M12", None], "value": "%Y"},
]
"""By the distance of two marks (ms, or M and months): what stands at a mark, and below it where that changes."""


def base_figure(height: int = HEIGHT) -> go.Figure:
    """An empty figure with the console's margins, legend on top and hover box per x value."""
    figure = go.Figure()
    figure.update_layout(
        height=height,
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "xanchor": "left", "x": 0, "title": None},
        hovermode="x unified",
        bargap=0.15,
    )
    figure.update_xaxes(automargin=True)
    figure.update_yaxes(automargin=True, rangemode="tozero")
    return figure


def bytes_axis(figure: go.Figure, title: str, axis: str = "y") -> go.Figure:
    """Label the ``axis`` ("x" or "y") as bytes, as the rest of a page writes them: 10 MB, 1.2 GB.

    Call it when the figure's traces are in it. d3, which plotly formats with, knows no space between a number and its
    SI prefix: each label that plotly may come to is replaced by ours, so that zooming finds its labels, too.
    """
    update = figure.update_yaxes if axis == "y" else figure.update_xaxes
    update(title=title, tickformat="~s", ticksuffix="B", labelalias=byte_labels(_largest(figure, axis)))
    return figure


def share_axis(figure: go.Figure, title: str, axis: str = "y", **more: Any) -> go.Figure:
    """Label the ``axis`` ("x" or "y") of shares (1.0 is all of it) as the rest of a page does: 50 %. ``more`` goes to
    the axis as it is."""
    update = figure.update_yaxes if axis == "y" else figure.update_xaxes
    return update(title=title, tickformat=".0%", labelalias=SHARE_LABELS, **more)


def byte_labels(largest: float) -> dict[str, str]:
    """Plotly's labels ("~s", suffix "B") of round byte values about ``largest``, and what people read instead.

    Plotly steps by 1, 2 or 5 times a power of ten. A stack, or a curve that is hidden at first, may reach ten times
    ``largest``; zoomed in, a twentieth of it may be a step.
    """
    found = {"0B": "0", f"{MINUS}0B": "0"}
    if largest <= 0:
        return found
    power = math.floor(math.log10(largest))
    steps = [factor * 10.0**exponent for exponent in range(power - 2, power + 2) for factor in (1, 2, 5)]
    for step in steps:
        if max(1, largest / 20) <= step <= largest * 5:
            for place in range(1, 26):
                prefix, text = _byte_tick(step * place)
                found[prefix] = text
    return found


def time_axis(
    figure: go.Figure,
    title: str,
    *,
    hoverformat: str | None = None,
    span: tuple[datetime, datetime] | None = None,
    **more: Any,
) -> go.Figure:
    """Label the x axis as time: hours with the day below them where it changes, days with the year, months, years.

    ``span``: from when to when, where the traces do not tell it by their x. A few days get a mark a day: plotly would
    take half days, which crowd and which daily values do not have. ``more`` goes to the axis as it is.
    """
    covered = _covered(figure) if span is None else span
    days = None if covered is None else covered[1] - covered[0]
    daily = {} if days is None or not DAILY_FROM < days <= DAILY_UNTIL else {"dtick": DAY_MS, "tick0": "2000-01-01"}
    return figure.update_xaxes(
        title=title, hoverformat=hoverformat, tickformatstops=TIME_FORMATS, ticklabelmode="instant", **daily, **more
    )


def labels(names: Iterable[object]) -> list[str]:
    """Names from the server as plotly shows them as they are: it reads tags and entities, but quotes as quotes."""
    return [escape(str(name), quote=False) for name in names]


def _byte_tick(value: float) -> tuple[str, str]:
    """A value as plotly labels it, and as people write it."""
    step = min(math.floor(math.log10(value) + 1e-9) // 3, len(BYTE_STEPS) - 1)
    number = f"{value / 1000**step:.6g}"
    unit = BYTE_STEPS[step]
    return f"{number}{'' if step == 0 else unit[0]}B", f"{number} {unit}"


def _largest(figure: go.Figure, axis: str) -> float:
    """The largest value along the axis of the traces that are drawn at first."""
    highest = [_highest(trace[axis]) for trace in figure.data if trace.visible != "legendonly"]
    return max(highest, default=0.0)


def _highest(values: Any) -> float:
    found = pd.to_numeric(pd.Series(np.atleast_1d(values)), errors="coerce").max() if values is not None else np.nan
    return 0.0 if pd.isna(found) else float(found)


def _covered(figure: go.Figure) -> tuple[datetime, datetime] | None:
    """From when to when the traces reach; None where they hold no instants."""
    ends: list[pd.Timestamp] = []
    for trace in figure.data:
        instants = pd.to_datetime(pd.Series(list(trace.x if trace.x is not None else ())), utc=True).dropna()
        ends += [] if instants.empty else [instants.min(), instants.max()]
    return (min(ends).to_pydatetime(), max(ends).to_pydatetime()) if ends else None
