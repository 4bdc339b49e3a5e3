"""Figures of comparisons: how much faster with which certainty, and how speeds went from month to month."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import plotly.graph_objects as go

from ms5ops.benchmark.compare import Comparison
from ms5ops.benchmark.comparison_summary import interval_text, listed, speed_text
from ms5ops.benchmark.run_summary import benchmark_title, target_text, value_text
from ms5ops.benchmark.statistics import Estimate
from ms5ops.benchmark.trends import Event, Point, Series
from ms5ops.benchmark.verdicts import BenchmarkComparison
from ms5ops.figures.benchmark import TARGET_SHOWN_BELOW, is_wide, level_line, value_axis
from ms5ops.figures.charts import BAD, GOOD, HEIGHT, NEUTRAL, STORED, WARNING, base_figure, labels, time_axis

VERDICT_COLOURS = {
    "faster": GOOD,
    "slower": BAD,
    "equivalent": STORED,
    "inconclusive": WARNING,
    "not comparable": NEUTRAL,
}
SYMBOLS = {
    "faster": "triangle-right",
    "slower": "triangle-left",
    "equivalent": "circle",
    "inconclusive": "circle-open",
    "not comparable": "x",
}
TOPICS = {
    "deployment": ("Deployment", "star", "#7a5bc7"),
    "version": ("Upgrade", "triangle-up", "#e07a1f"),
    "settings": ("Setting changed", "square", "#1793a5"),
    "hardware": ("Hardware changed", "hexagon", "#c2396b"),
    "volume": ("Data volume", "diamond-tall", NEUTRAL),
}
BAND = "rgba(47, 128, 208, 0.22)"
EVENT_LANE = 0.08
"""Of the height of a chart."""
LANE_HEIGHT = 28
HEADROOM = 3.0
LEAST_REACH = 1.25
"""Own choice: the axis reaches at least a factor of 1.25 to both sides, so that noise does not look like a change."""
FACTORS = (1.1, 1.25, 1.5, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)


@dataclass(frozen=True)
class Reach:
    """How far the axis goes, as speedups: ``slow`` below 1, ``fast`` above."""

    slow: float
    fast: float

    def within(self, speedup: float) -> float:
        """The speedup, or the end of the axis that it lies beyond."""
        return min(max(speedup, self.slow), self.fast)

    def share(self, speedup: float) -> float:
        """Where a speedup lies on the logarithmic axis: 0 at its slow end, 1 at its fast one."""
        return math.log(self.within(speedup) / self.slow) / math.log(self.fast / self.slow)

    def ticks(self) -> list[float]:
        """Speedups to name on the axis: round factors to both sides of 1, an eighth of the axis apart at least, so that
        their names keep apart on a tablet, too."""
        step = math.log(self.fast / self.slow) / 8
        factors: list[float] = []
        for factor in FACTORS:
            if math.log(factor / (factors[-1] if factors else 1)) >= step:
                factors.append(factor)
        slower = [1 / factor for factor in reversed(factors) if 1 / factor >= self.slow]
        return [*slower, 1.0, *(factor for factor in factors if factor <= self.fast)]


def factor_of(speedup: float) -> str:
    """A tick's text: the factor, whichever way it points."""
    return f"{max(speedup, 1 / speedup):g}x"


def forest_figure(comparison: Comparison) -> go.Figure:
    """One line per benchmark with a speedup: the estimate and its interval about the line of no change, slower to the
    left, faster to the right; the suite's geometric mean last. Logarithmic: twice as fast lies as far from the line as
    half as fast."""
    drawn = [one for one in listed(comparison) if one.speedup is not None]
    suite = comparison.suite.speedup
    names = [benchmark_title(one.benchmark) for one in drawn] + (["All queries together"] if suite else [])
    figure = base_figure(130 + LANE_HEIGHT * len(names))
    reach = reach_of(comparison)
    margin = 1 + comparison.options.margin
    figure.add_vrect(x0=1 / margin, x1=margin, fillcolor=NEUTRAL, opacity=0.15, line_width=0, layer="below")
    figure.add_vline(x=1, line={"color": NEUTRAL, "width": 1.5})
    for verdict, colour in VERDICT_COLOURS.items():
        part = [(place, one) for place, one in enumerate(drawn) if one.verdict == verdict]
        if part:
            _add_points(figure, part, verdict, colour, reach)
    if suite is not None:
        figure.add_scatter(
            x=[suite.value],
            y=[len(drawn)],
            mode="markers",
            name="Geometric mean",
            marker={"symbol": "diamond", "size": 14, "color": VERDICT_COLOURS[comparison.suite.verdict]},
            error_x=_intervals([suite], reach, VERDICT_COLOURS[comparison.suite.verdict]),
            customdata=[f"<b>All queries together</b><br>{speed_text(suite.value)}<br>interval {interval_text(suite)}"],
            hovertemplate="%{customdata}<extra></extra>",
        )
        if drawn:
            figure.add_hline(y=len(drawn) - 0.5, line={"color": NEUTRAL, "width": 1, "dash": "dot"})
    # The legend leaves the line above the plot to the words at the line of no change.
    figure.update_layout(
        hovermode="closest", showlegend=True, legend={"traceorder": "normal", "y": 1 + 24 / figure.layout.height}
    )
    _speed_axis(figure, reach)
    figure.update_yaxes(
        tickmode="array", tickvals=list(range(len(names))), ticktext=labels(names), rangemode="normal",
        range=[len(names) - 0.4, -0.6], zeroline=False, showgrid=False,
    )  # fmt: skip
    return figure


