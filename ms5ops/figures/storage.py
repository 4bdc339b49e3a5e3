"""The storage page's figures."""

from collections.abc import Mapping
from datetime import UTC, date, datetime

import pandas as pd
import plotly.graph_objects as go

from ms5ops.figures.charts import (
    BAD,
    GOOD,
    HEIGHT,
    NEUTRAL,
    REPLAYED,
    STORED,
    base_figure,
    bytes_axis,
    labels,
    time_axis,
)
from ms5ops.observe.storage import Bucket, Part, thinned
from ms5ops.units import bytes_text, percent_text, ratio_text

POINTS = 300
LIMIT_SHOWN_BELOW = 4
"""A limit at a larger multiple of what is forecast is not drawn: it would press the curve flat."""
BAND = "rgba(47, 128, 208, 0.22)"
REPLAYED_BAND = "rgba(138, 99, 210, 0.22)"
INCOMPLETE = "/"
DAY_FORMAT = "%-d %b %Y"
PART_COLOURS: dict[Part, str] = {
    "group": "#4d6072",
    "table": "#64788b",
    "compressed": GOOD,
    "rows": STORED,
    "indexes": "#7a5bc7",
    "other": "#7b6a58",
}
BAR_HEIGHT = 34
BARS_SHOWN = 15


def forecast_figure(
    ahead: pd.DataFrame,
    *,
    until: date,
    now: datetime,
    stored_bytes: float,
    limit_bytes: float | None,
    snapshots: Mapping[str, pd.DataFrame],
) -> go.Figure:
    """What was measured, and the expected size with its interval up to ``until``, against a size asked about.

    ``ahead``: columns of ``forecast.forecast``; ``snapshots``: ``storage.sizes_by_origin``, perhaps empty.
    """
    figure = base_figure(HEIGHT + 20)
    frame = thinned(ahead[ahead["day"] <= until], POINTS)
    # A forecast is for the end of its day.
    days = [now, *(datetime(day.year, day.month, day.day, 23, 59, tzinfo=UTC) for day in frame["day"])]
    columns = {name: [stored_bytes, *frame[name]] for name in ("expected_bytes", "low_bytes", "high_bytes")}
    figure.add_scatter(x=days, y=columns["high_bytes"], mode="lines", line={"width": 0}, showlegend=False,
                       hoverinfo="skip")  # fmt: skip
    figure.add_scatter(
        x=days, y=columns["low_bytes"], mode="lines", line={"width": 0}, fill="tonexty", fillcolor=BAND,
        name="90 % interval", hoverinfo="skip",
    )  # fmt: skip
    for origin, sizes in snapshots.items():
        if len(sizes) > 1:
            is_replayed = origin == "replayed"
            figure.add_scatter(
                x=sizes["taken_at"], y=sizes["size_bytes"], mode="lines+markers",
                name="Replayed (snapshots)" if is_replayed else "Measured (snapshots)",
                line={"color": REPLAYED if is_replayed else NEUTRAL}, marker={"size": 4},
                customdata=_texts(sizes["size_bytes"]), hovertemplate="%{customdata}",
            )  # fmt: skip
    spans = [
        f"{bytes_text(mid)} ({bytes_text(low)} to {bytes_text(high)})"
        for mid, low, high in zip(
            *(columns[name] for name in ("expected_bytes", "low_bytes", "high_bytes")), strict=True
        )
    ]
    figure.add_scatter(
        x=days, y=columns["expected_bytes"], mode="lines", name="Expected", line={"color": STORED, "width": 2.5},
        customdata=spans, hovertemplate="%{customdata}",
    )  # fmt: skip
    if (frame["uncompressed_bytes"] > frame["expected_bytes"] * 1.01).any():
        figure.add_scatter(
            x=days[1:], y=frame["uncompressed_bytes"], mode="lines", name="Without compression (click to show)",
            visible="legendonly", line={"color": NEUTRAL, "dash": "dot"},
            customdata=_texts(frame["uncompressed_bytes"]), hovertemplate="%{customdata}",
        )  # fmt: skip
    if limit_bytes is not None and limit_bytes < LIMIT_SHOWN_BELOW * max(columns["high_bytes"]):
        figure.add_hline(
            y=limit_bytes, line={"color": BAD, "dash": "dash", "width": 1.5},
            annotation={"text": bytes_text(limit_bytes), "font": {"color": BAD}}, annotation_position="top left",
        )  # fmt: skip
    figure.update_layout(legend={"traceorder": "normal"})
    time_axis(figure, "Date (UTC)", hoverformat=DAY_FORMAT)
    return bytes_axis(figure, "On disk")


def growth_figure(frame: pd.DataFrame, bucket: Bucket, value: str) -> go.Figure:
    """Stacked bars of ``storage.growth_bars``: ``value`` (size_bytes or uncompressed_bytes) by table.

    Buckets that are not known whole are hatched.
    """
    figure = base_figure(HEIGHT + 20)
    for name, unsorted in frame.groupby("table", sort=False):
        part = unsorted.sort_values("is_complete", ascending=False, kind="stable")  # the legend looks like the first
        shapes = ["" if complete else INCOMPLETE for complete in part["is_complete"]]
        notes = ["" if complete else " (incomplete)" for complete in part["is_complete"]]
        figure.add_bar(
            x=part["at"],
            y=part[value],
            name=labels([name])[0],
            marker={"pattern": {"shape": shapes, "fillmode": "replace", "solidity": 0.35}},
            customdata=[f"{text}{note}" for text, note in zip(_texts(part[value]), notes, strict=True)],
            hovertemplate="%{customdata}",
        )
    figure.update_layout(barmode="stack", legend={"traceorder": "normal"})
    formats = {"day": "%a %-d %b %Y", "week": "Week from %-d %b %Y", "month": "%B %Y"}
    time_axis(figure, f"{bucket.capitalize()} that the data are from (UTC)", hoverformat=formats[bucket])
    return bytes_axis(figure, f"Bytes per {bucket}")


