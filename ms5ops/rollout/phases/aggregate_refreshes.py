# ruff: noqa: S608 - generating SQL is its purpose; every value goes through sql_text
"""Filling aggregates: a new one whole, an existing one where its policy does not reach.

A refresh never reaches past what its source keeps: over dropped chunks it would DELETE what was aggregated from them.
"""

from datetime import datetime, timedelta

from ms5ops.policy.document import AggregatePolicy, PolicySet
from ms5ops.policy.intervals import interval_sql
from ms5ops.rollout.drafts import owner_of
from ms5ops.rollout.operation import Estimate, Inverse, Lock, Operation, Steps, Verification
from ms5ops.rollout.records import AggregateState, State, span
from ms5ops.rollout.sql_text import interval, is_relation, literal, of_aggregate, split

ROWS_A_SECOND = 200_000
"""Own assumption for aggregating raw rows; the embedded engine did half a million in 7 s."""


def refresh(state: State, policy: PolicySet, wanted: AggregatePolicy) -> Operation | None:
    """The refresh of an aggregate that is not there yet, or that has a hole; None where its policy is enough."""
    actual = state.aggregate(wanted.name)
    if actual is not None and actual.unfilled_from is None:
        return None
    name = policy.qualified(wanted.name)
    start, kept, at = _start(state, policy, wanted, actual)
    end = f"now() - {interval(wanted.end_offset)}"
    root = state.table(policy.root(wanted.name))
    rows = root.rows or 0
    seconds = 1 + rows / ROWS_A_SECOND / (1 if policy.level(wanted.name) == 1 else 60)
    return Operation(
        key=f"05.{wanted.name}.refresh",
        phase=5,
        kind="refresh",
        target=name,
        title=f"Fill {wanted.name}",
        actual="empty" if actual is None or not actual.chunks.total else f"not filled from {actual.unfilled_from} on",
        desired=f"filled from {'the beginning' if start == 'NULL' else at or f'{kept} ago'}, newest first",
        statements=(f"CALL refresh_continuous_aggregate({literal(name)}, {start}, {end})",),
        verification=Verification(_unfilled(state, policy, wanted, kept), "0"),
        lock=Lock("ROW EXCLUSIVE", f"the materialised rows of {name}", "each piece; readers and writers go on"),
        inverse=Inverse(),
        transactional=False,
        before={"unfilled_from": None if actual is None else actual.unfilled_from},
        estimate=Estimate(
            extra_bytes=None, seconds=seconds, basis=f"{ROWS_A_SECOND:,} raw rows/s, a sixtieth above the first level"
        ),
        steps=Steps(
            "refresh",
            {
                "aggregate": name,
                "window": interval_sql(max(wanted.chunk_interval, 2 * wanted.bucket)),
                "not_before": kept,
                "not_before_at": at,
                "not_after": interval_sql(wanted.end_offset),
            },
        ),
        requires=(f"05.{wanted.name}.create", f"05.{wanted.source}.refresh"),
        privileges=owner_of(state, name),
    )


def _start(
    state: State, policy: PolicySet, wanted: AggregatePolicy, actual: AggregateState | None
) -> tuple[str, str | None, str | None]:
    """The start as SQL, as an interval back from now, and as an instant where it is one."""
    if actual is not None and actual.chunks.total and actual.source_oldest is not None:
        oldest = datetime.fromisoformat(actual.source_oldest)
        back = timedelta(seconds=int((state.now - oldest).total_seconds()))
        return f"{literal(actual.source_oldest)}::timestamptz", interval_sql(back), actual.source_oldest
    for job in state.jobs_of(policy.qualified(wanted.source), "retention"):
        kept = span(str(job.config.get("drop_after")))
        if kept is not None:
            return f"now() - {interval(kept)}", interval_sql(kept), None
    return "NULL", None, None


def _unfilled(state: State, policy: PolicySet, wanted: AggregatePolicy, kept: str | None) -> str:
    """Counts spans that are not filled, between the oldest raw rows and a day ago (or its policy's reach).

    The oldest row is asked for below a constant, so that one chunk is read and locked instead of all of them; of a
    table that is yet to be converted, the end of its first chunk is taken for it.
    """
    root = policy.tables[policy.root(wanted.name)]
    table, column = policy.qualified(root.name), root.time_column
    schema, bare = split(policy.qualified(wanted.name))
    source = policy.qualified(wanted.source)
    chunks = of_aggregate(source, "c") if wanted.source in policy.aggregates else is_relation(source, "c")
    until = state.table(root.name).chunks.oldest_until
    margin = 2 * int(wanted.bucket.total_seconds()) * 1_000_000
    reach = interval(max(wanted.start_offset or timedelta(), timedelta(days=1)))
    oldest = (
        f"(SELECT min(c.range_end) FROM timescaledb_information.chunks c WHERE {is_relation(table, 'c')})"
        if until is None
        else f"(SELECT min(t.{column}) FROM {table} t WHERE t.{column} < {literal(until)}::timestamptz)"
    )
    since = oldest if kept is None else f"greatest({oldest}, now() - {interval(kept)})"
    return (
        "SELECT count(*) FROM _timescaledb_catalog.continuous_aggs_materialization_invalidation_log l"
        " JOIN _timescaledb_catalog.continuous_agg g ON g.mat_hypertable_id = l.materialization_id"
        f" WHERE g.user_view_schema = {literal(schema)} AND g.user_view_name = {literal(bare)}"
        # Between the chunks of its source nothing is ever filled: 2.28 leaves such spans as they are.
        f" AND EXISTS (SELECT FROM timescaledb_information.chunks c WHERE {chunks}"
        " AND l.greatest_modified_value >= (extract(epoch FROM c.range_start) * 1000000)::bigint"
        " AND l.lowest_modified_value < (extract(epoch FROM c.range_end) * 1000000)::bigint)"
        f" AND l.greatest_modified_value >= (extract(epoch FROM {since}) * 1000000)::bigint + {margin}"
        f" AND l.lowest_modified_value < (extract(epoch FROM now() - {reach}) * 1000000)::bigint"
    )
