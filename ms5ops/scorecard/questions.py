"""Phase 4's success criteria (phase4.md, "Success criteria"), each with its target and what its value means."""

from ms5ops.scorecard.records import Measure, Question

_QUICK = Measure("Run benchmarks", "benchmarks", "python -m ms5ops benchmark run")
_ALL = Measure("Run all benchmarks", "benchmarks", "python -m ms5ops benchmark run --all")

STEPS = Question(
    "steps",
    "technical",
    "The rollout ran without an error",
    "no step failed",
    "steps",
    "Steps of the newest deployment that failed at least once, also where another try succeeded. From the journal in "
    "the database (schema ms5ops), which every deployment writes as it goes. Deployments that were taken back or given "
    "up are not judged.",
    Measure("Plan and apply the policy set", "rollout", "python -m ms5ops apply"),
)
CHECKS = Question(
    "checks",
    "technical",
    "All validation checks pass",
    "every check",
    "checks",
    "Checks after a deployment that pass now: chunk intervals, compression and retention policies, indexes, "
    "aggregates, two query times, and what compression saves. Made on the server when this page was read; where that "
    "is not possible, by the last snapshot, if it is at most 31 days old. Every snapshot makes and keeps them.",
    Measure("See the checks", "rollout", "python -m ms5ops check post"),
)
TARGETS = Question(
    "targets",
    "technical",
    "Benchmarks meet their targets",
    "all of them",
    "benchmarks",
    "Benchmarks that meet their target, each by its newest figure of the month before the newest run: times by their "
    "p95, throughputs by their median. Met only where every group that has a target was measured: recent, short-term, "
    "historical, long-term, aggregates, ingest, many clients and job starts; of questions of an environment's own, the "
    "groups that they are of.",
    _ALL,
)
FAILURES = Question(
    "failures",
    "technical",
    "No more failed or timed-out queries",
    "no more than before",
    "of 1,000 transactions",
    "Transactions that did not commit, of 1,000, since the first deployment, against the time before it: differences "
    "of the counters of pg_stat_database between snapshots. PostgreSQL counts no failed statements; one that fails, is "
    "cancelled or times out rolls its transaction back, and so do programs that roll back on purpose. A rise counts "
    "where chance does not explain it (binomial test at 1 %) and it is over a tenth.",
    Measure("Keep snapshots", "overview", "python -m ms5ops collect"),
)
DASHBOARDS_DOWN = Question(
    "dashboards_down",
    "operational",
    "Dashboards load faster",
    "time down by over 50 %",
    "share",
    "One minus the load time after over that before: the geometric mean over the dashboards that were measured in the "
    "months before the first deployment and in those after it, each by the median of its runs' medians.",
    _QUICK,
)
GROWTH_DOWN = Question(
    "growth_down",
    "operational",
    "Storage grows more slowly",
    "growth down by over 70 %",
    "share",
    "One minus the growth of the tables and aggregates after the first deployment over that before it, both "
    "in bytes a month on disk between the first and the last snapshot of that time (a week apart at least). After it, "
    "counting begins when compression has caught up: old data that is being compressed is no growth.",
    Measure("Keep snapshots", "storage", "python -m ms5ops collect"),
)
DEGRADATION = Question(
    "degradation",
    "operational",
    "Nothing became slower for users",
    "no query or dashboard slower",
    "queries and dashboards",
    "Queries and dashboards that are slower, or give no answer any more, in the newest runs than in the last ones "
    "before the first deployment, by the verdicts of the Compare page: over 5 % slower, and more than chance explains.",
    _QUICK,
)
ALERTS = Question(
    "alerts",
    "operational",
    "Alerts are set up and reach someone",
    "a test alert delivered within 30 days",
    "days",
    "Days since a test alert was last delivered to at least one of the configured services.",
    Measure("Send a test alert", "alerts", "python -m ms5ops alerts test"),
)
DASHBOARDS = Question(
    "dashboards",
    "business",
    "Real-time dashboards open quickly",
    "under 2 s",
    "ms",
    "The slowest dashboard's p95 in the newest run that measured any: all its panels asked for at once over six "
    "connections, until the last has answered. Without the browser's own drawing.",
    _QUICK,
)
REPORTS = Question(
    "reports",
    "business",
    "Historical reports are quick",
    "under 10 s",
    "ms",
    "The slowest monthly report's p95 in the newest run that measured any.",
    _QUICK,
)
COST = Question(
    "cost",
    "business",
    "Storage costs less",
    "less than uncompressed",
    "a month",
    "What compression saves a month: uncompressed less stored bytes of the tables and aggregates, times the "
    "price of a GB (1,000,000,000 bytes) a month from the settings. Saved so far: the same, added up over the "
    "snapshots. What retention dropped is not counted.",
    Measure("See storage", "storage", "python -m ms5ops collect"),
)
DOUBLE_VOLUME = Question(
    "double_volume",
    "business",
    "Handles twice the expected data volume",
    "2x, dashboards under 2 s meanwhile",
    "times the expected volume",
    "Rows written per second, as a multiple of what the policy set expects, kept up while dashboards were loaded; "
    "their p95 meanwhile. From the load benchmark, which writes to a table of its own and removes it.",
    Measure("Run all benchmarks", "benchmarks", "python -m ms5ops benchmark run --only load"),
)
