"""Benchmark runs of a replay: kept under the simulated instants, marked "replayed"."""

from dataclasses import replace
from datetime import timedelta

import pandas as pd

from ms5ops.benchmark.options import Options, Site
from ms5ops.benchmark.records import Run
from ms5ops.benchmark.runner import run_suite
from ms5ops.benchmark.sampling import Effort
from ms5ops.benchmark.store import store_run
from ms5ops.environments import Connected, source_id
from ms5ops.history import History
from ms5ops.policy.document import PolicySet
from ms5ops.replay.calendar import Month
from ms5ops.units import instant_text

ACTOR = "replay"
EFFORT = Effort(
    warmups=1, least=5, most=5, budget_s=0.1, hard_budget_s=1.0, statement_timeout_ms=15_000,
    drive_s=0.6, batches=(1_000,), clients=(1, 8),
)  # fmt: skip
"""Five samples of each question (the fewest that a comparison looks at): a run takes three seconds."""


def benchmark(history: History, connected: Connected, policy: PolicySet, month: Month, ahead: timedelta) -> None:
    """Measure the engine as it is now, and store that under the simulated instant; the true one stands in its note.

    ``ahead``: by how much the engine's calendar is ahead of the machine's (behind it: negative).
    """
    options = Options(label=month.label, parts=("query",), actor=ACTOR, is_quick=True, effort=EFFORT, anchor=month.end)
    run = run_suite(Site(connected, None, source_id(connected), policy=policy), options)
    store_run(history, moved(run, ahead))


def moved(run: Run, ahead: timedelta) -> Run:
    """The run with every instant moved by ``ahead``; its note says when it was truly taken."""
    header = run.header
    note = (
        f"Replayed: the calendar was simulated, the times were measured. Truly taken {instant_text(header.started_at)}."
    )
    return Run(
        replace(header, started_at=header.started_at + ahead, finished_at=header.finished_at + ahead, note=note),
        run.results,
        run.samples.assign(taken_at=run.samples["taken_at"] + pd.Timedelta(ahead)),
    )
