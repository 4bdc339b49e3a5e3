"""Figures of the aggregates page: freshness against its promise, refresh windows against retention."""

import math
from html import escape

import pandas as pd
import plotly.graph_objects as go

from ms5ops.figures.charts import BAD, GOOD, NEUTRAL, STORED, WARNING, base_figure, labels, share_axis, time_axis
from ms5ops.units import duration_text, percent_text

BAR_HEIGHT = 34
NEAR_S = 30.0
TICKS = {
    60.0: "1 min", 3_600.0: "1 h", 86_400.0: "1 d", 7 * 86_400.0: "7 d", 30 * 86_400.0: "30 d", 365 * 86_400.0: "1 y",
    1_825 * 86_400.0: "5 y",
}  # fmt: skip
LEAST_FARTHEST_S = 86_400.0
ROOM = 6.0
"""How many times the longest finite span "no limit" is drawn at: far enough for their labels not to touch."""
OVERLAY = {"fillmode": "overlay", "solidity": 0.35}
MOST_SHARE = 3.0
"""Shares beyond are drawn no longer: the text tells them, and the others stay comparable."""


def freshness_figure(freshness: pd.DataFrame) -> go.Figure:
    """The lag of each aggregate behind its source as a share of what its policy promises, with the limit at 100 %."""
    figure = base_figure(100 + BAR_HEIGHT * len(freshness))
    figure.add_bar(
        x=freshness["share"].clip(upper=MOST_SHARE),
        y=labels(freshness["aggregate"]),
        orientation="h",
        marker={"color": [BAD if share > 1 else GOOD for share in freshness["share"]]},
        text=[
            f"{duration_text(lag)} of {duration_text(promised)}"
            if lag
            else f"up to date, {duration_text(promised)} allowed"
            for lag, promised in zip(freshness["lag_s"], freshness["promised_s"], strict=True)
        ],
        textposition=["inside" if share > 0.45 else "outside" for share in freshness["share"]],
        insidetextanchor="start",
        cliponaxis=False,
        customdata=[
            [words, percent_text(share), duration_text(behind)]
            for words, share, behind in zip(
                freshness["words"], freshness["share"], freshness["behind_now_s"], strict=True
            )
        ],
        hovertemplate="<b>%{y}</b><br>%{customdata[0]}<br>%{customdata[1]} of the promise used"
        "<br>%{customdata[2]} behind now<extra></extra>",
    )
    figure.add_vline(
        x=1, line={"color": WARNING, "dash": "dash", "width": 2}, annotation_text="promise", annotation_position="top"
    )
    widest = min(max(1.15, float(freshness["share"].max()) * 1.1), MOST_SHARE * 1.02)
    figure.update_layout(hovermode="closest", showlegend=False, margin={"t": 30})
    share_axis(figure, "Share of the promised lag in use", "x", range=[0, widest])
    figure.update_yaxes(autorange="reversed", type="category", ticksuffix=" ")
    return figure


def window_figure(windows: pd.DataFrame) -> go.Figure:
    """How far back each refresh reaches against how long its source is kept: a time axis that ends now, logarithmic."""
    figure = base_figure(130 + 40 * len(windows))
    finite = windows[["reach_s", "kept_s", "own_kept_s", "end_s"]].max().max()
    farthest = max(LEAST_FARTHEST_S, 0.0 if pd.isna(finite) else float(finite))
    limit = farthest * ROOM
    kept = windows["kept_s"].fillna(limit)
    reach = windows["reach_s"].where(~windows["is_unlimited"], limit)
    lanes = pd.Series(labels(windows["aggregate"]), index=windows.index, dtype="str")
    about = [
        f"<b>{_text(one['aggregate'])}</b><br>{_text(one['source'])} is kept "
        + ("for ever" if pd.isna(one["kept_s"]) else f"for {duration_text(one['kept_s'])}")
        + f"<br>refreshes {one['window']}"
        + (f"<br>in danger: {_text(one['conflict'])}" if isinstance(one["conflict"], str) else "")
        for one in windows.to_dict("records")
    ]
    parts = (
        ("Source is kept", NEUTRAL, 0.72, pd.Series(NEAR_S, windows.index), kept, 0.45, ""),
        ("Refresh reaches", STORED, 0.34, windows["end_s"], reach.combine(kept, min), 1.0, ""),
        ("Refresh reaches past what is kept", BAD, 0.34, kept, reach, 1.0, "/"),
    )
    for name, colour, width, start, end, opacity, pattern in parts:
        shown = end > start
        if not shown.any():
            continue
        base = start[shown].map(_place)
        figure.add_bar(
            name=name,
            base=base,
            x=end[shown].map(_place) - base,
            y=lanes[shown],
            width=width,
            orientation="h",
            marker={"color": colour, "opacity": opacity, "pattern": {"shape": pattern, **OVERLAY}},
            customdata=[[text] for text, there in zip(about, shown, strict=True) if there],
            hovertemplate="%{customdata[0]}<extra></extra>",
        )
    ticks = {seconds: text for seconds, text in TICKS.items() if seconds <= farthest * 1.2}
    figure.update_layout(barmode="overlay", hovermode="closest", showlegend=True)
    figure.update_xaxes(
        title="How long before now (logarithmic; ∞: no limit)",
        range=[_place(limit) + 0.05, _place(NEAR_S)],
        tickvals=[*map(_place, ticks), _place(limit)],
        ticktext=[*ticks.values(), "∞"],
        tickangle=0,
    )
    figure.update_yaxes(
        type="category", categoryorder="array", categoryarray=list(lanes)[::-1], ticksuffix=" ",
        range=[-0.6, len(lanes) - 0.4],
    )  # fmt: skip
    return figure


def lag_history_figure(lags: pd.DataFrame) -> go.Figure:
    """Lag over time as a share of today's promise, one line per aggregate; ``freshness.lag_history``."""
    figure = base_figure()
    for name, part in lags.groupby("aggregate", sort=True):
        figure.add_scatter(
            name=labels([name])[0],
            x=part["taken_at"],
            y=part["share"],
            mode="lines+markers",
            marker={"size": 4},
            customdata=[
                f"{percent_text(share)} ({duration_text(lag)} behind)"
                for share, lag in zip(part["share"], part["lag_s"], strict=True)
            ],
            hovertemplate="%{customdata}",
        )
    figure.add_hline(y=1, line={"color": WARNING, "dash": "dash", "width": 2})
    time_axis(figure, "Time of the snapshot (UTC)")
    return share_axis(figure, "Share of the promised lag")


def _text(text: str) -> str:
    return escape(text, quote=False)


def _place(seconds: float) -> float:
    return math.log10(max(seconds, NEAR_S))
