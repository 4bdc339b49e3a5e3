"""Ingest: rows per second that the server takes in, sustained, by the size of the batch.

One client sends one INSERT per batch and commit, as a collector does, into a scratch table of metric_hist's shape.
Times go on from batch to batch at the pace of MS5.0 (1,000 samples a second), so that chunks are entered in order. Rows
go as arrays by column, which the server parses faster than VALUES. COPY is not used: the embedded engine refuses it.
"""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ms5ops.benchmark import results, sampling
from ms5ops.benchmark.options import Gathered, Site, Stop, Work
from ms5ops.benchmark.records import Outcome, Result
from ms5ops.benchmark.sampling import Sample
from ms5ops.benchmark.scratch import FOLDER, scratch_table
from ms5ops.config import MaintenanceWindow
from ms5ops.database import Database, TimedSession
from ms5ops.environments import Connected
from ms5ops.errors import BenchmarkError, PrivilegeMissing, ReadTimeout, ServerError, ServerUnreachable
from ms5ops.observe.server import quoted
from ms5ops.queries import ANY_VERSION, query
from ms5ops.units import count_text

TARGET_ROWS_PER_S = 10_000.0
"""Phase 4's performance target: ingest over 10,000 rows/s."""
SAMPLES_PER_S = 1_000
WINDOWS = 20
"""A throughput's samples are windows of a twentieth of the time that is driven, of whole batches (own choice)."""


@dataclass(frozen=True)
class Commit:
    """One batch that was committed: when (seconds since the driving began), how many rows, how long it took."""

    at_s: float
    rows: int
    took_ms: float


class Writer:
    """One client that writes batches of made-up samples into a table (quoted name)."""

    def __init__(self, session: TimedSession, table: str, metrics: Sequence[str], batch: int, seed: int = 1) -> None:
        numbers = random.Random(seed)
        ids = ",".join(metrics[place % len(metrics)] for place in range(batch))
        offsets = ",".join(str(place) for place in range(batch))
        values = ",".join(f"{numbers.gauss(20, 5):.3f}" for _ in range(batch))
        head = f"INSERT INTO {table} (metric_def_id, ts, value_real) SELECT c.metric, timestamptz '"
        tail = (
            f"' + c.place * interval '1 millisecond', c.value FROM unnest('{{{ids}}}'::uuid[],"
            f" '{{{offsets}}}'::bigint[], '{{{values}}}'::float8[]) AS c (metric, place, value)"
        )
        self.batch, self._session = batch, session
        self._head, self._tail = head.encode(), tail.encode()
        self._at = datetime.now(UTC)

    def write(self) -> float:
        """Write the next batch; milliseconds until it was committed."""
        statement = self._head + self._at.isoformat().encode() + self._tail
        self._at += timedelta(seconds=self.batch / SAMPLES_PER_S)
        return self._session.run(statement)


def drive(writer: Writer, seconds: float, stop: Stop, rows_per_s: float | None = None) -> list[Commit]:
    """Write for so long, as fast as it goes or at a pace; what was committed."""
    began = time.perf_counter()
    commits: list[Commit] = []
    while (now := time.perf_counter() - began) < seconds and not stop():
        due = len(commits) * writer.batch / rows_per_s if rows_per_s else 0.0
        if due > now:
            time.sleep(min(due - now, 0.05))
            continue
        took_ms = writer.write()
        commits.append(Commit(time.perf_counter() - began, writer.batch, took_ms))
    return commits


def rates(commits: Sequence[Commit], seconds: float) -> list[float]:
    """Rows per second in windows of whole batches, each at least a twentieth of ``seconds`` long."""
    found, began, rows = [], 0.0, 0
    for commit in commits:
        rows += commit.rows
        if commit.at_s - began >= seconds / WINDOWS:
            found.append(rows / (commit.at_s - began))
            began, rows = commit.at_s, 0
    return found


