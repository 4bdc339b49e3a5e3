"""Material made up for tests: a database whose first deployment ran on 1 September, with what a test adds to it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd

from ms5ops.benchmark.load import HEADROOM, INGEST, PAGES
from ms5ops.benchmark.records import Run
from ms5ops.benchmark.selection import DeploymentSpan
from ms5ops.errors import Ms5opsError
from ms5ops.observe.overview import Reading
from ms5ops.observe.totals import Totals
from ms5ops.queries import ANY_VERSION, query
from ms5ops.rollout.check import Check
from ms5ops.rollout.journal import Deployment
from ms5ops.scorecard.material import DeploymentSteps, Live, Material
from tests.benchmark.example_runs import example_run, result

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DEPLOYED = datetime(2026, 9, 1, 22, tzinfo=UTC)
DAY = timedelta(days=1)


def told(value: Any) -> Reading[Any]:
    """A reading of that value, or of that error."""
    return Reading(None, value, NOW, 0.0) if isinstance(value, Ms5opsError) else Reading(value, None, NOW, 0.0)


def span(number: int = 1, started: datetime = DEPLOYED, **changes: Any) -> DeploymentSpan:
    made = DeploymentSpan(f"id-{number}", number, started, started + timedelta(hours=1))
    return replace(made, **changes)


def deployment(number: int = 1, started: datetime = DEPLOYED, **changes: Any) -> Deployment:
    made = Deployment(
        id=UUID(int=number), number=number, status="done", direction="apply", started_at=started,
        finished_at=started + timedelta(hours=1), environment="plant", actor="anna", db_role="deploy", host="h", pid=1,
        tool_version="0", server_versions={}, plan_hash="p", state_hash="s", policy_hash="q", note=None, operations=57,
        done=57,
    )  # fmt: skip
    return replace(made, **changes)


def check(title: str = "Indexes", verdict: Any = "passed") -> Check:
    return Check(title.lower(), title, "at least 15", "15 whole", verdict)


def totals(stored: int | None = None, raw: int | None = None) -> Totals:
    return Totals(None, True, stored, raw, None, 0, None, None, None, None, None)


def live(
    deployments: Sequence[DeploymentSteps] | Ms5opsError = (),
    checks: Sequence[Check] | Ms5opsError | None = None,
    tested: Sequence[datetime] | Ms5opsError = (),
    size: Totals | None = None,
) -> Live:
    checks = (check(),) if checks is None else checks
    return Live(
        NOW,
        told(deployments if isinstance(deployments, Ms5opsError) else tuple(deployments)),
        told(checks if isinstance(checks, Ms5opsError) else tuple(checks)),
        size,
        told(tested if isinstance(tested, Ms5opsError) else tuple(tested)),
    )


def material(**changes: Any) -> Material:
    """Nothing measured, but deployed on DEPLOYED."""
    values: dict[str, Any] = {
        "environment": "plant", "origin": "measured", "now": NOW, "live": live(), "spans": told((span(),)), "runs": (),
        "storage": sizes(), "transactions": counts(), "costs": None, "around": lambda: told(None),
        "checks": kept_checks(), "slower_by_month": lambda: told(()),
    }  # fmt: skip
    return Material(**{**values, **changes})


def sizes(*rows: tuple[Any, ...]) -> pd.DataFrame:
    """Rows of storage_snapshots of one table: when, GB stored, GB uncompressed, chunks that wait (0)."""
    frame = pd.DataFrame(
        [
            (at, "measured", "s.metric_hist", "hypertable", 1, 1, 1, stored * 1e9, raw * 1e9, *(rest or [0]), 0)
            for at, stored, raw, *rest in rows
        ],
        columns=list(query("history", "storage_snapshots", ANY_VERSION).columns),
    )
    frame["taken_at"] = pd.to_datetime(frame["taken_at"], utc=True)
    return frame


def counts(*rows: tuple[datetime, int, int], since: datetime = DEPLOYED - 400 * DAY) -> pd.DataFrame:
    """Rows of transaction_snapshots: when, committed and rolled back so far."""
    frame = pd.DataFrame(
        [(at, "measured", since, committed, rolled_back, 0, 0, 0) for at, committed, rolled_back in rows],
        columns=list(query("history", "transaction_snapshots", ANY_VERSION).columns),
    )
    for column in ("taken_at", "counted_since"):
        frame[column] = pd.to_datetime(frame[column], utc=True)
    return frame


def kept_checks(*snapshots: tuple[datetime, Sequence[Check]]) -> pd.DataFrame:
    """Rows of check_snapshots: when, and what was found."""
    frame = pd.DataFrame(
        [
            (at, "measured", one.name, one.title, one.expected, one.found, one.verdict, one.advice)
            for at, made in snapshots
            for one in made
        ],
        columns=list(query("history", "check_snapshots", ANY_VERSION).columns),
    )
    frame["taken_at"] = pd.to_datetime(frame["taken_at"], utc=True)
    return frame


def run(month: int, speed: float = 1.0, day: int = 3, **changes: Any) -> Run:
    """A run of that month of 2026 with the queries of ``example_runs.QUERIES``, all of which have an answer."""
    at = datetime(2026, month, day, 2, tzinfo=UTC)
    made = example_run(f"month {month}", speed=speed, seed=month, started_at=at, **changes)
    return replace(made, results=tuple(one for one in made.results if one.outcome == "ok"))


def with_everything(one: Run) -> Run:
    """With many clients and job starts, so that every group that has a target was measured."""
    values = np.full(20, 3.0)
    return replace(
        one,
        results=(
            *one.results,
            result("clients_100", values, None, 100.0, kind="concurrency"),
            result("job_start", values, None, 300.0, unit="s", kind="job latency"),
        ),
    )


def load_run(month: int, reached: float, pages_ms: float) -> Run:
    """A run of the load benchmark: rows per second kept up at 2,000 due, and the pages' time."""
    details = {"expected_rows_per_s": 1_000.0, "due_rows_per_s": 2_000.0}
    at = datetime(2026, month, 20, 2, tzinfo=UTC)
    made = example_run(f"load {month}", started_at=at, seed=50 + month)
    results = (
        result(INGEST, np.full(20, reached), None, 2_000.0, unit="rows/s", kind="load", details=details),
        result(PAGES, np.full(20, pages_ms), None, 2_000.0, kind="load", details=details),
        result(HEADROOM, np.full(20, 9_000.0), None, 2_000.0, unit="rows/s", kind="load",
               details={**details, "times_expected": 9.0}),
    )  # fmt: skip
    return replace(made, results=results)
