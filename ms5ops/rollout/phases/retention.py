"""Phase 3: retention policies of tables. No row may be dropped before the aggregates above its table hold it."""

from datetime import datetime, timedelta

from ms5ops import units
from ms5ops.policy.document import PolicySet, TablePolicy
from ms5ops.policy.intervals import interval_sql
from ms5ops.rollout.drafts import Draft, needs_hypertable, obstacle
from ms5ops.rollout.operation import Operation
from ms5ops.rollout.phases.jobs import job_operation, removal
from ms5ops.rollout.policy_jobs import WantedJob, of_schedule
from ms5ops.rollout.records import Chunks, State, TableState, span


def retention(state: State, policy: PolicySet) -> Draft:
    """Retention of each table, after the first filling of what reads it (``requires``, where that is in the plan)."""
    draft = Draft()
    if state.edition == "apache":
        draft.note("cannot", "phase 3", "The Apache edition of TimescaleDB has no retention policies.")
        return draft
    for wanted in policy.active_tables:
        table = state.table(wanted.name)
        if obstacle(state, policy, wanted.name) is not None:
            continue
        key = f"03.{wanted.name}.retention_policy"
        if wanted.drop_after is None:
            draft.add(*removal(state, table.name, "retention", phase=3, key=key))
            continue
        draft.add(_policy(state, policy, table, wanted, draft))
    return draft


def drops_more(state: State, target: str, drop_after: timedelta) -> bool:
    """Whether the wanted policy lets rows be dropped that are safe by now: a new one, a shorter or a paused one."""
    found = state.jobs_of(target, "retention")
    if not found or not found[0].scheduled:
        return True
    kept = span(str(found[0].config.get("drop_after")))
    return kept is None or kept > drop_after


def fillings(policy: PolicySet, name: str) -> tuple[str, ...]:
    """The keys of all refreshes above a table or aggregate."""
    above = [one.name for one in policy.active_aggregates if one.source == name]
    return tuple(key for one in above for key in (f"05.{one}.refresh", *fillings(policy, one)))


def destroyed(state: State, relation: str, drop_after: timedelta, chunks: Chunks) -> str:
    """What a retention policy drops for good, and what of it is due already."""
    kept = f"rows of {relation} older than {interval_sql(drop_after)}, from its first run on"
    if chunks.oldest is None:
        return kept
    if not chunks.to_drop:
        return f"{kept}; none are by now"
    since = datetime.fromisoformat(chunks.oldest)
    until = state.now - drop_after
    return (
        f"{kept}; {chunks.to_drop} of {chunks.total} chunks are by now, with rows from {units.instant_text(since)}"
        f" to about {units.instant_text(until)}"
    )


def _policy(state: State, policy: PolicySet, table: TableState, wanted: TablePolicy, draft: Draft) -> Operation | None:
    assert wanted.drop_after is not None  # noqa: S101 - asked by the caller
    more = drops_more(state, table.name, wanted.drop_after)
    job = WantedJob(
        "retention",
        table.name,
        {"drop_after": wanted.drop_after},
        **of_schedule(policy.retention_schedule(wanted)),
    )
    return job_operation(
        state,
        job,
        key=f"03.{wanted.name}.retention_policy",
        phase=3,
        title=f"Drop rows of {wanted.name} after {interval_sql(wanted.drop_after)}",
        requires=(*needs_hypertable(state, wanted.name), *(fillings(policy, wanted.name) if more else ())),
        draft=draft,
        destroys=destroyed(state, table.name, wanted.drop_after, table.chunks) if more else None,
        holds=more,
    )
