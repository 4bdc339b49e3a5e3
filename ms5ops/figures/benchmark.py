"""Figures of one benchmark run: how samples lie, what share is how fast, and how they came in the run."""

import math
from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from ms5ops.benchmark.records import Unit
from ms5ops.benchmark.run_summary import target_text, value_text
from ms5ops.figures.charts import BAD, GOOD, HEIGHT, NEUTRAL, STORED, base_figure, labels, share_axis, time_axis
from ms5ops.units import MISSING, count_text, percent_text

COLOURS = {"met": GOOD, "not met": BAD, "no target": STORED}
WORDS = {"met": "Target met", "not met": "Target not met", "no target": "No target"}
SIDES = (NEUTRAL, STORED, "#e07a1f", "#7a5bc7")
"""Before in grey and after in blue, in every chart that sets two sides against each other."""
LANE_HEIGHT = 30
LOG_FROM = 8.0
"""Own choice: values that lie further apart than this factor are drawn on a logarithmic axis."""
TARGET_SHOWN_BELOW = 4
"""A target at a larger multiple of the slowest sample is not drawn: it would press the samples onto the axis."""
TARGET = "#e0a100"
JITTER = 0.26


def distribution_figure(frame: pd.DataFrame, samples: pd.DataFrame) -> go.Figure:
    """One line per benchmark of ``run_summary.distributions``: the middle half as a box, 5 to 95 of 100 as whiskers,
    samples as dots, the target as an upright mark. ``samples``: ``run_summary.shown_samples``. One unit only."""
    unit: Unit = frame["unit"].iloc[0]
    figure = base_figure(110 + LANE_HEIGHT * len(frame))
    places = {name: place for place, name in enumerate(frame["benchmark"])}
    dots = samples[samples["benchmark"].isin(list(places))]
    figure.add_scatter(
        x=dots["value"],
        y=[places[name] + _jitter(place) for name, place in zip(dots["benchmark"], dots["ordinal"], strict=True)],
        mode="markers",
        name="One sample",
        marker={"size": 4, "color": NEUTRAL, "opacity": 0.55},
        hoverinfo="skip",
    )
    for verdict, colour in COLOURS.items():
        part = frame[frame["kept"] == verdict]
        if part.empty:
            continue
        figure.add_box(
            name=WORDS[verdict],
            y=[places[name] for name in part["benchmark"]],
            lowerfence=part["p5"],
            q1=part["p25"],
            median=part["median"],
            q3=part["p75"],
            upperfence=part["p95"],
            orientation="h",
            width=0.5,
            line={"color": colour, "width": 1.6},
            fillcolor=_faint(colour),
            hoverinfo="skip",
        )
    judged = frame[frame["target"].notna()]
    figure.add_scatter(
        x=judged["target"],
        y=[places[name] for name in judged["benchmark"]],
        mode="markers",
        name="Target",
        marker={"symbol": "line-ns", "size": 17, "line": {"width": 2.5, "color": TARGET}},
        hoverinfo="skip",
    )
    figure.add_scatter(  # what the pointer finds: a box without its samples has no hover text of ours
        x=frame["median"],
        y=[places[name] for name in frame["benchmark"]],
        mode="markers",
        marker={"size": 16, "opacity": 0},
        showlegend=False,
        customdata=[_about(row, unit) for row in frame.to_dict("records")],
        hovertemplate="%{customdata}<extra></extra>",
    )
    figure.update_layout(hovermode="closest", legend={"traceorder": "normal"})
    figure.update_yaxes(
        tickmode="array", tickvals=list(places.values()), ticktext=labels(frame["title"]), rangemode="normal",
        range=[-0.6, len(places) - 0.4], zeroline=False, showgrid=False,
    )  # fmt: skip
    every = [*frame["p5"], *frame["p95"], *judged["target"], *dots["value"]]
    return value_axis(figure, "x", unit, every)


def ecdf_figure(sides: Mapping[str, Sequence[float]], unit: Unit, target: float | None = None) -> go.Figure:
    """The share of samples that were at most so slow: a rising line per side, so that medians and tails are both
    read off. ``target`` as an upright line, where it lies near enough."""
    figure = base_figure(HEIGHT)
    every: list[float] = []
    for (name, values), colour in zip(sides.items(), SIDES, strict=False):
        ordered = sorted(values)
        every += ordered
        figure.add_scatter(
            x=ordered,
            y=[(place + 1) / len(ordered) for place in range(len(ordered))],
            mode="lines+markers" if len(ordered) <= 60 else "lines",
            name=labels([name])[0],
            line={"shape": "hv", "color": colour if len(sides) > 1 else STORED, "width": 2.5},
            marker={"size": 4},
            customdata=[
                f"{percent_text((place + 1) / len(ordered))} within {value_text(value, unit)}"
                for place, value in enumerate(ordered)
            ],
            hovertemplate="%{customdata}",
        )
    if target is not None and every and target <= TARGET_SHOWN_BELOW * max(every):
        every.append(target)
        level_line(figure, "x", target, f"target {target_text(target, unit)}", TARGET, log=is_wide(every))
    figure.add_hline(y=0.95, line={"color": NEUTRAL, "dash": "dot", "width": 1}, annotation_text="95 of 100",
                     annotation_position="top left")  # fmt: skip
    figure.update_layout(hovermode="closest", showlegend=len(sides) > 1, legend={"traceorder": "normal"})
    share_axis(figure, "Share of samples", range=[0, 1.03])
    return value_axis(figure, "x", unit, every)


