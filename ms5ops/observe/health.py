"""The health of a server in one list: every finding over all readings, worst first."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import get_args

from ms5ops.observe import data_checks, server_checks
from ms5ops.observe.finding import Finding, Page, Severity
from ms5ops.observe.overview import Overview

__all__ = ["Finding", "Page", "Severity", "findings", "problems", "worst"]

_ORDER = {severity: place for place, severity in enumerate(get_args(Severity))}

# Section, page, what it is about, what is said when there is nothing to say.
_SECTIONS: tuple[tuple[str, Page, str, str], ...] = (
    ("tables", "storage", "Tables", "The policy set's tables are hypertables with its chunk length"),
    ("policies", "rollout", "Policies", "Compression, retention and summaries are set up as planned"),
    ("jobs", "jobs", "Background jobs", "Background jobs run on schedule and succeed"),
    ("compression", "compression", "Compression", "Compression keeps up and saves what it should"),
    ("retention", "jobs", "Deleting old data", "Old data is deleted on schedule"),
    ("aggregates", "aggregates", "Summaries", "Summaries are as fresh as promised"),
    ("indexes", "indexes", "Indexes", "Indexes are complete and in use"),
    ("locks", "indexes", "The lock table", "The lock table is large enough"),
    ("settings", "health", "Settings", "Settings are as recommended"),
    ("activity", "health", "Sessions", "Nobody waits, nothing hangs"),
)
COMMUNITY_ONLY = ("compression", "retention", "aggregates")


def findings(overview: Overview, now: datetime | None = None) -> list[Finding]:
    """All findings, worst first: what is wrong, what could not be read, what there is nothing to judge of (severity
    "nothing"), and what is fine ("ok").

    ``now`` defaults to the overview's own instant.
    """
    now = now or overview.now
    apache = overview.server.edition == "apache"
    found = server_checks.server_findings(overview.server)
    for section, page, subject, fine in _SECTIONS:
        here, known = _judge(overview, section, now)
        found += here
        if not known or here:
            continue
        missing = _missing(overview, section)
        if missing is None:
            found.append(Finding(f"{section}.ok", "ok", fine, "", "", page))
        elif not (apache and section in COMMUNITY_ONLY):  # server.edition says it once
            found.append(
                Finding(f"{section}.nothing", "nothing", f"{subject}: nothing to judge yet", missing, "", page)
            )
    for name, error in overview.errors().items():
        if apache and name in COMMUNITY_ONLY:
            continue
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


def _missing(overview: Overview, section: str) -> str | None:
    """Why there is nothing to judge in a section, None where there is: without a policy, compression does not
    "keep up", and on an empty database no index is "in use"."""
    expected = [table for table in overview.tables.found(()) if table.is_expected]
    indexes, locks = overview.indexes.value, overview.locks.value
    there: dict[str, tuple[bool, str]] = {
        "tables": (bool(expected), "No table of the policy set is switched on."),
        "policies": (
            bool(expected) and all(table.kind == "hypertable" for table in expected),
            "Not all of the policy set's tables are hypertables.",
        ),
        "jobs": (
            any(job.kind != "system" for job in overview.jobs.found(())),
            "There are no background jobs but TimescaleDB's own.",
        ),
        "compression": (
            any(one.job_id is not None for one in overview.compression.found(())),
            "No table has a compression policy.",
        ),
        "retention": (
            any(one.job_id is not None for one in overview.retention.found(())),
            "No table has a retention policy.",
        ),
        "aggregates": (bool(overview.aggregates.value), "There is no continuous aggregate."),
        "indexes": (bool(indexes and indexes.indexes), "No table has an index."),
        "locks": (bool(locks and locks.widest), "There is no table with chunks."),
    }
    is_there, why = there.get(section, (True, ""))
    return None if is_there else why


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