def _add_points(
    figure: go.Figure, part: Sequence[tuple[int, BenchmarkComparison]], verdict: str, colour: str, reach: Reach
) -> None:
    speedups = [one.speedup for _, one in part if one.speedup is not None]
    figure.add_scatter(
        x=[reach.within(speedup.value) for speedup in speedups],
        y=[place for place, _ in part],
        mode="markers",
        name=verdict.capitalize(),
        marker={"symbol": SYMBOLS[verdict], "size": 11, "color": colour},
        error_x=_intervals(speedups, reach, colour),
        customdata=[_about(one) for _, one in part],
        hovertemplate="%{customdata}<extra></extra>",
    )


def _about(one: BenchmarkComparison) -> str:
    def side(name: str) -> str:
        figures = one.before if name == "before" else one.after
        if figures is None:
            return f"{name}: not measured"
        return f"{name}: median {value_text(figures.median, one.unit)}, {figures.samples} samples"

    change = speed_text(one.speedup.value) if one.speedup else ""
    lines = [
        f"<b>{labels([benchmark_title(one.benchmark)])[0]}</b>: {one.verdict}",
        f"{change}, interval {interval_text(one.speedup)}",
        side("before"),
        side("after"),
    ]
    return "<br>".join(lines)


def _intervals(speedups: Sequence[Estimate], reach: Reach, colour: str) -> dict[str, object]:
    """Plotly's error bars, cut at the ends of the axis; an estimate without an interval has none."""

    def arm(speedup: Estimate, end: float | None) -> float:
        return 0 if end is None else abs(reach.within(end) - reach.within(speedup.value))

    return {
        "type": "data",
        "symmetric": False,
        "array": [arm(speedup, speedup.high) for speedup in speedups],
        "arrayminus": [arm(speedup, speedup.low) for speedup in speedups],
        "color": colour,
        "thickness": 2,
        "width": 5,
    }


def reach_of(comparison: Comparison) -> Reach:
    """As far as the farthest estimate, and as its interval up to twice that: an interval without end (of very few
    samples) would press everything else onto the line. At least LEAST_REACH to both sides."""
    speedups = [one.speedup for one in comparison.benchmarks if one.speedup]
    speedups += [comparison.suite.speedup] if comparison.suite.speedup else []
    values = [speedup.value for speedup in speedups if speedup.value > 0] or [1.0]
    ends = [end for speedup in speedups for end in (speedup.low, speedup.high) if end and math.isfinite(end)] or [1.0]
    slowest, fastest = min(values), max(values)
    return Reach(
        slow=min(1 / LEAST_REACH, slowest, max(min(ends), slowest / 2)) / 1.1,
        fast=max(LEAST_REACH, fastest, min(max(ends), fastest * 2)) * 1.1,
    )


def _speed_axis(figure: go.Figure, reach: Reach) -> None:
    every = reach.ticks()
    figure.update_xaxes(
        type="log", range=[math.log10(reach.slow), math.log10(reach.fast)], tickmode="array", tickvals=every,
        ticktext=[factor_of(tick) for tick in every], tickangle=0, zeroline=False,
        title="Times slower or faster (logarithmic)", showgrid=True,
    )  # fmt: skip
    for text, side in (("← slower", "right"), ("faster →", "left")):
        figure.add_annotation(
            x=0, y=1, yref="paper", xanchor=side, yanchor="bottom", text=text, showarrow=False,
            xshift=6 if side == "left" else -6,
        )  # fmt: skip


