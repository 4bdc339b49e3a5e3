"""Which runs a word means: an id, a label, a month, before or after a deployment, the latest, the one before it.

Runs of one side always are of one database and one origin: a replayed run never stands beside a measured one, and a
summary without samples only where there is nothing else, and so a quick run where runs of a month or around a
deployment are looked for.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ms5ops.benchmark.records import RunHeader
from ms5ops.errors import BenchmarkError
from ms5ops.observe.finding import counted
from ms5ops.strict import nearest
from ms5ops.units import instant_text

NEAREST_RUNS = 5
"""How many runs before, or after, a deployment make a side: enough to see the scatter between runs, near enough to
meet the same data (own choice)."""
MIN_PREFIX = 4
"""Fewer characters of a run's id would meet a label or a number too easily."""

WORDS = "a run's id, a label, a month (2026-10), latest, previous, before:3 or after:3 (deployment 3)"
_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
_AROUND = re.compile(r"(before|after):(.+)")
_ID = re.compile(r"[0-9a-f-]+", re.IGNORECASE)


@dataclass(frozen=True)
class DeploymentSpan:
    """When a deployment ran. ``number`` is what people call it by; ``finished_at`` is None while it is not done.

    ``undone_at``: when its rollback began, None where it stands. ``source``: its database
    (``environments.source_id``), None where the runs are all of that one.
    """

    id: str
    number: int
    started_at: datetime
    finished_at: datetime | None
    undone_at: datetime | None = None
    source: str | None = None


@dataclass(frozen=True)
class Selected:
    """What a word means: what people call it, and its runs, oldest first, at least one."""

    name: str
    headers: tuple[RunHeader, ...]


def select(word: str, headers: Sequence[RunHeader], deployments: Sequence[DeploymentSpan] = ()) -> Selected:
    """The runs that ``word`` means among ``headers`` (in any order); see ``WORDS`` for the words.

    A month holds the runs that started in it (UTC). BenchmarkError, with the nearest match, for a word that means
    nothing, runs of several databases, or several deployments or ids.
    """
    word = word.strip()
    runs = sorted(headers, key=lambda run: run.started_at)
    if not runs:
        raise BenchmarkError(
            "There is no benchmark run in the history.", "Take one with `python -m ms5ops benchmark run`."
        )
    if word == "latest":
        return Selected("the latest run", (_newest(runs),))
    if word == "previous":
        return Selected("the run before the latest", (_previous(runs),))
    around = _AROUND.fullmatch(word)
    if around:
        return _around(around[1], _deployment(around[2].strip(), deployments), runs, deployments)
    labelled = [run for run in runs if run.label == word]
    if labelled:
        return Selected(word, _of_one_kind(word, labelled))
    if _MONTH.fullmatch(word):
        started = [run for run in runs if run.started_at.astimezone(UTC).strftime("%Y-%m") == word]
        if not started:
            months = sorted({run.started_at.astimezone(UTC).strftime("%Y-%m") for run in runs})
            raise BenchmarkError(
                f"No benchmark run started in {word}.", f"There are runs of {', '.join(months[-12:])}; choose of these."
            )
        return Selected(word, _of_one_kind(word, _full(started)))
    return _by_id(word, runs)


def _by_id(word: str, runs: Sequence[RunHeader]) -> Selected:
    found = []
    if len(word) >= MIN_PREFIX and _ID.fullmatch(word):
        found = [run for run in runs if run.run_id.lower().startswith(word.lower())]
    if len(found) > 1:
        ids = ", ".join(run.run_id for run in found[:3])
        raise BenchmarkError(f"{len(found)} runs have an id that begins with {word}: {ids}.", "Give more of the id.")
    if found:
        return Selected(_run_name(found[0]), (found[0],))
    known = ["latest", "previous", *{run.label for run in runs if run.label}, *(run.run_id for run in runs)]
    raise BenchmarkError(f"No benchmark run is called {word}{nearest(word, known)}.", f"Give {WORDS}.")


def _run_name(run: RunHeader) -> str:
    return f"{run.label or 'run'} of {instant_text(run.started_at)}"


def _newest(runs: Sequence[RunHeader]) -> RunHeader:
    """The newest run with samples that is not replayed, or the newest of what there is."""
    return _preferred(runs)[-1]


