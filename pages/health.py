"""Health: the routine, what is wrong and how to mend it, the settings, and who is at work."""

from ms5ops.ui import health_parts as parts
from ms5ops.ui import shell

page = shell.begin("Health", "The routine, what is wrong and how to mend it, the settings, and who is at work now.")
parts.routine_checklist(page)
parts.tabs(page)
