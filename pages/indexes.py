"""Placeholder until the page is written."""

from ms5ops.ui import shell

shell.begin("Indexes", "Is being written.")
