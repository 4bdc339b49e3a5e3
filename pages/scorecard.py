"""Scorecard: does the rollout bring what was promised, and what shows it?"""

from ms5ops.ui import report_parts, shell
from ms5ops.ui import scorecard_parts as parts

page = shell.begin("Scorecard", "Does the rollout bring what was promised, and what shows it?")
card = parts.found(page)
if card is not None:
    parts.headline(card)
    report_parts.button(page)
    parts.areas(card)
