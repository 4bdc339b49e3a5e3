"""Compression: what it saves, what waits for it, and whether its settings suit the data."""

from ms5ops.ui import compression_parts as parts
from ms5ops.ui import shell

page = shell.begin(
    "Compression", "How much smaller history is stored, what still waits, and whether the settings suit the data."
)
found = parts.read(page)
if found:
    parts.headline(found)
    if not parts.missing(found):
        parts.tabs(found)
