"""Figures of the jobs page: runs on a time axis, start delays, success rates."""

from collections.abc import Hashable, Iterable, Mapping
from datetime import datetime
from html import escape
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from ms5ops.figures.charts import BAD, GOOD, NEUTRAL, STORED, WARNING, base_figure, share_axis, time_axis
from ms5ops.observe.jobs import OVERDUE_AFTER
from ms5ops.observe.run_history import Outcome, Timeline
from ms5ops.units import count_text, duration_text, percent_text

OUTCOMES: dict[Outcome, tuple[str, str, str]] = {
    "succeeded": ("Succeeded", GOOD, ""),
    "failed": ("Failed", BAD, ""),
    "crashed": ("Crashed (never reported back)", "#8e44ad", "x"),
    "running": ("Running", STORED, ""),
    "not known": ("Outcome not known", NEUTRAL, "/"),
}
"""Name, colour and pattern of each outcome: crashes and unknown ends differ from failures without colour, too."""

LANE_HEIGHT = 26
NARROWEST = 1 / 350
"""The least width of a bar, as a share of the span: about three pixels."""

LABEL = 38
MOST_MINUTES = 60


def timeline_figure(timeline: Timeline, since: datetime, until: datetime) -> go.Figure:
    """One lane per job, one bar per run (or slot of runs). ``customdata``: hover text, job_id, start of the
    newest run in ISO 8601."""
    figure = base_figure(110 + LANE_HEIGHT * len(timeline.lanes))
    bars, narrowest = timeline.bars, (until - since).total_seconds() * NARROWEST
    for outcome, (name, colour, pattern) in OUTCOMES.items():
        part = bars[bars["outcome"] == outcome]
        if part.empty:
            continue
        ends = part["finish"].fillna(pd.Timestamp(until) if outcome == "running" else part["start"])
        widths = (ends - part["start"]).dt.total_seconds().clip(lower=narrowest)
        figure.add_bar(
            name=name,
            base=part["start"],
            x=(widths * 1000).round(),
            y=part["lane"],
            orientation="h",
            marker={
                "color": colour,
                "line": {"width": 0},
                "pattern": {"shape": pattern, "fillmode": "overlay", "solidity": 0.3},
            },
            customdata=[
                [_about(bar), int(bar["job_id"]), bar["newest"].isoformat()] for bar in part.to_dict("records")
            ],
            hovertemplate="%{customdata[0]}<extra></extra>",
        )
        if outcome == "running":
            figure.add_scatter(
                x=ends,
                y=part["lane"],
                mode="markers",
                marker={"symbol": "triangle-right", "size": 12, "color": colour},
                hoverinfo="skip",
                showlegend=False,
            )
    figure.update_layout(barmode="overlay", hovermode="closest", bargap=0.3, clickmode="event+select", showlegend=True)
    room = (until - since) * 0.02
    time_axis(figure, "Time (UTC)", span=(since, until), type="date", range=[since, until + room])
    figure.update_yaxes(
        type="category", categoryorder="array", categoryarray=timeline.lanes[::-1],
        range=[-0.6, len(timeline.lanes) - 0.4], **_ticks(timeline.lanes), showgrid=True, tickson="boundaries",
    )  # fmt: skip
    return figure


