"""What is wrong with the data's keeping: tables, policies, compression, retention, aggregates."""

from collections.abc import Sequence

from ms5ops.observe.absence import OTHER_TABLES, absence
from ms5ops.observe.aggregates import Aggregate, retention_conflict
from ms5ops.observe.compression import (
    ROWS_PER_SEGMENT_WANTED,
    SAVED_SHARE_WANTED,
    TINY_CHUNK_BYTES,
    TableCompression,
    describe_rows_per_segment,
)
from ms5ops.observe.finding import Finding, counted, short
from ms5ops.observe.retention import TableRetention
from ms5ops.observe.savings import saved_text
from ms5ops.observe.tables import Table
from ms5ops.units import bytes_text, count_text, interval_text, percent_text, ratio_text


def table_findings(tables: Sequence[Table]) -> list[Finding]:
    """Tables of the policy set that are plain or missing, or whose chunk interval differs from the set's."""
    found = []
    every = sum(table.is_expected for table in tables)
    plain = [table for table in tables if table.kind == "plain table"]
    missing = [table for table in tables if table.kind == "missing"]
    if plain:
        names = ", ".join(table.name for table in plain)
        found.append(
            Finding(
                key="tables.plain",
                severity="warning",
                title=f"{len(plain)} of {every} tables "
                + ("is still a plain table" if len(plain) == 1 else "are still plain tables"),
                detail="What is kept whole is neither compressed nor expires, and its queries slow down as it grows.",
                remedy="Roll the policy set out: python -m ms5ops plan shows each step.",
                page="rollout",
                evidence=tuple(
                    f"{table.qualified}: {bytes_text(table.size_bytes)}, {count_text(table.rows)} rows"
                    for table in plain
                )
                or (names,),
            )
        )
    none = absence(tables)
    if missing:
        found.append(
            Finding(
                key="tables.missing",
                severity="warning",
                title=OTHER_TABLES
                if none
                else f"{len(missing)} of the policy set's {every} tables "
                f"{'does' if len(missing) == 1 else 'do'} not exist",
                detail=none.text if none else f"Not found: {', '.join(table.name for table in missing)}.",
                remedy=none.next_step
                if none
                else "Check whether the application's migrations have run; a table that is not wanted here is switched "
                "off in the policy set (enabled = false).",
                page="rollout",
                evidence=tuple(table.qualified for table in missing),
            )
        )
    other = [
        (table, expected)
        for table in tables
        if (expected := table.expected)
        and table.kind == "hypertable"
        and table.chunk_interval != expected.chunk_interval
    ]
    if other:
        found.append(
            Finding(
                key="tables.chunk_interval",
                severity="info",
                title=f"{counted(len(other), 'table has', 'tables have')} another chunk length than planned",
                detail="Long chunks compress better, short ones expire more finely: the right length follows the data "
                "rate.",
                remedy="Keep it where it was chosen on purpose, else roll the policy set out (future chunks only).",
                page="rollout",
                evidence=tuple(
                    f"{table.qualified}: {interval_text(table.chunk_interval)}, planned "
                    f"{interval_text(expected.chunk_interval)}; {table.chunks} chunks, {count_text(table.rows)} rows"
                    for table, expected in other
                ),
            )
        )
    return found


def policy_findings(
    tables: Sequence[Table],
    compression: Sequence[TableCompression],
    retention: Sequence[TableRetention],
    aggregates: Sequence[Aggregate],
) -> list[Finding]:
    """Policies that the policy set wants on hypertables and that are not there."""
    lacking: dict[str, list[str]] = {"compression": [], "retention": [], "aggregates": []}
    compressed = {one.table for one in compression if one.job_id is not None}
    expiring = {one.table for one in retention if one.job_id is not None}
    views = {one.aggregate.partition(".")[2] for one in aggregates}
    for table in tables:
        expected = table.expected
        if expected is None or table.kind != "hypertable":
            continue
        if expected.compress_after is not None and table.qualified not in compressed:
            lacking["compression"].append(table.name)
        if expected.drop_after is not None and table.qualified not in expiring:
            lacking["retention"].append(table.name)
        lacking["aggregates"] += [name for name in expected.aggregates if name not in views]
    words = {
        "compression": ("Not compressed automatically", "Their old chunks stay at full size."),
        "retention": ("Kept for ever", "Nothing deletes their old rows."),
        "aggregates": ("Summaries that do not exist", "Long-range charts read raw rows instead."),
    }
    return [
        Finding(
            key=f"policies.{kind}",
            severity="warning",
            title=f"{words[kind][0]}: {', '.join(names)}",
            detail=words[kind][1],
            remedy="Roll the policy set out: python -m ms5ops plan shows each step.",
            page="rollout",
            evidence=tuple(
                f"no {kind} for {name}" if kind != "aggregates" else f"no continuous aggregate {name}" for name in names
            ),
        )
        for kind, names in lacking.items()
        if names
    ]


