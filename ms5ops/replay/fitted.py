"""Phase 4 for the sandbox: the set that comes with ms5ops, with chunk intervals that fit the sandbox's data rate.

The default's 1-hour chunks are for 86 million rows a day. At a few thousand they hold four rows per metric: they shrink
little, and a query over a month opens seven hundred of them. The rule "chunk-interval-for-rate" of
``ms5ops.policy.lint`` says so of any database. Everything else of the policy stays: what is compressed and dropped
when, the aggregates, the indexes, the jobs.
"""

from collections.abc import Mapping

from ms5ops.control import policy_sets
from ms5ops.control.store import Store
from ms5ops.policy.document import DEFAULT_FILE

NAME = "Chunk intervals fitted to the sandbox's data rate"
COMMENT = (
    f"{NAME}: some 3,000 rows a day instead of the 86 million that the default is made for. A chunk of metric_hist "
    "holds 7 days, one of the other tables 30 to 90, so that some hundred rows of each segment are compressed "
    "together. Aggregates by the hour are compressed too. Minutes are kept for 14 days: at a sample a minute they are "
    "as many as the samples, and save nothing. Everything else is the set that comes with ms5ops."
)
CHANGES: Mapping[tuple[str, ...], object] = {
    ("tables", "metric_hist", "chunk_interval"): "7 days",
    ("tables", "oee_calculations", "chunk_interval"): "30 days",
    ("tables", "energy_consumption", "chunk_interval"): "30 days",
    ("tables", "production_kpis", "chunk_interval"): "90 days",
    ("tables", "production_context_history", "chunk_interval"): "90 days",
    ("aggregates", "metric_hist_1min", "chunk_interval"): "3 days",
    ("aggregates", "metric_hist_1min", "compress_after"): "7 days",
    ("aggregates", "metric_hist_1min", "drop_after"): "14 days",
    ("aggregates", "metric_hist_1hour", "compress_after"): "14 days",
    ("aggregates", "metric_hist_1hour_percentiles", "compress_after"): "14 days",
    ("aggregates", "oee_hourly", "compress_after"): "14 days",
    ("aggregates", "energy_hourly", "compress_after"): "14 days",
}
"""What differs from the default, by key."""


def text() -> str:
    """The policy set as text."""
    return policy_sets.adjusted(DEFAULT_FILE.read_text(encoding="utf-8"), CHANGES)


def put_in_force(store: Store, environment: str, *, by: str) -> int:
    """Keep it as a version of its own where it is none yet, and plan the sandbox by it; the version's number."""
    wanted = text()
    known = [one.number for one in policy_sets.versions(store) if policy_sets.text_of(store, one.number) == wanted]
    number = (
        known[0] if known else policy_sets.save(store, wanted, author=by, comment=COMMENT, based_on=0, now=store.now())
    )
    policy_sets.choose(store, environment, number, by=by, now=store.now())
    return number


def is_in_force(store: Store, environment: str) -> bool:
    """Whether an environment is planned by it."""
    return policy_sets.in_force(store, environment).text == text()
