"""What one reading costs, section by section, and against the documented size functions."""

import statistics
import time

from ms5ops.database import Database
from ms5ops.observe.overview import read_all
from ms5ops.observe.server import connect_server
from ms5ops.sandbox import process
from ms5ops.sandbox.fill import Volume
from tests.conftest import native_targets
from tests.performance.console import filled_sandbox

ROUNDS = 9
EXACT_SIZES = """
SELECT (hypertable_detailed_size(format('%I.%I', hypertable_schema, hypertable_name)::regclass)).total_bytes
FROM timescaledb_information.hypertables
"""


def main() -> None:
    """Median of 9 whole readings, warm, and their ratio to hypertable_detailed_size() over all hypertables.

    On the servers of MS5OPS_NATIVE_DSN where it is set, else on an optimised sandbox of half a million rows. The
    two are taken in turn in one run; the ratio is of the medians.
    """
    targets = native_targets()
    if targets:
        for target in targets:
            measure(Database(target))
        return
    with filled_sandbox("optimised", Volume()) as folder:
        measure(Database(process.target(folder / "sandbox")))


def measure(database: Database) -> None:
    """Print the figures of one server."""
    server = connect_server(database)
    read_all(server)
    readings: list[float] = []
    documented: list[float] = []
    sections: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        began = time.perf_counter()
        overview = read_all(server)
        readings.append((time.perf_counter() - began) * 1000)
        for name, section in overview.sections().items():
            sections.setdefault(name, []).append(section.seconds * 1000)
        began = time.perf_counter()
        database.rows(EXACT_SIZES)
        documented.append((time.perf_counter() - began) * 1000)
    whole, sizes = statistics.median(readings), statistics.median(documented)
    chunks = len(overview.chunks.get())
    print(f"{server.version_text}, {chunks} chunks, n = {ROUNDS}")
    for name, times in sections.items():
        print(f"  {name:<16}{statistics.median(times):>8.1f} ms")
    print(f"  {'all sections':<16}{whole:>8.1f} ms")
    print(f"  hypertable_detailed_size of all: {sizes:.1f} ms, {sizes / whole:.1f} times one whole reading")
    database.close()
