"""Overview: is all well, what is here, what has changed, and where to look next."""

from ms5ops.ui import overview_parts as parts
from ms5ops.ui import shell

page = shell.begin("Overview", "Is all well, what is stored, what has changed, and where to look next.")
parts.verdict(page)
parts.key_figures(page)
parts.problems(page)
parts.tables(page)
parts.changed_since(page)
parts.fine(page)