def rate_figure(rates: pd.DataFrame) -> go.Figure:
    """``growth.monthly_rates`` as a line."""
    figure = base_figure(HEIGHT - 60)
    figure.add_scatter(
        x=rates["day"], y=rates["bytes_per_month"], mode="lines", line={"color": STORED}, name="Arrivals",
        customdata=_texts(rates["bytes_per_month"]), hovertemplate="%{customdata} a month",
    )  # fmt: skip
    figure.update_layout(showlegend=False)
    time_axis(figure, "Seven days up to (UTC)", hoverformat=DAY_FORMAT)
    return bytes_axis(figure, "Bytes per month")


def stored_against_uncompressed(parts: Mapping[str, pd.DataFrame], at: str, title: str) -> go.Figure:
    """``size_bytes`` as an area under ``uncompressed_bytes``, over the instants of column ``at``; a pair of lines for
    each part, whose name stands behind theirs (an empty one: nothing)."""
    figure = base_figure()
    for name, frame in parts.items():
        behind = f" ({name})" if name else ""
        colour, band = (REPLAYED, REPLAYED_BAND) if name == "replayed" else (STORED, BAND)
        figure.add_scatter(
            x=frame[at], y=frame["uncompressed_bytes"], mode="lines", name=f"Without compression{behind}",
            line={"color": NEUTRAL, "dash": "dot"}, customdata=_texts(frame["uncompressed_bytes"]),
            hovertemplate="%{customdata}",
        )  # fmt: skip
        figure.add_scatter(
            x=frame[at], y=frame["size_bytes"], mode="lines" if len(frame) > 60 else "lines+markers",
            name=f"On disk{behind}", line={"color": colour}, marker={"size": 5}, fill="tozeroy", fillcolor=band,
            customdata=_texts(frame["size_bytes"]), hovertemplate="%{customdata}",
        )  # fmt: skip
    figure.update_layout(legend={"traceorder": "normal"})
    time_axis(figure, title, hoverformat=DAY_FORMAT if at == "day" else "%-d %b %Y %H:%M")
    return bytes_axis(figure, "Bytes")


def tables_figure(frame: pd.DataFrame) -> go.Figure:
    """The largest tables of ``storage.table_sizes``: what each takes, and what compression saves of it."""
    shown = frame.head(BARS_SHOWN)
    figure = base_figure(max(200, 90 + BAR_HEIGHT * len(shown)))
    figure.add_bar(
        y=labels(shown["table"]), x=shown["size_bytes"], orientation="h", name="On disk", marker={"color": STORED},
        customdata=[
            f"{bytes_text(size)}, {percent_text(share)} of all" for size, share in
            zip(shown["size_bytes"], shown["share"], strict=True)
        ],
        hovertemplate="%{customdata}",
    )  # fmt: skip
    saved = shown["saved_bytes"].clip(lower=0)
    if saved.any():
        figure.add_bar(
            y=labels(shown["table"]), x=saved, orientation="h", name="Saved by compression",
            marker={"color": GOOD, "opacity": 0.55},
            customdata=[
                bytes_text(size) + ("" if pd.isna(ratio) else f" ({ratio_text(ratio)} over all chunks)")
                for size, ratio in zip(saved, shown["ratio"].astype("float64"), strict=True)
            ],
            hovertemplate="%{customdata}",
        )  # fmt: skip
    figure.update_layout(barmode="stack", hovermode="y unified", legend={"traceorder": "normal"})
    figure.update_yaxes(autorange="reversed", rangemode="normal", title=None)
    return bytes_axis(figure, "Bytes", "x")


def tree_figure(frame: pd.DataFrame) -> go.Figure:
    """``storage.size_tree`` as a treemap: a click opens a part, a click on the head goes back."""
    figure = base_figure(HEIGHT + 180)
    total = frame["size_bytes"].iloc[0] or 1
    figure.add_treemap(
        ids=frame["id"],
        labels=labels(frame["label"]),
        parents=frame["parent"],
        values=frame["size_bytes"],
        branchvalues="total",
        marker={"colors": [PART_COLOURS[part] for part in frame["part"]], "line": {"width": 1}, "pad": {"t": 24}},
        text=[f"{bytes_text(size)} ({percent_text(size / total)})" for size in frame["size_bytes"]],
        textfont={"color": "#ffffff"},
        texttemplate="%{label}<br>%{text}",
        hovertemplate="%{label}: %{text} of all<extra></extra>",
        tiling={"pad": 2},
        pathbar={"visible": True},
    )
    figure.update_layout(uniformtext={"minsize": 10, "mode": "hide"})
    return figure


def _texts(values: pd.Series) -> list[str]:
    return [bytes_text(None if pd.isna(value) else float(value)) for value in values]
