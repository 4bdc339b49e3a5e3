"""A whole run: circumstances, anchor, the parts that were asked for, and the record of it all."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

from ms5ops.benchmark import anchor, concurrency, ingest, job_latency, load, sampling
from ms5ops.benchmark.circumstances import read_surroundings
from ms5ops.benchmark.dashboards import page_client
from ms5ops.benchmark.options import Gathered, Options, Pace, Part, Report, Site, Stop, Work
from ms5ops.benchmark.query_runner import QueryRun
from ms5ops.benchmark.records import Run, RunHeader
from ms5ops.benchmark.sampling import Effort
from ms5ops.benchmark.suite import Suite
from ms5ops.benchmark.unfinished import Draft
from ms5ops.database import TimedSession

_LOOK_EVERY_S = 0.1


def run_suite(
    site: Site,
    options: Options,
    report: Report = lambda _progress: None,
    stop: Stop = lambda: False,
    draft: Draft | None = None,
) -> Run:
    """Measure what ``options`` ask for, and return it; nothing is stored.

    ``report`` is told how far it is. Once ``stop`` says True, what runs is cancelled and the run returned with what was
    measured until then, as partial. ``draft`` keeps what is measured while it is under way, in case that is its end.
    Raises ServerError where the server cannot be reached or is lost, BenchmarkError where there is nothing to measure.
    """
    started = datetime.now(UTC)
    effort = options.chosen_effort
    pace = Pace(report, stop, _expected(site.suite, options, effort))
    pace.begin("looking")
    pace.say("Reading the circumstances")
    surroundings = read_surroundings(site.read, site.policy)
    choice = anchor.choose(site.suite, site.read.database, site.read.schema, options.anchor, started)
    header = RunHeader(
        run_id=str(uuid4()),
        source=site.source,
        environment=site.read.name,
        origin=site.read.origin,
        label=options.label,
        actor=options.actor,
        started_at=started,
        finished_at=started,
        anchor=choice.anchor,
        suite_hash=site.suite.suite_hash,
        seed=options.seed,
        is_quick=options.is_quick,
        is_partial=True,
        is_summary=False,
        note=options.note,
        surroundings=surroundings,
    )

    def keep(make: Callable[[], Gathered]) -> None:
        if draft is not None:
            draft.keep(lambda: _run(header, make(), is_partial=True))

    gathered = _measure(Work(site, options, effort, choice, pace, keep))
    is_partial = stop()
    pace.end()
    return _run(header, gathered, is_partial=is_partial)


def _run(header: RunHeader, gathered: Gathered, *, is_partial: bool) -> Run:
    whole = replace(header, finished_at=datetime.now(UTC), is_partial=is_partial)
    return Run(whole, tuple(gathered.results), sampling.samples_frame(gathered.samples))


def _measure(work: Work) -> Gathered:
    gathered = Gathered()
    for part, measure in _PARTS.items():
        if part in work.options.parts and not work.pace.stop():
            work.pace.begin(part)
            measure(work, gathered)
            work.keep(lambda: gathered)
    return gathered


def _queries(work: Work, gathered: Gathered) -> None:
    database, schema, effort = work.site.read.database, work.site.read.schema, work.effort
    there = anchor.relations(database, schema)
    with (
        database.timed_session(effort.statement_timeout_ms) as session,
        page_client(database, effort.statement_timeout_ms) as client,
        _cancelling([session, *client.sessions], work.pace.stop),
    ):
        QueryRun(work, work.site.suite.of_groups(work.options.groups), session, client, there).run(gathered)


@contextmanager
def _cancelling(sessions: Sequence[TimedSession], stop: Stop) -> Iterator[None]:
    """Cancel what runs in these sessions as soon as the run is to stop: a thread waits for that."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_LOOK_EVERY_S):
            if stop():
                for session in sessions:
                    session.cancel()

    watcher = threading.Thread(target=watch, name="benchmark stop", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _expected(suite: Suite, options: Options, effort: Effort) -> dict[str, float]:
    """What each part will take, before anything has been measured: the budgets as a first guess, in seconds."""
    asked = suite.of_groups(options.groups)
    count = len(asked.questions) + len(asked.pages)
    found = {"looking": 0.5}
    if "query" in options.parts:
        found |= {"warming up": 0.05 * count, "sampling": 0.2 * effort.budget_s * count, "explaining": 0.02 * count}
    if "ingest" in options.parts:
        found["ingest"] = effort.drive_s * len(effort.batches) + 1
    if "concurrency" in options.parts:
        found["concurrency"] = (effort.drive_s + 1) * len(effort.clients)
    if "load" in options.parts:
        found["load"] = 2 * effort.drive_s + 1
    return found


_PARTS: dict[Part, Callable[[Work, Gathered], None]] = {
    "query": _queries,
    "jobs": job_latency.measure,
    "ingest": ingest.measure,
    "concurrency": concurrency.measure,
    "load": load.measure,
}