def samples_figure(samples: pd.DataFrame, unit: Unit, target: float | None, median: float | None) -> go.Figure:
    """The samples of one benchmark in the order taken: a drift or a spell of disturbance shows here."""
    figure = base_figure(HEIGHT - 40)
    figure.add_scatter(
        x=samples["taken_at"],
        y=samples["value"],
        mode="markers",
        name="One sample",
        marker={"size": 6, "color": STORED, "opacity": 0.75},
        customdata=[value_text(value, unit) for value in samples["value"]],
        hovertemplate="%{x|%H:%M:%S} UTC: %{customdata}<extra></extra>",
    )
    if median is not None:
        level_line(figure, "y", median, f"median {value_text(median, unit)}", NEUTRAL)
    near = [] if target is None or target > TARGET_SHOWN_BELOW * float(samples["value"].max()) else [target]
    for limit in near:
        level_line(figure, "y", limit, f"target {target_text(limit, unit)}", TARGET)
    figure.update_layout(hovermode="closest", showlegend=False)
    time_axis(figure, "Taken at (UTC)")
    return value_axis(figure, "y", unit, [*samples["value"], *near], log=False)


def value_axis(
    figure: go.Figure, axis: str, unit: Unit, values: Sequence[float] | pd.Series, *, log: bool | None = None
) -> go.Figure:
    """Label the ``axis`` with round values in their unit, logarithmic where ``values`` lie far apart (or ``log``)."""
    present = _positive(values)
    update = figure.update_xaxes if axis == "x" else figure.update_yaxes
    title = {"ms": "Time", "s": "Time", "rows/s": "Rows per second", "queries/s": "Queries per second"}[unit]
    wide = is_wide(present) if log is None else log
    if wide:
        low, high = min(present) / 1.25, max(present) * 1.25
        ticks = round_values(low, high)
        update(
            type="log", range=[math.log10(low), math.log10(high)], tickmode="array", tickvals=ticks,
            ticktext=[tick_text(tick, unit) for tick in ticks], title=f"{title} (logarithmic)", showgrid=True,
        )  # fmt: skip
    elif unit in ("ms", "s"):
        top = max(present, default=1.0)
        update(range=[0, top * 1.08], title=title, tickmode="array", **_time_ticks(top, unit))
    else:
        update(rangemode="tozero", title=title, tickformat=",.0f")
    return figure


def level_line(
    figure: go.Figure, axis: str, value: float, text: str, colour: str, *, log: bool = False, below: bool = False
) -> None:
    """A dashed line across the figure at ``value`` of the ``axis`` ("x" or "y"), with its ``text`` at the end: above a
    level line, or ``below`` it.

    On a logarithmic axis plotly places a line by the value, but its text by the logarithm.
    """
    place = math.log10(value) if log else value
    line = {"color": colour, "dash": "dash", "width": 1.5}
    if axis == "x":
        figure.add_vline(x=value, line=line)
        figure.add_annotation(x=place, y=0, yref="paper", xanchor="right", yanchor="bottom", text=text, showarrow=False)
    else:
        figure.add_hline(y=value, line=line)
        figure.add_annotation(
            y=place, x=0, xref="paper", xanchor="left", yanchor="top" if below else "bottom", text=text, showarrow=False
        )


def is_wide(values: Sequence[float]) -> bool:
    """Whether values lie so far apart that only a logarithmic axis shows them all."""
    present = _positive(values)
    return bool(present) and max(present) / min(present) > LOG_FROM


def round_values(low: float, high: float) -> list[float]:
    """Powers of ten between two positive values, with 2 and 5 times them where few powers lie between."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    decades = math.log10(high / low)
    steps = (1,) if decades > 4 else (1, 3) if decades > 2 else (1, 2, 5)
    return [step * 10.0**power for power in range(first, last + 1) for step in steps if low <= step * 10**power <= high]


def tick_text(value: float, unit: Unit) -> str:
    """A round value as an axis shows it: ``20 ms``, ``5 s``, ``10,000``."""
    if unit not in ("ms", "s"):
        return count_text(value) if value >= 1 else f"{value:g}"
    milliseconds = value * 1000 if unit == "s" else value
    return f"{milliseconds:g} ms" if milliseconds < 999.5 else f"{milliseconds / 1000:g} s"


def _time_ticks(top: float, unit: Unit) -> dict[str, list[float] | list[str]]:
    """Five or so round ticks from 0 to ``top``."""
    raw = top / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw)
    ticks = [step * place for place in range(math.floor(top * 1.1 / step) + 1)]
    return {"tickvals": ticks, "ticktext": ["0" if not tick else tick_text(round(tick, 9), unit) for tick in ticks]}


def _positive(values: Sequence[float] | pd.Series) -> list[float]:
    return [float(value) for value in values if pd.notna(value) and value > 0]


def _jitter(ordinal: int) -> float:
    """Where a dot lies beside its line: spread evenly by the golden ratio, and the same at every drawing."""
    return ((ordinal * 0.618_034) % 1 - 0.5) * 2 * JITTER


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, 0.25)"


def _about(row: Mapping[object, object], unit: Unit) -> str:
    figures = {name: value_text(row[name], unit) for name in ("median", "p25", "p75", "p95", "maximum", "target")}  # type: ignore[arg-type]  # a frame's row is numbers
    lines = [
        f"<b>{labels([row['title']])[0]}</b>",
        f"median {figures['median']}, middle half {figures['p25']} to {figures['p75']}",
        f"95 of 100 within {figures['p95']}, slowest {figures['maximum']}"
        if unit in ("ms", "s")
        else f"p95 {figures['p95']}, highest {figures['maximum']}",
        f"{count_text(float(str(row['samples'])))} samples"
        + (f", target {figures['target']}" if figures["target"] != MISSING else ""),
    ]
    return "<br>".join(lines)
