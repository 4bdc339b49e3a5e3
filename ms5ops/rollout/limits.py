"""How long things may take, and how long others may be held up by them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds of an executor. Times in seconds unless the name says otherwise.

    ``lock_timeout_ms``: the longest that ingest may queue behind a change that itself waits for a lock (TimescaleDB
    practice is 500 ms to 3 s with retries). ``retry_budget_s`` and ``index_budget_s``: how long an operation, or an
    index build, is tried again after lock timeouts. ``backoff_s`` and ``backoff_most_s``: the first and the longest
    pause between tries, each with jitter. ``heartbeat_s``: signs of life; ``stale_after_s``: a holder without one for
    so long (by the server's clock) is taken to be dead. ``cancel_after_s``: how long a statement may go on after a
    request to stop.
    ``small_table_bytes``: the largest plain table that is converted under one lock (about 50,000 rows: one second at
    the 50,000 rows/s measured on the embedded engine); ``small_table_rows``: the most rows that are copied back under
    one lock, where their values take no more than those bytes; ``small_table_chunks``: the most chunks that are made,
    or dropped, under that lock (about 10 ms each on a server of two cores, so half a second).
    ``disk_reserve_share`` is asked for on top of what a piece needs, and below ``least_free_bytes`` (own choice)
    nothing more is begun, where the disk can be seen.
    """

    lock_timeout_ms: int = 1_000
    retry_budget_s: float = 300.0
    index_budget_s: float = 7_200.0
    backoff_s: float = 0.5
    backoff_most_s: float = 20.0
    heartbeat_s: float = 10.0
    stale_after_s: float = 60.0
    cancel_after_s: float = 5.0
    small_table_bytes: int = 5_000_000
    small_table_rows: int = 50_000
    small_table_chunks: int = 50
    disk_reserve_share: float = 0.10
    least_free_bytes: int = 200_000_000
