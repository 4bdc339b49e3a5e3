"""Where commands write: answers to standard output, for people and for pipes; what goes on meanwhile beside them."""

import os
import sys

from rich.console import Console

WIDE = 200
"""Columns of an answer that goes into a file or a pipe: nothing is cut there."""

narration = Console(stderr=True, highlight=False, soft_wrap=True)


def answers() -> Console:
    """As wide as the terminal, or as COLUMNS asks for; else ``WIDE``."""
    known = sys.stdout.isatty() or os.environ.get("COLUMNS")
    return Console(highlight=False, width=None if known else WIDE)
