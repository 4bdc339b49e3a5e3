"""Indexes: whether they are complete, enough, in use, and what they cost."""

from ms5ops.ui import index_parts as parts
from ms5ops.ui import shell

page = shell.begin("Indexes", "Whether indexes are complete, enough and in use, and what they cost in space and locks.")
found = parts.read(page)
if found:
    parts.headline(found)
    if not parts.missing(found):
        parts.tabs(found)
