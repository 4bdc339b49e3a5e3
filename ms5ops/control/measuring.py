"""Benchmarks as runs of the console: in the run's own process, for whoever asked for it, seen on every page."""

import logging
import time
from collections.abc import Callable

from ms5ops.access.roles import Actor
from ms5ops.benchmark import background
from ms5ops.benchmark.options import PARTS, READING, Options, Progress, open_site
from ms5ops.benchmark.records import PROBLEMS
from ms5ops.benchmark.run_summary import benchmark_title
from ms5ops.benchmark.series import run_series
from ms5ops.config import Settings
from ms5ops.control import runs
from ms5ops.control.policy_sets import judged_by
from ms5ops.control.runs import Run
from ms5ops.control.store import Store
from ms5ops.errors import BenchmarkError
from ms5ops.history import History

log = logging.getLogger(__name__)
START_TIMEOUT_S = 20.0
"""As long as a page waits for the first sign of a run (own choice: an interpreter starts in 2 s on a busy host)."""
TOLD_EVERY_S = 1.0
_POLL_S = 0.05


def measure(settings: Settings, run: Run, actor: Actor, tell: Callable[[str], None]) -> tuple[str, str]:
    """Measure what the run was asked for and keep it in the history; how it ended (one of ``runs.ENDED``), and why.

    ``actor`` was allowed to. ``tell`` is given what is measured now, about once a second.
    """
    asked = run.order.options
    options = Options(
        label=asked.label,
        parts=PARTS if asked.scope == "everything" else READING,
        is_quick=asked.scope == "quick",
        actor=actor.name,
    )
    with (
        background.alone(run.order.environment, label=asked.label, actor=actor.name) as announced,
        open_site(settings, run.order.environment, judged_by) as site,
    ):
        told = -TOLD_EVERY_S

        def report(progress: Progress) -> None:
            nonlocal told
            announced.report(progress)
            if time.monotonic() - told >= TOLD_EVERY_S:
                told = time.monotonic()
                tell(f"measuring {benchmark_title(progress.label)}")

        done = run_series(
            site,
            options,
            History(),
            repeat=asked.repeat,
            report=report,
            stop=announced.stop_asked,
            narrate=log.info,
        )
        last = done[-1].header
        announced.ended("stopped" if last.is_partial else "finished", run_id=last.run_id)
    if last.is_partial:
        return "cancelled", "It was stopped; what was measured until then is kept."
    bad = {benchmark_title(one.benchmark): None for run in done for one in run.results if one.outcome in PROBLEMS}
    return "done", f"Without a figure for: {', '.join(bad)}." if bad else ""


def wait_until_begun(store: Store, run: Run) -> None:
    """Wait until the run's process measures, or has ended; BenchmarkError where it ended, or never began to."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        runs.at_work(store, run.order.environment)
        now = runs.named(store, run.id)
        found = background.current(run.order.environment)
        if found is not None and found.pid == now.pid and found.started_at >= run.asked_at:
            return
        if not now.is_open:
            raise BenchmarkError(
                "The benchmark run did not begin.", now.message or "Its output on the Rollout page says why."
            )
        time.sleep(_POLL_S)
    raise BenchmarkError(
        f"The benchmark run gave no sign for {START_TIMEOUT_S:g} s.", "Look again: a busy host takes its time."
    )
