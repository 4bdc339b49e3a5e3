"""The JSON report of the old shell benchmark.

Keys: ``timestamp``, ``environment``, ``query_performance.<name>`` with ``average_ms``, ``median_ms`` and ``runs``
(a count, or the times of the runs), ``storage_analysis`` and ``benchmark_parameters`` (both of any shape, optional).
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ms5ops.benchmark.json_lines import lines_of_keys
from ms5ops.benchmark.old_report import FIGURES, OldQuery, OldReport
from ms5ops.benchmark.report_numbers import Spot, count, instant, milliseconds
from ms5ops.errors import BenchmarkError

NEXT = "Name a JSON report of the shell benchmark (timestamp, query_performance), or correct it."
TOLERANCE = 0.01
"""Own choice: how far an average may be from the times that it is of (the scripts rounded to two decimals)."""


def read(text: str, file: Path) -> OldReport:
    """What the JSON tells; BenchmarkError names the key and the line that is wrong."""
    try:
        told = json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise BenchmarkError(
            f"{file} is not JSON: {error.msg} in line {error.lineno}, column {error.colno}.", NEXT
        ) from error
    except RecursionError as error:
        raise BenchmarkError(f"{file} holds lists in lists without end, and is no report.", NEXT) from error
    except ValueError as error:
        raise BenchmarkError(f"{file} holds {error}, which is no number.", NEXT) from error
    if not isinstance(told, dict):
        raise BenchmarkError(f"{file} holds a list, not a report.", NEXT)
    spots = _Spots(text, file)
    for key in ("timestamp", "query_performance"):
        if key not in told:
            raise BenchmarkError(f"{file} has no key {key!r}.", NEXT)
    taken_at, time_note = instant(told["timestamp"], spots.at("timestamp"))
    performance = told["query_performance"]
    if not isinstance(performance, dict) or not performance:
        raise spots.at("query_performance").wrong("holds no query", NEXT)
    return OldReport(
        taken_at=taken_at,
        time_note=time_note,
        environment=_environment(told, spots),
        queries=tuple(_query(name, figures, spots) for name, figures in performance.items()),
        parameters=dict(_flat(told.get("benchmark_parameters"))),
        storage=dict(_flat(told.get("storage_analysis"))),
    )


class _Spots:
    def __init__(self, text: str, file: Path) -> None:
        self._lines, self._file = lines_of_keys(text), file

    def at(self, *path: str) -> Spot:
        return Spot(self._file, ".".join(path), self._lines.get(path, 1))


def _no_constant(name: str) -> float:
    raise ValueError(name)


def _environment(told: Mapping[str, Any], spots: _Spots) -> str | None:
    environment = told.get("environment")
    if isinstance(environment, dict):
        environment = environment.get("name") or environment.get("environment")
    if environment is None or environment == "":
        return None
    if not isinstance(environment, str):
        raise spots.at("environment").wrong("is no name", NEXT)
    return environment


def _query(name: str, figures: object, spots: _Spots) -> OldQuery:
    path = ("query_performance", name)
    if not isinstance(figures, dict):
        raise spots.at(*path).wrong("holds no figures", 'Give it "average_ms", "median_ms" and "runs".')
    found: dict[str, Any] = {}
    for key, value in figures.items():
        field = FIGURES.get(key.removesuffix("_ms").lower())
        spot = spots.at(*path, key)
        if field == "runs" and isinstance(value, list):
            found.update(_of_times(value, figures, spot))
        elif field == "runs":
            found[field] = None if value is None else count(value, spot)
        elif field is not None:
            found[field] = milliseconds(value, spot)
    if not found.keys() & {"average_ms", "median_ms"}:
        raise spots.at(*path).wrong("has neither average_ms nor median_ms", "Give it one of them.")
    return OldQuery(name, **found)


def _of_times(values: list[object], figures: Mapping[str, Any], spot: Spot) -> Mapping[str, Any]:
    """What a list of times tells; the report's own average has to be theirs."""
    times = [time for value in values if (time := milliseconds(value, spot)) is not None]
    if not times:
        return {}
    mean = sum(times) / len(times)
    told = milliseconds(figures.get("average_ms"), spot)
    if told is not None and len(times) == len(values) and abs(told - mean) > max(TOLERANCE * mean, TOLERANCE):
        raise spot.wrong(f"has the average {mean:.2f} ms, and average_ms says {told:.2f}", "Correct the report.")
    return {"runs": len(times), "minimum_ms": min(times), "maximum_ms": max(times)}


def _flat(value: object, prefix: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _flat(inner, f"{prefix}.{place}" if prefix else str(place))
    elif value is not None:
        yield prefix or "value", str(value)
