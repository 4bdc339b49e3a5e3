"""Figures: frames in, plotly figures out. No reading, no reckoning, no streamlit.

Bytes are drawn with SI prefixes, time in UTC; colours come from the theme's ten (``.streamlit/config.toml``)
except where a colour carries a meaning.
"""

from collections.abc import Iterable
from html import escape

import plotly.graph_objects as go

GOOD = "#2a9d6f"
BAD = "#d64545"
WARNING = "#e0a100"
NEUTRAL = "#8a99a8"
STORED = "#2f80d0"
"""What lies on disk, in every chart that sets it against what it would be uncompressed."""

HEIGHT = 320


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
    """Label the ``axis`` ("x" or "y") as bytes with SI prefixes: 10 MB, 1.2 GB."""
    update = figure.update_yaxes if axis == "y" else figure.update_xaxes
    update(title=title, tickformat="~s", ticksuffix="B", hoverformat=".3~s")
    return figure


def labels(names: Iterable[object]) -> list[str]:
    """Names from the server as plotly shows them as they are: it reads tags and entities, but quotes as quotes."""
    return [escape(str(name), quote=False) for name in names]
