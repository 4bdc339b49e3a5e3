"""Placeholder until the page is written."""

from ms5ops.ui import shell

shell.begin("Storage", "Is being written.")
