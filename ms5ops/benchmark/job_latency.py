"""Background jobs: how long after their scheduled time they start."""

from datetime import UTC, datetime

from ms5ops.benchmark import results
from ms5ops.benchmark.options import Gathered, Work
from ms5ops.benchmark.sampling import Sample
from ms5ops.observe.chunks import read_chunks
from ms5ops.observe.jobs import OVERDUE_AFTER, RUNS_KEPT, read_job_runs, read_jobs
from ms5ops.observe.run_history import joined_runs, run_delays, start_delays
from ms5ops.observe.server import connect_server
from ms5ops.observe.tables import read_tables

NAME = "job_start_delay"
ABOUT = "How long after its scheduled time a background job starts, over the runs that the server has recorded."
TARGET_S = OVERDUE_AFTER.total_seconds()


def measure(work: Work, gathered: Gathered) -> None:
    """The delay of every recorded run of which it is known when it was due."""
    work.pace.say(NAME)
    site = work.site.read
    server = connect_server(site.database, site.schema)
    jobs = read_jobs(server, read_tables(server, read_chunks(server)))
    runs = joined_runs(read_job_runs(server, jobs, server.read_at - RUNS_KEPT), None, jobs)
    delays = run_delays(runs, jobs)
    if delays.empty:
        message = (
            "The server has recorded no two successful runs of one job in a row, so no delay is known. Successes are"
            " recorded from TimescaleDB 2.15 on, with timescaledb.enable_job_execution_logging."
            if any(job.is_policy for job in jobs)
            else "The database has no policy jobs (yet): Phase 4 makes them."
        )
        gathered.add(
            results.without(
                NAME, "job latency", ABOUT, unit="s", outcome="not there", message=message, target=TARGET_S
            ),
            (),
        )
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
