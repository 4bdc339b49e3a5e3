"""Rules of size: rows per segment, chunks against memory, chunk counts against planning and the lock table."""

from collections.abc import Iterator
from datetime import timedelta
from math import ceil

from ms5ops.policy.document import PolicySet, TablePolicy
from ms5ops.policy.intervals import interval_sql
from ms5ops.policy.measured import (
    DAY,
    Figure,
    LintFinding,
    Measured,
    Volume,
    basis,
    chunk_days,
    index_count,
    unjudged,
    volume,
)
from ms5ops.units import bytes_text, count_text, percent_text

ROWS_PER_SEGMENT, LEAST_ROWS_PER_SEGMENT = 100, 10
"""TimescaleDB's rule of thumb for segment_by: over 100 rows per value and chunk; under 10 compresses badly."""
MEMORY_SHARE = 0.25
"""Indexes of the chunks being written, and one chunk, within a quarter of memory (TimescaleDB's chunk sizing)."""
SLOW_PLANNING, VERY_SLOW_PLANNING = 720, 1_920
"""Chunks in one query, measured: planning takes 0.3-0.45 s at 720 and 2-4 s at 1,920, however few rows are read."""
CONCURRENT_QUERIES = 3
"""Measured at max_locks_per_transaction 64 and 200 connections: over 5,000 chunks the third concurrent query failed."""
HORIZON_DAYS = 5 * 365
"""Own choice: how far ahead chunks are counted where nothing drops them."""

_LADDER_HOURS = (1, 2, 3, 4, 6, 8, 12, 24, 48, 72, 120, 168, 240, 336, 720, 1440, 2160, 4320, 8760)
_MEASURED_RATIOS = (
    "measured: at 23 rows, 1-hour chunks shrank 3.8 times where the same rows in 1-day chunks shrank 14.4 times"
)
_DEFAULT_LOCKS, _DEFAULT_CONNECTIONS = 64, 100


def segment_cardinality(policy: PolicySet, measured: Measured) -> Iterator[LintFinding]:
    """Over 100 rows per value of segment_by and chunk; under 10 is an error.

    Source: TimescaleDB's rule of thumb, and the ratios measured on 10 M rows.
    """
    rule = "segment-cardinality"
    for table in _compressed(policy):
        key = f"tables.{table.name}.segment_by"
        found = volume(policy, measured, table)
        if found.rows_per_day is None or found.segments is None:
            yield unjudged(rule, table.name, _lacking(found), key)
            continue
        rows = rows_per_segment(found.rows_per_day, found.segments, table.chunk_interval)
        if rows >= ROWS_PER_SEGMENT:
            continue
        reason = (
            f"A chunk of {interval_sql(table.chunk_interval)} holds {_rows_text(rows)} rows per value of "
            f"{', '.join(table.segment_by) or 'nothing'} (distinct values: {count_text(found.segments.value)}, "
            f"{basis(found.segments)}; rows a day: {count_text(found.rows_per_day.value)}, "
            f"{basis(found.rows_per_day)}): each value is compressed by itself, and so few rows shrink badly. "
            f"Over {ROWS_PER_SEGMENT} are wanted: "
            f"{'segment by fewer columns, or ' if len(table.segment_by) > 1 else ''}take longer chunks."
        )
        yield LintFinding(
            rule, "error" if rows < LEAST_ROWS_PER_SEGMENT else "warning", table.name, reason,
            "TimescaleDB: over 100 rows per value and chunk, under 10 compresses badly", key,
        )  # fmt: skip


def chunk_interval_for_rate(policy: PolicySet, measured: Measured) -> Iterator[LintFinding]:
    """The shortest usual chunk interval that reaches 100 rows per segment at the table's rate of rows.

    Source: measured (catalogue queries, "Three things", 1): one-hour chunks harm at low rates.
    """
    rule = "chunk-interval-for-rate"
    for table in _compressed(policy):
        key = f"tables.{table.name}.chunk_interval"
        found = volume(policy, measured, table)
        if found.rows_per_day is None or found.segments is None:
            yield unjudged(rule, table.name, _lacking(found), key)
            continue
        rows = rows_per_segment(found.rows_per_day, found.segments, table.chunk_interval)
        if rows >= ROWS_PER_SEGMENT:
            continue
        better = suggested_interval(found.rows_per_day.value, found.segments.value)
        advice = (
            f"Chunks of {interval_sql(better)} would hold "
            f"{_rows_text(rows_per_segment(found.rows_per_day, found.segments, better))}."
            if better is not None
            else "No chunk of up to a year reaches that at this rate: segment by fewer columns."
        )
        reason = (
            f"At {count_text(found.rows_per_day.value)} rows a day ({basis(found.rows_per_day)}) and "
            f"{count_text(found.segments.value)} {'segment' if found.segments.value == 1 else 'segments'} "
            f"({basis(found.segments)}), chunks of {interval_sql(table.chunk_interval)} hold {_rows_text(rows)} rows "
            f"per segment, and {ROWS_PER_SEGMENT} are wanted. {advice}"
        )
        yield LintFinding(rule, "warning", table.name, reason, _MEASURED_RATIOS, key)


