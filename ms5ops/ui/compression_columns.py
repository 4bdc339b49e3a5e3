"""The columns of the compression page's tables."""

from ms5ops.ui.tables import Column

BEFORE = Column("before_bytes", "Before", "bytes", "Of the compressed chunks, before they were compressed")
AFTER = Column("after_bytes", "After", "bytes", "Of the compressed chunks, right after they were compressed")
SAVED = Column("saved_share", "Saved", "percent", "One minus after over before; negative where it takes more", 1)
RATIO = Column("ratio", "Ratio", "ratio", "Before over after")
TABLE = Column("table", "Table")

SAVINGS = [
    TABLE,
    Column("verdict", "Verdict"),
    SAVED,
    RATIO,
    BEFORE,
    AFTER,
    Column("compressed_chunks", "Compressed chunks", "count"),
    Column("chunks", "Chunks", "count"),
    Column("size_bytes", "Whole table now", "bytes", "Compressed and uncompressed chunks with their indexes"),
]
RATIOS = [
    Column("start", "From (UTC)", "instant"),
    Column("chunks", "Chunks", "count"),
    SAVED,
    RATIO,
    BEFORE,
    AFTER,
    Column("worst_share", "Worst chunk", "percent", "The least saved share of a single chunk", 1),
    Column("rows_per_batch", "Rows per batch", "count", "Rows packed into one compressed row, at most 1,000"),
]
STATES = [
    TABLE,
    Column("state", "State"),
    Column("chunks", "Chunks", "count"),
    Column("share", "Share of chunks", "percent"),
    Column("size_bytes", "Size now", "bytes"),
]
RUNS = [
    TABLE,
    Column("compress_after", "Compress after", about="Age at which a chunk becomes due"),
    Column("backlog_chunks", "Waiting", "count", "Chunks"),
    Column("late_chunks", "Late", "count", "Of these: the last run should have compressed them"),
    Column("backlog_bytes", "Size", "bytes", "Of the chunks that wait"),
    Column("schedule", "Runs"),
    Column("last_start", "Last run (UTC)", "instant"),
    Column("next_start", "Next run (UTC)", "instant"),
]
WAITING = [
    TABLE,
    Column("chunk", "Chunk"),
    Column("due_since", "Due since (UTC)", "instant"),
    Column("is_late", "Late", "yes/no"),
    Column("size_bytes", "Size", "bytes"),
    Column("why", "State"),
    Column("range_start", "From (UTC)", "instant"),
    Column("range_end", "To (UTC)", "instant"),
]
SETTINGS = [
    TABLE,
    Column("verdict", "Against the policy set"),
    Column("segment_by", "Segment by"),
    Column("segment_by_planned", "Planned: segment by"),
    Column("compress_after", "After", about="Compress after: the age at which a chunk becomes due"),
    Column("compress_after_planned", "Planned: after"),
    Column("order_by", "Order by"),
    Column("order_by_planned", "Planned: order by"),
]
SEGMENTS = [
    TABLE,
    Column("segment_by", "Segment by"),
    Column("rows_per_segment", "Rows per segment", "count", "Per chunk"),
    Column("verdict", "Verdict"),
    Column("how", "How known"),
    Column("segments", "Segments", "count", "Distinct segment by values, by the planner's statistics"),
]
CAUSES = [
    Column("cause", "Cause"),
    Column("chunks", "Chunks", "count"),
    Column("after_bytes", "Size", "bytes"),
    Column("remedy", "What helps"),
]
POOR = [
    Column("chunk", "Chunk"),
    Column("range_start", "From (UTC)", "instant"),
    SAVED,
    BEFORE,
    AFTER,
    Column("causes", "Cause"),
    Column("reasons", "Why, and what helps"),
]
LIVE = [
    Column("chunk", "Chunk"),
    Column("range_start", "From (UTC)", "instant"),
    Column("stored_bytes", "When compressed", "bytes"),
    Column("live_bytes", "Now", "bytes"),
    Column("change", "Change", "percent"),
]
