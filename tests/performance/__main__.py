"""Benchmarks, apart from the tests: ``make performance`` or ``python -m tests.performance [NAME ...]``.

They print figures with how these were taken; nothing passes or fails by a time.
"""

import sys

from tests.performance import history, ingest, pages, pgbench, readings, sessions, signins

BENCHMARKS = {
    "pages": pages.main,
    "sessions": sessions.main,
    "signins": signins.main,
    "readings": readings.main,
    "ingest": ingest.main,
    "history": history.main,
    "pgbench": pgbench.main,
}


def main() -> None:
    """Run those that are named, or all."""
    for name in sys.argv[1:] or list(BENCHMARKS):
        print(f"== {name}: {(BENCHMARKS[name].__doc__ or '').splitlines()[0]}", flush=True)
        BENCHMARKS[name]()


main()