def rows_per_segment(rows_per_day: Figure, segments: Figure, interval: timedelta) -> float:
    """Rows that a chunk of ``interval`` holds of one segment, all segments being alike."""
    return rows_per_day.value * (interval / DAY) / segments.value


def suggested_interval(rows_per_day: float, segments: float) -> timedelta | None:
    """The shortest usual interval (an hour to a year) with 100 rows per segment, None where even a year has fewer."""
    for hours in _LADDER_HOURS:
        if rows_per_day * hours / 24 / segments >= ROWS_PER_SEGMENT:
            return timedelta(hours=hours)
    return None


def indexes_in_memory(policy: PolicySet, measured: Measured) -> Iterator[LintFinding]:
    """The indexes of all newest chunks together fit a quarter of memory; more than all of it is an error.

    Source: TimescaleDB, "Size hypertable chunks": 25 % of main memory, or shared_buffers.
    """
    rule, key = "indexes-in-memory", "tables"
    quarter = _quarter(measured)
    tables = {table.name: volume(policy, measured, table) for table in policy.active_tables}
    lacking = [name for name, found in tables.items() if found.rows_per_day is None]
    if quarter is None or lacking:
        lacks = "the server's memory" if quarter is None else f"the rows per day of {', '.join(lacking)}"
        yield unjudged(rule, "server", f"{lacks} is not known", key)
        return
    sizes = {
        table.name: found.rows_per_day.value * chunk_days(table) * found.index_bytes_per_row.value
        for table in policy.active_tables
        if (found := tables[table.name]).rows_per_day is not None
    }
    total = sum(sizes.values())
    if total <= quarter:
        return
    largest = max(sizes, key=lambda name: sizes[name])
    figures = [item for found in tables.values() for item in (found.rows_per_day, found.index_bytes_per_row) if item]
    reason = (
        f"The indexes of the newest chunks take {bytes_text(total)} ({basis(*figures)}), most of it for {largest}, and "
        f"a quarter of memory is {bytes_text(quarter)}: inserts would wait for the disk. Shorter chunks of {largest}, "
        "or fewer indexes on it, help."
    )
    yield LintFinding(
        rule, "error" if total > quarter / MEMORY_SHARE else "warning", largest, reason,
        "TimescaleDB, sizing chunks: indexes of the chunks being written within 25 % of memory",
        f"tables.{largest}.chunk_interval",
    )  # fmt: skip


def chunk_size(policy: PolicySet, measured: Measured) -> Iterator[LintFinding]:
    """A chunk with its indexes fits a quarter of memory.

    Source: TimescaleDB's older rule for chunk_time_interval (a chunk within 25 % of memory). There is no sourced least
    size: too small a chunk shows in rows per segment, chunk count and locks, which have rules of their own.
    """
    rule = "chunk-size"
    quarter = _quarter(measured)
    if quarter is None:
        yield unjudged(rule, "server", "the server's memory is not known", "tables")
        return
    for table in policy.active_tables:
        key = f"tables.{table.name}.chunk_interval"
        found = volume(policy, measured, table)
        rows, width = found.rows_per_day, found.bytes_per_row
        if rows is None or width is None:
            yield unjudged(rule, table.name, _lacking(found), key)
            continue
        size = rows.value * chunk_days(table) * (width.value + found.index_bytes_per_row.value)
        if size > quarter:
            reason = (
                f"A chunk of {interval_sql(table.chunk_interval)} takes {bytes_text(size)} with its indexes "
                f"({basis(rows, width, found.index_bytes_per_row)}), "
                f"{percent_text(size / quarter * MEMORY_SHARE)} of memory: recent rows would not stay in it."
            )
            yield LintFinding(
                rule, "warning", table.name, reason, "TimescaleDB: a chunk within 25 % of memory", key
            )  # fmt: skip


def chunk_count(policy: PolicySet, measured: Measured) -> Iterator[LintFinding]:
    """Chunks that a query over all of it must plan: from 720 worth knowing, from 1,920 a warning.

    Source: measured on 2.28.3 (catalogue queries). Where nothing is dropped, chunks of five years are counted.
    """
    entries = [("tables", entry.name, entry.chunk_interval) for entry in policy.active_tables]
    entries += [("aggregates", entry.name, entry.chunk_interval) for entry in policy.active_aggregates]
    for kind, name, interval in entries:
        keeps = policy.drop_after(name)
        chunks = expected_chunks(keeps, interval)
        found = measured.table(name).chunk_count
        most = max(chunks, found or 0)
        if most < SLOW_PLANNING:
            continue
        slow = most >= VERY_SLOW_PLANNING
        when = f"kept for {interval_sql(keeps)}" if keeps is not None else "and nothing dropped, in five years"
        counted = f"{count_text(chunks)} chunks (expected: {interval_sql(interval)} each, {when})"
        if found is not None:
            counted += f"; {count_text(found)} measured"
        reason = (
            f"{counted}. A query over all of them spends {'2 to 4 s' if slow else '0.3 to 0.45 s'} or more on planning "
            "alone, however few rows it reads: long spans belong to an aggregate, or the chunks must be longer."
        )
        yield LintFinding(
            "chunk-count", "warning" if slow and kind == "tables" else "info", name, reason,
            "measured: planning 0.3-0.45 s at 720 chunks, 2-4 s at 1,920", f"{kind}.{name}.chunk_interval",
        )  # fmt: skip


