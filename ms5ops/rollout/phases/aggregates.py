# ruff: noqa: S608 - generating SQL is its purpose; every value goes through sql_text
"""Phase 5: continuous aggregates bottom up, their first filling, then their policies.

A changed definition means that the aggregate, and all that read it, are made anew: the server cannot alter one.
"""

from dataclasses import replace

from ms5ops.policy.document import AggregatePolicy, PolicySet
from ms5ops.policy.intervals import interval_sql
from ms5ops.rollout.drafts import Draft, convert_key, obstacle, owner_of
from ms5ops.rollout.operation import Inverse, Lock, Operation, Verification
from ms5ops.rollout.phases.aggregate_drops import drop
from ms5ops.rollout.phases.aggregate_policies import policies
from ms5ops.rollout.phases.aggregate_refreshes import refresh
from ms5ops.rollout.records import AggregateState, State, span
from ms5ops.rollout.sql_text import interval, is_aggregate, storage


def aggregates(state: State, policy: PolicySet) -> Draft:
    """Drops top down, then makings and fillings bottom up, then refresh, compression and retention policies."""
    draft = Draft()
    if state.edition == "apache":
        draft.note("cannot", "phase 5", "The Apache edition of TimescaleDB has no continuous aggregates.")
        return draft
    wanted = [one for one in policy.active_aggregates if obstacle(state, policy, policy.root(one.name)) is None]
    blocked = _blocked(state, policy, wanted, draft)
    anew = _to_make_anew(state, policy, wanted, blocked, draft)
    for name in sorted(anew, key=policy.level, reverse=True):
        actual = state.aggregate(name)
        if actual is not None:
            draft.add(drop(state, policy, actual, anew[name]))
    left = _without(state, {policy.qualified(name) for name in anew})
    for one in wanted:
        if one.name in blocked:
            continue
        draft.add(*_made(left, policy, one, anew), refresh(left, policy, one))
    for one in wanted:
        if one.name not in blocked:
            draft.add(*policies(left, policy, one, draft))
    draft.operations = _with_known_requirements(draft.operations)
    known = {policy.qualified(name) for name in policy.aggregates}
    for other in state.aggregates:
        if other.name not in known:
            draft.note("drift", other.name, f"An aggregate over {other.source} that the policy does not know.")
    return draft


def _blocked(state: State, policy: PolicySet, wanted: list[AggregatePolicy], draft: Draft) -> set[str]:
    """Aggregates that the server cannot make, and those that read them."""
    blocked: set[str] = set()
    for one in wanted:
        name = policy.qualified(one.name)
        if one.source in blocked:
            blocked.add(one.name)
            draft.note("cannot", name, f"It reads {one.source}, which cannot be made.")
        elif state.view(one.name) is not None:
            blocked.add(one.name)
            draft.note("cannot", name, "A plain view has its name: drop it, then plan again.")
        elif _source_is_there(state, policy, one) and one.name not in state.twins.aggregates:
            blocked.add(one.name)
            reason = state.twins.problems.get(one.name)
            draft.note("cannot", name, f"The server does not take its body: {reason}.")
    return blocked


def _source_is_there(state: State, policy: PolicySet, one: AggregatePolicy) -> bool:
    """Whether its body could be tried against the source that it will read: not one that will be made anew."""
    if one.source in policy.aggregates:
        return state.aggregate(one.source) is not None and not _differs(state, policy, one.source)
    return state.table(one.source).kind != "missing"


def _differs(state: State, policy: PolicySet, name: str) -> bool:
    """Whether an aggregate is there with another definition than the policy's, or reads one that is."""
    actual, wanted = state.aggregate(name), policy.aggregates.get(name)
    if actual is None or wanted is None:
        return False
    return state.twins.aggregates.get(name) != actual.definition or _differs(state, policy, wanted.source)


def _to_make_anew(
    state: State, policy: PolicySet, wanted: list[AggregatePolicy], blocked: set[str], draft: Draft
) -> dict[str, str]:
    """Aggregates whose definition differs, and those that read them, with the reason; not where others depend on it."""
    reasons: dict[str, str] = {}
    for one in wanted:
        actual = state.aggregate(one.name)
        if actual is None or one.name in blocked:
            continue
        if one.source in reasons:
            reasons[one.name] = f"it reads {one.source}, which is made anew"
        elif state.twins.aggregates.get(one.name) != actual.definition:
            reasons[one.name] = "its definition differs"
    for name in sorted(reasons, key=policy.level, reverse=True):
        actual = state.aggregate(name)
        assert actual is not None  # noqa: S101 - only those that are there have a reason
        readers = [one.name for one in state.aggregates if one.source == actual.name]
        strangers = [one for one in readers if one.partition(".")[2] not in reasons]
        if strangers or actual.used_by:
            others = ", ".join((*strangers, *actual.used_by))
            draft.note(
                "cannot", actual.name, f"{reasons[name].capitalize()}, but {others} depends on it: drop that first."
            )
            del reasons[name]
    return reasons


def _without(state: State, names: set[str]) -> State:
    """The state once those aggregates have been dropped; their jobs and indexes go with them."""
    if not names:
        return state
    return replace(
        state,
        aggregates=tuple(one for one in state.aggregates if one.name not in names),
        jobs=tuple(one for one in state.jobs if one.target not in names),
        indexes=tuple(one for one in state.indexes if one.table not in names),
    )


