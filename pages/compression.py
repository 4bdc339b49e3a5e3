"""Placeholder until the page is written."""

from ms5ops.ui import shell

shell.begin("Compression", "Is being written.")
