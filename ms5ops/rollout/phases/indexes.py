# ruff: noqa: S608 - generating SQL is its purpose; every value goes through sql_text
"""Phase 4: indexes, the moving cut-off of real-time ones, and the jobs that keep it moving."""

import re
from datetime import UTC, timedelta

from ms5ops import units
from ms5ops.policy.document import IndexPolicy, PolicySet, UserJobPolicy
from ms5ops.policy.intervals import interval_sql
from ms5ops.rollout.drafts import Draft, needs_hypertable, obstacle, owner_of
from ms5ops.rollout.operation import Estimate, Inverse, Lock, Operation, Verification
from ms5ops.rollout.phases.jobs import job_operation
from ms5ops.rollout.policy_jobs import WantedJob
from ms5ops.rollout.records import IndexState, State, plain
from ms5ops.rollout.sql_text import comment, literal, split
from ms5ops.rollout.twins import WINDOW_MARK, index_body

PER_CHUNK = "WITH (timescaledb.transaction_per_chunk)"
ROWS_A_SECOND = 500_000
"""Own assumption for building a B-tree on one core."""
_ENTRY_BYTES = 40
"""Own assumption for one entry of a B-tree with included columns."""
NEW, OLD = "__new", "__old"
"""Appended to the name of an index while it is built beside the one that it replaces."""


def indexes(state: State, policy: PolicySet) -> Draft:
    """The policy's indexes; others are left alone. Then the jobs of users that the policy knows."""
    draft = Draft()
    for wanted in policy.active_indexes:
        if obstacle(state, policy, wanted.table) is not None:
            continue
        if wanted.window is not None and state.edition == "apache":
            draft.note(
                "cannot", wanted.name, "The Apache edition has no jobs, and without one its cut-off would stand still."
            )
            continue
        if wanted.name not in state.twins.indexes:
            reason = state.twins.problems.get(wanted.name)
            draft.note("cannot", wanted.name, f"The server does not take its definition: {reason}.")
            continue
        draft.add(*_leftovers(state, policy, wanted))
        _index(state, policy, wanted, draft)
    for job in policy.active_jobs:
        if state.edition == "apache":
            draft.note("cannot", job.name, "The Apache edition of TimescaleDB has no user jobs.")
            continue
        _user_job(state, policy, job, draft)
    return draft


def same_index(state: State, policy: PolicySet, wanted: IndexPolicy, actual: IndexState) -> bool:
    """Whether an index has the wanted definition, whatever the cut-off of a moving window."""
    if actual.is_unique or actual.table != policy.qualified(wanted.table):
        return False
    twin = state.twins.indexes[wanted.name]
    if wanted.window is None:
        return actual.shape == twin
    before, after = (re.escape(part) for part in twin.split(WINDOW_MARK))
    return re.fullmatch(rf"{before}(\d{{4}}-\d\d-\d\d [\d:.]+\+00){after}", actual.shape) is not None


def _index(state: State, policy: PolicySet, wanted: IndexPolicy, draft: Draft) -> None:
    actual, table = state.index(wanted.name), policy.qualified(wanted.table)
    if actual is not None and actual.is_constraint:
        draft.note("cannot", wanted.name, f"The name is taken by a constraint of {actual.table}.")
        return
    if actual is None or actual.is_broken or not same_index(state, policy, wanted, actual):
        draft.add(_build(state, policy, wanted, actual))
    elif wanted.comment is not None and wanted.comment != actual.comment:
        draft.add(
            Operation(
                key=f"04.{wanted.name}.index",
                phase=4,
                kind="comment",
                target=f"{state.schema}.{wanted.name}",
                title=f"Comment on {wanted.name}",
                actual=actual.comment or "no comment",
                desired=wanted.comment,
                statements=(_says(state, wanted.name, wanted.comment),),
                verification=Verification(_definition(state, wanted, wanted.comment), "1"),
                lock=Lock("SHARE UPDATE EXCLUSIVE", wanted.name, "a moment"),
                inverse=Inverse((_says(state, wanted.name, actual.comment),)),
                before={"comment": actual.comment},
                privileges=owner_of(state, table),
            )
        )


