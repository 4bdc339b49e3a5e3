"""The small line of a criterion: its value month by month, as SVG without scripts."""

from collections.abc import Sequence
from html import escape

from ms5ops.figures.charts import BAD, GOOD, NEUTRAL
from ms5ops.scorecard.records import Direction, Trend

WIDTH, HEIGHT, MARGIN = 150, 40, 5
COLOURS: dict[Direction | None, str] = {"better": GOOD, "worse": BAD, "as before": NEUTRAL, None: NEUTRAL}


def sparkline(trend: Trend) -> str:
    """The trend as an ``<svg>``: a line from zero up (or from the least, where that is below), its last month a dot.

    The colour says whether the newest month is better or worse than the one before it.
    """
    colour = COLOURS[trend.direction]
    places = _places([point.value for point in trend.points])
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    title = f"{trend.what} ({trend.unit}): " + ", ".join(f"{one.month} {one.value:,.4g}" for one in trend.points)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.6" fill="{NEUTRAL}"/>' for x, y in places[:-1])
    x, y = places[-1]
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'aria-label="{escape(title)}"><title>{escape(title)}</title>'
        f'<line x1="0" x2="{WIDTH}" y1="{HEIGHT - 1}" y2="{HEIGHT - 1}" stroke="{NEUTRAL}" stroke-opacity="0.35"/>'
        f'<polyline points="{line}" fill="none" stroke="{NEUTRAL}" stroke-width="1.6"/>{dots}'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.4" fill="{colour}"/></svg>'
    )


def _places(values: Sequence[float]) -> list[tuple[float, float]]:
    low, high = min(0.0, *values), max(0.0, *values)
    height, width = HEIGHT - 2 * MARGIN, WIDTH - 2 * MARGIN
    step = width / max(1, len(values) - 1)
    span = (high - low) or 1.0
    return [
        (MARGIN + (step * place if len(values) > 1 else width), HEIGHT - MARGIN - (value - low) / span * height)
        for place, value in enumerate(values)
    ]
