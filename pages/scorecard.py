"""Scorecard: does Phase 4 bring what was promised, and what shows it?"""

from ms5ops.ui import scorecard_parts as parts
from ms5ops.ui import shell

page = shell.begin("Scorecard", "Does Phase 4 bring what was promised, and what shows it?")
card = parts.found(page)
if card is not None:
    parts.headline(card)
    parts.areas(card)
