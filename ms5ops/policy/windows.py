"""Rules of time: refresh windows, compression and retention against each other, at every level of the aggregates."""

from collections.abc import Iterator
from datetime import timedelta

from ms5ops.policy.document import AggregatePolicy, PolicySet
from ms5ops.policy.intervals import interval_sql
from ms5ops.policy.measured import LintFinding, Measured

_ERASES = (
    "tried on 2.28.3 and 2.11.2: a refresh over dropped chunks deleted what was aggregated from them "
    "(2,340 rows became 1,155)"
)


def refresh_against_retention(policy: PolicySet, measured: Measured) -> Iterator[LintFinding]:
    """start_offset + schedule_interval <= drop_after of what is read; never unbounded where that is dropped.

    Source: Phase 4 facts, point 7 (tried on 2.28.3 and 2.11.2).
    """
    for aggregate in policy.active_aggregates:
        keeps = policy.drop_after(aggregate.source)
        if keeps is None:
            continue
        key = f"aggregates.{aggregate.name}.start_offset"
        if aggregate.start_offset is None:
            reason = (
                f"It is refreshed from the beginning of time, but {aggregate.source} drops what is older than "
                f"{interval_sql(keeps)}: the next refresh deletes the history that only the aggregate still holds. "
                f"Give a start_offset of at most {interval_sql(keeps - aggregate.schedule_interval)}."
            )
            yield LintFinding("refresh-against-retention", "error", aggregate.name, reason, _ERASES, key)
        elif aggregate.start_offset + aggregate.schedule_interval > keeps:
            reason = (
                f"It looks back {interval_sql(aggregate.start_offset)} every "
                f"{interval_sql(aggregate.schedule_interval)}, but {aggregate.source} drops after "
                f"{interval_sql(keeps)}: the refresh would delete what was aggregated from dropped rows. "
                f"Together they may be at most {interval_sql(keeps)}."
            )
            yield LintFinding("refresh-against-retention", "error", aggregate.name, reason, _ERASES, key)


def refresh_against_own_retention(policy: PolicySet, measured: Measured) -> Iterator[LintFinding]:
    """An aggregate keeps at least what its refresh looks back on; else it fills again what was dropped.

    Source: own reasoning from TimescaleDB facts, "retention on a hypertable does not reach its aggregates".
    """
    for aggregate in policy.active_aggregates:
        if aggregate.drop_after is None:
            continue
        if aggregate.start_offset is None or aggregate.start_offset > aggregate.drop_after:
            back = "the beginning" if aggregate.start_offset is None else interval_sql(aggregate.start_offset)
            reason = (
                f"Its refresh looks back to {back}, but it drops its own buckets after "
                f"{interval_sql(aggregate.drop_after)}: late rows would fill again what was dropped."
            )
            yield LintFinding(
                "refresh-against-own-retention", "warning", aggregate.name, reason, "own reasoning: each refresh fills "
                "every bucket of its window whose source changed", f"aggregates.{aggregate.name}.start_offset",
            )  # fmt: skip


def two_buckets(policy: PolicySet, measured: Measured) -> Iterator[LintFinding]:
    """start_offset - end_offset >= 2 buckets.

    Source: the server refuses less ("policy refresh window too small"; Phase 4 facts, point 8).
    """
    for aggregate in policy.active_aggregates:
        if aggregate.start_offset is None or aggregate.start_offset - aggregate.end_offset >= 2 * aggregate.bucket:
            continue
        span = max(aggregate.start_offset - aggregate.end_offset, timedelta())
        reason = (
            f"Its refresh window is {interval_sql(span)} long and must hold two buckets of "
            f"{interval_sql(aggregate.bucket)}: the server refuses it. start_offset must be at least "
            f"{interval_sql(aggregate.end_offset + 2 * aggregate.bucket)}."
        )
        yield LintFinding(
            "two-buckets", "error", aggregate.name, reason,
            "TimescaleDB: policy refresh window too small",
            f"aggregates.{aggregate.name}.start_offset",
        )  # fmt: skip


