"""Columns of the storage page's tables, and what their numbers mean."""

from ms5ops.ui.tables import Column

ORIGIN_ABOUT = "“replayed”: measured in months whose calendar was simulated; “simulated”: of generated telemetry"
SIZE_ABOUT = "On disk with chunks, indexes and toast"
RAW_ABOUT = (
    "What it would take had nothing been compressed: of compressed chunks the size before in place of the size after, "
    "as TimescaleDB noted both when it compressed them"
)

FORECAST_COLUMNS = [
    Column("day", "Day"),
    Column("expected_bytes", "Expected", "bytes", "At the end of the day"),
    Column("low_bytes", "Low", "bytes", "Lower end of the 90 % interval"),
    Column("high_bytes", "High", "bytes", "Upper end of the 90 % interval"),
    Column("uncompressed_bytes", "Without compression", "bytes", "With retention, without compression"),
]
ASSUMED_COLUMNS = [
    Column("table", "Table"),
    Column("bytes_per_day", "Arrives per day", "bytes", "Before compression, mean of the last whole weeks"),
    Column("days", "From days", "count", "Complete days that the mean is taken from"),
    Column("compressed", "Compressed", about="The policy's age, and half a chunk's length where chunks are long"),
    Column("share", "Down to", "percent", "What compressed chunks take of their uncompressed bytes, as measured"),
    Column("dropped", "Dropped", about="The retention policy's age, and half a chunk's length where chunks are long"),
]
GROWTH_COLUMNS = [
    Column("at", "From", "instant"),
    Column("table", "Table"),
    Column("size_bytes", "On disk", "bytes", SIZE_ABOUT),
    Column("uncompressed_bytes", "Uncompressed", "bytes", RAW_ABOUT),
    Column("is_complete", "Complete", "yes/no", "Not so: the running day, or the first one of a table"),
]
RATE_COLUMNS = [Column("day", "Seven days up to", "instant"), Column("bytes_per_month", "Bytes per month", "bytes")]
SUM_COLUMNS = [
    Column("size_bytes", "On disk", "bytes", SIZE_ABOUT),
    Column("uncompressed_bytes", "Uncompressed", "bytes", RAW_ABOUT),
]
TABLE_COLUMNS = [
    Column("table", "Table"),
    Column("kind", "Kind", about="A plain table is not managed by TimescaleDB; a continuous aggregate is a summary"),
    Column("rows", "Rows (about)", "count", "From the planner's statistics, not counted"),
    Column("size_bytes", "Size", "bytes", SIZE_ABOUT),
    Column("share", "Of all", "percent"),
    Column("index_share", "Indexes", "percent", "Share of the size that is indexes"),
    Column("uncompressed_bytes", "Uncompressed", "bytes", RAW_ABOUT),
    Column("ratio", "Ratio", "ratio", "Uncompressed over stored, over all chunks; empty where none is compressed"),
    Column("chunks", "Chunks", "count"),
    Column("compressed_chunks", "Compressed chunks", "count"),
    Column("bytes_per_month", "Arrives per month", "bytes", "Before compression, mean of the last whole weeks"),
]
BAR_COLUMNS = [
    Column("table", "Table"),
    Column("size_bytes", "On disk", "bytes", SIZE_ABOUT),
    Column("saved_bytes", "Saved by compression", "bytes", "Negative where compressed chunks take more than before"),
]
TREE_COLUMNS = [Column("label", "What"), Column("part_of", "Part of"), Column("size_bytes", "Size", "bytes")]
