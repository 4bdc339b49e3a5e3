"""Figures of the indexes page: size by use, and the lock table."""

import pandas as pd
import plotly.graph_objects as go

from ms5ops.figures.charts import BAD, GOOD, NEUTRAL, STORED, WARNING, base_figure, bytes_axis, labels
from ms5ops.observe.index_review import scans_text
from ms5ops.observe.locks import LockBudget
from ms5ops.observe.savings import chunks_text
from ms5ops.observe.server_checks import LOCKS_CRITICAL_BELOW, LOCKS_WARNING_BELOW
from ms5ops.units import bytes_text, count_text, percent_text

ROW_HEIGHT = 32
MOST_TABLES = 12
MOST_QUERIES = 12
"""Queries drawn one by one in the lock table; of more, only the first is drawn."""
LEFT = "rgba(138, 153, 168, 0.2)"

USAGE = {
    "HIGH USAGE": ("High: 1,000 scans or more", GOOD),
    "MODERATE USAGE": ("Moderate: 100 to 999", STORED),
    "LOW USAGE": ("Low: 1 to 99", WARNING),
    "UNUSED": ("Unused so far", NEUTRAL),
}
"""Name and colour of each usage category of ``v_index_usage``."""


def size_by_usage(usage: pd.DataFrame) -> go.Figure:
    """``index_review.usage_totals``: bytes of each table's indexes, stacked by how much they are used."""
    tables = list(dict.fromkeys(usage["table"]))[:MOST_TABLES]
    frame = usage[usage["table"].isin(tables)]
    figure = _rows(len(tables))
    for category, (name, colour) in USAGE.items():
        part = frame[(frame["usage"] == category) & (frame["indexes"] > 0)]
        if part.empty:
            continue
        figure.add_bar(
            x=part["size_bytes"],
            y=labels(part["table"]),
            name=name,
            orientation="h",
            marker_color=colour,
            customdata=[
                f"{count_text(indexes)} {'index' if indexes == 1 else 'indexes'}, {bytes_text(size)}, "
                f"{scans_text(scans)}"
                for indexes, size, scans in zip(part["indexes"], part["size_bytes"], part["scans"], strict=True)
            ],
            hovertemplate="%{y}<br>" + category.capitalize() + ": %{customdata}<extra></extra>",
        )
    figure.update_layout(barmode="stack", legend_traceorder="normal", showlegend=True)
    figure.update_yaxes(categoryorder="array", categoryarray=labels(pd.Series(tables[::-1], dtype="str")))
    return bytes_axis(figure, "Size of the table's indexes", "x")


def lock_table(budget: LockBudget) -> go.Figure:
    """The lock table as a bar, filled with queries over all chunks of the widest table as often as they fit.

    Needs slots and a widest table.
    """
    assert budget.slots is not None  # noqa: S101  # the caller asks only where it is known
    assert budget.widest is not None  # noqa: S101
    slots, locks = budget.slots, budget.widest.locks
    fit = slots // locks
    figure = base_figure(170)
    for number in range(1, fit + 1 if fit <= MOST_QUERIES else 1):
        _segment(figure, locks, STORED, f"Query {number}", f"Query {number}: {count_text(locks)} locks")
    if fit > MOST_QUERIES:
        _segment(figure, locks, STORED, "", f"One query: {count_text(locks)} locks")
        _segment(figure, slots - locks, LEFT, f"room for {count_text(fit - 1)} more like it",
                 f"Left: {count_text(slots - locks)} locks")  # fmt: skip
    elif fit:
        rest = slots - fit * locks
        _segment(figure, rest, LEFT, "left", f"Left: {count_text(rest)} locks")
    else:
        _segment(figure, locks, BAD, "one query", f"One query: {count_text(locks)} locks, more than there are")
    figure.add_vline(x=slots, line={"color": NEUTRAL, "width": 3})
    figure.add_annotation(
        x=slots, y=1, yref="paper", yanchor="bottom", xanchor="right", showarrow=False, font_color=NEUTRAL,
        text=f"Lock table: {count_text(slots)}",
    )  # fmt: skip
    figure.update_layout(barmode="stack", hovermode="closest", margin_t=34, showlegend=False)
    figure.update_yaxes(visible=False, rangemode="normal")
    return figure.update_xaxes(title="Locks", tickformat=",d", range=[0, max(slots, locks) * 1.02])


def locks_by_table(locks: pd.DataFrame) -> go.Figure:
    """``index_review.lock_frame``: the locks that one query over all chunks of each table takes, and their share."""
    frame = locks.dropna(subset=["share"]).head(MOST_TABLES).iloc[::-1]
    figure = _rows(len(frame))
    figure.add_bar(
        x=frame["locks"],
        y=labels(frame["table"]),
        orientation="h",
        marker_color=[_load_colour(share) for share in frame["share"]],
        text=[
            f" {count_text(taken)} ({percent_text(share, 0 if share >= 0.01 else 1)}) "
            for taken, share in zip(frame["locks"], frame["share"], strict=True)
        ],
        textposition="outside",
        cliponaxis=False,
        customdata=[
            f"{count_text(row['locks'])} locks: {chunks_text(row['chunks'])}, {count_text(row['indexes'])} indexes"
            for row in frame.to_dict("records")
        ],
        hovertemplate="%{y}<br>%{customdata}<extra></extra>",
        showlegend=False,
    )
    most = int(frame["locks"].max()) if len(frame) else 1
    return figure.update_xaxes(title="Locks that one query takes", tickformat=",d", range=[0, most * 1.35])


def _segment(figure: go.Figure, locks: int, colour: str, text: str, about: str) -> None:
    figure.add_bar(
        x=[locks],
        y=[""],
        orientation="h",
        marker={"color": colour, "line": {"color": "rgba(255, 255, 255, 0.9)", "width": 1}},
        text=[text],
        textposition="inside",
        insidetextanchor="middle",
        textfont_color="#6b7a89" if colour == LEFT else "white",
        customdata=[about],
        hovertemplate="%{customdata}<extra></extra>",
    )


def _load_colour(share: float) -> str:
    """By how many such queries fit at once, as the health findings judge it."""
    if share > 1 / LOCKS_CRITICAL_BELOW:
        return BAD
    return WARNING if share > 1 / LOCKS_WARNING_BELOW else STORED


def _rows(count: int) -> go.Figure:
    figure = base_figure(max(200, 90 + ROW_HEIGHT * count))
    figure.update_layout(hovermode="closest")
    return figure.update_yaxes(type="category", rangemode="normal")
