"""Runs to store: made up, but with every kind of value that a real one has."""

import uuid
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from ms5ops.benchmark.records import SAMPLE_DTYPES, Result, Run, RunHeader, Surroundings

START = datetime(2026, 10, 5, 22, 30, 0, 123456, tzinfo=UTC)
SURROUNDINGS = Surroundings(
    postgres_version="17.5",
    timescaledb_version="2.23.0",
    edition="community",
    settings={"jit": "on", "work_mem": "4MB"},
    hardware={"client processor": "a processor", "client cores": "2"},
    database_bytes=9_007_199_254_740_993,
    rows=None,
    compressed_share=1 / 3,
    policy_hash=None,
    deployment_id="a-deployment",
    tool_version="0.1.0",
    protocol="simple query protocol over TCP",
)


def a_run(
    started_at: datetime = START,
    *,
    run_id: str | None = None,
    label: str | None = "before",
    source: str = "server:5432/factory_telemetry/factory_telemetry",
    samples: int = 20,
    median: float = 12.5,
) -> Run:
    """One run of two queries (the second timed out), with its samples in the order that the store gives back."""
    generator = np.random.default_rng(int(started_at.timestamp()) % 2**32)
    values = median * generator.lognormal(0, 0.2, samples)
    frame = pd.DataFrame(
        {
            "benchmark": "recent_metric",
            "ordinal": np.arange(samples),
            "taken_at": pd.date_range(started_at, periods=samples, freq="1ms", tz="UTC"),
            "value": values,
            "execute_ms": values * 0.9,
            "fetch_ms": np.where(np.arange(samples) % 7 == 3, np.nan, values * 0.1),
            "client": 0,
        }
    ).astype(dict(SAMPLE_DTYPES))
    header = RunHeader(
        run_id=run_id or str(uuid.UUID(bytes=generator.bytes(16), version=4)),
        source=source,
        environment="server",
        origin="measured",
        label=label,
        actor="dba",
        started_at=started_at,
        finished_at=started_at + timedelta(minutes=4),
        anchor=started_at - timedelta(days=1),
        suite_hash="abc",
        seed=2**53 + 1,
        is_quick=False,
        is_partial=False,
        is_summary=False,
        note=None,
        surroundings=SURROUNDINGS,
    )
    return Run(header, (_measured(frame), _timed_out()), frame)


def _measured(frame: pd.DataFrame) -> Result:
    value = frame["value"]
    return Result(
        benchmark="recent_metric",
        kind="query",
        group="recent",
        about="The last five minutes of one metric.",
        outcome="ok",
        message=None,
        unit="ms",
        higher_is_better=False,
        samples=len(frame),
        rows=300,
        text_hash="0f",
        target_p95=100.0,
        twin=None,
        mean=float(value.mean()),
        median=float(value.median()),
        minimum=float(value.min()),
        maximum=float(value.max()),
        p95=float(value.quantile(0.95)),
        p99=float(value.quantile(0.99)),
        details={"planning_ms": 0.1 + 0.2, "plan": "Index Scan 'ü'", "jit": False, "clients": [1, 2], "wal": None},
    )


def _timed_out() -> Result:
    return Result(
        benchmark="a_first_by_name",
        kind="query",
        group="historical",
        about="A week of one metric.",
        outcome="timed out",
        message="It took longer than 10 s.",
        unit="ms",
        higher_is_better=False,
        samples=0,
        rows=None,
        text_hash=None,
        target_p95=2_000.0,
        twin="recent_metric",
        mean=None,
        median=None,
        minimum=None,
        maximum=None,
        p95=None,
        p99=None,
    )
