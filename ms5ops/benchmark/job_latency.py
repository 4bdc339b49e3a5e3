"""Background jobs: how long after their scheduled time they start."""

from datetime import UTC, datetime

import pandas as pd

from ms5ops.benchmark import results
from ms5ops.benchmark.options import Gathered, Work
from ms5ops.benchmark.records import Outcome, Result
from ms5ops.benchmark.sampling import Sample
from ms5ops.environments import Connected
from ms5ops.errors import ServerError, ServerUnreachable
from ms5ops.observe.chunks import read_chunks
from ms5ops.observe.jobs import OVERDUE_AFTER, RUNS_KEPT, Job, read_job_runs, read_jobs
from ms5ops.observe.run_history import joined_runs, run_delays, start_delays
from ms5ops.observe.server import connect_server
from ms5ops.observe.tables import read_tables

NAME = "job_start_delay"
ABOUT = "How long after its scheduled time a background job starts, over the runs that the server has recorded."
TARGET_S = OVERDUE_AFTER.total_seconds()


def measure(work: Work, gathered: Gathered) -> None:
    """The delay of every recorded run of which it is known when it was due; why not, where they cannot be read."""
    work.pace.say(NAME)
    try:
        jobs, recorded = _read(work.site.read)
    except ServerUnreachable:
        raise
    except ServerError as error:
        gathered.add(_without("failed", error.happened), ())
        return
    runs = joined_runs(recorded, None, jobs)
    delays = run_delays(runs, jobs)
    if delays.empty:
        message = (
            "The server has recorded no two successful runs of one job in a row, so no delay is known. Successes are"
            " recorded from TimescaleDB 2.15 on, with timescaledb.enable_job_execution_logging."
            if any(job.is_policy for job in jobs)
            else "The database has no policy jobs (yet): Phase 4 makes them."
        )
        gathered.add(_without("not there", message), ())
        return
    per_job = start_delays(runs, jobs)
    result = results.measured(
        NAME,
        "job latency",
        ABOUT,
        [float(value) for value in delays["delay_s"]],
        "s",
        target=TARGET_S,
        details={"jobs": per_job.drop(columns="job_id").to_dict("records")},
    )
    samples = [
        Sample(start.to_pydatetime().astimezone(UTC) if start else datetime.now(UTC), float(delay))
        for start, delay in zip(delays["start"], delays["delay_s"], strict=True)
    ]
    gathered.add(result, samples)


def _read(site: Connected) -> tuple[tuple[Job, ...], pd.DataFrame]:
    """The jobs, and their recorded runs."""
    server = connect_server(site.database, site.schema)
    jobs = read_jobs(server, read_tables(server, read_chunks(server)))
    return jobs, read_job_runs(server, jobs, server.read_at - RUNS_KEPT)


def _without(outcome: Outcome, message: str) -> Result:
    return results.without(NAME, "job latency", ABOUT, unit="s", outcome=outcome, message=message, target=TARGET_S)
