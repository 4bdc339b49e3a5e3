"""A comparison as one HTML file: no script, nothing from elsewhere, text from elsewhere shown as text."""

import re
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ms5ops import __version__
from ms5ops.benchmark.compare import Comparison, Side
from ms5ops.benchmark.comparison_summary import WEIGHTS, headline, listed, promise_frame, speed_text, verdict_frame
from ms5ops.benchmark.verdicts import BASIS_WORDS, BenchmarkComparison
from ms5ops.figures.comparison import Reach, factor_of, reach_of
from ms5ops.units import instant_text, percent_text

TEMPLATES = Path(__file__).parent / "templates"
WIDTH = 260
"""Pixels of the drawing in each line."""


@dataclass(frozen=True)
class Bar:
    """One ratio as drawn: places in pixels from the left; ``low`` and ``high`` are None without an interval."""

    kind: str
    text: str
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Tick:
    """A text above the drawings, at ``place`` pixels from the left."""

    place: float
    text: str


def comparison_html(comparison: Comparison) -> str:
    """The report as HTML text."""
    reach = reach_of(comparison)
    frame = verdict_frame(comparison).to_dict("records")
    rows = [
        {**row, "bar": _bar(one, reach)} for row, one in zip(frame, listed(comparison), strict=True)
    ]  # the same order: both list by group
    margin = 1 + comparison.options.margin
    return _environment().get_template("comparison.html").render(
        title=title(comparison),
        before=_side("Before", comparison.before),
        after=_side("After", comparison.after),
        origin=comparison.after.runs[0].header.origin,
        version=__version__,
        verdict=headline(comparison),
        basis=BASIS_WORDS[comparison.suite.basis] if comparison.suite.basis else "",
        differences=comparison.differences,
        weights=WEIGHTS,
        rows=rows,
        promises=promise_frame(comparison).to_dict("records"),
        width=WIDTH,
        middle=_place(1, reach),
        band=(_place(1 / margin, reach), _place(margin, reach)),
        ticks=[Tick(_place(tick, reach), factor_of(tick)) for tick in reach.ticks()],
        confidence=percent_text(comparison.options.confidence),
        margin=percent_text(comparison.options.margin),
        smallest=percent_text(comparison.options.smallest),
    )  # fmt: skip


def title(comparison: Comparison) -> str:
    """What the report is called: ``before deployment 3 against after deployment 3``."""
    return f"Benchmarks: {comparison.before.name} against {comparison.after.name}"


def file_name(comparison: Comparison) -> str:
    """A name for the file, of letters, digits, dots and dashes."""
    names = (
        re.sub(r"[^A-Za-z0-9.]+", "-", side.name).strip("-.")[:40] for side in (comparison.before, comparison.after)
    )
    return f"benchmarks-{'-against-'.join(names).lower()}.html"


def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip


def _side(when: str, side: Side) -> str:
    runs = "; ".join(
        f"{run.header.label or 'run'} of {instant_text(run.header.started_at)} on {run.header.environment}"
        + (" (partial)" if run.header.is_partial else "")
        + (" (summary only)" if run.header.is_summary else "")
        for run in side.runs
    )
    return f"{when}: {side.name} ({runs})."


def _bar(one: BenchmarkComparison, reach: Reach) -> Bar | None:
    if one.speedup is None:
        return None
    low, high = one.speedup.low, one.speedup.high
    return Bar(
        kind=one.verdict.replace(" ", "-"),
        text=speed_text(one.speedup.value),
        value=_place(one.speedup.value, reach),
        low=None if low is None else _place(low, reach),
        high=None if high is None else _place(high, reach),
    )


def _place(speedup: float, reach: Reach) -> float:
    """Pixels from the left."""
    return round(WIDTH * reach.share(speedup), 1)
