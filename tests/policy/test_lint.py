"""Every rule of lint has an example that it objects to and one that it lets pass; none passes for want of a figure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import time, timedelta
from typing import Any

import pytest

from ms5ops.config import MaintenanceWindow
from ms5ops.policy import criteria, scheduling, sizes, windows
from ms5ops.policy.lint import RULES, LintFinding, Measured, MeasuredTable, Rule, Severity, lint
from ms5ops.policy.sizes import suggested_interval
from tests.policy.examples import REMOVED, changed, other_tables

GB = 10**9
AGG = "aggregates.oee_daily"
ROOMY = Measured(
    memory_bytes=64 * GB,
    max_background_workers=32,
    max_worker_processes=64,
    max_locks_per_transaction=1024,
    max_connections=200,
    version=(2, 28, 3),
    edition="community",
)


@dataclass(frozen=True)
class Example:
    """A policy (changes to the default) on a server, and what one rule says: of ``subject``, with ``says`` in it."""

    rule: Rule
    severity: Severity | None
    changes: Mapping[str, Any] = field(default_factory=dict)
    measured: Measured = field(default_factory=Measured)
    subject: str = ""
    says: str = ""
    key: str = ""

    def findings(self) -> list[LintFinding]:
        return list(self.rule(changed(dict(self.changes)), self.measured))


def rate(rows_per_day: float, segments: int, **others: Any) -> Measured:
    return Measured(tables={"metric_hist": MeasuredTable(rows_per_day=rows_per_day, segments=segments, **others)})


def at(hour: int, end: int) -> Measured:
    return Measured(maintenance_window=MaintenanceWindow(start=time(hour), end=time(end)))


NO_VIEW = {f"indexes.{name}": REMOVED for name in ("idx_oee_below_target",)}
INDEX = {
    "table": "oee_calculations",
    "columns": ["line_id", "equipment_code", "calculation_time DESC"],
    "purpose": "again",
}

BAD = [
    Example(
        windows.refresh_against_retention, "error", {"tables.oee_calculations.drop_after": "7 days"},
        subject="oee_hourly", says="may be at most 7 days", key="aggregates.oee_hourly.start_offset",
    ),
    Example(
        windows.refresh_against_retention, "error", {"aggregates.oee_hourly.start_offset": "unbounded"},
        subject="oee_hourly", says="from the beginning of time", key="aggregates.oee_hourly.start_offset",
    ),
    Example(  # the second level, against the retention of the first
        windows.refresh_against_retention, "error", {"aggregates.oee_hourly.drop_after": "30 days"},
        subject="oee_daily", says="oee_hourly drops after 30 days", key="aggregates.oee_daily.start_offset",
    ),
    Example(
        windows.refresh_against_own_retention, "warning", {f"{AGG}.drop_after": "29 days"},
        subject="oee_daily", says="drops its own buckets after 29 days", key=f"{AGG}.start_offset",
    ),
    Example(
        windows.two_buckets, "error", {f"{AGG}.start_offset": "2 days"},
        subject="oee_daily", says="start_offset must be at least 3 days", key=f"{AGG}.start_offset",
    ),
    Example(
        windows.two_buckets, "error", {f"{AGG}.start_offset": "1 hour"},
        subject="oee_daily", says="window is 0 seconds long", key=f"{AGG}.start_offset",
    ),
    Example(
        windows.compress_before_retain, "warning", {"tables.metric_hist.drop_after": "169 hours"},
        subject="metric_hist", says="must be more than 7 days 1 hour", key="tables.metric_hist.compress_after",
    ),
    Example(
        windows.compress_before_retain, "error", {"tables.metric_hist.drop_after": "7 days"},
        subject="metric_hist", says="nothing is ever compressed", key="tables.metric_hist.compress_after",
    ),
    Example(
        windows.compress_before_retain, "error", {f"{AGG}.compress_after": "900 days", f"{AGG}.drop_after": "800 days"},
        subject="oee_daily", says="nothing is ever compressed", key=f"{AGG}.compress_after",
    ),
    Example(
        windows.refresh_into_compressed, "warning", {"aggregates.metric_hist_1min.start_offset": "8 days"},
        subject="metric_hist_1min", says="at most 7 days avoids that", key="aggregates.metric_hist_1min.start_offset",
    ),
    Example(
        windows.refresh_into_compressed, "error", {f"{AGG}.compress_after": "30 days"},
        subject="oee_daily", says="back to 30 days ago: the server refuses", key=f"{AGG}.compress_after",
    ),
    Example(
        sizes.segment_cardinality, "warning", measured=rate(333_000, 600),
        subject="metric_hist", says="(distinct values: 600, measured; rows a day: 333,000, measured)",
        key="tables.metric_hist.segment_by",
    ),
    Example(
        sizes.segment_cardinality, "error", measured=rate(100_000, 600),
        subject="metric_hist", says="6.9 rows", key="tables.metric_hist.segment_by",
    ),
    Example(
        sizes.segment_cardinality, "warning",
        subject="production_kpis", says="expected, not measured", key="tables.production_kpis.segment_by",
    ),
    Example(
        sizes.segment_cardinality, "info", {"expected.metric_hist": REMOVED},
        subject="metric_hist", says="the rows per day and distinct segments", key="tables.metric_hist.segment_by",
    ),
    Example(
        sizes.chunk_interval_for_rate, "warning", measured=rate(333_000, 600),
        subject="metric_hist", says="Chunks of 6 hours would hold 139.", key="tables.metric_hist.chunk_interval",
    ),
    Example(
        sizes.chunk_interval_for_rate, "warning",
        measured=Measured(tables={"metric_hist": MeasuredTable(rows_per_day=9_518)}), subject="metric_hist",
        says="At 9,518 rows a day (measured) and 1,000 segments (expected, not measured), chunks of 1 hour hold 0.4",
        key="tables.metric_hist.chunk_interval",
    ),
    Example(
        sizes.chunk_interval_for_rate, "warning", measured=rate(1, 600),
        subject="metric_hist", says="No chunk of up to a year", key="tables.metric_hist.chunk_interval",
    ),
    Example(
        sizes.chunk_interval_for_rate, "info", {"expected.metric_hist.segments": REMOVED},
        subject="metric_hist", says="the distinct segments", key="tables.metric_hist.chunk_interval",
    ),
    Example(
        sizes.indexes_in_memory, "warning", {"tables.metric_hist.chunk_interval": "1 day"},
        Measured(memory_bytes=40 * GB), "metric_hist", "expected, not measured", "tables.metric_hist.chunk_interval",
    ),
    Example(
        sizes.indexes_in_memory, "error", {"tables.metric_hist.chunk_interval": "7 days"},
        Measured(shared_buffers_bytes=GB), "metric_hist", "quarter of memory is 1.0 GB",
        "tables.metric_hist.chunk_interval",
    ),
    Example(sizes.indexes_in_memory, "info", {}, Measured(), "server", "memory is not known", "tables"),
    Example(
        sizes.indexes_in_memory, "info", {"expected.metric_hist": REMOVED}, Measured(memory_bytes=GB),
        "server", "the rows per day of metric_hist is not known", "tables",
    ),
    Example(
        sizes.chunk_size, "warning", {}, Measured(memory_bytes=2 * GB),
        "metric_hist", "of memory", "tables.metric_hist.chunk_interval",
    ),
    Example(sizes.chunk_size, "info", {}, Measured(), "server", "memory is not known", "tables"),
    Example(
        sizes.chunk_size, "info", {"expected.metric_hist.bytes_per_row": REMOVED}, Measured(memory_bytes=64 * GB),
        "metric_hist", "the bytes per row are not known", "tables.metric_hist.chunk_interval",
    ),
    Example(
        sizes.chunk_count, "warning",
        subject="metric_hist", says="2,160 chunks (expected: 1 hour each", key="tables.metric_hist.chunk_interval",
    ),
    Example(
        sizes.chunk_count, "info", {"tables.metric_hist.drop_after": "30 days"},
        subject="metric_hist", says="720 chunks", key="tables.metric_hist.chunk_interval",
    ),
    Example(
        sizes.chunk_count, "info", {"tables.oee_calculations.drop_after": "never"},
        subject="oee_calculations", says="nothing dropped, in five years", key="tables.oee_calculations.chunk_interval",
    ),
    Example(
        sizes.chunk_count, "warning", {}, Measured(tables={"oee_calculations": MeasuredTable(chunk_count=3_000)}),
        "oee_calculations", "3,000 measured", "tables.oee_calculations.chunk_interval",
    ),
    Example(
        sizes.lock_budget, "warning",
        subject="metric_hist", says="1 at once fit, 2 fail", key="tables.metric_hist.chunk_interval",
    ),
    Example(
        sizes.lock_budget, "error", {}, Measured(max_locks_per_transaction=64, max_connections=200),
        "metric_hist", 'even one fails with "out of shared memory"', "tables.metric_hist.chunk_interval",
    ),
    Example(
        sizes.lock_budget, "error", {},
        Measured(tables={"oee_calculations": MeasuredTable(chunk_count=7_000, index_count=6)}),
        "oee_calculations", "7,000 chunks takes 62,", "tables.oee_calculations.chunk_interval",
    ),
    Example(  # five years without retention are an outlook
        sizes.lock_budget, "warning", {"tables.oee_calculations.drop_after": "never"},
        Measured(tables={"oee_calculations": MeasuredTable(chunk_count=100)}, max_locks_per_transaction=64,
                 max_connections=150),
        "oee_calculations", "even one fails", "tables.oee_calculations.chunk_interval",
    ),
    Example(  # what fails today is not
        sizes.lock_budget, "error", {"tables.oee_calculations.drop_after": "never"},
        Measured(tables={"oee_calculations": MeasuredTable(chunk_count=1_800)}, max_locks_per_transaction=64,
                 max_connections=100),
        "oee_calculations", "even one fails", "tables.oee_calculations.chunk_interval",
    ),
    Example(
        scheduling.background_workers, "warning",
        subject="server", says="16 jobs can be due within the same minute, and of 8 background workers (expected",
        key="settings.server.max_background_workers",
    ),
    Example(
        scheduling.background_workers, "error", {}, Measured(max_background_workers=3, databases=2),
        "server", "0 are left for jobs", "settings.server.max_background_workers",
    ),
    Example(
        scheduling.background_workers, "info", {"settings.server.max_background_workers": REMOVED},
        subject="server", says="not known", key="settings.server.max_background_workers",
    ),
    Example(
        scheduling.worker_processes, "warning", {}, Measured(max_worker_processes=8),
        "server", "is 8 (measured), and 19 are wanted", "settings.server.max_worker_processes",
    ),
    Example(
        scheduling.worker_processes, "info", {"settings.server.max_worker_processes": REMOVED},
        subject="server", says="not known", key="settings.server.max_worker_processes",
    ),
    Example(
        scheduling.refresh_lag, "warning", {"aggregates.metric_hist_1min.materialized_only": True},
        subject="metric_hist_1min", says="can promise 3 minutes", key="aggregates.metric_hist_1min.materialized_only",
    ),
    Example(
        scheduling.refresh_lag, "info",
        subject="metric_hist_1min", says="Readers see none", key="aggregates.metric_hist_1min.materialized_only",
    ),
    Example(
        scheduling.retention_off_peak, "warning", {"tables.metric_hist.retention_start": "12:00"},
        subject="metric_hist", says="starts at 12:00 UTC", key="tables.metric_hist.retention_start",
    ),
    Example(
        scheduling.retention_off_peak, "warning", {"tables.metric_hist.retention_start": "05:30"},
        subject="metric_hist", says="not all of it is within", key="tables.metric_hist.retention_start",
    ),
    Example(
        scheduling.retention_off_peak, "warning", {"schedules.retention.max_runtime": "0 seconds"},
        subject="metric_hist", says="may run without a limit", key="tables.metric_hist.retention_start",
    ),
    Example(
        scheduling.retention_off_peak, "warning", {"schedules.retention.max_runtime": "23 hours"},
        subject="metric_hist", says="may run for 23 hours", key="tables.metric_hist.retention_start",
    ),
    Example(
        scheduling.retention_off_peak, "warning", {"schedules.retention.every": "30 hours"},
        subject="metric_hist", says="wander through the day", key="schedules.retention.every",
    ),
    Example(
        scheduling.retention_off_peak, "warning", {}, at(3, 8),
        "metric_hist", "window 03:00-08:00 UTC", "tables.metric_hist.retention_start",
    ),
    Example(
        scheduling.retention_off_peak, "warning",
        {"tables.metric_hist.retention_start": REMOVED, "schedules.retention.initial_start": REMOVED},
        subject="metric_hist", says="no initial_start", key="tables.metric_hist.retention_start",
    ),
    Example(
        scheduling.moving_window, "error", {"jobs.trim_realtime_index.config.keep_for": "12 hours"},
        subject="idx_metric_hist_realtime", says="newer rows would lose", key="jobs.trim_realtime_index.config",
    ),
    Example(
        scheduling.moving_window, "warning", {"jobs.trim_realtime_index.config.keep_for": "2 days"},
        subject="idx_metric_hist_realtime", says="grows beyond", key="jobs.trim_realtime_index.config",
    ),
    Example(
        scheduling.moving_window, "warning", {"jobs.trim_realtime_index.every": "2 days"},
        subject="idx_metric_hist_realtime", says="the index doubles", key="jobs.trim_realtime_index.every",
    ),
    Example(
        scheduling.moving_window, "info", {"jobs.trim_realtime_index.config": {}},
        subject="idx_metric_hist_realtime", says="no keep_for", key="jobs.trim_realtime_index.config",
    ),
    Example(
        criteria.validation_criteria, "error", NO_VIEW,
        subject="indexes", says="has 14 indexes, and the validation after the deployment asks for 15", key="indexes",
    ),
    Example(
        criteria.validation_criteria, "error", {"tables.metric_hist.enabled": False},
        subject="aggregates", says="has 5 aggregates", key="aggregates",
    ),
    Example(
        criteria.validation_criteria, "error", {"tables.production_kpis.drop_after": "never"},
        subject="retention policies", says="has 4 retention policies", key="tables",
    ),
    Example(
        criteria.edition, "error", {}, Measured(edition="apache"),
        "continuous aggregates", "The Apache edition has no continuous aggregates (metric_hist_1min", "aggregates",
    ),
    Example(criteria.edition, "info", {}, Measured(), "server", "edition is not known", "tables"),
    Example(
        criteria.version, "warning", {}, Measured(version=(2, 11, 2)),
        "production_context_history", "changed_by is added there", "tables.production_context_history.segment_by",
    ),
    Example(
        criteria.version, "info", {}, Measured(version=(2, 14, 0)),
        "server", "comes with 2.15", "settings.server.enable_job_execution_logging",
    ),
    Example(
        criteria.version, "error", {}, Measured(version=(2, 8, 1)),
        "oee_daily", "2.9 or later is needed", "aggregates.oee_daily.source",
    ),
    Example(criteria.version, "error", {}, Measured(version=(2, 8, 1)), "server", "older than 2.11", "tables"),
    Example(criteria.version, "warning", {}, Measured(version=(2, 30, 0)), "server", "newer than 2.29", "tables"),
    Example(criteria.version, "info", {}, Measured(), "server", "version of TimescaleDB is not known", "tables"),
    Example(
        criteria.superfluous_indexes, "warning", {"indexes.idx_again": INDEX},
        subject="idx_again", says="same columns as idx_oee_line_equipment_time_desc", key="indexes.idx_again.columns",
    ),
    Example(
        criteria.superfluous_indexes, "info",
        subject="idx_metric_hist_metric_ts_desc", says="ix_metric_hist_def_ts, which MS5.0 came with",
        key="indexes.idx_metric_hist_metric_ts_desc.columns",
    ),
]  # fmt: skip

DAILY = {
    "tables.metric_hist.chunk_interval": "1 day",
    "tables.production_kpis.chunk_interval": "7 days",
    "tables.production_context_history.chunk_interval": "7 days",
    "aggregates.metric_hist_1min.chunk_interval": "7 days",
}
GOOD = [
    Example(windows.refresh_against_retention, None),
    Example(windows.refresh_against_retention, None, {"tables.oee_calculations.drop_after": "7 days 10 minutes"}),
    Example(windows.refresh_against_retention, None, {f"{AGG}.start_offset": "unbounded"}),
    Example(windows.refresh_against_own_retention, None, {f"{AGG}.drop_after": "30 days"}),
    Example(windows.two_buckets, None, {f"{AGG}.start_offset": "3 days"}),
    Example(windows.two_buckets, None, {f"{AGG}.start_offset": "unbounded"}),
    Example(windows.compress_before_retain, None, {"tables.metric_hist.drop_after": "170 hours"}),
    Example(windows.compress_before_retain, None, {"tables.metric_hist.compress_after": "never"}),
    Example(windows.refresh_into_compressed, None, {"aggregates.metric_hist_1min.start_offset": "7 days"}),
    Example(windows.refresh_into_compressed, None, {f"{AGG}.compress_after": "57 days"}),
    Example(windows.buckets_nest, None),
    Example(sizes.segment_cardinality, None, DAILY, rate(333_000, 600)),
    Example(sizes.segment_cardinality, None, {**DAILY, "tables.metric_hist.segment_by": []}, rate(200, 600)),
    Example(sizes.chunk_interval_for_rate, None, DAILY, rate(333_000, 600)),
    Example(sizes.indexes_in_memory, None, {}, ROOMY),
    Example(sizes.chunk_size, None, {}, ROOMY),
    Example(sizes.chunk_count, None, DAILY),
    Example(sizes.lock_budget, None, DAILY),
    Example(sizes.lock_budget, None, {}, ROOMY),
    Example(scheduling.background_workers, None, {"settings.server.max_background_workers": 18}),
    Example(scheduling.background_workers, None, {}, ROOMY),
    Example(scheduling.worker_processes, None),
    Example(scheduling.refresh_lag, None, {"tables.metric_hist.enabled": False}),
    Example(scheduling.retention_off_peak, None),
    Example(scheduling.retention_off_peak, None, {"tables.metric_hist.retention_start": "05:00"}),
    Example(scheduling.retention_off_peak, None, {}, at(2, 4)),
    Example(scheduling.moving_window, None),
    Example(criteria.validation_criteria, None),
    Example(criteria.edition, None, {}, Measured(edition="community")),
    Example(criteria.version, None, {}, Measured(version=(2, 28, 3))),
    Example(criteria.version, None, {}, Measured(version=(2, 29, 9))),
    Example(criteria.superfluous_indexes, None, {"indexes.idx_metric_hist_metric_ts_desc": REMOVED}),
]  # fmt: skip


def named(example: Example) -> str:
    return f"{example.rule.__name__}-{example.severity or 'passes'}"


@pytest.mark.parametrize("example", BAD, ids=named)
def test_what_is_wrong_is_found(example: Example) -> None:
    found = [finding for finding in example.findings() if finding.subject == example.subject]
    assert found, f"nothing about {example.subject}"
    fitting = [finding for finding in found if example.says in finding.reason]
    assert fitting, [finding.reason for finding in found]
    assert (fitting[0].severity, fitting[0].key) == (example.severity, example.key)
    assert fitting[0].source
    assert fitting[0].reason.endswith(".")


@pytest.mark.parametrize("example", GOOD, ids=named)
def test_what_is_right_passes(example: Example) -> None:
    assert example.findings() == []


def test_every_rule_has_both_examples_and_its_source() -> None:
    apart = {"buckets_nest", "roll_ups"}  # a bucket belongs to its body: test_lint_bodies.py
    for rule in RULES:
        assert rule.__doc__, f"{rule.__name__} names no source"
        assert "Source:" in rule.__doc__, f"{rule.__name__} names no source"
        if rule.__name__ not in apart:
            assert rule in {example.rule for example in BAD}, f"{rule.__name__} has no failing example"
            assert rule in {example.rule for example in GOOD}, f"{rule.__name__} has no passing example"


def test_the_default_policy_fails_nowhere() -> None:
    assert [finding for finding in lint(changed()) if finding.severity == "error"] == []
    assert [finding for finding in lint(changed(), ROOMY) if finding.severity == "error"] == []


def test_what_the_default_says_against_itself() -> None:
    found = {(finding.rule, finding.subject) for finding in lint(changed(), ROOMY) if finding.severity == "warning"}
    assert found == {
        ("segment-cardinality", "production_kpis"),
        ("chunk-interval-for-rate", "production_kpis"),
        ("chunk-count", "metric_hist"),
    }


def test_the_gravest_comes_first_and_keys_exist() -> None:
    policy = changed({"tables.oee_calculations.drop_after": "7 days"})
    found = lint(policy, Measured(edition="apache"))
    order = ["error", "warning", "info"]
    places = [order.index(finding.severity) for finding in found]
    assert places == sorted(places)
    document = policy.model_dump(mode="json", by_alias=True)
    for finding in found:
        place: Any = document
        for part in finding.key.split("."):
            assert part in place, finding.key
            place = place[part]


def test_lint_without_figures_says_so() -> None:
    empty = {f"expected.{name}": REMOVED for name in changed().expected}
    found = lint(changed({**empty, "settings": {}}))
    unjudged = {finding.rule for finding in found if "could not be judged" in finding.reason}
    assert unjudged == {
        "segment-cardinality", "chunk-interval-for-rate", "indexes-in-memory", "chunk-size", "background-workers",
        "worker-processes", "edition", "version",
    }  # fmt: skip


def test_a_disabled_table_is_not_judged() -> None:
    found = lint(changed({"tables.metric_hist.enabled": False}), ROOMY)
    assert not any(finding.subject.startswith("metric_hist") for finding in found)


@pytest.mark.parametrize(
    ("rows_per_day", "segments", "interval"),
    [
        (86_400_000, 1_000, timedelta(hours=1)),
        (2_400, 1, timedelta(hours=1)),
        (2_399, 1, timedelta(hours=2)),
        (100, 1, timedelta(days=1)),
        (50, 1, timedelta(days=2)),
        (1, 2, timedelta(days=365)),
        (1, 20, None),
    ],
)
def test_the_interval_that_reaches_a_hundred_rows(
    rows_per_day: float, segments: int, interval: timedelta | None
) -> None:
    assert suggested_interval(rows_per_day, segments) == interval


def test_locks_as_they_were_measured() -> None:
    """2,160 chunks, 1,992 of them compressed, with two indexes: 6,480 and 3,984 locks were counted."""
    policy = changed({"indexes.idx_metric_hist_metric_ts_desc": REMOVED, "indexes.idx_metric_hist_ts_brin": REMOVED})
    (found,) = (
        finding
        for finding in sizes.lock_budget(policy, replace(Measured(), max_locks_per_transaction=64))
        if finding.subject == "metric_hist"
    )
    assert "takes 10,464 locks (2 indexes each" in found.reason


def test_counts_and_lags_that_phase_4_promises_are_asked_of_its_tables_alone() -> None:
    own = other_tables()
    assert list(scheduling.refresh_lag(own, Measured())) == []
    assert list(criteria.validation_criteria(own, Measured())) == []
