"""How the settings of compression compare with Phase 4's, and how many rows a segment holds with them."""

from collections.abc import Sequence

import pandas as pd

from ms5ops.observe.compression import ROWS_PER_SEGMENT_POOR, ROWS_PER_SEGMENT_WANTED, TableCompression
from ms5ops.observe.tables import ExpectedTable, Table, short_name
from ms5ops.queries import Version
from ms5ops.units import MISSING, interval_text

FOREIGN_KEYS_SEGMENTED_BEFORE = (2, 17)
"""Older servers want every foreign key column segmented by; phase4_02 adds it there."""


def settings_beside_plan(
    tables: Sequence[Table], compression: Sequence[TableCompression], schema: str, version: Version
) -> pd.DataFrame:
    """Settings of every hypertable, and of aggregates that have some, beside the policy set's.

    Columns, all text: table, segment_by, segment_by_planned, order_by, order_by_planned, compress_after,
    compress_after_planned, verdict.
    """
    by_name = {table.qualified: table for table in tables}
    rows = []
    for one in compression:
        table = by_name.get(one.table)
        plan = table.expected if table else None
        if plan is None and not one.enabled and one.kind != "hypertable":
            continue
        differences = plan_differences(one, plan, version) if plan else []
        rows.append(
            {
                "table": short_name(one.table, schema),
                "segment_by": _columns(one.segment_by, one.enabled),
                "segment_by_planned": ", ".join(plan.segment_by) if plan else MISSING,
                "order_by": _columns(one.order_by, one.enabled),
                "order_by_planned": ", ".join(plan.order_by) if plan else MISSING,
                "compress_after": interval_text(one.compress_after) if one.job_id is not None else "no policy",
                "compress_after_planned": interval_text(plan.compress_after) if plan else MISSING,
                "verdict": "; ".join(differences) or ("as planned" if plan else "not in the policy set"),
            }
        )
    return pd.DataFrame(
        rows,
        columns=["table", "segment_by", "segment_by_planned", "order_by", "order_by_planned", "compress_after",
                 "compress_after_planned", "verdict"],
    )  # fmt: skip


def plan_differences(one: TableCompression, plan: ExpectedTable, version: Version) -> list[str]:
    """In which settings a table differs from the policy set; none where all agree."""
    if not one.enabled:
        return [] if plan.compress_after is None else ["compression is switched off"]
    found = []
    extra = set(one.segment_by) - set(plan.segment_by)
    missing = set(plan.segment_by) - set(one.segment_by)
    if missing or (extra and version >= FOREIGN_KEYS_SEGMENTED_BEFORE):
        found.append("other segment by")
    # NULLS LAST and a second column change nothing about how well the first one's order compresses.
    if not one.order_by or one.order_by[0].split()[:2] != plan.order_by[0].split()[:2]:
        found.append("other order by")
    if one.job_id is None and plan.compress_after is not None:
        found.append("no policy")
    elif one.compress_after != plan.compress_after:
        found.append("other age")
    if one.job_id is not None and not one.scheduled:
        found.append("policy is paused")
    return found


def segment_rows(compression: Sequence[TableCompression], schema: str) -> pd.DataFrame:
    """Rows per segment and chunk of tables with compression.

    Columns: table, segment_by, rows_per_segment float64, how ("measured" or "estimated"), segments float64, verdict
    ("enough", "few", "too few", "not known").
    """
    rows = [
        {
            "table": short_name(one.table, schema),
            "segment_by": _columns(one.segment_by, one.enabled),
            "rows_per_segment": one.rows_per_segment,
            "how": MISSING
            if one.rows_per_segment is None
            else "measured"
            if one.rows_per_segment_measured
            else "estimated",
            "segments": one.segments,
            "verdict": _segment_verdict(one.rows_per_segment),
        }
        for one in compression
        if one.enabled
    ]
    columns = ["table", "segment_by", "rows_per_segment", "how", "segments", "verdict"]
    return pd.DataFrame(rows, columns=columns).astype({"rows_per_segment": "float64", "segments": "float64"})


def _segment_verdict(rows: float | None) -> str:
    if rows is None:
        return "not known"
    if rows < ROWS_PER_SEGMENT_POOR:
        return "too few"
    return "few" if rows < ROWS_PER_SEGMENT_WANTED else "enough"


def _columns(columns: Sequence[str], enabled: bool) -> str:
    return ", ".join(columns) or ("none" if enabled else MISSING)
