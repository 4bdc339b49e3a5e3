"""Where each page's numbers come from, for the ``?`` beside its title: what they are, their unit, and the query files.

A number that needs more than this has a ``?`` of its own, beside it.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sources:
    """What a page shows: ``about`` defines it, with units; ``files`` (or folders) below sql/ are read for it."""

    about: str
    files: tuple[str, ...]

    @property
    def text(self) -> str:
        """The markdown of the ``?``; file names as they stand in the project."""
        listed = ", ".join(f"`sql/{file}`" for file in self.files)
        return f"{self.about}\n\nRead by {listed}." if self.files else self.about


_SIZES = "Sizes are bytes with indexes and toast, shown in units of 1,000 (1 GB is 1,000,000,000 bytes)."

SOURCES: dict[str, Sources] = {
    "Overview": Sources(
        f"The totals of the other pages, and every finding on them. {_SIZES} Rows are the planner's estimate, not "
        "counted. “What has changed” compares with a stored snapshot.",
        (
            "observe/hypertables.sql", "observe/chunks.sql", "observe/plain_tables.sql", "observe/jobs.sql",
            "observe/aggregates.sql", "history/storage_snapshots.sql",
        ),
    ),
    "Scorecard": Sources(
        "One row per success criterion: target, measured value with its unit, and the run, deployment or reading that "
        "it comes from. Each row's ? defines it. Without a measured value there is no verdict.",
        (
            "history/storage_snapshots.sql", "history/transaction_snapshots.sql", "history/check_snapshots.sql",
            "history/benchmark_results.sql", "rollout/journal", "rollout/checks", "alerts/delivered_tests.sql",
        ),
    ),
    "Alerts": Sources(
        "What the last evaluation of the rules found and kept; this page asks no server. Each alert carries its value, "
        "its threshold and their unit. Thresholds are those of [alerts] in ms5ops.toml.",
        ("alerts/alerts.sql", "alerts/events.sql", "alerts/evaluations.sql"),
    ),
    "Storage": Sources(
        f"{_SIZES} A day's growth is what the chunks of that day (UTC) hold; of plain tables it is estimated from the "
        "planner's statistics. Uncompressed is what the same rows would take had nothing been compressed.",
        (
            "observe/hypertables.sql", "observe/chunks.sql", "observe/plain_tables.sql", "observe/time_histogram.sql",
            "observe/database_size.sql", "history/storage_snapshots.sql",
        ),
    ),
    "Compression": Sources(
        "Space saved is one minus the size after over the size before, over compressed chunks, as TimescaleDB noted "
        "them when it compressed. Waiting chunks are past their table's compress after, and are not compressed.",
        (
            "observe/chunks.sql", "observe/compression_settings.2.14.sql", "observe/segment_statistics.sql",
            "observe/live_chunk_sizes.sql", "observe/jobs.sql",
        ),
    ),
    "Jobs": Sources(
        "Background jobs of TimescaleDB with their last run, next start and counts of runs. A start delay is the time "
        "from when a run was due until it started; durations are from start to finish. Times are UTC.",
        ("observe/jobs.sql", "observe/job_runs.sql"),
    ),
    "Aggregates": Sources(
        "Lag is the newest row of the source minus the watermark, the instant up to which the aggregate is filled. "
        "Promised is what its refresh policy allows: end_offset + schedule interval + one bucket.",
        ("observe/aggregates.sql", "observe/newest_row.sql", "observe/jobs.sql", "history/aggregate_snapshots.sql"),
    ),
    "Indexes": Sources(
        "One row per index of a table, its chunks' parts summed: size in bytes, scans since the server's statistics "
        "were last reset. Locks: how many relations one query takes, against what the server's lock table holds.",
        ("observe/indexes.sql", "observe/statistics_age.sql", "observe/settings.sql"),
    ),
    "Health": Sources(
        "Every check with its finding: what was found, the limit it is judged by, and what to do. Settings are the "
        "server's own, with units as PostgreSQL reports them; sessions are those of this instant.",
        ("observe/settings.sql", "observe/sessions.sql", "observe/statements.sql", "observe/transactions.sql"),
    ),
    "Benchmarks": Sources(
        "Times are milliseconds from sending a query until its last row is there, by the client's clock. p95: 95 of "
        "100 samples were at most so slow. A run is never changed once it is stored. An environment may have questions "
        "of its own in the place of sql/benchmark (docs/benchmarks.md).",
        ("benchmark", "history/benchmark_runs.sql", "history/benchmark_results.sql", "history/benchmark_samples.sql"),
    ),
    "Compare": Sources(
        "Change is the ratio of the times after and before, with its 95 % interval. Faster or slower: over 5 % and not "
        "by chance. Equivalent: the whole interval lies within 5 %. Inconclusive: neither can be said.",
        ("history/benchmark_runs.sql", "history/benchmark_results.sql", "history/benchmark_samples.sql"),
    ),
    "Rollout": Sources(
        "What differs between the policy set in force and the database, read from its catalogue, and the operations "
        "that would change it. Estimates are seconds and bytes, with the reason beside each. What was done comes "
        "from the journal in the database.",
        ("rollout", "rollout/journal", "rollout/checks"),
    ),
    "Audit log": Sources(
        "One row per entry as it was written; times are UTC. Each entry is signed together with the one before it, so "
        "that a changed, removed or moved one is found.",
        ("access/entries.sql",),
    ),
    "Accounts": Sources(
        "Accounts of this console with their role and last sign-in (UTC). A one-time password is good for seven days.",
        ("access/accounts.sql",),
    ),
}  # fmt: skip
