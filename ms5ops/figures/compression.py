"""Figures of the compression page: what is saved, over time, what waits, rows per segment, poor chunks, live sizes."""

import math

import pandas as pd
import plotly.graph_objects as go

from ms5ops.figures.charts import (
    BAD,
    GOOD,
    NEUTRAL,
    STORED,
    WARNING,
    base_figure,
    bytes_axis,
    labels,
    share_axis,
    time_axis,
)
from ms5ops.observe.compression import ROWS_PER_SEGMENT_POOR, ROWS_PER_SEGMENT_WANTED, SAVED_SHARE_WANTED
from ms5ops.observe.savings import chunks_text, saved_text
from ms5ops.units import bytes_text, count_text, percent_text, ratio_text

ROW_HEIGHT = 34
STATES = {
    "compressed": ("Compressed", STORED),
    "not yet due": ("Not yet due", NEUTRAL),
    "waiting": ("Due, waits for the next run", WARNING),
    "late": ("Late, the last run left it", BAD),
    "no policy": ("No compression policy", "#c9d1d9"),
}
"""Name and colour of each of ``compression_backlog.CHUNK_STATES``."""

VERDICTS = {"enough": GOOD, "few": WARNING, "too few": BAD, "not known": NEUTRAL}


def saved_shares(savings: pd.DataFrame) -> go.Figure:
    """``savings.table_savings``: a bar per table with something compressed, against the criterion."""
    frame = savings.dropna(subset=["saved_share"]).iloc[::-1]
    figure = _rows(len(frame), per_row=44)
    figure.add_bar(
        x=frame["saved_share"],
        y=labels(frame["table"]),
        orientation="h",
        marker_color=[GOOD if share >= SAVED_SHARE_WANTED else BAD for share in frame["saved_share"]],
        text=[f" {saved_text(share)} " for share in frame["saved_share"]],
        textposition="outside",
        cliponaxis=False,
        customdata=[
            f"{bytes_text(before)} to {bytes_text(after)} ({ratio_text(ratio)})"
            for before, after, ratio in zip(frame["before_bytes"], frame["after_bytes"], frame["ratio"], strict=True)
        ],
        hovertemplate="%{y}:%{text}saved<br>%{customdata}<extra></extra>",
        showlegend=False,
    )
    _criterion(figure, "x")
    return share_axis(figure, "Share saved", "x", range=_padded(frame["saved_share"]), rangemode="normal")


def before_and_after(savings: pd.DataFrame) -> go.Figure:
    """``savings.table_savings``: bytes of the compressed chunks before and after, per table."""
    frame = savings.dropna(subset=["before_bytes"]).iloc[::-1]
    figure = _rows(len(frame), per_row=44)
    for column, name, colour in (
        ("after_bytes", "Compressed", STORED),
        ("before_bytes", "The same chunks uncompressed", NEUTRAL),
    ):
        figure.add_bar(
            x=frame[column].astype("float64"),
            y=labels(frame["table"]),
            name=name,
            orientation="h",
            marker_color=colour,
            customdata=[bytes_text(value) for value in frame[column]],
            hovertemplate="%{y}, " + name.lower() + ": %{customdata}<extra></extra>",
        )
    figure.update_layout(barmode="group", legend_traceorder="reversed")
    return bytes_axis(figure, "Size of compressed chunks", "x")


def shares_over_time(ratios: pd.DataFrame) -> go.Figure:
    """``savings.ratios_over_time``: the saved share of each chunk (or day, or week) against the criterion."""
    figure = base_figure()
    figure.add_scatter(
        x=ratios["start"],
        y=ratios["saved_share"],
        mode="lines+markers",
        line={"color": STORED, "width": 1.5},
        marker={
            "size": 6,
            "color": [GOOD if share >= SAVED_SHARE_WANTED else BAD for share in ratios["saved_share"]],
        },
        customdata=[
            f"{saved_text(row['saved_share'])} saved ({ratio_text(row['ratio'])})<br>"
            f"{bytes_text(row['before_bytes'])} to {bytes_text(row['after_bytes'])}, {chunks_text(row['chunks'])}"
            for row in ratios.to_dict("records")
        ],
        hovertemplate="%{customdata}<extra></extra>",
        showlegend=False,
    )
    _criterion(figure, "y")
    low = min(0.0, float(ratios["saved_share"].min())) if len(ratios) else 0.0
    share_axis(figure, "Share saved", range=[low * 1.1, 1.05], rangemode="normal")
    time_axis(figure, "Time that the chunk covers (UTC)")
    return figure


