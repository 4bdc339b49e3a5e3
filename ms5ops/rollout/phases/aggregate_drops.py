# ruff: noqa: S608 - generating SQL is its purpose; every value goes through sql_text
"""Dropping an aggregate that is to be made anew, and the way back to the one that was there."""

from ms5ops import units
from ms5ops.policy.document import PolicySet
from ms5ops.rollout.drafts import owner_of
from ms5ops.rollout.operation import Inverse, Lock, Operation, Verification
from ms5ops.rollout.policy_jobs import restore
from ms5ops.rollout.records import AggregateState, State, plain
from ms5ops.rollout.sql_text import comment, grants, interval, is_aggregate, literal, name, storage


def drop(state: State, policy: PolicySet, actual: AggregateState, reason: str) -> Operation:
    """The drop of one aggregate; its readers have gone before it."""
    bare = actual.name.partition(".")[2]
    lost = _lost(state, policy, actual)
    return Operation(
        key=f"05.{bare}.drop",
        phase=5,
        kind="drop_aggregate",
        target=actual.name,
        title=f"Drop {bare} to make it anew",
        actual=f"{reason}; {actual.chunks.total} chunks from {actual.chunks.oldest or 'nowhere'}",
        desired="made anew with the policy's definition, and filled from what its source still has",
        statements=(f"DROP MATERIALIZED VIEW {actual.name}",),
        verification=Verification(
            "SELECT count(*) FROM timescaledb_information.continuous_aggregates a"
            f" WHERE {is_aggregate(actual.name, 'a')}",
            "0",
        ),
        lock=Lock("ACCESS EXCLUSIVE", f"{actual.name} and {actual.source}", "a moment"),
        inverse=_again(state, actual, lost),
        before=plain(actual),
        destroys=lost,
        privileges=owner_of(state, actual.name),
    )


def _lost(state: State, policy: PolicySet, actual: AggregateState) -> str | None:
    """The materialised history that the source cannot give again."""
    if not actual.chunks.total or actual.chunks.oldest is None:
        return None
    bare = actual.source.partition(".")[2]
    own = state.aggregate(bare)
    chunks = own.chunks if own else state.table(policy.root(bare)).chunks
    if chunks.oldest is not None and chunks.oldest <= actual.chunks.oldest:
        return f"the materialised rows of {actual.name}, which its source can give again"
    source = "an empty source" if chunks.oldest is None else f"{actual.source} begins only at {chunks.oldest}"
    return (
        f"the materialised rows of {actual.name} since {actual.chunks.oldest} ({units.count_text(actual.chunks.total)}"
        f" chunks), for good as far as {source}"
    )


def _again(state: State, actual: AggregateState, lost: str | None) -> Inverse:
    only = str(actual.materialized_only).lower()
    body = actual.definition.rstrip().rstrip(";")
    statements = [
        f"CREATE MATERIALIZED VIEW {actual.name}"
        f" WITH (timescaledb.continuous, timescaledb.materialized_only = {only}) AS {body} WITH NO DATA"
    ]
    if actual.chunk_interval is not None:
        statements.append(f"SELECT set_chunk_time_interval({storage(actual.name)}, {interval(actual.chunk_interval)})")
    statements.append(f"CALL refresh_continuous_aggregate({literal(actual.name)}, NULL, NULL)")
    if actual.compression_enabled:
        statements.append(
            f"ALTER MATERIALIZED VIEW {actual.name} SET (timescaledb.compress,"
            f" timescaledb.compress_segmentby = {literal(', '.join(actual.segment_by))},"
            f" timescaledb.compress_orderby = {literal(', '.join(actual.order_by))})"
        )
    statements += [one.definition for one in state.indexes if one.table == actual.name]
    statements.append(f"ALTER MATERIALIZED VIEW {actual.name} OWNER TO {name(actual.owner)}")
    statements += [comment("VIEW", actual.name, actual.comment)] if actual.comment is not None else []
    statements += grants(actual.name, actual.grants)
    for job in state.jobs:
        if job.target == actual.name and job.kind in ("refresh", "compression", "retention"):
            statements += restore(job)
    return Inverse(
        tuple(statements),
        transactional=False,
        loses=None if lost is None or "can give again" in lost else lost,
    )