def delay_figure(delays: pd.DataFrame) -> go.Figure:
    """The worst and the usual start delay of each job in minutes, with the limit; ``run_history.DELAY_DTYPES``."""
    limit = OVERDUE_AFTER.total_seconds()
    figure = base_figure(110 + LANE_HEIGHT * len(delays))
    figure.add_bar(
        name="Latest start",
        x=delays["worst_s"] / 60,
        y=delays["job"],
        orientation="h",
        marker={"color": [BAD if worst > limit else GOOD for worst in delays["worst_s"]]},
        text=[duration_text(worst) for worst in delays["worst_s"]],
        textposition="auto",
        customdata=[
            [job, *map(duration_text, (worst, p95, median)), count_text(runs), percent_text(share)]
            for job, worst, p95, median, runs, share in zip(
                delays["job"], delays["worst_s"], delays["p95_s"], delays["median_s"], delays["runs"],
                delays["on_time"], strict=True,
            )
        ],
        hovertemplate="<b>%{customdata[0]}</b><br>latest start %{customdata[1]} after it was due"
        "<br>95 of 100 within %{customdata[2]}, half within %{customdata[3]}"
        "<br>%{customdata[5]} within the limit, of %{customdata[4]} runs<extra></extra>",
    )  # fmt: skip
    longest = float(delays["worst_s"].max()) / 60
    figure.add_vline(
        x=limit / 60, line={"color": WARNING, "dash": "dash", "width": 2}, annotation_text="limit 5 min",
        annotation_position="top",
    )  # fmt: skip
    figure.update_layout(hovermode="closest", showlegend=False, margin={"t": 30})
    figure.update_xaxes(title="Start after it was due (minutes)", range=[0, min(max(longest * 1.1, 6), MOST_MINUTES)])
    figure.update_yaxes(autorange="reversed", type="category", **_ticks(delays["job"]))
    return figure


def success_figure(jobs: pd.DataFrame) -> go.Figure:
    """The share of finished runs that succeeded, per job; ``schedule.JOB_DTYPES`` without jobs that never finished."""
    figure = base_figure(90 + LANE_HEIGHT * len(jobs))
    rates = jobs["success_rate"]
    text = [f"{percent_text(rate)} of {count_text(runs)}" for rate, runs in zip(rates, jobs["runs"], strict=True)]
    for name, share, colour in (
        ("Succeeded", rates, GOOD),
        ("Failed or crashed", 1 - rates, BAD),
    ):
        figure.add_bar(
            name=name,
            x=share,
            y=jobs["job"],
            orientation="h",
            marker={"color": colour},
            text=[one if (rate >= 0.2) == (name == "Succeeded") else "" for one, rate in zip(text, rates, strict=True)],
            textposition="inside",
            insidetextanchor="start",
            customdata=[
                [job, percent_text(of_all, 1), count_text(runs), count_text(failures)]
                for job, of_all, runs, failures in zip(jobs["job"], share, jobs["runs"], jobs["failures"], strict=True)
            ],
            hovertemplate="<b>%{customdata[0]}</b><br>"
            + name.lower()
            + ": %{customdata[1]}<br>%{customdata[2]} runs, %{customdata[3]} failed<extra></extra>",
        )
    figure.update_layout(barmode="stack", hovermode="closest")
    share_axis(figure, "Share of all runs since the job was made", "x", range=[0, 1.03], dtick=0.2)
    figure.update_yaxes(autorange="reversed", type="category", **_ticks(jobs["job"]))
    return figure


def _ticks(names: Iterable[str]) -> dict[str, list[str]]:
    return {"tickvals": list(names), "ticktext": [_label(name) for name in names]}


def _label(name: str) -> str:
    """A lane's name, cut in the middle where it is too long: its end tells similar names apart."""
    if len(name) > LABEL:
        name = f"{name[: LABEL // 2]}…{name[-(LABEL // 2 - 1) :]}"
    return escape(name, quote=False)


def _about(bar: Mapping[Hashable, Any]) -> str:
    start, finish, runs, longest = bar["start"], bar["finish"], bar["runs"], bar["duration_s"]
    lines = [f"<b>{escape(str(bar['lane']), quote=False)}</b>"]
    word = OUTCOMES[bar["outcome"]][0].lower()
    took = "not recorded" if pd.isna(longest) else duration_text(longest)
    if runs > 1:
        lines += [f"{count_text(runs)} runs: {word}", f"{start:%Y-%m-%d %H:%M} to {finish:%H:%M} UTC"]
        lines.append(f"longest duration {took}")
    else:
        lines += [word, f"started {start:%Y-%m-%d %H:%M:%S} UTC"]
        lines.append("not finished yet" if bar["outcome"] == "running" else f"duration {took}")
    message = bar["message"]
    if isinstance(message, str) and message:
        lines.append(escape(message[:90], quote=False) + ("…" if len(message) > 90 else ""))
    return "<br>".join(lines)
