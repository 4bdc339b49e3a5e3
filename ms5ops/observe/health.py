"""The health of a server in one list: every finding over all readings, worst first."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import get_args

from ms5ops.observe import data_checks, server_checks
from ms5ops.observe.finding import Finding, Page, Severity
from ms5ops.observe.overview import Overview

__all__ = ["Finding", "Page", "Severity", "findings", "problems", "worst"]

_ORDER = {severity: place for place, severity in enumerate(get_args(Severity))}

# Section, page, what is said when there is nothing to say.
_SECTIONS: tuple[tuple[str, Page, str], ...] = (
    ("tables", "storage", "All expected tables are hypertables with the planned chunk length"),
    ("policies", "rollout", "Compression, retention and summaries are set up as planned"),
    ("jobs", "jobs", "Background jobs run on schedule and succeed"),
    ("compression", "compression", "Compression keeps up and saves what it should"),
    ("retention", "jobs", "Old data is deleted on schedule"),
    ("aggregates", "aggregates", "Summaries are as fresh as promised"),
    ("indexes", "indexes", "Indexes are complete and in use"),
    ("locks", "indexes", "The lock table is large enough"),
    ("settings", "health", "Settings are as recommended"),
    ("activity", "health", "Nobody waits, nothing hangs"),
)


def findings(overview: Overview, now: datetime | None = None) -> list[Finding]:
    """All findings, worst first: what is wrong, what could not be read, and (severity "ok") what is fine.

    ``now`` defaults to the overview's own instant.
    """
    now = now or overview.now
    found = server_checks.server_findings(overview.server)
    for section, page, fine in _SECTIONS:
        here, known = _judge(overview, section, now)
        found += here
        if known and not here and _applies(overview, section):
            found.append(Finding(f"{section}.ok", "ok", fine, "", "", page))
    apache = overview.server.edition == "apache"
    for name, error in overview.errors().items():
        if apache and name in ("compression", "retention", "aggregates"):
            continue  # server.edition says it once
        found.append(
            Finding(f"unread.{name}", "warning", "Could not be read: "
                                                 f"{name.replace('_', ' ')}", error.happened, error.next_step, "health")
        )  # fmt: skip
    return sorted(found, key=lambda one: _ORDER[one.severity])


def problems(found: Sequence[Finding]) -> list[Finding]:
    """Those that need someone: critical and warning."""
    return [one for one in found if one.severity in ("critical", "warning")]


def worst(found: Sequence[Finding]) -> Severity:
    """The gravest severity among them; "ok" where there is none. "info" does not spoil "ok"."""
    grave = problems(found)
    return min((one.severity for one in grave), key=lambda severity: _ORDER[severity], default="ok")


def _applies(overview: Overview, section: str) -> bool:
    """Whether there is anything that could be fine: without a policy, compression is not "keeping up"."""
    if section == "policies":
        return all(table.kind == "hypertable" for table in overview.tables.found(()) if table.is_expected)
    if section == "compression":
        return any(one.job_id is not None for one in overview.compression.found(()))
    if section == "retention":
        return any(one.job_id is not None for one in overview.retention.found(()))
    return section != "aggregates" or bool(overview.aggregates.value)


def _judge(overview: Overview, section: str, now: datetime) -> tuple[list[Finding], bool]:
    """The findings of one section, and whether its readings were there at all."""
    tables, jobs, runs = overview.tables.value, overview.jobs.value, overview.job_runs.value
    compression, retention, aggregates = overview.compression.value, overview.retention.value, overview.aggregates.value
    indexes, locks, settings, activity = (
        overview.indexes.value, overview.locks.value, overview.settings.value, overview.activity.value,
    )  # fmt: skip
    up_since = overview.server.started_at
    judges: dict[str, Callable[[], list[Finding] | None]] = {
        "tables": lambda: None if tables is None else data_checks.table_findings(tables),
        "policies": lambda: (
            None
            if tables is None or compression is None or retention is None or aggregates is None
            else data_checks.policy_findings(tables, compression, retention, aggregates)
        ),
        "jobs": lambda: None if jobs is None or runs is None else server_checks.job_findings(jobs, runs, now, up_since),
        "compression": lambda: None if compression is None else data_checks.compression_findings(compression),
        "retention": lambda: None if retention is None else data_checks.retention_findings(retention),
        "aggregates": lambda: None if aggregates is None else data_checks.aggregate_findings(aggregates),
        "indexes": lambda: None if indexes is None else server_checks.index_findings(indexes, now),
        "locks": lambda: None if locks is None else server_checks.lock_findings(locks),
        "settings": lambda: None if settings is None else server_checks.setting_findings(settings),
        "activity": lambda: None if activity is None else server_checks.activity_findings(activity, now),
    }
    found = judges[section]()
    return ([], False) if found is None else (found, True)