def trend_figure(series: Series, events: Sequence[Event]) -> go.Figure:
    """A benchmark over its runs: medians with their intervals, p95, the levels between changes, and what happened
    meanwhile as marks along the top (deployments, upgrades, settings, hardware)."""
    figure = base_figure(HEIGHT + 60)
    points = series.points
    at = [point.at for point in points]
    told = [point for point in points if point.low is not None and point.high is not None]
    if told:
        figure.add_scatter(x=[point.at for point in told], y=[point.high for point in told], mode="lines",
                           line={"width": 0}, showlegend=False, hoverinfo="skip")  # fmt: skip
        figure.add_scatter(
            x=[point.at for point in told], y=[point.low for point in told], mode="lines", line={"width": 0},
            fill="tonexty", fillcolor=BAND, name="95 % interval of the median", hoverinfo="skip",
        )  # fmt: skip
    figure.add_scatter(
        x=at, y=[point.p95 for point in points], mode="lines", name="p95",
        line={"color": NEUTRAL, "dash": "dot", "width": 1.5}, hoverinfo="skip",
    )  # fmt: skip
    figure.add_scatter(
        x=at,
        y=[point.median for point in points],
        mode="lines+markers",
        name="Median of a run",
        line={"color": STORED, "width": 2},
        marker={
            "size": 8,
            "symbol": ["circle-open" if point.is_partial or point.is_summary else "circle" for point in points],
        },
        customdata=[_about_point(point, series) for point in points],
        hovertemplate="%{customdata}<extra></extra>",
    )
    for change in series.changes:
        figure.add_vline(
            x=_middle(change.since, change.until), line={"color": VERDICT_COLOURS[change.verdict], "width": 2},
            annotation_text=speed_text(change.speedup.value), annotation_position="top right",
            annotation_font_color=VERDICT_COLOURS[change.verdict],
        )  # fmt: skip
    values = [value for point in points for value in (point.median, point.p95, point.high) if value]
    if series.target_p95 is not None and shows_target(series):
        values.append(series.target_p95)
        text = f"target p95 {target_text(series.target_p95, series.unit)}"
        level_line(figure, "y", series.target_p95, text, WARNING, log=is_wide(values), below=True)
    if series.changes and values:  # room above all lines for what a change is called
        values.append(max(values) * (HEADROOM if is_wide(values) else 1.1))
    value_axis(figure, "y", series.unit, values)
    _add_events(figure, events)
    figure.update_layout(hovermode="closest", legend={"traceorder": "normal"}, margin={"t": 36})
    time_axis(figure, "Start of the run (UTC)", type="date")
    return figure


def shows_target(series: Series) -> bool:
    """Whether the target lies near enough to what was measured that drawing it does not press that flat."""
    slowest = max((value for point in series.points for value in (point.p95, point.median) if value), default=0.0)
    return series.target_p95 is not None and series.target_p95 <= TARGET_SHOWN_BELOW * slowest


def _add_events(figure: go.Figure, events: Sequence[Event]) -> None:
    """Marks on lanes of their own along the bottom, one per topic that occurs: they move no scale and hide no other."""
    present = [topic for topic in TOPICS if any(event.topic == topic for event in events)]
    if not present:
        return
    height = EVENT_LANE * len(present)
    for lane, topic in enumerate(present):
        title, symbol, colour = TOPICS[topic]
        own = [event for event in events if event.topic == topic]
        figure.add_scatter(
            x=[event.until for event in own],
            y=[lane] * len(own),
            yaxis="y2",
            mode="markers",
            name=title,
            showlegend=False,
            marker={"symbol": symbol, "size": 13, "color": colour, "line": {"width": 1, "color": "#ffffff"}},
            customdata=[_about_event(event) for event in own],
            hovertemplate="%{customdata}<extra></extra>",
        )
        if topic == "deployment":
            for event in own:
                figure.add_vline(x=event.until, line={"color": colour, "width": 1, "dash": "dot"})
    figure.update_layout(
        yaxis={"domain": [height, 1]},
        yaxis2={
            "domain": [0, height - 0.02], "range": [-0.6, len(present) - 0.4], "tickmode": "array", "zeroline": False,
            "tickvals": list(range(len(present))), "ticktext": [TOPICS[topic][0] for topic in present],
            "showgrid": True, "fixedrange": True,
        },
        xaxis={"anchor": "y2"},
    )  # fmt: skip


def _about_event(event: Event) -> str:
    lines = labels(event.text.split("; "))
    shown = lines[:6] + ([f"and {len(lines) - 6} more"] if len(lines) > 6 else [])
    return "<br>".join([f"<b>by {event.until:%Y-%m-%d %H:%M} UTC</b>", *shown])


def _about_point(point: Point, series: Series) -> str:
    marked = [text for holds, text in ((point.is_partial, "partial"), (point.is_summary, "summary only")) if holds]
    span = f" ({value_text(point.low, series.unit)} to {value_text(point.high, series.unit)})" if point.low else ""
    return "<br>".join(
        [
            f"<b>{labels([point.label or 'run'])[0]}</b>, {point.at:%Y-%m-%d %H:%M} UTC"
            + (f" ({', '.join(marked)})" if marked else ""),
            f"median {value_text(point.median, series.unit)}{span}",
            f"p95 {value_text(point.p95, series.unit)}, {point.samples} samples",
        ]
    )


def _middle(since: datetime, until: datetime) -> datetime:
    return since + (until - since) / 2
