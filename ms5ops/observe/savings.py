"""What compression saves, by table and over time, and why a chunk saves little: figures for people."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from ms5ops.observe.absence import of_this_database
from ms5ops.observe.compression import (
    ROWS_PER_SEGMENT_WANTED,
    SAVED_SHARE_WANTED,
    BeforeAndAfter,
    PoorChunk,
    TableCompression,
    chunk_ratios,
)
from ms5ops.observe.finding import counted, short
from ms5ops.observe.tables import Table, short_name
from ms5ops.observe.verdict import Verdict
from ms5ops.units import bytes_text, count_text, percent_beside, percent_text

CHANGED_SHARE = 0.05
"""Live size this far from the stored one is called changed (own choice; the chunk's empty pages stay below it)."""


@dataclass(frozen=True)
class Savings(BeforeAndAfter):
    """Compression of all hypertables and aggregates together. Bytes are of compressed chunks only."""

    tables: int
    enabled: int
    with_policy: int
    chunks: int
    compressed_chunks: int
    before_bytes: int
    after_bytes: int
    backlog_chunks: int
    backlog_bytes: int
    late_chunks: int
    below_criterion: int


def savings(compression: Sequence[TableCompression]) -> Savings:
    """The sum over all records; ``tables``, ``enabled`` and ``with_policy`` count hypertables, not aggregates."""
    hypertables = [one for one in compression if one.kind == "hypertable"]
    return Savings(
        tables=len(hypertables),
        enabled=sum(one.enabled for one in hypertables),
        with_policy=sum(one.job_id is not None for one in hypertables),
        chunks=sum(one.chunks for one in compression),
        compressed_chunks=sum(one.compressed_chunks for one in compression),
        before_bytes=sum(one.before_bytes for one in compression),
        after_bytes=sum(one.after_bytes for one in compression),
        backlog_chunks=sum(one.backlog_chunks for one in compression),
        backlog_bytes=sum(one.backlog_bytes for one in compression),
        late_chunks=sum(one.late_chunks for one in compression),
        below_criterion=sum(
            one.saved_share is not None and one.saved_share < SAVED_SHARE_WANTED for one in compression
        ),
    )


def verdict(tables: Sequence[Table], compression: Sequence[TableCompression]) -> Verdict:  # one per case
    """Whether compression is there, saves what it should, and keeps up."""
    whole = savings(compression)
    plain = [table for table in tables if table.kind == "plain table"]
    held = sum(table.size_bytes or 0 for table in plain)
    if not whole.tables and not plain:
        return Verdict(
            "info", "There is nothing to compress: the database has no hypertable, and none of the policy set's tables."
        )
    if not whole.tables:
        return Verdict(
            "warning",
            f"Nothing is compressed: {bytes_text(held)} lie at full size in "
            f"{counted(len(plain), 'plain table', 'plain tables')}, which cannot be compressed.",
        )
    if not whole.enabled:
        return Verdict(
            "warning", f"Nothing is compressed: compression is switched on for none of the {_tables(whole.tables)}."
        )
    share = whole.saved_share
    behind = (
        f" {chunks_text(whole.late_chunks)} should be compressed by now ({bytes_text(whole.backlog_bytes)} wait)."
        if whole.late_chunks
        else ""
    )
    if share is None:
        return Verdict(
            "warning" if behind else "info",
            "Compression is set up, and nothing is compressed yet." + (behind or " No chunk is overdue."),
        )
    criterion = percent_text(SAVED_SHARE_WANTED)
    if share < SAVED_SHARE_WANTED:
        return Verdict(
            "warning",
            f"Compressed history {takes_text(share)}; over {criterion} saved is asked for.{_reason(compression)}"
            f"{behind}",
        )
    below = whole.below_criterion
    few = f" {_tables(below)} {'saves' if below == 1 else 'save'} less." if below else ""
    return Verdict(
        "warning" if behind or few else "ok",
        f"Compressed history {takes_text(share)}, over the criterion of {criterion}.{few}{behind}",
    )


def _reason(compression: Sequence[TableCompression]) -> str:
    """Why the table with most bytes compresses badly, where too few rows per segment are the reason."""
    largest = max(compression, key=lambda one: one.before_bytes)
    rows = largest.rows_per_segment
    if rows is None or rows >= ROWS_PER_SEGMENT_WANTED:
        return ""
    return (
        f" Chunks hold too few rows to pack: {count_text(rows)} per segment on {short(largest.table)}, where over "
        f"{ROWS_PER_SEGMENT_WANTED} compress well."
    )


def takes_text(saved_share: float) -> str:
    """A saved share as a verb phrase: ``takes 73 % less``, or ``takes 8 % more`` where it does not pay."""
    return f"takes {saved_text(abs(saved_share))} {'less' if saved_share >= 0 else 'more'}"


def saved_text(saved_share: float | None) -> str:
    """A saved share as per cent, beside the criterion."""
    return percent_beside(saved_share, SAVED_SHARE_WANTED)


def chunks_text(count: int) -> str:
    """``1 chunk``, ``2,160 chunks``."""
    return f"{count_text(count)} chunk{'' if count == 1 else 's'}"


def table_savings(tables: Sequence[Table], compression: Sequence[TableCompression], schema: str) -> pd.DataFrame:
    """A row per table of the policy set and per other table with compression: what it saves, and the verdict.

    Columns: table str, kind str, chunks, compressed_chunks Int64, before_bytes, after_bytes Int64, ratio,
    saved_share float64 (missing where nothing is compressed), size_bytes Int64 (the whole table now), verdict str.
    """
    by_table = {one.table: one for one in compression}
    rows = []
    for table in of_this_database(tables):
        one = by_table.get(table.qualified)
        if not table.is_expected and not (one and one.enabled):
            continue
        compressed = bool(one and one.before_bytes)
        rows.append(
            {
                "table": short_name(table.qualified, schema),
                "kind": table.kind,
                "chunks": one.chunks if one else None,
                "compressed_chunks": one.compressed_chunks if one else None,
                "before_bytes": one.before_bytes if one and compressed else None,
                "after_bytes": one.after_bytes if one and compressed else None,
                "ratio": one.ratio if one else None,
                "saved_share": one.saved_share if one else None,
                "size_bytes": table.size_bytes,
                "verdict": _saving_verdict(table, one),
            }
        )
    frame = pd.DataFrame(
        rows,
        columns=["table", "kind", "chunks", "compressed_chunks", "before_bytes", "after_bytes", "ratio",
                 "saved_share", "size_bytes", "verdict"],
    )  # fmt: skip
    whole = dict.fromkeys(("chunks", "compressed_chunks", "before_bytes", "after_bytes", "size_bytes"), "Int64")
    return frame.astype({**whole, "ratio": "float64", "saved_share": "float64"})


def ratios_over_time(chunks: pd.DataFrame, at_most: int = 400) -> pd.DataFrame:
    """What compressed chunks of one table save over time, oldest first; more than ``at_most`` are put together by day,
    and by week where days are too many as well.

    Columns: start instant, span str ("chunk", "day", "week"), chunks, before_bytes, after_bytes int64, ratio,
    saved_share, worst_share (of the single chunks), rows_per_batch float64. Chunks of integer time are left out.
    """
    frame = chunk_ratios(chunks).dropna(subset=["range_start"])
    span, key = "chunk", frame["range_start"]
    for wider, width in (("day", "1D"), ("week", "7D")):
        if key.nunique() <= at_most:
            break
        span, key = wider, frame["range_start"].dt.floor(width)
    grouped = frame.assign(start=key).groupby("start", sort=True)
    result = grouped.agg(
        chunks=("chunk", "size"),
        before_bytes=("before_bytes", "sum"),
        after_bytes=("after_bytes", "sum"),
        rows=("rows", "sum"),
        batches=("batches", "sum"),
        worst_share=("saved_share", "min"),
    ).reset_index()
    before, after = result["before_bytes"].astype("float64"), result["after_bytes"].astype("float64")
    batches = result["batches"].astype("float64")
    result["ratio"] = before / after.where(after > 0)
    result["saved_share"] = 1 - after / before.where(before > 0)
    result["rows_per_batch"] = result["rows"].astype("float64") / batches.where(batches > 0)
    result["span"] = span
    return result.astype({"before_bytes": "int64", "after_bytes": "int64", "chunks": "int64"})[
        ["start", "span", "chunks", "before_bytes", "after_bytes", "ratio", "saved_share", "worst_share",
         "rows_per_batch"]
    ]  # fmt: skip


def poor_chunk_frame(poor: Sequence[PoorChunk], at_most: int = 1_000) -> pd.DataFrame:
    """Poor chunks as rows: chunk, range_start, before_bytes, after_bytes, saved_share, causes, reasons (text)."""
    return pd.DataFrame(
        [
            {
                "chunk": one.chunk,
                "range_start": one.range_start,
                "before_bytes": one.before_bytes,
                "after_bytes": one.after_bytes,
                "saved_share": one.saved_share,
                "causes": ", ".join(one.causes),
                "reasons": " ".join(one.reasons),
            }
            for one in poor[:at_most]
        ],
        columns=["chunk", "range_start", "before_bytes", "after_bytes", "saved_share", "causes", "reasons"],
    )


def cause_totals(poor: Sequence[PoorChunk]) -> pd.DataFrame:
    """How many chunks have which cause, and what they take: cause, chunks, after_bytes, remedy; most frequent first.

    A chunk with two causes counts for both.
    """
    rows = [(cause, one.after_bytes) for one in poor for cause in one.causes]
    frame = pd.DataFrame(rows, columns=["cause", "after_bytes"])
    totals = frame.groupby("cause", sort=False).agg(chunks=("cause", "size"), after_bytes=("after_bytes", "sum"))
    totals = totals.sort_values("chunks", ascending=False).reset_index()
    totals["remedy"] = totals["cause"].map(REMEDIES)
    return totals[["cause", "chunks", "after_bytes", "remedy"]]


REMEDIES = {
    "tiny chunk": "Longer chunks: a compressed chunk has fixed pages of its own, however few its rows.",
    "few rows per segment": "Longer chunks, or a coarser segment by: rows are packed per value, up to 1,000 at a time.",
    "no segment by": "Segment by the entity (metric, line, equipment), so that like values lie side by side.",
    "values compress badly": "Look at wide text or JSON columns; numbers and times compress best.",
    "rows added since": "The next compression run takes them in; frequent late rows call for a later compress after.",
    "grown since": "Recompress the chunk in a maintenance window.",
}
"""What helps against each cause of ``PoorChunk.causes``."""


@dataclass(frozen=True)
class LiveSizes:
    """A sample's live sizes beside the stored ones: the rows with their change, the sums, and a sentence."""

    frame: pd.DataFrame
    stored_bytes: int
    live_bytes: int
    changed: int
    text: str


def live_sizes(live: pd.DataFrame) -> LiveSizes:
    """``compression.read_live_sizes`` with ``change`` (live over stored, less one; float64), oldest first."""
    frame = live.sort_values("range_start", ignore_index=True)
    stored = frame["stored_bytes"].astype("float64")
    frame["change"] = frame["live_bytes"] / stored.where(stored > 0) - 1
    changed = int((frame["change"].abs() > CHANGED_SHARE).sum())
    stored_bytes, live_bytes = int(frame["stored_bytes"].sum()), int(frame["live_bytes"].sum())
    text = (
        f"The newest {chunks_text(len(frame))} take {bytes_text(live_bytes)} now; the catalogue has "
        f"{bytes_text(stored_bytes)} from when they were compressed. "
    ) + (
        f"{chunks_text(changed)} changed by more than {percent_text(CHANGED_SHARE)} since: "
        "their stored ratios no longer hold."
        if changed
        else "The stored ratios still hold."
    )
    return LiveSizes(frame, stored_bytes, live_bytes, changed, text)


def compressed_tables(tables: Sequence[Table], compression: Sequence[TableCompression]) -> list[Table]:
    """Tables with compressed chunks, the one with most of them first."""
    counts = {one.table: one.compressed_chunks for one in compression}
    found = [table for table in tables if counts.get(table.qualified, 0) > 0]
    return sorted(found, key=lambda table: -counts[table.qualified])


def _saving_verdict(table: Table, one: TableCompression | None) -> str:  # one per case
    if table.kind == "missing":
        return "does not exist"
    if one is None:
        return "plain table: cannot be compressed"
    if not one.enabled:
        return "compression is switched off"
    if one.saved_share is None:
        return "nothing compressed yet"
    if one.saved_share < 0:
        return "takes more than before"
    met = one.saved_share >= SAVED_SHARE_WANTED
    return f"{'over' if met else 'below'} {percent_text(SAVED_SHARE_WANTED)}"


def _tables(count: int) -> str:
    return counted(count, "table", "tables")
