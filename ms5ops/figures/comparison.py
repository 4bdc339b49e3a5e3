"""Figures of comparisons: how much faster with which certainty, and how speeds went from month to month."""

import math
from collections.abc import Sequence

import plotly.graph_objects as go

from ms5ops.benchmark.compare import Comparison
from ms5ops.benchmark.comparison_summary import factor_text, interval_text, listed, speed_text
from ms5ops.benchmark.run_summary import benchmark_title, value_text
from ms5ops.benchmark.verdicts import BenchmarkComparison
from ms5ops.figures.charts import BAD, GOOD, NEUTRAL, STORED, WARNING, base_figure, labels

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
LANE_HEIGHT = 28
LEAST_REACH = 1.25
"""Own choice: the axis reaches at least a factor of 1.25 to both sides, so that noise does not look like a change."""
FACTORS = (1.1, 1.25, 1.5, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)


def forest_figure(comparison: Comparison) -> go.Figure:
    """One line per benchmark with a speedup: the estimate and its interval about the line of no change, slower to the
    left, faster to the right; the suite's geometric mean last. Logarithmic: twice as fast lies as far from the line as
    half as fast."""
    drawn = [one for one in listed(comparison) if one.speedup is not None]
    suite = comparison.suite.speedup
    names = [benchmark_title(one.benchmark) for one in drawn] + (["All queries together"] if suite else [])
    figure = base_figure(130 + LANE_HEIGHT * len(names))
    reach = _reach(drawn, comparison)
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
            error_x=_errors([suite.value], [suite.low], [suite.high], VERDICT_COLOURS[comparison.suite.verdict]),
            customdata=[f"<b>All queries together</b><br>{speed_text(suite.value)}<br>interval {interval_text(suite)}"],
            hovertemplate="%{customdata}<extra></extra>",
        )
        if drawn:
            figure.add_hline(y=len(drawn) - 0.5, line={"color": NEUTRAL, "width": 1, "dash": "dot"})
    figure.update_layout(hovermode="closest", legend={"traceorder": "normal"}, margin={"t": 30})
    _speed_axis(figure, reach)
    figure.update_yaxes(
        tickmode="array", tickvals=list(range(len(names))), ticktext=labels(names), rangemode="normal",
        range=[len(names) - 0.4, -0.6], zeroline=False, showgrid=False,
    )  # fmt: skip
    return figure


def _add_points(
    figure: go.Figure, part: Sequence[tuple[int, BenchmarkComparison]], verdict: str, colour: str, reach: float
) -> None:
    speedups = [one.speedup for _, one in part if one.speedup is not None]
    figure.add_scatter(
        x=[_within(speedup.value, reach) for speedup in speedups],
        y=[place for place, _ in part],
        mode="markers",
        name=verdict.capitalize(),
        marker={"symbol": SYMBOLS[verdict], "size": 11, "color": colour},
        error_x=_errors(
            [_within(speedup.value, reach) for speedup in speedups],
            [None if speedup.low is None else _within(speedup.low, reach) for speedup in speedups],
            [None if speedup.high is None else _within(speedup.high, reach) for speedup in speedups],
            colour,
        ),
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


def _errors(
    values: Sequence[float], lows: Sequence[float | None], highs: Sequence[float | None], colour: str
) -> dict[str, object]:
    """Plotly's error bars; an estimate without an interval has none."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [0 if high is None else high - value for value, high in zip(values, highs, strict=True)],
        "arrayminus": [0 if low is None else value - low for value, low in zip(values, lows, strict=True)],
        "color": colour,
        "thickness": 2,
        "width": 5,
    }


def _reach(drawn: Sequence[BenchmarkComparison], comparison: Comparison) -> float:
    """How far the axis goes to both sides of 1, as a factor: the farthest estimate, and its interval up to twice it.

    An interval without end (a side of very few samples) would press everything else onto the line.
    """
    speedups = [one.speedup for one in drawn if one.speedup] + (
        [comparison.suite.speedup] if comparison.suite.speedup else []
    )
    farthest = max((_factor(speedup.value) for speedup in speedups), default=1.0)
    ends = [_factor(end) for speedup in speedups for end in (speedup.low, speedup.high) if end]
    return 1.1 * max(LEAST_REACH, min(max(ends, default=1.0), 2 * farthest), farthest)


def _factor(speedup: float) -> float:
    return max(speedup, 1 / speedup) if speedup > 0 else 1.0


def _within(speedup: float, reach: float) -> float:
    return min(max(speedup, 1 / reach), reach)


def _speed_axis(figure: go.Figure, reach: float) -> None:
    factors = [factor for factor in FACTORS if factor <= reach]
    # Five a side are read; more of them would run into each other.
    if len(factors) > 5:
        factors = [factor for factor in factors if factor in (2, 5, 10, 100, 1000, 10_000)] if reach < 120 else [
            factor for factor in factors if factor in (3, 10, 100, 1000, 10_000)
        ]  # fmt: skip
    ticks = [1 / factor for factor in reversed(factors)] + [1.0, *factors]
    texts = [f"{_short(factor)} slower" for factor in reversed(factors)]
    texts += ["no change", *(f"{_short(factor)} faster" for factor in factors)]
    figure.update_xaxes(
        type="log", range=[-math.log10(reach), math.log10(reach)], tickmode="array", tickvals=ticks, ticktext=texts,
        title="← slower after        faster after →", zeroline=False,
    )  # fmt: skip


def _short(factor: float) -> str:
    return f"{factor:g}x" if factor < 1000 else factor_text(factor)
