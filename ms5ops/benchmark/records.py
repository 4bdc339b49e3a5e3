"""What a benchmark run is: its header, the surroundings it was taken in, a result per benchmark, every sample.

The same records come out of the runner, out of the history, and out of an imported report; the comparison
knows nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

import pandas as pd

Group = Literal["recent", "short-term", "historical", "long-term", "aggregate", "dashboard", "report"]
GROUPS: tuple[Group, ...] = get_args(Group)
Kind = Literal["query", "dashboard", "ingest", "concurrency", "job latency", "load"]
Outcome = Literal["ok", "failed", "timed out", "empty", "different answer", "stopped", "not there"]
"""``not there``: this database has not (yet) what the benchmark reads or needs, so nothing was measured."""
PROBLEMS: tuple[Outcome, ...] = ("failed", "timed out", "different answer")
"""Outcomes that somebody has to look into; a missed target is none of them."""
Unit = Literal["ms", "rows/s", "queries/s", "s"]
Origin = Literal["measured", "simulated", "replayed"]

ASKED_OF = "asked_of"
"""The key in a result's details of what it was asked of: words by parameter ({"metric": "PRESS-01 temperature"})."""
ASKED_OF_BEFORE = ("metric", "line")
"""Keys in the details of older runs that told the same, each by itself."""

SAMPLE_DTYPES: Mapping[str, str] = {
    "benchmark": "string",
    "ordinal": "int64",
    "taken_at": "datetime64[us, UTC]",
    "value": "float64",
    "execute_ms": "float64",
    "fetch_ms": "float64",
    "client": "int64",
}
"""One row per timed sample. ``value`` is what is compared, in the result's unit (for queries: execute + fetch, ms);
``ordinal`` counts from 0 within the benchmark in the order taken; ``client`` from 0."""


@dataclass(frozen=True)
class Surroundings:
    """The circumstances of a run: what has to be equal for two runs to say something about a change.

    ``settings``: server settings that matter, by name, as ``SHOW`` gives them. ``hardware``: what could be found
    out, in words by topic ("client processor", "client cores", "server memory"). ``compressed_share``: of the bytes
    that compression could hold, 0 to 1. ``policy_hash`` and ``deployment_id`` as in ``ms5ops.policy`` and the journal;
    None where none is in force or it could not be read. ``protocol`` in words ("simple query protocol over TCP").
    """

    postgres_version: str
    timescaledb_version: str
    edition: str
    settings: Mapping[str, str]
    hardware: Mapping[str, str]
    database_bytes: int | None
    rows: int | None
    compressed_share: float | None
    policy_hash: str | None
    deployment_id: str | None
    tool_version: str
    protocol: str


@dataclass(frozen=True)
class RunHeader:
    """One run. ``anchor`` is the instant that the queries took as now (UTC).

    ``is_partial``: it was stopped, and holds what was measured until then. ``is_summary``: it was imported from a
    report and has no samples. ``source`` names the database (``environments.source_id``), ``suite_hash`` the texts of
    the suite. Surroundings are None for an imported summary that does not tell them.
    """

    run_id: str
    source: str
    environment: str
    origin: Origin
    label: str | None
    actor: str
    started_at: datetime
    finished_at: datetime
    anchor: datetime
    suite_hash: str
    seed: int
    is_quick: bool
    is_partial: bool
    is_summary: bool
    note: str | None
    surroundings: Surroundings | None


@dataclass(frozen=True)
class Result:
    """What one benchmark gave. Figures are None where the outcome is not "ok" (never 0 for "not measured").

    ``value`` figures (mean to p99) are in ``unit``; ``higher_is_better`` is True for throughputs, whose p95 and p99 are
    what 95 and 99 % of the samples reach at least. ``rows``: rows of
    one answer. ``text_hash``: of the question, so that only the same question is compared: a question that is asked in
    several variants (of raw tables before Phase 4, of aggregates after it) has one hash over all its texts, and
    ``details`` say which was sent (variant, text). ``target_p95``: the promise, in ``unit`` (for a throughput: the
    least). ``twin``: the benchmark that answers the same question from the other side. ``details``: what else was seen,
    by name: asked_of, planning_ms, server_ms, buffers_hit, buffers_read, jit, plan (the plan's shape in words),
    plan_hash, warmups, execute_median_ms, fetch_median_ms, clients, errors ...
    """

    benchmark: str
    kind: Kind
    group: Group | None
    about: str
    outcome: Outcome
    message: str | None
    unit: Unit
    higher_is_better: bool
    samples: int
    rows: int | None
    text_hash: str | None
    target_p95: float | None
    twin: str | None
    mean: float | None
    median: float | None
    minimum: float | None
    maximum: float | None
    p95: float | None
    p99: float | None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """A run as a whole. ``samples`` has the columns of SAMPLE_DTYPES."""

    header: RunHeader
    results: tuple[Result, ...]
    samples: pd.DataFrame
