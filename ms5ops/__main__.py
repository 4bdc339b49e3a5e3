"""``python -m ms5ops``: see ``ms5ops.cli``."""

from ms5ops.cli import main

main()
