"""Rules against what the server can do, and against what the deployment will be validated by."""

from collections.abc import Iterator

from ms5ops.policy.document import PolicySet
from ms5ops.policy.measured import LintFinding, Measured, unjudged
from ms5ops.policy.ms5_schema import FOREIGN_KEYS, INDEXES

LEAST = {"tables": 5, "compression policies": 5, "retention policies": 5, "indexes": 15, "aggregates": 8}
"""Phase 4's technical validation criteria."""
SUPPORTED, NEXT_UNTRIED = (2, 11), (2, 30)
"""TimescaleDB from 2.11 to 2.29."""


def least(policy: PolicySet) -> dict[str, int]:
    """How many of each the validation after a deployment asks for: of MS5.0's tables what Phase 4 says, else all of the
    set's own.
    """
    return dict(LEAST) if policy.is_phase4 else _counts(policy)


def _counts(policy: PolicySet) -> dict[str, int]:
    return {
        "tables": len(policy.active_tables),
        "compression policies": sum(table.compress_after is not None for table in policy.active_tables),
        "retention policies": sum(table.drop_after is not None for table in policy.active_tables),
        "indexes": len(policy.active_indexes),
        "aggregates": len(policy.active_aggregates),
    }


_KEYS = {
    "tables": "tables", "compression policies": "tables", "retention policies": "tables", "indexes": "indexes",
    "aggregates": "aggregates",
}  # fmt: skip


def validation_criteria(policy: PolicySet, measured: Measured) -> Iterator[LintFinding]:
    """As many tables, policies, indexes and aggregates as the validation after the deployment will ask for.

    Source: Phase 4's validation criteria (technical). Of a set without MS5.0's tables they ask nothing.
    """
    if not policy.is_phase4:
        return
    have = _counts(policy)
    for what, wanted in LEAST.items():
        if have[what] < wanted:
            reason = f"The policy has {have[what]} {what}, and the validation after the deployment asks for {wanted}."
            yield LintFinding(
                "validation-criteria", "error", what, reason, "Phase 4, validation criteria (technical)", _KEYS[what]
            )  # fmt: skip


def edition(policy: PolicySet, measured: Measured) -> Iterator[LintFinding]:
    """What of the policy the Apache edition cannot do.

    Source: TimescaleDB facts: with timescaledb.license = apache no compression, policies or continuous aggregates.
    """
    if measured.edition is None:
        yield unjudged(
            "edition",
            "server",
            "the server's edition is not known; Apache has no compression, jobs or aggregates",
            "tables",
        )
        return
    if measured.edition != "apache":
        return
    lost = {
        "compression": ("tables", [table.name for table in policy.active_tables if table.compress_after]),
        "retention policies": ("tables", [table.name for table in policy.active_tables if table.drop_after]),
        "continuous aggregates": ("aggregates", [entry.name for entry in policy.active_aggregates]),
        "user jobs": ("jobs", [job.name for job in policy.active_jobs]),
        "indexes with a moving window": (
            "indexes", [index.name for index in policy.active_indexes if index.window is not None],
        ),
    }  # fmt: skip
    for what, (key, names) in lost.items():
        if names:
            reason = f"The Apache edition has no {what} ({', '.join(names)}). Hypertables and other indexes remain."
            if what == "indexes with a moving window":
                reason = f"Without user jobs nothing trims {', '.join(names)}: the index would grow with every chunk."
            yield LintFinding("edition", "error", what, reason, "TimescaleDB: community licence features", key)


def version(policy: PolicySet, measured: Measured) -> Iterator[LintFinding]:
    """What of the policy depends on the server's version.

    Source: TimescaleDB facts ("What a version changes"); sql/phase4 for what was tried on 2.11.2.
    """
    found = measured.version
    if found is None:
        yield unjudged("version", "server", "the version of TimescaleDB is not known", "tables")
        return
    text = ".".join(map(str, found))
    if not SUPPORTED <= found[:2] < NEXT_UNTRIED:
        too_old = found < SUPPORTED
        side = "older than 2.11" if too_old else "newer than 2.29"
        yield LintFinding(
            "version", "error" if too_old else "warning", "server",
            f"TimescaleDB {text} is {side}, outside the supported range.",
            "supported range 2.11 to 2.29", "tables",
        )  # fmt: skip
    if found < (2, 9):
        for aggregate in policy.active_aggregates:
            if aggregate.source in policy.aggregates:
                reason = f"TimescaleDB {text} knows no aggregates over aggregates: 2.9 or later is needed."
                yield LintFinding(
                    "version", "error", aggregate.name, reason, "hierarchical continuous aggregates since 2.9",
                    f"aggregates.{aggregate.name}.source",
                )  # fmt: skip
    if found < (2, 17):
        yield from _foreign_keys_segment(policy, text)
    if found < (2, 15) and policy.settings.server.enable_job_execution_logging:
        reason = f"TimescaleDB {text} has no job_history to log successes in: the setting comes with 2.15."
        yield LintFinding(
            "version", "info", "server", reason, "job_history since 2.15 (TS#6767)",
            "settings.server.enable_job_execution_logging",
        )  # fmt: skip


def _foreign_keys_segment(policy: PolicySet, text: str) -> Iterator[LintFinding]:
    for table in policy.active_tables:
        lacking = [column for column in FOREIGN_KEYS.get(table.name, ()) if column not in table.segment_by]
        if lacking and table.compress_after is not None:
            reason = (
                f"TimescaleDB {text} wants every foreign key column segmented by: {', '.join(lacking)} is added there, "
                "and chunks hold fewer rows per segment for it."
            )
            yield LintFinding(
                "version", "warning", table.name, reason,
                'tried on 2.11.2: "cannot be enforced with the given compression configuration"; gone by 2.17',
                f"tables.{table.name}.segment_by",
            )  # fmt: skip


def superfluous_indexes(policy: PolicySet, measured: Measured) -> Iterator[LintFinding]:
    """No two indexes of a table with the same columns, order and condition.

    Source: own reasoning: each index counts once per chunk, in disk, in insert time and in locks.
    """
    rule, source = "superfluous-indexes", "every index counts once per chunk: disk, insert time, locks"
    seen: dict[tuple[str, ...], str] = {}
    for index in policy.active_indexes:
        columns = tuple(map(str, index.columns))
        shape = (index.table, index.method, *columns, index.where or "", str(index.window or ""))
        key = f"indexes.{index.name}.columns"
        if shape in seen:
            reason = f"It has the same columns as {seen[shape]}: one of the two is enough."
            yield LintFinding(rule, "warning", index.name, reason, source, key)
        seen.setdefault(shape, index.name)
        for name, present in INDEXES.get(index.table, {}).items():
            if present == columns and index.method == "btree" and index.where is None and index.window is None:
                reason = (
                    f"{name}, which MS5.0 came with, has the same key: watch v_index_usage for a week, then drop it "
                    "by hand."
                )
                yield LintFinding(rule, "info", index.name, reason, source, key)
