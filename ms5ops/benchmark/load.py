"""Twice the expected volume: ingest at double pace while dashboards are loaded, and what is left above it."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median

from ms5ops.benchmark import anchor, ingest, results
from ms5ops.benchmark.dashboards import PageClient, page_client
from ms5ops.benchmark.ingest import Commit, Writer, drive, rates, writable
from ms5ops.benchmark.options import Gathered, Stop, Work
from ms5ops.benchmark.records import Outcome, Unit
from ms5ops.benchmark.sampling import Sample
from ms5ops.benchmark.scratch import scratch_table
from ms5ops.benchmark.suite import DASHBOARD_TARGET_MS, bound
from ms5ops.errors import BenchmarkError, Ms5opsError, ServerError, ServerUnreachable
from ms5ops.policy.document import PolicySet

TIMES = 2.0
"""Phase 4's success criterion: handles twice the expected data volume."""
BATCH = 200
"""Rows to a commit: ten commits a second at twice the expected pace (own choice)."""
INGEST, PAGES, HEADROOM = "load_2x_ingest", "load_2x_dashboards", "load_headroom"
ABOUT = {
    INGEST: "Rows written per second at twice the expected pace, while dashboards are loaded.",
    PAGES: "Loading the dashboards in turn while twice the expected volume is written.",
    HEADROOM: "Rows written per second as fast as it goes, while dashboards are loaded: how much more there may be.",
}


@dataclass(frozen=True)
class Together:
    """What was committed and how long each page took, at the same time; the error that ended one of them."""

    commits: list[Commit]
    loads: list[Sample]
    error: Ms5opsError | None


def expected_rows_per_s(policy: PolicySet) -> float:
    """Rows per second over all tables that the policy set expects (its ``[expected]``)."""
    return sum(one.rows_per_day for one in policy.expected.values()) / 86_400


def measure(work: Work, gathered: Gathered) -> None:
    """Ingest and dashboards at twice the expected volume; then as fast as it goes. Errors as ``ingest.measure``'s."""
    due = TIMES * expected_rows_per_s(work.site.policy)
    try:
        target = writable(work.site, datetime.now(UTC))
        with (
            scratch_table(target.database, target.schema) as table,
            target.database.timed_session(work.effort.statement_timeout_ms, writes=True) as session,
            page_client(work.site.read.database, work.effort.statement_timeout_ms) as client,
        ):
            writer = Writer(session, table, ingest.metric_ids(target.database, target.schema), BATCH)
            writer.write()  # the first makes the chunk
            load_pages = _pages(work, client)
            work.pace.say(INGEST)
            paced = together(writer, load_pages, work.effort.drive_s, work.pace.stop, due)
            _add_paced(gathered, paced, due)
            if work.pace.stop() or paced.error:
                return
            work.pace.say(HEADROOM)
            _add_headroom(gathered, work, together(writer, load_pages, work.effort.drive_s, work.pace.stop, None), due)
    except ServerUnreachable:
        raise
    except (ServerError, BenchmarkError) as error:
        lacking = [name for name in ABOUT if gathered.lacks(name)]
        if not lacking:
            raise  # all was measured: it is the clearing up that failed
        for name in lacking:
            _add_without(gathered, name, ingest.outcome_of(error), f"{error.happened} {error.next_step}")


def together(
    writer: Writer, load_pages: Callable[[Stop], list[Sample]], seconds: float, stop: Stop, rows_per_s: float | None
) -> Together:
    """Write for so long, in a thread of its own, while pages are loaded one after the other."""
    commits: list[Commit] = []
    errors: list[Ms5opsError] = []
    over = threading.Event()

    def write() -> None:
        try:
            commits.extend(drive(writer, seconds, stop, rows_per_s))
        except ServerError as error:
            errors.append(error)
        finally:
            over.set()

    writing = threading.Thread(target=write, name="load ingest")
    writing.start()
    loads: list[Sample] = []
    try:
        loads = load_pages(lambda: over.is_set() or stop())
    except ServerError as error:
        errors.append(error)
    finally:
        writing.join()
    return Together(commits, loads, errors[0] if errors else None)


def kept_pace(commits: Sequence[Commit], rows_per_s: float) -> list[float]:
    """The pace up to each commit: the due one where it was done before the next was due, else what was reached."""
    rows, found = 0, []
    for commit in commits:
        rows += commit.rows
        found.append(min(rows_per_s, rows / commit.at_s))
    return found


def _pages(work: Work, client: PageClient) -> Callable[[Stop], list[Sample]]:
    schema = work.site.read.schema
    there = anchor.relations(work.site.read.database, schema)
    pages = [
        {
            panel.name: client.sessions[0].statement(*bound(variant, schema, work.choice.parameters))
            for panel in page.panels
            if (variant := panel.variant(there))
        }
        for page in work.site.suite.pages
    ]

    def load_pages(stop: Stop) -> list[Sample]:
        found = []
        while not stop():
            for panels in pages:
                at = datetime.now(UTC)
                found.append(Sample(at, client.load(panels).took_ms))
        return found

    return load_pages


def _add_paced(gathered: Gathered, found: Together, due: float) -> None:
    if found.error is not None:
        for name in (INGEST, PAGES):
            _add_without(gathered, name, "failed", found.error.happened)
        return
    values, began = kept_pace(found.commits, due), datetime.now(UTC)
    details = {
        "expected_rows_per_s": due / TIMES,
        "due_rows_per_s": due,
        "kept_up": bool(values) and values[-1] >= due,
        "dashboards_loaded": len(found.loads),
    }
    gathered.add(
        results.measured(
            INGEST, "load", ABOUT[INGEST], values, "rows/s", target=due, details=details, higher_is_better=True
        ),
        [Sample(began, value) for value in values],
    )
    gathered.add(
        results.measured(
            PAGES,
            "load",
            ABOUT[PAGES],
            [one.value for one in found.loads],
            "ms",
            target=DASHBOARD_TARGET_MS,
            details=details,
        ),
        found.loads,
    )


def _add_headroom(gathered: Gathered, work: Work, found: Together, due: float) -> None:
    if found.error is not None:
        _add_without(gathered, HEADROOM, "failed", found.error.happened)
        return
    values, began = rates(found.commits, work.effort.drive_s), datetime.now(UTC)
    reached = median(values) if values else None
    details = {
        "expected_rows_per_s": due / TIMES,
        "times_expected": reached * TIMES / due if reached else None,
        "dashboards_loaded": len(found.loads),
    }
    gathered.add(
        results.measured(
            HEADROOM, "load", ABOUT[HEADROOM], values, "rows/s", target=due, details=details, higher_is_better=True
        ),
        [Sample(began, value) for value in values],
    )


def _add_without(gathered: Gathered, name: str, outcome: Outcome, message: str) -> None:
    unit: Unit = "ms" if name == PAGES else "rows/s"
    gathered.add(results.without(name, "load", ABOUT[name], unit=unit, outcome=outcome, message=message), ())
