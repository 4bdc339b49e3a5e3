"""Benchmark runs in and out of the history. A stored run is never changed: nothing here updates or deletes one."""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from ms5ops.benchmark.records import SAMPLE_DTYPES, Result, Run, RunHeader, Surroundings
from ms5ops.errors import BenchmarkError
from ms5ops.history import History, Spooled

_HEADER_TIMES = ("started_at", "finished_at", "anchor")
_OPTIONAL_TEXTS = ("group_name", "message", "text_hash", "twin")
_OPTIONAL_FIGURES = ("target_p95", "mean", "median", "minimum", "maximum", "p95", "p99")
_UNREAD: Mapping[str, object] = {"run_ids": None, "source": None, "since": None, "until": None}


def store_run(history: History, run: Run) -> Spooled | None:
    """Add a finished (or stopped) run, whole or not at all; a run whose ``run_id`` is already stored stays as it is.

    Where the history is held by others for too long, the run is safe on disk and the next writer takes it in: Spooled.
    Raises BenchmarkError where the run is not as it has to be, HistoryError where the history cannot be written.
    """
    return history.append(frames_of([run]))


def run_headers(
    history: History,
    source: str | None = None,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> tuple[RunHeader, ...]:
    """The stored runs, oldest first: of one database (``environments.source_id``), started in [since, until)."""
    frame = history.read("benchmark_runs", {**_UNREAD, "source": source, "since": since, "until": until})
    return tuple(_header(row) for row in _rows(frame))


def load_run(history: History, run_id: str) -> Run:
    """One run with its results and samples; BenchmarkError where none has this id."""
    return load_runs(history, [run_id])[0]


def load_runs(history: History, run_ids: Sequence[str]) -> tuple[Run, ...]:
    """Runs with results and samples, in the order of the ids, read in one go; BenchmarkError where one is not there."""
    wanted = _checked_ids(run_ids)
    if not wanted:
        return ()
    frames = history.read_together(
        {
            "benchmark_runs": {**_UNREAD, "run_ids": wanted},
            "benchmark_results": {"run_ids": wanted},
            "benchmark_samples": {"run_ids": wanted, "benchmarks": None},
        }
    )
    headers = {row["run_id"]: _header(row) for row in _rows(frames["benchmark_runs"])}
    missing = [run_id for run_id in wanted if run_id not in headers]
    if missing:
        raise BenchmarkError(
            f"There is no run {missing[0]} in the history.",
            "See the stored ones with `python -m ms5ops benchmark list`.",
        )
    results = _results_by_run(frames["benchmark_results"])
    samples, ends = _as_taken(frames["benchmark_samples"], len(wanted))
    parts = {run_id: samples.iloc[ends[place] : ends[place + 1]] for place, run_id in enumerate(wanted)}
    return tuple(
        Run(headers[run_id], results.get(run_id, ()), parts[run_id].reset_index(drop=True)) for run_id in wanted
    )


def load_results(history: History, run_ids: Sequence[str]) -> dict[str, tuple[Result, ...]]:
    """The results of runs by run id, in each run's order; runs without results are left out."""
    return _results_by_run(history.read("benchmark_results", {"run_ids": _checked_ids(run_ids)}))


def load_samples(history: History, run_ids: Sequence[str], benchmarks: Sequence[str] | None = None) -> pd.DataFrame:
    """The samples of runs (and of some of their benchmarks): ``run_id`` and the columns of SAMPLE_DTYPES.

    In the order of the ids, and within a run in the order taken.
    """
    wanted = _checked_ids(run_ids)
    parameters = {"run_ids": wanted, "benchmarks": None if benchmarks is None else list(benchmarks)}
    samples, ends = _as_taken(history.read("benchmark_samples", parameters), len(wanted))
    runs = np.repeat(np.arange(len(wanted)), np.diff(ends))
    return samples.assign(run_id=pd.Categorical.from_codes(runs, categories=pd.Index(wanted))).reset_index(drop=True)


def frames_of(runs: Sequence[Run]) -> dict[str, pd.DataFrame]:
    """Runs as rows of the history's tables; BenchmarkError names what is not as it has to be."""
    for run in runs:
        _check(run)
    results = [
        {"run_id": run.header.run_id, "place": place, **_result_row(result)}
        for run in runs
        for place, result in enumerate(run.results)
    ]
    samples = [run.samples[list(SAMPLE_DTYPES)].assign(run_id=run.header.run_id) for run in runs]
    return {
        "benchmark_run": pd.DataFrame([_header_row(run.header) for run in runs]),
        "benchmark_result": pd.DataFrame(results),
        "benchmark_sample": pd.concat(samples, ignore_index=True) if samples else pd.DataFrame(),
    }


def _check(run: Run) -> None:
    _checked_id(run.header.run_id)
    naive = [name for name in _HEADER_TIMES if getattr(run.header, name).tzinfo is None]
    if naive:
        raise BenchmarkError(f"The run's {naive[0]} has no time zone.", "Give every instant of a run in UTC.")
    if absent := [name for name in SAMPLE_DTYPES if name not in run.samples]:
        raise BenchmarkError(f"The run's samples have no column {absent[0]}.", "See SAMPLE_DTYPES.")
    if not np.isfinite(run.samples["value"].to_numpy(dtype=float, na_value=np.nan)).all():
        raise BenchmarkError("The run has a sample with no finite value.", "Leave out what was not measured.")
    names = [result.benchmark for result in run.results]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise BenchmarkError(f"The run has two results of {twice}.", "Give each benchmark of a run one result.")
    if strangers := set(run.samples["benchmark"].unique()) - set(names):
        raise BenchmarkError(f"The run has samples of {min(strangers)}, but no result.", "Give every sample a result.")


def _checked_id(run_id: str) -> str:
    try:
        return str(uuid.UUID(run_id))
    except ValueError as error:
        raise BenchmarkError(
            f"{run_id!r} is not the whole id of a run.", "See the ids with `python -m ms5ops benchmark list`."
        ) from error


def _checked_ids(run_ids: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(map(_checked_id, run_ids)))


def _header_row(header: RunHeader) -> dict[str, object]:
    row = {**vars(header), "run_id": _checked_id(header.run_id)}
    row["surroundings"] = None if header.surroundings is None else _json(asdict(header.surroundings), "surroundings")
    return row


def _result_row(result: Result) -> dict[str, object]:
    row = dict(vars(result))
    row["group_name"], row["row_count"] = row.pop("group"), row.pop("rows")
    row["details"] = _json(dict(result.details), f"details of {result.benchmark}")
    return row


def _json(value: Mapping[str, Any], what: str) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise BenchmarkError(
            f"The run's {what} cannot be stored ({error}).", "Keep to texts, lists and finite numbers."
        ) from error


def _header(row: Mapping[str, Any]) -> RunHeader:
    told = row["surroundings"]
    times = {name: row[name].to_pydatetime() for name in _HEADER_TIMES}
    texts = {name: _or_none(row[name]) for name in ("label", "note")}
    surroundings = None if _or_none(told) is None else Surroundings(**json.loads(told))
    return RunHeader(**{**row, **times, **texts, "surroundings": surroundings})


def _results_by_run(frame: pd.DataFrame) -> dict[str, tuple[Result, ...]]:
    found: dict[str, list[Result]] = {}
    for row in _rows(frame):
        found.setdefault(row.pop("run_id"), []).append(_result(row))
    return {run_id: tuple(results) for run_id, results in found.items()}


def _result(row: dict[str, Any]) -> Result:
    row.update({name: _or_none(row[name]) for name in (*_OPTIONAL_TEXTS, *_OPTIONAL_FIGURES)})
    group, count = row.pop("group_name"), row.pop("row_count")
    rows = None if pd.isna(count) else int(count)
    return Result(**{**row, "group": group, "rows": rows, "details": json.loads(row["details"])})


def _as_taken(frame: pd.DataFrame, runs: int) -> tuple[pd.DataFrame, np.ndarray[Any, np.dtype[np.int64]]]:
    """Samples by run and then as they were taken, and where each of the runs begins and ends among them."""
    keys = {name: frame[name].to_numpy(dtype="int64") for name in ("run", "ordinal")}
    taken = pd.to_datetime(frame["taken_at"], utc=True).astype("int64").to_numpy()
    order = np.lexsort((keys["ordinal"], taken, keys["run"]))
    ends = np.searchsorted(keys["run"][order], np.arange(runs + 1))
    return frame[list(SAMPLE_DTYPES)].iloc[order].astype(dict(SAMPLE_DTYPES)), ends


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _or_none(value: Any) -> Any:
    return None if pd.isna(value) else value
