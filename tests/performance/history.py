"""The history with ten million samples: what a comparison reads, and what a write costs."""

import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd

from ms5ops.benchmark.records import Run
from ms5ops.benchmark.store import frames_of, load_results, load_runs, load_samples, run_headers, store_run
from ms5ops.history import History
from ms5ops.history.connection import opened
from tests.benchmark.stored import a_run

MONTHS, RUNS_A_MONTH, BENCHMARKS, SAMPLES = 24, 30, 25, 560
FIRST = datetime(2024, 11, 1, 22, tzinfo=UTC)
ROUNDS = 9


def main() -> None:
    """A history of 24 months, 30 runs a month, 25 benchmarks of 560 samples each: 10,080,000 samples.

    Run ids are random, as the runner makes them. Each figure is the median of 9 calls, each with the opening of the
    file, which is in the system's cache. Export and import are taken once.
    """
    with tempfile.TemporaryDirectory() as folder:
        history = History(Path(folder) / "history.duckdb")
        began = time.perf_counter()
        fill(history)
        size_mb = history.file.stat().st_size / 1e6
        print(f"filled in {time.perf_counter() - began:.0f} s: {size_mb:.0f} MB")
        months = [month(FIRST + timedelta(days=31 * 10)), month(FIRST + timedelta(days=31 * 22))]
        headers = [header for since, until in months for header in run_headers(history, since=since, until=until)]
        ids = [header.run_id for header in headers]
        print(f"two months: {len(ids)} runs")
        show("headers of all runs", lambda: run_headers(history))
        show("headers of two months", lambda: [run_headers(history, since=a, until=b) for a, b in months])
        show("results of two months", lambda: load_results(history, ids))
        show("samples of two months, one benchmark", lambda: load_samples(history, ids, ["benchmark 7"]))
        show("samples of two months, all benchmarks", lambda: load_samples(history, ids))
        show("two months as runs, whole", lambda: load_runs(history, ids))
        show("one run, whole", lambda: load_runs(history, ids[:1]))
        show("store a run of 20 samples", lambda: store_run(history, a_run(run_id=str(uuid.uuid4()))))
        began = time.perf_counter()
        history.export(Path(folder) / "export")
        print(f"  export of everything: {time.perf_counter() - began:.1f} s")
        began = time.perf_counter()
        History(Path(folder) / "second.duckdb").take_in(Path(folder) / "export")
        print(f"  import of everything: {time.perf_counter() - began:.1f} s")


def month(instant: datetime) -> tuple[datetime, datetime]:
    """The calendar month of an instant: its first moment, and the next month's."""
    since = instant.replace(day=1, hour=0)
    return since, (since + timedelta(days=32)).replace(day=1)


def fill(history: History) -> None:
    """Store the runs; their samples are made by DuckDB, as making them in Python would take minutes."""
    for one in range(MONTHS):
        since, until = month(FIRST + timedelta(days=31 * one))
        history.append(frames_of([without_samples(since + timedelta(days=day * 0.9)) for day in range(RUNS_A_MONTH)]))
        with opened(history.file, read_only=False, wait_s=5, narrate=print) as connection:
            connection.execute(
                """
                INSERT INTO benchmark_sample BY NAME
                SELECT run_id, benchmark, ordinal, started_at + to_milliseconds(400 * ordinal) AS taken_at,
                       value, value * 0.9 AS execute_ms, value * 0.1 AS fetch_ms, 0 AS client
                FROM (SELECT run_id, started_at, 'benchmark ' || b AS benchmark, n AS ordinal,
                             10 + 5 * random() AS value
                      FROM benchmark_run, range($samples) s(n), range($benchmarks) t(b)
                      WHERE started_at >= $since AND started_at < $until
                      ORDER BY started_at, n, random())
                """,
                {"since": since, "until": until, "samples": SAMPLES, "benchmarks": BENCHMARKS},
            )


def without_samples(started_at: datetime) -> Run:
    """A run's header and results."""
    run = a_run(started_at)
    results = tuple(replace(run.results[0], benchmark=f"benchmark {number}") for number in range(BENCHMARKS))
    return Run(run.header, results, run.samples.iloc[:0])


def show(what: str, call: Callable[[], object]) -> None:
    """Print the median time of a call, that of the processor over all threads, and how many rows came."""
    times, processor = [], []
    for _ in range(ROUNDS):
        began, busy = time.perf_counter(), time.process_time()
        answer = call()
        times.append((time.perf_counter() - began) * 1000)
        processor.append((time.process_time() - busy) * 1000)
    rows = f", {len(answer):,} rows" if isinstance(answer, pd.DataFrame) else ""
    print(f"  {what}: {statistics.median(times):.0f} ms, processor {statistics.median(processor):.0f} ms{rows}")
