"""Aggregates: are the summaries as fresh as promised, how do they build on each other, and is their history safe."""

from ms5ops.ui import aggregate_parts as parts
from ms5ops.ui import shell
from ms5ops.ui.readings import section

page = shell.begin(
    "Aggregates", "Are the summaries (continuous aggregates) as fresh as promised, and is their history safe?"
)
aggregates = section(page.overview.aggregates, "the continuous aggregates")
if aggregates:
    parts.verdict(page, aggregates)
    parts.key_figures(page, aggregates)
    parts.endangered(aggregates)
    parts.levels(page, aggregates)
    parts.details(page, aggregates)
elif aggregates is not None:
    parts.verdict(page, aggregates)
    parts.nothing_yet(page)
