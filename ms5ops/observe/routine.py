"""The routine: what to look at daily, weekly and monthly, each item judged from the readings as far as it can be."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ms5ops.observe.compression import SAVED_SHARE_WANTED
from ms5ops.observe.finding import Finding, Page, counted, short
from ms5ops.observe.health import findings as all_findings
from ms5ops.observe.health import problems
from ms5ops.observe.index_review import counting
from ms5ops.observe.indexes import unused
from ms5ops.observe.overview import Overview
from ms5ops.units import bytes_text, percent_text

Rhythm = Literal["daily", "weekly", "monthly"]
Status = Literal["done", "attention", "unknown", "by hand"]
NO_TABLES = "There are no tables."


@dataclass(frozen=True)
class RoutineItem:
    """One item. ``status``: "done" nothing to do, "attention" someone must look, "unknown" not readable
    or nothing there to judge, "by hand" nothing but a person can do it."""

    key: str
    rhythm: Rhythm
    title: str
    status: Status
    detail: str
    page: Page


def routine(overview: Overview, found: Sequence[Finding] | None = None) -> list[RoutineItem]:
    """The whole checklist. ``found`` are the findings, if they are at hand already."""
    found = all_findings(overview) if found is None else found
    return [
        daily_health(found),
        daily_jobs(overview, found),
        weekly_compression(overview),
        weekly_indexes(overview),
        weekly_retention(overview),
        monthly_benchmark(),
        monthly_size(overview),
        monthly_statements(overview),
        monthly_policies(overview, found),
    ]


def daily_health(found: Sequence[Finding]) -> RoutineItem:
    """Only what failed or warns."""
    grave = problems(found)
    critical = sum(one.severity == "critical" for one in grave)
    detail = (
        f"{critical} critical, {counted(len(grave) - critical, 'warning', 'warnings')}."
        if grave
        else "Nothing failed, nothing warns."
    )
    return RoutineItem(
        "daily.health", "daily", "Look at what failed or warns", "attention" if grave else "done", detail, "health"
    )


def daily_jobs(overview: Overview, found: Sequence[Finding]) -> RoutineItem:
    """Jobs that fail, wait or are paused."""
    title = "All background jobs ran"
    if overview.jobs.value is None:
        return _unknown("daily.jobs", "daily", title, "jobs")
    wrong = [one for one in problems(found) if one.key.startswith("jobs.")]
    if not wrong and all(job.kind == "system" for job in overview.jobs.value):
        return _nothing("daily.jobs", "daily", title, "There are no jobs but TimescaleDB's own.", "jobs")
    detail = (
        "; ".join(one.title for one in wrong)
        or f"{counted(len(overview.jobs.value), 'job', 'jobs')}, none failing or late."
    )
    return RoutineItem("daily.jobs", "daily", title, "attention" if wrong else "done", detail, "jobs")


def weekly_compression(overview: Overview) -> RoutineItem:
    """Whether each table saves what it should and keeps up."""
    title = "Compression is effective"
    if overview.compression.value is None:
        return _unknown("weekly.compression", "weekly", title, "compression")
    if not _has_tables(overview):
        return _nothing("weekly.compression", "weekly", title, NO_TABLES, "compression")
    active = [one for one in overview.compression.value if one.saved_share is not None]
    poor = [
        one for one in overview.compression.value
        if one.late_chunks or (one.saved_share is not None and one.saved_share < SAVED_SHARE_WANTED)
    ]  # fmt: skip
    before, after = sum(one.before_bytes for one in active), sum(one.after_bytes for one in active)
    if not before:
        asked_for = _is_asked_for(overview, "compress_after")
        return RoutineItem(
            "weekly.compression", "weekly", title, "attention" if asked_for else "done",
            f"Nothing is compressed{' yet' if asked_for else ', and the policy set asks for no compression'}.",
            "compression",
        )  # fmt: skip
    saved = f"Saves {percent_text(1 - after / before)} ({bytes_text(before - after)})."
    detail = f"{saved} Look at: {', '.join(short(one.table) for one in poor)}." if poor else saved
    return RoutineItem("weekly.compression", "weekly", title, "attention" if poor else "done", detail, "compression")


def weekly_indexes(overview: Overview) -> RoutineItem:
    """Indexes that nobody uses, or that are broken."""
    title = "Indexes are used and complete"
    if overview.indexes.value is None:
        return _unknown("weekly.indexes", "weekly", title, "indexes")
    indexes = overview.indexes.value.indexes
    if not indexes:
        return _nothing("weekly.indexes", "weekly", title, "No table has an index.", "indexes")
    idle, broken = unused(indexes), [one for one in indexes if one.is_broken]
    detail = (
        f"{len(idle)} of {len(indexes)} unused ({bytes_text(sum(one.size_bytes for one in idle))}), {len(broken)} "
        "incomplete."
    )
    counted_for = counting(overview.indexes.value, overview.now)
    if broken or (idle and counted_for.long_enough):
        return RoutineItem("weekly.indexes", "weekly", title, "attention", detail, "indexes")
    if idle:
        return RoutineItem("weekly.indexes", "weekly", title, "unknown", f"{detail} {counted_for.text}", "indexes")
    return RoutineItem("weekly.indexes", "weekly", title, "done", detail, "indexes")


def weekly_retention(overview: Overview) -> RoutineItem:
    """Whether old rows are gone as promised."""
    title = "Retention is kept"
    if overview.retention.value is None:
        return _unknown("weekly.retention", "weekly", title, "jobs")
    if not _has_tables(overview):
        return _nothing("weekly.retention", "weekly", title, NO_TABLES, "jobs")
    policies = [one for one in overview.retention.value if one.job_id is not None]
    if not policies:
        asked_for = _is_asked_for(overview, "drop_after")
        return RoutineItem(
            "weekly.retention", "weekly", title, "attention" if asked_for else "done",
            f"No table has a retention policy{'' if asked_for else ', and the policy set asks for none'}.", "jobs",
        )  # fmt: skip
    late = [one for one in policies if one.late_chunks]
    overdue = [f"{one.table} ({counted(one.late_chunks, 'chunk', 'chunks')})" for one in late]
    detail = (
        f"Too old: {', '.join(overdue)}."
        if late
        else f"{counted(len(policies), 'policy', 'policies')}, nothing is older than it may be."
    )
    return RoutineItem("weekly.retention", "weekly", title, "attention" if late else "done", detail, "jobs")


def monthly_benchmark() -> RoutineItem:
    """Only a person decides when a benchmark may load the server."""
    return RoutineItem(
        "monthly.benchmark",
        "monthly",
        "Run the benchmark and compare",
        "by hand",
        "Compare with last month's run.",
        "health",
    )


def monthly_size(overview: Overview) -> RoutineItem:
    """Database size, for the record."""
    title = "Database size"
    if overview.database_size.value is None:
        return _unknown("monthly.size", "monthly", title, "storage")
    size = overview.database_size.value
    about = "" if size.is_exact else "about "
    detail = f"Now {about}{bytes_text(size.size_bytes)}; compare with last month's."
    return RoutineItem("monthly.size", "monthly", title, "by hand", detail, "storage")


def monthly_statements(overview: Overview) -> RoutineItem:
    """Costliest statements need pg_stat_statements."""
    there = overview.server.statements_version is not None
    detail = "Look at the costliest statements." if there else "pg_stat_statements is not installed in this database."
    return RoutineItem(
        "monthly.statements", "monthly", "Top statements", "by hand" if there else "unknown", detail, "health"
    )


def monthly_policies(overview: Overview, found: Sequence[Finding]) -> RoutineItem:
    """Whether compression, retention and refresh should be adjusted."""
    prefixes = ("policies.", "compression.", "retention.", "aggregates.", "tables.")
    hints = [one for one in found if one.severity not in ("ok", "nothing") and one.key.startswith(prefixes)]
    if overview.tables.value is None:
        return _unknown("monthly.policies", "monthly", "Adjust compression, retention, refresh", "rollout")
    detail = "; ".join(one.title for one in hints[:5]) or "Nothing suggests a change."
    status: Status = "attention" if hints else "done"
    return RoutineItem(
        "monthly.policies", "monthly", "Adjust compression, retention, refresh", status, detail, "rollout"
    )


def _is_asked_for(overview: Overview, age: Literal["compress_after", "drop_after"]) -> bool:
    """Whether the policy set wants such a policy on any table, or that cannot be told."""
    tables = overview.tables.value
    return tables is None or any(one.expected and getattr(one.expected, age) is not None for one in tables)


def _has_tables(overview: Overview) -> bool:
    """Whether any table is there, or that cannot be told."""
    return overview.tables.value is None or any(table.kind != "missing" for table in overview.tables.value)


def _nothing(key: str, rhythm: Rhythm, title: str, why: str, page: Page) -> RoutineItem:
    return RoutineItem(key, rhythm, title, "unknown", f"Nothing to judge yet: {why[:1].lower()}{why[1:]}", page)


def _unknown(key: str, rhythm: Rhythm, title: str, page: Page) -> RoutineItem:
    return RoutineItem(key, rhythm, title, "unknown", "This could not be read.", page)
