"""Runs made up for tests of figures, pages and reports: plausible values, fixed by a seed."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import numpy as np
import pandas as pd

from ms5ops.benchmark.records import SAMPLE_DTYPES, Group, Result, Run, RunHeader, Surroundings, Unit

START = datetime(2026, 10, 5, 2, 0, tzinfo=UTC)
SOURCE = "db.example:5432/factory_telemetry/factory_telemetry"

SURROUNDINGS = Surroundings(
    postgres_version="15.17",
    timescaledb_version="2.28.3",
    edition="timescale",
    settings={"shared_buffers": "128MB", "work_mem": "4MB", "jit": "on"},
    hardware={"client processor": "Test CPU", "client cores": "2"},
    database_bytes=4_200_000_000,
    rows=21_000_000,
    compressed_share=0.0,
    policy_hash=None,
    deployment_id=None,
    tool_version="1.0.0",
    protocol="simple query protocol over TCP",
)

QUERIES: Mapping[str, tuple[Group, float, float]] = {
    "recent_metric": ("recent", 100.0, 240.0),
    "latest_100": ("recent", 100.0, 18.0),
    "minute_series_day": ("short-term", 500.0, 700.0),
    "oee_week_raw": ("historical", 2000.0, 5200.0),
    "metric_hours_month": ("long-term", 5000.0, 9000.0),
    "oee_week_aggregate": ("aggregate", 50.0, 30.0),
    "plant_dashboard": ("dashboard", 2000.0, 4200.0),
    "monthly_report": ("report", 10_000.0, 8000.0),
}
"""Name: group, target p95 in ms, and the median in ms at speed 1."""


def result(
    name: str,
    values: np.ndarray[Any, np.dtype[np.float64]],
    group: Group | None = "recent",
    target: float | None = None,
    *,
    unit: Unit = "ms",
    **changes: Any,
) -> Result:
    """An "ok" result with the figures of ``values``."""
    made = Result(
        benchmark=name, kind="dashboard" if group == "dashboard" else "query", group=group,
        about=f"What {name.replace('_', ' ')} stands for", outcome="ok", message=None, unit=unit,
        higher_is_better=unit in ("rows/s", "queries/s"), samples=len(values), rows=100, text_hash=f"hash of {name}",
        target_p95=target, twin=None, mean=float(values.mean()), median=float(np.median(values)),
        minimum=float(values.min()), maximum=float(values.max()), p95=float(np.quantile(values, 0.95)),
        p99=float(np.quantile(values, 0.99)),
        details={"plan": "Index Scan", "plan_hash": "a1", "planning_ms": 0.4, "server_ms": float(np.median(values))},
    )  # fmt: skip
    return replace(made, **changes)


def samples_of(name: str, values: np.ndarray[Any, np.dtype[np.float64]], start: datetime = START) -> pd.DataFrame:
    """One row per value, a second apart."""
    frame = pd.DataFrame(
        {
            "benchmark": name,
            "ordinal": range(len(values)),
            "taken_at": [start + timedelta(seconds=second) for second in range(len(values))],
            "value": values,
            "execute_ms": values * 0.9,
            "fetch_ms": values * 0.1,
            "client": 0,
        }
    )
    return frame.astype(dict(SAMPLE_DTYPES))


def example_run(
    label: str | None = "example",
    *,
    speed: float = 1.0,
    started_at: datetime = START,
    seed: int = 1,
    count: int = 25,
    surroundings: Surroundings | None = SURROUNDINGS,
    **changes: Any,
) -> Run:
    """A run of QUERIES, ``speed`` times as fast as their medians (dashboards and reports, too)."""
    random = np.random.default_rng(seed)
    results, samples = [], []
    for name, (group, target, median) in QUERIES.items():
        values = median / speed * random.lognormal(0, 0.12, count)
        results.append(result(name, values, group, target))
        samples.append(samples_of(name, values, started_at))
    rates = 14_000 * random.lognormal(0, 0.05, count)
    results.append(
        result("ingest_1000", rates, None, 10_000.0, unit="rows/s", kind="ingest", about="Rows a second, 1,000 a batch")
    )
    samples.append(samples_of("ingest_1000", rates, started_at))
    results.append(failed("energy_day_aggregate", "aggregate", "energy_daily does not exist"))
    header = RunHeader(
        run_id=str(uuid5(NAMESPACE_URL, f"{label} {seed} {started_at.isoformat()}")),
        source=SOURCE, environment="plant", origin="measured", label=label, actor="anna",
        started_at=started_at, finished_at=started_at + timedelta(minutes=4), anchor=started_at, suite_hash="suite",
        seed=seed, is_quick=False, is_partial=False, is_summary=False, note=None, surroundings=surroundings,
    )  # fmt: skip
    run = Run(header, tuple(results), pd.concat(samples, ignore_index=True))
    return replace(run, header=replace(header, **changes))


def failed(name: str, group: Group | None, message: str) -> Result:
    """A benchmark that gave no figures."""
    nothing: dict[str, Any] = dict.fromkeys(("mean", "median", "minimum", "maximum", "p95", "p99", "rows"))
    return replace(
        result(name, np.array([1.0]), group, 50.0), outcome="failed", message=message, samples=0, details={}, **nothing
    )
