"""Where the tests of benchmarks measure, and how little of it."""

from collections.abc import Iterator
from contextlib import contextmanager

from ms5ops.benchmark.options import Options, Site
from ms5ops.benchmark.sampling import Effort
from ms5ops.database import Access, Database, Target
from ms5ops.environments import Connected

TINY = Effort(
    warmups=0,
    least=2,
    most=3,
    budget_s=0.02,
    hard_budget_s=0.5,
    statement_timeout_ms=10_000,
    drive_s=0.25,
    batches=(200,),
    clients=(1, 3),
)


@contextmanager
def site_of(target: Target) -> Iterator[Site]:
    """A sandbox as a site."""

    def connected(access: Access) -> Connected:
        return Connected("sandbox", Database(target, access), "simulated", False, "always", "factory_telemetry")

    site = Site(connected("read"), connected("write"), "a sandbox of the tests")
    try:
        yield site
    finally:
        for one in (site.read, site.write):
            if one is not None:
                one.database.close()


def tiny(**changes: object) -> Options:
    """Options for a run of a second."""
    return Options(**{"effort": TINY, "parts": ("query",), **changes})  # type: ignore[arg-type]