def sizes_over_time(ratios: pd.DataFrame) -> go.Figure:
    """``savings.ratios_over_time``: bytes before and after, as two lines."""
    figure = base_figure()
    for column, name, colour in (
        ("before_bytes", "Uncompressed", NEUTRAL),
        ("after_bytes", "Compressed", STORED),
    ):
        figure.add_scatter(
            x=ratios["start"],
            y=ratios[column],
            mode="lines",
            line={"color": colour, "width": 2, "shape": "hv"},
            fill="tozeroy",
            name=name,
            customdata=[bytes_text(value) for value in ratios[column]],
            hovertemplate=name + ": %{customdata}<extra></extra>",
        )
    time_axis(figure, "Time that the chunk covers (UTC)")
    return bytes_axis(figure, "Size")


def chunk_states(totals: pd.DataFrame) -> go.Figure:
    """``compression_backlog.state_totals``: for each table the share of its chunks in each state."""
    tables = list(dict.fromkeys(totals["table"]))[::-1]
    figure = _rows(len(tables))
    for state, (name, colour) in STATES.items():
        part = totals[totals["state"] == state]
        if part.empty:
            continue
        figure.add_bar(
            x=part["share"],
            y=labels(part["table"]),
            name=name,
            orientation="h",
            marker_color=colour,
            customdata=[
                f"{chunks_text(chunks)} ({percent_text(share)}), {bytes_text(size)}"
                for chunks, share, size in zip(part["chunks"], part["share"], part["size_bytes"], strict=True)
            ],
            hovertemplate="%{y}, " + name.lower() + ": %{customdata}<extra></extra>",
        )
    figure.update_layout(barmode="stack", legend_traceorder="normal", showlegend=True)
    figure.update_yaxes(categoryorder="array", categoryarray=labels(pd.Series(tables, dtype="str")))
    return share_axis(figure, "Share of the table's chunks", "x", range=[0, 1.02], dtick=0.25)


def rows_per_segment(segments: pd.DataFrame) -> go.Figure:
    """``compression_settings.segment_rows``: one mark per table on a logarithmic axis, with the rule's two limits."""
    frame = segments.dropna(subset=["rows_per_segment"]).iloc[::-1]
    figure = _rows(len(frame))
    for how, symbol in (("measured", "circle"), ("estimated", "circle-open")):
        part = frame[frame["how"] == how]
        if part.empty:
            continue
        figure.add_scatter(
            x=part["rows_per_segment"].clip(lower=0.5),
            y=labels(part["table"]),
            mode="markers+text",
            name=how.capitalize(),
            marker={
                "size": 14,
                "symbol": symbol,
                "color": [VERDICTS[verdict] for verdict in part["verdict"]],
                "line": {"width": 3 if how == "estimated" else 0},
            },
            text=[f"   {count_text(value)}" for value in part["rows_per_segment"]],
            textposition="middle right",
            customdata=part["verdict"],
            hovertemplate="%{y}: %{text} rows (" + how + "), %{customdata}<extra></extra>",
        )
    top = max(1_000.0, float(frame["rows_per_segment"].max())) if len(frame) else 1_000.0
    for limit, text, side in (
        (ROWS_PER_SEGMENT_POOR, f"too few below {ROWS_PER_SEGMENT_POOR}", "right"),
        (ROWS_PER_SEGMENT_WANTED, f"enough from {ROWS_PER_SEGMENT_WANTED}", "left"),
    ):
        figure.add_vline(x=limit, line={"color": NEUTRAL, "dash": "dot"})
        # On a logarithmic axis an annotation's place is the logarithm.
        figure.add_annotation(
            x=math.log10(limit), y=1, yref="paper", yanchor="bottom", xanchor=side, text=text, showarrow=False,
            font_color=NEUTRAL,
        )  # fmt: skip
    figure.update_layout(
        margin_t=36,
        legend={"y": -0.3, "yanchor": "top", "x": 0},
        height=figure.layout.height + 50,
    )
    figure.update_yaxes(categoryorder="array", categoryarray=labels(frame["table"]))
    return figure.update_xaxes(
        title="Rows per segment and chunk (logarithmic)",
        type="log",
        range=[-0.35, math.log10(top * 3)],
        tickvals=[10**power for power in range(8)],
        ticktext=["1", "10", "100", "1 k", "10 k", "100 k", "1 M", "10 M"],
        rangemode="normal",
    )


