"""Compare: what a change brought, and how speeds went from month to month."""

from ms5ops.ui import compare_parts as parts
from ms5ops.ui import shell
from ms5ops.ui.compare_tabs import compared_tabs

page = shell.begin("Compare", "What did a change bring, how sure is that, and how did speeds go month by month?")
found = parts.material(page)
chosen = parts.sides(found) if found else None
compared = parts.comparison(found, *chosen) if found and chosen else None
if found and compared:
    parts.circumstances(compared)
    parts.verdict(compared)
    compared_tabs(compared, found)