def _made(state: State, policy: PolicySet, wanted: AggregatePolicy, anew: dict[str, str]) -> list[Operation]:
    actual = state.aggregate(wanted.name)
    if actual is None:
        return [_create(state, policy, wanted, f"05.{wanted.name}.drop" if wanted.name in anew else None)]
    found = []
    if actual.materialized_only is not wanted.materialized_only:
        found.append(_materialized_only(state, actual, wanted))
    if span(actual.chunk_interval) != wanted.chunk_interval:
        found.append(_chunk_interval(state, actual, wanted))
    return found


def _create(state: State, policy: PolicySet, wanted: AggregatePolicy, after: str | None) -> Operation:
    name, source = policy.qualified(wanted.name), policy.qualified(wanted.source)
    only = str(wanted.materialized_only).lower()
    made = (
        f"CREATE MATERIALIZED VIEW {name}\n"
        f"WITH (timescaledb.continuous, timescaledb.materialized_only = {only}) AS\n{wanted.body.sql}\nWITH NO DATA"
    )
    requires = (convert_key(policy.root(wanted.name)), f"05.{wanted.source}.create", *([after] if after else []))
    return Operation(
        key=f"05.{wanted.name}.create",
        phase=5,
        kind="create_aggregate",
        target=name,
        title=f"Create {wanted.name}",
        actual="no such aggregate" if after is None else "dropped, to be made anew",
        desired=f"{wanted.body.about} Read from {wanted.source}, still empty.",
        # The chunk interval by way of the materialised hypertable: before 2.12 the aggregate's name is not taken.
        statements=(made, _set_interval(name, interval_sql(wanted.chunk_interval))),
        verification=Verification(
            "SELECT count(*) FROM timescaledb_information.continuous_aggregates a"
            f" WHERE {is_aggregate(name, 'a')} AND a.materialized_only = {only}",
            "1",
        ),
        lock=Lock("SHARE ROW EXCLUSIVE", source, "a moment"),
        inverse=Inverse((f"DROP MATERIALIZED VIEW {name}",)),
        requires=requires,
        privileges=(*owner_of(state, source), f"CREATE on schema {state.schema}"),
    )


def _set_interval(name: str, text: str) -> str:
    return f"SELECT set_chunk_time_interval({storage(name)}, {interval(text)})"


def _chunk_interval(state: State, actual: AggregateState, wanted: AggregatePolicy) -> Operation:
    desired = interval_sql(wanted.chunk_interval)
    return Operation(
        key=f"05.{wanted.name}.chunk_interval",
        phase=5,
        kind="chunk_interval",
        target=actual.name,
        title=f"New chunks of {wanted.name} span {desired}",
        actual=f"chunks of {actual.chunk_interval}",
        desired=f"future chunks of {desired} (the {actual.chunks.total} existing chunks keep their range)",
        statements=(_set_interval(actual.name, desired),),
        verification=Verification(
            "SELECT count(*) FROM timescaledb_information.dimensions d"
            f" WHERE format('%I.%I', d.hypertable_schema, d.hypertable_name)::regclass = {storage(actual.name)}"
            f" AND d.time_interval = {interval(desired)}",
            "1",
        ),
        lock=Lock("ROW EXCLUSIVE", "the catalogue's entry of the aggregate", "a moment"),
        inverse=Inverse(
            (_set_interval(actual.name, actual.chunk_interval or desired),),
            loses="chunks that are made in between keep their range",
        ),
        before={"chunk_interval": actual.chunk_interval},
        privileges=owner_of(state, actual.name),
    )


def _materialized_only(state: State, actual: AggregateState, wanted: AggregatePolicy) -> Operation:
    def set_to(value: bool) -> str:
        only = str(value).lower()
        return f"ALTER MATERIALIZED VIEW {actual.name} SET (timescaledb.materialized_only = {only})"

    words = {True: "materialised rows only", False: "with what is not yet materialised computed when it is read"}
    return Operation(
        key=f"05.{wanted.name}.materialized_only",
        phase=5,
        kind="materialized_only",
        target=actual.name,
        title=f"{wanted.name} shows {words[wanted.materialized_only]}",
        actual=words[actual.materialized_only],
        desired=words[wanted.materialized_only],
        statements=(set_to(wanted.materialized_only),),
        verification=Verification(
            "SELECT a.materialized_only::text FROM timescaledb_information.continuous_aggregates a"
            f" WHERE {is_aggregate(actual.name, 'a')}",
            str(wanted.materialized_only).lower(),
        ),
        lock=Lock("ACCESS EXCLUSIVE", actual.name, "a moment"),
        inverse=Inverse((set_to(actual.materialized_only),)),
        before={"materialized_only": actual.materialized_only},
        privileges=owner_of(state, actual.name),
    )


def _with_known_requirements(operations: list[Operation]) -> list[Operation]:
    """Each phase-5 operation without requirements of this phase that are not planned: those stand already."""
    keys = {one.key for one in operations}
    return [
        replace(one, requires=tuple(key for key in one.requires if not key.startswith("05.") or key in keys))
        for one in operations
    ]
