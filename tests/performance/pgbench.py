"""The client time that a benchmark run reports, beside pgbench's for the same statement on the same server."""

import os
import shutil
import statistics
import subprocess
import tempfile
from pathlib import Path

from ms5ops.database import Database, Target
from tests.conftest import NATIVE, native_targets

ROUNDS, EXECUTIONS, WARM_UP = 15, 200, 50
STATEMENTS = {
    # Name: statement, from about half a millisecond up.
    "sum of 8,000": "SELECT sum(g) FROM generate_series(1, 8000) g",
    "sum of 20,000": "SELECT sum(g) FROM generate_series(1, 20000) g",
    "sum of 100,000": "SELECT sum(g) FROM generate_series(1, 100000) g",
    "1,440 rows of 5 columns": (
        "SELECT now() - g * interval '1 minute' AS bucket, g AS value_count, g * 1.5::float8 AS value_avg,"
        " g * 1.1::float8 AS value_min, g * 1.9::float8 AS value_max FROM generate_series(1, 1440) g"
    ),
    "catalogue, long plan": (
        "SELECT count(*) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_namespace n"
        " ON n.oid = c.relnamespace LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum"
    ),
}


FASTEST = 0.02
"""The share of executions that a crowded machine leaves in peace: what they take is the program's own doing."""


def main() -> None:
    """Execute time of a timed session against pgbench's latency, simple protocol, one client.

    On the servers of MS5OPS_NATIVE_DSN, over the same address. For each statement 15 rounds of 200 executions each way,
    in turn, so that what drifts meets both; each round has a session of its own, which the first 50 warm up. Two
    ratios, and 1.05 is the most that either may be: the median of the rounds' ratios of medians, with the rounds'
    quartiles beside it, which takes a machine that does nothing else (where the quartiles lie far apart, it was not);
    and the ratio of the fastest 2 % of all executions, which is told on a crowded one, too.
    """
    program = find_pgbench()
    if program is None or not native_targets():
        print(f"Nothing was measured: {'pgbench is not here' if program is None else f'{NATIVE} names no server'}.")
        return
    for target in native_targets():
        print(target.address)
        for name, statement in STATEMENTS.items():
            own, other = compare(target, program, statement)
            ratios = [statistics.median(one) / statistics.median(two) for one, two in zip(own, other, strict=True)]
            low, middle, high = statistics.quantiles(ratios, n=4)
            print(
                f"  {name:<26} ms5ops {middle_of(own):8.3f} ms   pgbench {middle_of(other):8.3f} ms"
                f"   medians {middle:.3f} ({low:.3f} to {high:.3f})   fastest 2 % {fastest(own) / fastest(other):.3f}",
                flush=True,
            )


def middle_of(rounds: list[list[float]]) -> float:
    """The median of the rounds' medians."""
    return statistics.median(statistics.median(one) for one in rounds)


def fastest(rounds: list[list[float]]) -> float:
    """The quantile of all executions at FASTEST."""
    ordered = sorted(value for one in rounds for value in one)
    return ordered[round(FASTEST * (len(ordered) - 1))]


def find_pgbench() -> str | None:
    """On the PATH, or where Debian puts it."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/pgbench"))
    return shutil.which("pgbench") or (str(debian[-1]) if debian else None)


def compare(target: Target, program: str, statement: str) -> tuple[list[list[float]], list[list[float]]]:
    """Milliseconds of each execution by rounds: ours, pgbench's."""
    own: list[list[float]] = []
    other: list[list[float]] = []
    database = Database(target)
    for _ in range(ROUNDS):
        with database.timed_session(60_000) as session:  # a new one for each round, as pgbench makes
            text = session.statement(statement)
            times = [session.time(text).execute_ms for _ in range(EXECUTIONS)]
        own.append(times[WARM_UP:])
        other.append(pgbench_latencies(target, program, statement))
    database.close()
    return own, other


def pgbench_latencies(target: Target, program: str, statement: str) -> list[float]:
    """Milliseconds of each execution, from pgbench's own log, without those that warm its session up."""
    with tempfile.TemporaryDirectory(prefix="ms5ops-pgbench-") as folder:
        script = Path(folder) / "statement.sql"
        script.write_text(f"{statement};\n", encoding="utf-8")
        command = [
            program, "--no-vacuum", "--protocol=simple", "--client=1", f"--transactions={EXECUTIONS}", "--log",
            f"--file={script}", f"--host={target.host}", f"--port={target.port}", f"--username={target.user}",
            target.database,
        ]  # fmt: skip
        password = target.password.get_secret_value() if target.password else ""
        # What a timed session has, too: dates in UTC, and limits that make the server set a timer.
        options = "-c timezone=UTC -c statement_timeout=60000 -c lock_timeout=500 -c default_transaction_read_only=on"
        variables = {**os.environ, "PGPASSWORD": password, "PGOPTIONS": options}
        subprocess.run(command, cwd=folder, env=variables, check=True, capture_output=True)
        lines = [line for file in Path(folder).glob("pgbench_log.*") for line in file.read_text().splitlines()]
    return [int(line.split()[2]) / 1000 for line in lines][WARM_UP:]
