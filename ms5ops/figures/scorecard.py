"""The small line of a criterion: its value month by month, as SVG without scripts."""

from base64 import b64encode
from collections.abc import Sequence
from html import escape

from ms5ops.figures.charts import BAD, GOOD, NEUTRAL
from ms5ops.scorecard.records import Direction, Trend

WIDTH, HEIGHT, MARGIN = 150, 40, 5
COLOURS: dict[Direction | None, str] = {
    "better": GOOD,
    "worse": BAD,
    "as before": NEUTRAL,
    "not sure": NEUTRAL,
    None: NEUTRAL,
}


def sparkline_image(trend: Trend) -> str:
    """``sparkline`` as an ``<img>`` that holds it whole: Streamlit takes ``<svg>`` out of HTML."""
    text = escape(_told(trend))
    source = b64encode(sparkline(trend).encode()).decode()
    return (
        f'<img src="data:image/svg+xml;base64,{source}" alt="{text}" title="{text}" width="{WIDTH}" height="{HEIGHT}">'
    )


def sparkline(trend: Trend) -> str:
    """The trend as an ``<svg>``: a line over its zero line, its last month a large dot.

    The colour says whether the newest month is better or worse than the one before it.
    """
    colour = COLOURS[trend.direction]
    values = [point.value for point in trend.points]
    places, zero = _places(values), _places([0.0, *values])[0][1]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    title = _told(trend)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.6" fill="{NEUTRAL}"/>' for x, y in places[:-1])
    x, y = places[-1]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img" aria-label="{escape(title)}"><title>{escape(title)}</title>'
        f'<line x1="0" x2="{WIDTH}" y1="{zero:.1f}" y2="{zero:.1f}" stroke="{NEUTRAL}" stroke-opacity="0.35"/>'
        f'<polyline points="{line}" fill="none" stroke="{NEUTRAL}" stroke-width="1.6"/>{dots}'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.4" fill="{colour}"/></svg>'
    )


def _told(trend: Trend) -> str:
    return f"{trend.what} ({trend.unit}): " + ", ".join(f"{one.month} {one.value:,.4g}" for one in trend.points)


def _places(values: Sequence[float]) -> list[tuple[float, float]]:
    low, high = min(0.0, *values), max(0.0, *values)
    height, width = HEIGHT - 2 * MARGIN, WIDTH - 2 * MARGIN
    step = width / max(1, len(values) - 1)
    span = (high - low) or 1.0
    return [
        (MARGIN + (step * place if len(values) > 1 else width), HEIGHT - MARGIN - (value - low) / span * height)
        for place, value in enumerate(values)
    ]
