"""The few figures that stand for the whole database."""

from dataclasses import dataclass

from ms5ops.observe.freshness import summary
from ms5ops.observe.jobs import JobState, job_state
from ms5ops.observe.overview import Overview

IN_TROUBLE: tuple[JobState, ...] = ("failing", "overdue", "never ran")


@dataclass(frozen=True)
class Totals:
    """Sums over all tables and aggregates; None where a part could not be read or there is nothing to sum.

    ``saved_share`` is of the whole: 1 - stored / uncompressed. TimescaleDB's own jobs are counted where there are
    others: alone they take care of nothing, as the page Jobs says. Aggregates are judged and on time as in
    ``freshness.summary``: without an active policy or a readable source they are not judged.
    """

    database_bytes: int | None
    database_is_exact: bool
    stored_bytes: int | None
    uncompressed_bytes: int | None
    rows: int | None
    compressed_chunks: int
    jobs: int | None
    jobs_in_trouble: int | None
    aggregates: int | None
    aggregates_judged: int | None
    aggregates_on_time: int | None

    @property
    def saved_share(self) -> float | None:
        """Share of the bytes that compression saves over everything stored."""
        if not self.uncompressed_bytes or self.stored_bytes is None:
            return None
        return 1 - self.stored_bytes / self.uncompressed_bytes


def totals(overview: Overview) -> Totals:
    """The totals of one overview."""
    tables, jobs, aggregates = overview.tables.value, overview.jobs.value, overview.aggregates.value
    if jobs is not None and all(job.kind == "system" for job in jobs):
        jobs = ()
    sized = [table for table in tables or () if table.size_bytes is not None]
    size = overview.database_size.value
    fresh = None if aggregates is None else summary(aggregates)
    return Totals(
        database_bytes=size.size_bytes if size else None,
        database_is_exact=bool(size and size.is_exact),
        stored_bytes=sum(table.size_bytes or 0 for table in sized) if sized else None,
        uncompressed_bytes=sum(table.uncompressed_bytes or 0 for table in sized) if sized else None,
        rows=sum(table.rows or 0 for table in sized if table.kind != "continuous aggregate") if sized else None,
        compressed_chunks=sum(table.compressed_chunks for table in tables or ()),
        jobs=None if jobs is None else len(jobs),
        jobs_in_trouble=None
        if jobs is None
        else sum(job_state(job, overview.now, overview.server.started_at) in IN_TROUBLE for job in jobs),
        aggregates=None if aggregates is None else len(aggregates),
        aggregates_judged=fresh.judged if fresh else None,
        aggregates_on_time=fresh.fresh if fresh else None,
    )