def compress_before_retain(policy: PolicySet, measured: Measured) -> Iterator[LintFinding]:
    """compress_after + chunk_interval < drop_after, for tables and aggregates.

    Source: own reasoning: what is dropped first is never compressed. A chunk is compressed when its newest row is
    compress_after old, and dropped when it is drop_after old.
    """
    kinds = {
        "tables": [(entry.name, entry.chunk_interval) for entry in policy.active_tables],
        "aggregates": [(entry.name, entry.chunk_interval) for entry in policy.active_aggregates],
    }
    for kind, entries in kinds.items():
        for name, interval in entries:
            compress, keeps = policy.compress_after(name), policy.drop_after(name)
            if compress is None or keeps is None or compress + interval < keeps:
                continue
            never = compress >= keeps
            reason = (
                f"It compresses after {interval_sql(compress)} and drops after {interval_sql(keeps)}: "
                + ("nothing is ever compressed." if never else "chunks are compressed only to be dropped at once.")
                + f" With chunks of {interval_sql(interval)}, drop_after must be more than "
                f"{interval_sql(compress + interval)}."
            )
            yield LintFinding(
                "compress-before-retain", "error" if never else "warning", name, reason,
                "compress_after + chunk_interval < drop_after", f"{kind}.{name}.compress_after",
            )  # fmt: skip


def refresh_into_compressed(policy: PolicySet, measured: Measured) -> Iterator[LintFinding]:
    """A refresh should not read compressed chunks, and must not write any.

    Source: TimescaleDB refuses a compression policy on an aggregate whose compress_after is not greater than the start
    of its refresh window (add_compression_policy); for the source it is slow, not wrong (own reasoning).
    """
    for aggregate in policy.active_aggregates:
        own = aggregate.compress_after
        if own is not None and (aggregate.start_offset is None or own <= aggregate.start_offset):
            reason = (
                f"It compresses its own buckets after {interval_sql(own)}, while its refresh still writes back to "
                f"{_back(aggregate)}: the server refuses that."
            )
            yield LintFinding(
                "refresh-into-compressed", "error", aggregate.name, reason,
                "TimescaleDB: compress_after should be greater than the start of the refresh window",
                f"aggregates.{aggregate.name}.compress_after",
            )  # fmt: skip
        below = policy.compress_after(aggregate.source)
        if below is not None and (aggregate.start_offset is None or aggregate.start_offset > below):
            reason = (
                f"Its refresh reads back to {_back(aggregate)}, and {aggregate.source} is compressed after "
                f"{interval_sql(below)}: late rows make it decompress whole segments at each run. "
                f"A start_offset of at most {interval_sql(below)} avoids that."
            )
            yield LintFinding(
                "refresh-into-compressed", "warning", aggregate.name, reason,
                "own reasoning: reading a bucket of a compressed chunk unpacks its segments",
                f"aggregates.{aggregate.name}.start_offset",
            )  # fmt: skip


def buckets_nest(policy: PolicySet, measured: Measured) -> Iterator[LintFinding]:
    """The bucket of an aggregate is a multiple of the bucket that it reads.

    Source: TimescaleDB's rule for hierarchical continuous aggregates (2.9 and later).
    """
    for aggregate in policy.active_aggregates:
        below = policy.aggregates.get(aggregate.source)
        if below is None or not aggregate.bucket % below.bucket:
            continue
        reason = (
            f"Its bucket of {interval_sql(aggregate.bucket)} is not a multiple of the "
            f"{interval_sql(below.bucket)} of {below.name}: the server refuses it."
        )
        yield LintFinding(
            "buckets-nest", "error", aggregate.name, reason, "TimescaleDB: hierarchical continuous aggregates",
            f"aggregates.{aggregate.name}.bucket",
        )  # fmt: skip


def _back(aggregate: AggregatePolicy) -> str:
    return "the beginning" if aggregate.start_offset is None else f"{interval_sql(aggregate.start_offset)} ago"