def measure(work: Work, gathered: Gathered) -> None:
    """A result per batch size; where the server refuses the table to write into, those say why, and the run goes on."""
    names = {batch: f"ingest_batch_{batch}" for batch in work.effort.batches}
    try:
        target = writable(work.site, datetime.now(UTC))
        with scratch_table(target.database, target.schema) as table:
            metrics = metric_ids(target.database, target.schema)
            for batch, name in names.items():
                if work.pace.stop():
                    break
                work.pace.say(name)
                with target.database.timed_session(work.effort.statement_timeout_ms, writes=True) as session:
                    result, samples = _measure(Writer(session, table, metrics, batch), name, work)
                gathered.add(result, samples)
    except ServerUnreachable:
        raise
    except (ServerError, BenchmarkError) as error:
        lacking = {batch: name for batch, name in names.items() if gathered.lacks(name)}
        if not lacking:
            raise  # all was measured: it is the clearing up that failed
        for batch, name in lacking.items():
            gathered.add(_without(name, batch, outcome_of(error), error), ())


def _measure(writer: Writer, name: str, work: Work) -> tuple[Result, list[Sample]]:
    began, seconds = datetime.now(UTC), work.effort.drive_s
    try:
        writer.write()  # the first makes the chunk
        commits = drive(writer, seconds, work.pace.stop)
    except ServerUnreachable:
        raise
    except ReadTimeout as error:
        return _without(name, writer.batch, "timed out", error), []
    except ServerError as error:
        return _without(name, writer.batch, "failed", error), []
    values = rates(commits, seconds)
    rows = sum(commit.rows for commit in commits)
    details = {
        "clients": 1,
        "batch_rows": writer.batch,
        "rows": rows,
        "rows_per_s": rows / commits[-1].at_s if commits else None,
        "commit_p95_ms": sampling.figures([commit.took_ms for commit in commits]).p95,
    }
    result = results.measured(
        name,
        "ingest",
        about(writer.batch),
        values,
        "rows/s",
        target=TARGET_ROWS_PER_S,
        details=details,
        higher_is_better=True,
    )
    return result, [Sample(began, value) for value in values]


def about(batch: int) -> str:
    """What a batch size stands for, in one line."""
    return (
        f"Rows that one client writes per second, {count_text(batch)} to a commit, into a table shaped as metric_hist."
    )


def writable(site: Site, now: datetime) -> Connected:
    """The connection to write with; BenchmarkError where there is none, or writing is not welcome now, or where what
    would be written are no rows of the tables that the questions ask."""
    if site.suite.folder is not None:
        raise BenchmarkError(
            f"The questions of {site.read.name} are its own ({site.suite.folder}), and writing is measured with rows of"
            " MS5.0's metric_hist.",
            "Measure it on an environment with MS5.0's tables.",
        )
    if site.write is None:
        happened = site.refusal.happened if site.refusal else "There is no connection that may write here."
        next_step = f"{site.refusal.next_step} " if site.refusal else ""
        raise BenchmarkError(happened, f"{next_step}Or leave the writing benchmarks out.")
    strained(site.write, now)
    return site.write


def strained(site: Connected, now: datetime) -> None:
    """BenchmarkError where the environment must not be strained now: it is protected and its window is closed."""
    if site.protected and not MaintenanceWindow.model_validate(site.maintenance_window).contains(now):
        raise BenchmarkError(
            f"{site.name} is protected, and its maintenance window ({site.maintenance_window}) is closed.",
            "Load it within the window, or measure a copy.",
        )


def outcome_of(error: ServerError | BenchmarkError) -> Outcome:
    """What a benchmark's outcome is where this kept it from writing."""
    return "not there" if isinstance(error, PrivilegeMissing | BenchmarkError) else "failed"


def metric_ids(database: Database, schema: str) -> list[str]:
    """The metrics to write samples of."""
    found = query(FOLDER, "metrics", ANY_VERSION)
    return [row["id"] for row in database.rows(found.sql.replace("{schema}", quoted(schema)))]


def _without(name: str, batch: int, outcome: Outcome, error: ServerError | BenchmarkError) -> Result:
    message = f"{error.happened} {error.next_step}" if isinstance(error, BenchmarkError) else error.happened
    return results.without(
        name, "ingest", about(batch), unit="rows/s", outcome=outcome, message=message, target=TARGET_ROWS_PER_S
    )
