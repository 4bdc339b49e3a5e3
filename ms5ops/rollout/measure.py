"""From the readings of a server to the figures that lint judges a policy with."""

from datetime import UTC, timedelta

from ms5ops.config import MaintenanceWindow
from ms5ops.observe.chunks import of_table
from ms5ops.observe.overview import Overview
from ms5ops.observe.settings import setting_number
from ms5ops.observe.tables import Table
from ms5ops.policy.lint import Measured, MeasuredTable

RATE_OVER = timedelta(days=7)
"""Own choice: a week holds every shift of a factory once; a younger table is measured over what it has."""


def measure(overview: Overview, maintenance_window: MaintenanceWindow | None = None) -> Measured:
    """What the readings tell, None where they do not: a section that could not be read measures nothing.

    ``memory_bytes`` is never measured: a server does not tell its machine's memory through SQL.
    """
    settings = overview.settings.found(())

    def number(name: str) -> int | None:
        value = setting_number(settings, name)
        return None if value is None else int(value)

    return Measured(
        tables={
            table.name: _table(overview, table)
            for table in overview.tables.found(())
            if table.schema == overview.server.schema and table.kind in ("hypertable", "plain table")
        },
        shared_buffers_bytes=number("shared_buffers"),
        max_background_workers=number("timescaledb.max_background_workers"),
        max_worker_processes=number("max_worker_processes"),
        max_parallel_workers=number("max_parallel_workers"),
        max_locks_per_transaction=number("max_locks_per_transaction"),
        max_connections=number("max_connections"),
        max_prepared_transactions=number("max_prepared_transactions"),
        version=overview.server.version,
        edition=overview.server.edition,
        maintenance_window=maintenance_window,
    )


def _table(overview: Overview, table: Table) -> MeasuredTable:
    indexes = overview.indexes.value
    rows = table.rows or 0
    compression = next((one for one in overview.compression.found(()) if one.table == table.qualified), None)
    segments = compression.segments if compression else None
    if segments is None:
        segments = overview.planned_segments.found({}).get(table.qualified)
    return MeasuredTable(
        rows_per_day=_rows_per_day(overview, table),
        segments=int(segments) if segments else None,
        bytes_per_row=_bytes_per_row(overview, table),
        index_bytes_per_row=table.index_bytes / rows
        if table.index_bytes is not None and rows and not table.compressed_chunks
        else None,
        chunk_count=table.chunks if table.kind == "hypertable" else None,
        index_count=len(indexes.of(table.qualified)) if indexes is not None else None,
    )


def _rows_per_day(overview: Overview, table: Table) -> float | None:
    """From the growth of the last whole days; None where there is none."""
    growth = overview.growth.value
    if growth is None or growth.empty:
        return None
    today = overview.now.astimezone(UTC).date()
    own = growth[growth["table"] == table.qualified]
    days = own["day"].dt.date
    # The first day is rarely whole, and today is not yet.
    recent = own[(days < today) & (days >= today - RATE_OVER) & (days > days.min())]
    return float(recent["rows"].mean()) if len(recent) else None


def _bytes_per_row(overview: Overview, table: Table) -> float | None:
    """Heap bytes of what is not compressed over its rows; None where nothing is, or rows are not known."""
    if table.kind == "plain table":
        if not table.rows or table.size_bytes is None or table.index_bytes is None:
            return None
        return (table.size_bytes - table.index_bytes) / table.rows
    chunks = overview.chunks.value
    if chunks is None:
        return None
    own = of_table(chunks, table)
    own = own[~own["is_compressed"] & (own["rows"].fillna(0) > 0)]
    rows = float(own["rows"].sum())
    return float((own["size_bytes"] - own["index_bytes"]).sum()) / rows if rows else None