def compression_findings(compression: Sequence[TableCompression]) -> list[Finding]:
    """Chunks that wait too long, tables that save too little, segments too small to compress."""
    found = []
    for one in compression:
        if one.late_chunks:
            found.append(
                Finding(
                    key=f"compression.backlog.{one.table}",
                    severity="warning",
                    title=f"Compression of {short(one.table)} is behind",
                    detail=f"{counted(one.late_chunks, 'chunk', 'chunks')} should have been compressed by now; "
                    f"{bytes_text(one.backlog_bytes)} "
                    "wait at full size.",
                    remedy="See whether its job runs, fails or ends at its max_runtime.",
                    page="compression",
                    evidence=(
                        f"{one.backlog_chunks} chunks past compress_after = {interval_text(one.compress_after)}",
                        f"{one.late_chunks} of them missed at least one run",
                        f"job {one.job_id}",
                    ),
                    remedy_sql=f"CALL run_job({one.job_id});",
                )
            )
        if _is_poor(one):
            continue  # one finding for all of them, below
        if one.enabled and one.rows_per_segment is not None and one.rows_per_segment < ROWS_PER_SEGMENT_WANTED:
            found.append(
                Finding(
                    key=f"compression.segments.{one.table}",
                    severity="info",
                    title=f"{short(one.table)} could compress better",
                    detail="Each chunk holds few rows of each source.",
                    remedy="Consider longer chunks, or a coarser segment-by.",
                    page="compression",
                    evidence=(
                        describe_rows_per_segment(one) or "",
                        f"segment by {', '.join(one.segment_by) or 'nothing'}",
                    ),
                )
            )
    return found + _poor_finding([one for one in compression if _is_poor(one)])


def _is_poor(one: TableCompression) -> bool:
    return one.saved_share is not None and one.saved_share < SAVED_SHARE_WANTED


def _poor_finding(poor: Sequence[TableCompression]) -> list[Finding]:
    if not poor:
        return []
    before, after = sum(one.before_bytes for one in poor), sum(one.after_bytes for one in poor)
    names = ", ".join(short(one.table) for one in poor)
    return [
        Finding(
            key="compression.poor",
            severity="warning",
            title=f"Compression saves less than {percent_text(SAVED_SHARE_WANTED)} on "
            + counted(len(poor), "table", "tables"),
            detail=f"More is expected; {names} went from {bytes_text(before)} to {bytes_text(after)}.",
            remedy="Most often the chunks hold too few rows: longer chunks compress better.",
            page="compression",
            evidence=tuple(
                f"{short(one.table)}: "
                + (f"saves {saved_text(one.saved_share)}" if (one.saved_share or 0) > 0 else "grows when compressed")
                + f" ({ratio_text(one.ratio)}), {poor_reason(one)}"
                for one in poor
            ),
        )
    ]


def poor_reason(one: TableCompression) -> str:
    """Why a table as a whole saves too little: tiny chunks, few rows per segment, no segment-by, or its values."""
    per_chunk = one.before_bytes / one.compressed_chunks if one.compressed_chunks else 0
    if one.rows_per_segment is not None and one.rows_per_segment < ROWS_PER_SEGMENT_WANTED:
        few = count_text(one.rows_per_segment)
        return f"{few} rows per segment and chunk, over {ROWS_PER_SEGMENT_WANTED} compress well"
    if per_chunk < TINY_CHUNK_BYTES:
        return f"{bytes_text(per_chunk)} per chunk, so that fixed pages outweigh rows"
    if not one.segment_by:
        return "no segment-by, so that rows of different sources are mixed"
    return f"segmented by {', '.join(one.segment_by)}, ordered by {', '.join(one.order_by)}: its values compress badly"


def retention_findings(retention: Sequence[TableRetention]) -> list[Finding]:
    """Chunks that should be gone."""
    return [
        Finding(
            key=f"retention.late.{one.table}",
            severity="warning",
            title=f"Old data of {short(one.table)} is not being deleted",
            detail=f"{counted(one.late_chunks, 'chunk is', 'chunks are')} older than "
            f"{interval_text(one.drop_after)} and should be gone ({bytes_text(one.eligible_bytes)}).",
            remedy="See whether its retention job runs or fails.",
            page="jobs",
            evidence=(
                f"job {one.job_id}",
                f"last run {one.last_start or 'never'}",
                f"oldest chunk starts {one.oldest}",
            ),
            remedy_sql=f"CALL run_job({one.job_id});",
        )
        for one in retention
        if one.late_chunks
    ]


def aggregate_findings(aggregates: Sequence[Aggregate]) -> list[Finding]:
    """Aggregates without a policy, behind their promise, or whose refresh would erase history."""
    found = []
    for one in aggregates:
        conflict = retention_conflict(one)
        if conflict:
            found.append(
                Finding(
                    key=f"aggregates.retention.{one.aggregate}",
                    severity="critical",
                    title=f"History in {short(one.aggregate)} is in danger",
                    detail=f"When old rows expire, {conflict}: the next refresh deletes the summaries of what has "
                    "expired.",
                    remedy="Shorten the refresh window (start_offset), or keep the source longer.",
                    page="aggregates",
                    evidence=(
                        f"start_offset {interval_text(one.start_offset) if one.start_offset else 'NULL'}",
                        f"schedule {interval_text(one.schedule_interval)}",
                        f"source drop_after {interval_text(one.source_drop_after)}",
                    ),
                )
            )
        if not one.has_policy:
            found.append(
                Finding(
                    key=f"aggregates.policy.{one.aggregate}",
                    severity="warning",
                    title=f"{short(one.aggregate)} is never refreshed by itself",
                    detail="It has no refresh policy, so that it falls behind its source.",
                    remedy="Give it a refresh policy: write it into the policy set, and roll that out.",
                    page="rollout",
                    evidence=(f"source {one.source}",),
                )
            )
        elif one.keeps_promise is False:
            found.append(
                Finding(
                    key=f"aggregates.lag.{one.aggregate}",
                    severity="warning",
                    title=f"{short(one.aggregate)} lags behind",
                    detail=f"It is {interval_text(one.lag_behind_source)} behind its data; its policy allows "
                    f"{interval_text(one.promised)}.",
                    remedy="See whether its refresh job runs, fails or waits for a worker.",
                    page="aggregates",
                    evidence=(
                        f"watermark {one.watermark}",
                        f"newest source row {one.newest_source_at}",
                        f"job {one.job_id}",
                    ),
                    remedy_sql=f"CALL run_job({one.job_id});",
                )
            )
    return found
