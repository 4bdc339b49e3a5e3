"""Overview: is all well, what is here, what has changed, and where to look next."""

from ms5ops.ui import first_steps, report_parts, shell
from ms5ops.ui import overview_parts as parts

page = shell.begin("Overview", "Is all well, what is stored, what has changed, and where to look next.")
parts.verdict(page)
parts.key_figures(page)
report_parts.button(page)
first_steps.show(page)
parts.problems(page)
parts.tables(page)
parts.changed_since(page)
parts.fine(page)