def expected_chunks(keeps: timedelta | None, interval: timedelta) -> int:
    """Chunks once ``keeps`` is filled (None: after five years), the newest among them."""
    return ceil((keeps or timedelta(days=HORIZON_DAYS)) / interval)


def lock_budget(policy: PolicySet, measured: Measured) -> Iterator[LintFinding]:
    """Locks of a query over all chunks: chunks x (1 + indexes), and 2 more for each compressed one.

    They must fit max_locks_per_transaction x (max_connections + max_prepared_transactions) three times over. Source:
    measured (catalogue queries, "Three things", 2): 6,483 locks on 2,160 chunks, 3,984 more when 1,992 are compressed.
    Where nothing is dropped, the chunks of five years are an outlook, not a certainty: never more than a warning.
    """
    locks_setting = _setting(
        measured.max_locks_per_transaction, policy.settings.server.max_locks_per_transaction, _DEFAULT_LOCKS
    )
    connections = _setting(measured.max_connections, None, _DEFAULT_CONNECTIONS)
    budget = locks_setting.value * (connections.value + (measured.max_prepared_transactions or 0))
    for table in policy.active_tables:
        found = measured.table(table.name)
        expected = expected_chunks(table.drop_after, table.chunk_interval)
        chunks = Figure(expected, False)
        if found.chunk_count is not None and found.chunk_count > expected:
            chunks = Figure(found.chunk_count, True)
        indexes = Figure(max(found.index_count or 0, index_count(policy, table)), found.index_count is not None)
        compressed = chunks.value - expected_chunks(table.compress_after, table.chunk_interval)
        needed = chunks.value * (1 + indexes.value)
        needed += 2 * max(compressed, 0) if table.compress_after is not None else 0
        if needed * CONCURRENT_QUERIES <= budget:
            continue
        at_once = int(budget // needed)
        reason = (
            f"A query over all {count_text(chunks.value)} chunks takes {count_text(needed)} locks "
            f"({count_text(indexes.value)} indexes each; {basis(chunks, indexes)}), and the lock table holds "
            f"{count_text(budget)} (max_locks_per_transaction {locks_setting.value:.0f}, {connections.value:.0f} "
            f"connections; {basis(locks_setting, connections)}): "
            + ("even one fails" if at_once < 1 else f"{at_once} at once fit, {at_once + 1} fail")
            + ' with "out of shared memory". Longer chunks, fewer indexes or '
            f"max_locks_per_transaction {_enough(needed, connections.value)} help."
        )
        fails_now = (found.chunk_count or 0) * (1 + indexes.value) > budget
        is_certain = table.drop_after is not None or chunks.is_measured or fails_now
        yield LintFinding(
            "lock-budget", "error" if at_once < 1 and is_certain else "warning", table.name, reason,
            f"measured: locks per chunk and index; room for {CONCURRENT_QUERIES} such queries at once",
            f"tables.{table.name}.chunk_interval",
        )  # fmt: skip


def _enough(needed: float, connections: float) -> int:
    """The least power of two that gives room to all the queries at once."""
    value = _DEFAULT_LOCKS
    while value * connections < needed * CONCURRENT_QUERIES:
        value *= 2
    return value


def _setting(measured: float | None, wanted: float | None, default: float) -> Figure:
    if measured is not None:
        return Figure(measured, True)
    return Figure(default if wanted is None else wanted, False)


def _quarter(measured: Measured) -> float | None:
    """A quarter of memory in bytes; where only shared_buffers is known, that is it by the usual setting."""
    if measured.memory_bytes is not None:
        return measured.memory_bytes * MEMORY_SHARE
    return measured.shared_buffers_bytes


def _compressed(policy: PolicySet) -> Iterator[TablePolicy]:
    return (table for table in policy.active_tables if table.compress_after is not None)


def _lacking(found: Volume) -> str:
    names = {
        "rows per day": found.rows_per_day,
        "distinct segments": found.segments,
        "bytes per row": found.bytes_per_row,
    }
    return f"the {' and '.join(name for name, value in names.items() if value is None)} are not known"


def _rows_text(rows: float) -> str:
    return f"{rows:.1f}" if rows < 10 else count_text(rows)