def _build(state: State, policy: PolicySet, wanted: IndexPolicy, actual: IndexState | None) -> Operation:
    table, schema = policy.qualified(wanted.table), state.schema
    body = index_body(policy, wanted, cut_off(state, wanted))
    # A broken one is of no use to anyone: it goes first. A valid one goes when its successor stands.
    beside = actual is not None and not actual.is_broken
    made = f"{wanted.name}{NEW}" if beside else wanted.name
    statements = [f"DROP INDEX IF EXISTS {schema}.{made}"] if actual is not None else []
    statements.append(create(made, table, body, per_chunk=True))
    if beside:
        statements += [f"DROP INDEX {schema}.{wanted.name}", f"ALTER INDEX {schema}.{made} RENAME TO {wanted.name}"]
    if wanted.comment is not None:
        statements.append(_says(state, wanted.name, wanted.comment))
    rows = state.table(wanted.table).rows or 0
    verb = "Create" if actual is None else "Replace" if beside else "Build anew"
    return Operation(
        key=f"04.{wanted.name}.index",
        phase=4,
        kind="create_index" if actual is None else "replace_index" if beside else "rebuild_index",
        target=f"{schema}.{wanted.name}",
        title=f"{verb} {wanted.name}: {wanted.purpose}",
        actual=_describe(actual),
        desired=f"on {wanted.table} {body}",
        statements=tuple(statements),
        embedded_statements=tuple(one.replace(f" {PER_CHUNK}", "") for one in statements),
        verification=Verification(_definition(state, wanted, wanted.comment), "1"),
        lock=Lock("SHARE", f"each chunk of {table} in turn", "the build on that chunk; ACCESS EXCLUSIVE to drop one")
        if actual is not None
        else Lock("SHARE", f"each chunk of {table} in turn", "the build on that chunk; other chunks take writes"),
        inverse=_back(state, wanted, actual),
        transactional=False,
        before=None if actual is None else plain(actual),
        estimate=Estimate(
            extra_bytes=None if wanted.method == "brin" or wanted.where or wanted.window else rows * _ENTRY_BYTES,
            seconds=0.5 + rows / ROWS_A_SECOND,
            basis=f"{_ENTRY_BYTES} bytes a row, {units.short_count_text(ROWS_A_SECOND)} rows/s",
        ),
        requires=needs_hypertable(state, wanted.table),
        privileges=owner_of(state, table),
    )


def _leftovers(state: State, policy: PolicySet, wanted: IndexPolicy) -> list[Operation]:
    """Drops what a replacement, or its way back, left beside the index when it was cut off."""
    found = [state.index(f"{wanted.name}{suffix}") for suffix in (NEW, OLD)]
    return [
        _drop(state, wanted, one)
        for one in found
        if one is not None and one.table == policy.qualified(wanted.table) and not one.is_constraint
    ]


def _drop(state: State, wanted: IndexPolicy, leftover: IndexState) -> Operation:
    target = f"{state.schema}.{leftover.name}"
    return Operation(
        key=f"04.{leftover.name}.leftover",
        phase=4,
        kind="drop_index",
        target=target,
        title=f"Drop {leftover.name}",
        actual=f"left by a replacement of {wanted.name} that did not finish",
        desired="no such index",
        statements=(f"DROP INDEX IF EXISTS {target}",),
        verification=Verification(f"SELECT (to_regclass({literal(target)}) IS NULL)::text", "true"),
        lock=Lock("ACCESS EXCLUSIVE", f"{leftover.table} and its chunks", "a moment"),
        inverse=_built_again(state, leftover)
        if not leftover.is_broken
        else Inverse(loses=f"the broken index {leftover.name}, which no query could rely on"),
        before=plain(leftover),
        privileges=owner_of(state, leftover.table),
    )


def cut_off(state: State, wanted: IndexPolicy) -> str:
    """Where the window of an index begins that is built now, as a timestamp in UTC; the hour without a window."""
    begins = state.now.replace(minute=0, second=0, microsecond=0) - (wanted.window or timedelta())
    return begins.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S+00")


def create(name: str, table: str, body: str, *, per_chunk: bool) -> str:
    """CREATE INDEX; ``per_chunk`` holds up writers to one chunk at a time, and runs outside a transaction only."""
    if not per_chunk:
        return f"CREATE INDEX {name} ON {table} {body}"
    head, where, condition = body.partition(" WHERE ")
    return f"CREATE INDEX {name} ON {table} {head} {PER_CHUNK}{where}{condition}"


def _back(state: State, wanted: IndexPolicy, actual: IndexState | None) -> Inverse:
    if actual is None:
        return Inverse((f"DROP INDEX IF EXISTS {state.schema}.{wanted.name}",))
    if actual.is_broken:
        return Inverse(
            (),
            transactional=False,
            loses=f"the broken index {wanted.name}, which no query could rely on: the whole one stays in its place",
        )
    return _built_again(state, actual, replacing=True)


