"""Runs one after the other, each in the history once it is done, and what a killed one had measured before them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ms5ops.benchmark import background
from ms5ops.benchmark.options import Options, Progress, Report, Site, Stop
from ms5ops.benchmark.records import Run
from ms5ops.benchmark.run_summary import benchmark_title
from ms5ops.benchmark.runner import run_suite
from ms5ops.benchmark.store import store_run
from ms5ops.benchmark.unfinished import Draft, take_in
from ms5ops.errors import BenchmarkError
from ms5ops.history import History
from ms5ops.units import instant_text


def run_series(
    site: Site,
    options: Options,
    history: History,
    *,
    repeat: int = 1,
    report: Report = lambda _progress: None,
    stop: Stop = lambda: False,
    narrate: Callable[[str], None] = lambda _line: None,
) -> list[Run]:
    """Measure ``repeat`` times what the options ask for, and store each run; at least one, the last may be partial.

    To be called within ``background.alone`` of the environment. What the last run there had measured when it was killed
    is stored first; ``narrate`` is told. Later runs have the next seeds, so that their orders differ. Errors as
    ``run_suite``'s and ``store_run``'s; runs that were done before one are stored.
    """
    file = background.draft_file(site.read.name)
    _take_in(history, file, narrate)
    done: list[Run] = []
    for number in range(repeat):
        draft = Draft(file)

        def told(one: Progress, number: int = number) -> None:
            report(_of_several(one, number, repeat))

        done.append(run_suite(site, replace(options, seed=options.seed + number), told, stop, draft))
        store_run(history, done[-1])
        draft.discard()
        if done[-1].header.is_partial:
            break
    return done


def _take_in(history: History, file: Path, narrate: Callable[[str], None]) -> None:
    try:
        found = take_in(history, file)
    except BenchmarkError as error:
        narrate(f"{error.happened} {error.next_step}")
        return
    if found is not None:
        narrate(
            f"The run of {instant_text(found.header.started_at)} ended before it was done: what it had measured is"
            f" kept as run {found.header.run_id[:8]}, marked partial."
        )


def _of_several(one: Progress, number: int, of: int) -> Progress:
    """How far the series is; the runs to come are expected to take as long as this one."""
    if of == 1:
        return one
    label = f"Run {number + 1} of {of}: {benchmark_title(one.label)}"
    return Progress(label, (number + one.fraction) * one.total_seconds, of * one.total_seconds)
