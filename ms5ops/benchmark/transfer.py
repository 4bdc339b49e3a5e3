"""Benchmark runs from one place to another: exports and old reports that come in, and what is to go out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from ms5ops.benchmark.old_reports import read_report
from ms5ops.benchmark.records import Run, RunHeader
from ms5ops.benchmark.selection import select
from ms5ops.benchmark.store import frames_of
from ms5ops.errors import BenchmarkError
from ms5ops.history import History, Spooled, bundles


@dataclass(frozen=True)
class Imported:
    """What came of one path. ``added``: new rows by the history's table; ``held``: how many the path holds in all.

    For an old report, ``run`` is what was made of it, and ``spooled`` tells that it waits for the history.
    """

    path: Path
    added: Mapping[str, int]
    held: Mapping[str, int]
    run: Run | None = None
    spooled: Spooled | None = None

    @property
    def is_new(self) -> bool:
        """Whether the history holds more than before."""
        return any(self.added.values())


def import_paths(history: History, paths: Sequence[Path], sources: Mapping[str, str]) -> list[Imported]:
    """Take in exports (folders) and old reports (files); what is in the history already adds nothing.

    Every path is read and checked before the first is stored. ``sources``: as for ``read_report``. Raises
    BenchmarkError or BundleRefused with one sentence for the first that is wrong; nothing is stored then.
    """
    found = [(path, _checked(path, sources)) for path in paths]
    return [_store_report(history, path, run) if run else _store_bundle(history, path) for path, run in found]


def chosen_runs(headers: Sequence[RunHeader], words: Sequence[str]) -> list[RunHeader]:
    """The runs that any of the words means, oldest first: a month or label means all of it, else ``selection.WORDS``.

    BenchmarkError for a word that means nothing.
    """
    found: dict[str, RunHeader] = {}
    for word in words:
        runs = [run for run in headers if run.label == word]
        if not runs:
            runs = [run for run in headers if run.started_at.astimezone(UTC).strftime("%Y-%m") == word]
        for run in runs or select(word, headers).headers:
            found[run.run_id] = run
    return sorted(found.values(), key=lambda run: (run.started_at, run.run_id))


def _checked(path: Path, sources: Mapping[str, str]) -> Run | None:
    """The run of a report, or None for an export that is whole."""
    if path.name == bundles.MANIFEST:
        path = path.parent
    if path.is_dir():
        bundles.check(path)
        return None
    if path.suffix == ".parquet":
        raise BenchmarkError(f"{path} is one file of an export.", f"Name its folder: {path.parent}.")
    if path.suffix == ".duckdb":
        raise BenchmarkError(
            f"{path} is a history itself.",
            f"Export it first: MS5OPS_HISTORY={path} python -m ms5ops history export --out FOLDER.",
        )
    return read_report(path, sources).run


def _store_bundle(history: History, path: Path) -> Imported:
    folder = path.parent if path.name == bundles.MANIFEST else path
    held = {table: file.rows for table, file in bundles.check(folder).tables.items()}
    return Imported(path, history.take_in(folder), held)


def _store_report(history: History, path: Path, run: Run) -> Imported:
    held = {"benchmark_run": 1, "benchmark_result": len(run.results)}
    stored = history.read(
        "benchmark_runs", {"run_ids": [run.header.run_id], "source": None, "since": None, "until": None}
    )
    if not stored.empty:
        return Imported(path, dict.fromkeys(held, 0), held, run)
    return Imported(path, held, held, run, history.append(frames_of([run])))