def _built_again(state: State, actual: IndexState, *, replacing: bool = False) -> Inverse:
    """A captured index made anew, with its comment; ``replacing`` the one that has its name by then."""
    schema, made = state.schema, f"{actual.name}{OLD}" if replacing else actual.name
    per_chunk = state.table(split(actual.table)[1]).kind == "hypertable" and not actual.is_unique
    built = create(made, actual.table, actual.shape, per_chunk=per_chunk)
    if actual.is_unique:
        built = built.replace("CREATE INDEX", "CREATE UNIQUE INDEX", 1)
    statements = [f"DROP INDEX IF EXISTS {schema}.{made}", built]
    if replacing:
        statements += [f"DROP INDEX {schema}.{actual.name}", f"ALTER INDEX {schema}.{made} RENAME TO {actual.name}"]
    if actual.comment is not None:
        statements.append(_says(state, actual.name, actual.comment))
    embedded = tuple(one.replace(f" {PER_CHUNK}", "") for one in statements)
    return Inverse(tuple(statements), transactional=False, embedded_statements=embedded)


def _says(state: State, name: str, text: str | None) -> str:
    return comment("INDEX", f"{state.schema}.{name}", text)


def _definition(state: State, wanted: IndexPolicy, text: str | None) -> str:
    """Counts the index where it is valid (a build in pieces is so only at its end), of the wanted shape and comment."""
    twin = state.twins.indexes[wanted.name]
    head = twin.split(WINDOW_MARK)[0] if wanted.window is not None else twin
    compare = (
        f"starts_with(substring(pg_get_indexdef(i.indexrelid) FROM 'USING .*'), {literal(head)})"
        if wanted.window is not None
        else f"substring(pg_get_indexdef(i.indexrelid) FROM 'USING .*') = {literal(head)}"
    )
    said = "" if text is None else f" AND obj_description(i.indexrelid, 'pg_class') = {literal(text)}"
    return (
        "SELECT count(*) FROM pg_index i"
        f" WHERE i.indexrelid = to_regclass({literal(f'{state.schema}.{wanted.name}')})"
        f" AND i.indisvalid AND {compare}{said}"
    )


def _describe(actual: IndexState | None) -> str:
    if actual is None:
        return "no such index"
    if not actual.is_valid:
        return "invalid: an earlier build did not finish"
    if actual.invalid_chunks:
        return f"invalid on {actual.invalid_chunks} of {actual.chunks} chunks"
    if actual.is_broken:
        return f"missing on {actual.missing_chunks} of {actual.chunks} chunks"
    return f"on {actual.table.partition('.')[2]} {actual.shape}"


# User jobs ------------------------------------------------------------------------------------------------------------


def _user_job(state: State, policy: PolicySet, wanted: UserJobPolicy, draft: Draft) -> None:
    relation = policy.qualified(wanted.name)
    actual = next((one for one in state.procedures if one.name == relation), None)
    source = _source(wanted.body.sql)
    requires: tuple[str, ...] = ()
    if actual is None or actual.source.strip() != source.strip() or actual.language != "plpgsql":
        key = f"04.{wanted.name}.procedure"
        requires = (key,)
        back = f"DROP PROCEDURE {relation}(integer, jsonb)" if actual is None else actual.definition
        draft.add(
            Operation(
                key=key,
                phase=4,
                kind="create_procedure" if actual is None else "replace_procedure",
                target=relation,
                title=f"{'Create' if actual is None else 'Replace'} the procedure {wanted.name}",
                actual="no such procedure" if actual is None else "another body",
                desired=wanted.body.about,
                statements=(wanted.body.sql,),
                verification=Verification(
                    "SELECT count(*) FROM pg_proc p"
                    f" WHERE p.oid = to_regprocedure({literal(f'{relation}(integer, jsonb)')})"
                    f" AND btrim(p.prosrc, E' \\n\\r\\t') = {literal(source.strip())}",
                    "1",
                ),
                lock=Lock("ROW EXCLUSIVE", "the catalogue of functions", "a moment"),
                inverse=Inverse((back,)),
                before=None if actual is None else plain(actual),
                privileges=(f"CREATE on schema {state.schema}",),
            )
        )
    made_with = {f"04.{one.name}.index" for one in policy.active_indexes if one.trim_job == wanted.name}
    built = {one.key for one in draft.operations if one.kind in ("create_index", "replace_index", "rebuild_index")}
    draft.add(
        job_operation(
            state,
            WantedJob("user", relation, dict(wanted.config), wanted.every, decides_start=False),
            key=f"04.{wanted.name}.job",
            phase=4,
            title=f"Run {wanted.name} every {interval_sql(wanted.every)}",
            requires=(*requires, *sorted(made_with & built)),
            draft=draft,
        )
    )


def _source(sql: str) -> str:
    """What stands between the dollar quotes: a procedure's prosrc."""
    match = re.search(r"AS\s+(\$\w*\$)(.*)\1", sql, re.DOTALL)
    assert match is not None  # noqa: S101 - the policy has checked the form
    return match[2]
