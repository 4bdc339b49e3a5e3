"""What a run under way has measured so far, on disk: a run that is killed loses some seconds of work, not all of it.

A draft is a run like any other, marked partial. It is written anew every few seconds, between two samples, and taken in
by the next run of the same environment, which the lock of ``background`` lets begin only once the other one has ended.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from pydantic import TypeAdapter, ValidationError

from ms5ops.benchmark.records import SAMPLE_DTYPES, Result, Run, RunHeader
from ms5ops.benchmark.store import store_run
from ms5ops.errors import BenchmarkError
from ms5ops.history import History

KEEP_EVERY_S = 5.0
"""Own choice: writing takes some ten milliseconds, which then is a five-hundredth of the run."""
_HEADER = TypeAdapter(RunHeader)
_RESULTS = TypeAdapter(tuple[Result, ...])


class Draft:
    """The draft of one run, in a file."""

    def __init__(self, file: Path, every_s: float = KEEP_EVERY_S) -> None:
        self._file, self._every_s = file, every_s
        self._written = time.monotonic()

    def keep(self, make: Callable[[], Run]) -> None:
        """Write what ``make`` gives where the last time is long enough ago; most calls cost nothing."""
        if time.monotonic() - self._written < self._every_s:
            return
        write(self._file, make())
        self._written = time.monotonic()

    def discard(self) -> None:
        """The run is stored as a whole."""
        self._file.unlink(missing_ok=True)


def write(file: Path, run: Run) -> None:
    """Replace the draft as a whole. BenchmarkError where the file cannot be written."""
    samples = run.samples.assign(taken_at=run.samples["taken_at"].astype("int64"))
    told = {
        "header": _HEADER.dump_python(run.header, mode="json"),
        "results": _RESULTS.dump_python(run.results, mode="json"),
        "samples": {name: samples[name].astype(object).where(samples[name].notna(), None).tolist() for name in samples},
    }
    fresh = file.with_suffix(".fresh")
    try:
        fresh.write_text(json.dumps(told), encoding="utf-8")
        fresh.replace(file)
    except OSError as error:
        raise BenchmarkError(
            f"What was measured cannot be kept in {file} ({error.strerror}).",
            "Make room, or name a folder that this user may write to in MS5OPS_STATE.",
        ) from error


def read(file: Path) -> Run | None:
    """The draft as a run; None where there is none. BenchmarkError where it is damaged or of another version."""
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        samples = pd.DataFrame(told["samples"], columns=list(SAMPLE_DTYPES))
        samples["taken_at"] = pd.to_datetime(samples["taken_at"], unit="us", utc=True)
        return Run(
            _HEADER.validate_python(told["header"]),
            _RESULTS.validate_python(told["results"]),
            samples.astype(dict(SAMPLE_DTYPES)),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        raise BenchmarkError(
            f"What a run that ended early had measured cannot be read ({file}).", "Remove the file, and run again."
        ) from error


def take_in(history: History, file: Path) -> Run | None:
    """Store the draft that a run left, and remove it; None where none was left.

    A damaged one is put aside, so that it stands in nobody's way, and BenchmarkError says where.
    """
    try:
        found = read(file)
    except BenchmarkError as error:
        aside = file.with_suffix(".refused")
        file.replace(aside)
        raise BenchmarkError(error.happened, f"It was put aside as {aside}; run again.") from error
    if found is not None:
        store_run(history, found)
        file.unlink(missing_ok=True)
    return found