def causes(totals: pd.DataFrame) -> go.Figure:
    """``savings.cause_totals``: how many chunks save too little for which cause."""
    frame = totals.iloc[::-1]
    figure = _rows(len(frame), least=150)
    figure.add_bar(
        x=frame["chunks"],
        y=frame["cause"].str.capitalize(),
        orientation="h",
        marker_color=WARNING,
        text=[f" {count_text(chunks)} " for chunks in frame["chunks"]],
        textposition="outside",
        cliponaxis=False,
        customdata=[bytes_text(size) for size in frame["after_bytes"]],
        hovertemplate="%{y}: %{x:,} chunks, %{customdata}<extra></extra>",
        showlegend=False,
    )
    most = int(frame["chunks"].max()) if len(frame) else 1
    return figure.update_xaxes(title="Chunks", tickformat=",d", range=[0, most * 1.15])


def live_beside_stored(live: pd.DataFrame) -> go.Figure:
    """``savings.live_sizes().frame``: stored and live size of each sampled chunk, oldest first."""
    figure = base_figure()
    labels = live["range_start"].dt.strftime("%d %b %H:%M").fillna(live["chunk"])
    for column, name, colour in (
        ("stored_bytes", "When it was compressed", NEUTRAL),
        ("live_bytes", "Now", STORED),
    ):
        figure.add_bar(
            x=labels,
            y=live[column],
            name=name,
            marker_color=colour,
            customdata=[bytes_text(size) for size in live[column]],
            hovertemplate=name + ": %{customdata}<extra></extra>",
        )
    figure.update_layout(barmode="group")
    figure.update_xaxes(title="Start of the chunk (UTC)", type="category", nticks=10)
    return bytes_axis(figure, "Compressed size")


def _rows(count: int, *, per_row: int = ROW_HEIGHT, least: int = 200) -> go.Figure:
    figure = base_figure(max(least, 90 + per_row * count))
    figure.update_layout(hovermode="closest")
    return figure.update_yaxes(type="category", rangemode="normal")


def _criterion(figure: go.Figure, axis: str) -> None:
    """A line at what is asked for."""
    line = {"color": NEUTRAL, "dash": "dash"}
    text = f"asked for: {percent_text(SAVED_SHARE_WANTED)}"
    if axis == "x":
        figure.update_layout(margin_t=30)
        figure.add_vline(SAVED_SHARE_WANTED, line=line, annotation_text=text, annotation_position="top")
    else:
        figure.add_hline(SAVED_SHARE_WANTED, line=line, annotation_text=text, annotation_position="top right")


def _padded(shares: pd.Series) -> list[float]:
    """An axis of shares from the lowest (or zero) to 100 %, with room for the text beside a bar."""
    low = min(0.0, float(shares.min())) if len(shares) else 0.0
    return [low - (0.25 * (1 - low) if low < 0 else 0), 1.08]