def _previous(runs: Sequence[RunHeader]) -> RunHeader:
    latest = _newest(runs)
    earlier = [run for run in runs if _kind(run) == _kind(latest) and run.started_at < latest.started_at]
    if not earlier:
        raise BenchmarkError(
            f"There is no run before the latest one ({_run_name(latest)}) of the same database and origin.",
            "Take another run, or choose one by its id or label.",
        )
    return _preferred(earlier)[-1]


def _deployment(word: str, deployments: Sequence[DeploymentSpan]) -> DeploymentSpan:
    """By number, ``latest``, or the beginning of its id."""
    if not deployments:
        raise BenchmarkError(
            "No deployment is known, so there is nothing to be before or after.",
            "Choose runs by id, label or month; deployments are read from the database's own journal.",
        )
    if word == "latest":
        found = [max(deployments, key=lambda one: one.started_at)]
    else:
        found = [one for one in deployments if str(one.number) == word]
        if not found and len(word) >= MIN_PREFIX:
            found = [one for one in deployments if one.id.lower().startswith(word.lower())]
    if len(found) == 1:
        return found[0]
    known = [str(one.number) for one in sorted(deployments, key=lambda one: one.number)]
    if found:
        raise BenchmarkError(f"{len(found)} deployments are called {word}.", "Give the whole id.")
    raise BenchmarkError(
        f"There is no deployment {word}{nearest(word, [*known, *(one.id for one in deployments)])}.",
        f"Give one of {', '.join(known[-12:])}, or latest.",
    )


def _around(
    when: str, deployment: DeploymentSpan, runs: Sequence[RunHeader], deployments: Sequence[DeploymentSpan]
) -> Selected:
    """The nearest runs that ended before a deployment began, or began after it was done, with no other in between."""
    name = f"{when} deployment {deployment.number}"
    own = [run for run in runs if deployment.source in (None, run.source)]
    others = [one for one in deployments if one.id != deployment.id and one.source in (None, deployment.source)]
    if when == "before":
        ends = [end for one in others for end in (one.finished_at, one.undone_at, one.started_at) if end]
        since = max((end for end in ends if end <= deployment.started_at), default=None)
        found = [run for run in own if run.finished_at <= deployment.started_at]
        found = [run for run in found if since is None or run.started_at >= since][::-1]
    elif deployment.finished_at is None:
        raise BenchmarkError(
            f"Deployment {deployment.number} is not done, so there is no run after it.",
            "Finish it, or choose runs by id, label or month.",
        )
    else:
        begins = [begin for one in others for begin in (one.started_at, one.undone_at) if begin]
        if deployment.undone_at:
            begins.append(deployment.undone_at)
        until = min((begin for begin in begins if begin >= deployment.finished_at), default=None)
        found = [run for run in own if run.started_at >= deployment.finished_at]
        found = [run for run in found if until is None or run.finished_at <= until]
    if not found:
        raise BenchmarkError(
            f"No benchmark run was taken {name} without another deployment in between.",
            "Choose runs by id, label or month, or take one now.",
        )
    preferred = _full(_preferred(found))
    same = [run for run in preferred if _kind(run) == _kind(preferred[0])][:NEAREST_RUNS]
    return Selected(name, tuple(sorted(same, key=lambda run: run.started_at)))


def _of_one_kind(word: str, runs: Sequence[RunHeader]) -> tuple[RunHeader, ...]:
    found = _preferred(runs)
    if len({_kind(run) for run in found}) > 1:
        environments = sorted({run.environment for run in found})
        sources = sorted({run.source for run in found})
        told = ", ".join(environments if len(environments) > 1 else sources)
        raise BenchmarkError(
            f"{word} means {counted(len(found), 'run', 'runs')} of different databases or origins: {told}.",
            "Name the environment, or choose runs by their ids.",
        )
    return tuple(found)


def _preferred(runs: Sequence[RunHeader]) -> list[RunHeader]:
    """Those not replayed where there are any, and of these those with samples where there are any; order is kept."""
    real = [run for run in runs if run.origin != "replayed"] or list(runs)
    return [run for run in real if not run.is_summary] or real


def _full(runs: Sequence[RunHeader]) -> list[RunHeader]:
    """Without the quick runs, which are a look and no proof, where there are others; order is kept."""
    return [run for run in runs if not run.is_quick] or list(runs)


def _kind(run: RunHeader) -> tuple[str, str]:
    return run.source, run.origin
