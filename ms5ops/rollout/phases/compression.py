# ruff: noqa: S608 - generating SQL is its purpose; every value goes through sql_text
"""Phase 2: compression settings, policies, and the backlog that a new policy finds."""

from dataclasses import replace

from ms5ops import units
from ms5ops.policy.document import PolicySet, TablePolicy
from ms5ops.policy.intervals import interval_sql
from ms5ops.policy.names import Ordered
from ms5ops.rollout.drafts import Draft, needs_hypertable, obstacle, owner_of
from ms5ops.rollout.operation import Estimate, Inverse, Lock, Operation, Steps, Verification
from ms5ops.rollout.phases.jobs import job_operation, removal
from ms5ops.rollout.policy_jobs import WantedJob, of_schedule
from ms5ops.rollout.records import State, TableState
from ms5ops.rollout.sql_text import array, interval, is_relation, literal, of_chunks, per_chunk

BYTES_A_SECOND = 20_000_000
"""Own assumption for compressing on one core; the job runs, and the estimate only sizes the window."""

SETTINGS_FREE_FROM = (2, 14, 0)
"""From here on each chunk keeps the settings it was compressed with; before, compressed chunks forbid a change."""

FOREIGN_KEYS_FREE_FROM = (2, 17, 0)
"""Before, each column with a foreign key had to segment ("cannot be enforced with the given compression
configuration"). Tried: 2.11.2 refuses, 2.23 does not; in between, the bound is the latest that it can be."""


def compression(state: State, policy: PolicySet) -> Draft:
    """Settings, backlog and policy of each table; what comes later is the policy's to compress."""
    draft = Draft()
    if state.edition == "apache":
        draft.note("cannot", "phase 2", "The Apache edition of TimescaleDB has no compression.")
        return draft
    for wanted in policy.active_tables:
        table = state.table(wanted.name)
        if obstacle(state, policy, wanted.name) is not None:
            continue
        if wanted.compress_after is None:
            draft.add(*removal(state, table.name, "compression", phase=2, key=f"02.{wanted.name}.compression_policy"))
            continue
        settings = _settings(state, table, wanted, draft)
        draft.add(settings)
        key = f"02.{wanted.name}.compression_policy"
        job = job_operation(
            state,
            WantedJob(
                "compression",
                table.name,
                {"compress_after": wanted.compress_after},
                **of_schedule(policy.schedules.compression),
            ),
            key=key,
            phase=2,
            title=f"Compress {wanted.name} after {interval_sql(wanted.compress_after)}",
            requires=(*needs_hypertable(state, wanted.name), *((settings.key,) if settings else ())),
            draft=draft,
        )
        if job is not None:
            # Before the policy, whose job would start at once and be in the way.
            backlog = _backlog(state, table, wanted, job.requires)
            draft.add(backlog)
            job = job if backlog is None else replace(job, requires=(*job.requires, backlog.key))
        draft.add(job)
    return draft


def segments(state: State, table: TableState, wanted: TablePolicy) -> tuple[str, ...]:
    """What to segment by on this version."""
    if state.version >= FOREIGN_KEYS_FREE_FROM:
        return wanted.segment_by
    keyed = {column for one in table.constraints if one.kind == "f" for column in one.columns}
    more = (one.name for one in table.columns if one.name in keyed and one.name not in wanted.segment_by)
    return (*wanted.segment_by, *more)


def ordered(column: Ordered) -> str:
    """As the server tells it: NULLS only where it is not what the direction implies."""
    implied = "FIRST" if column.descending else "LAST"
    return str(column.model_copy(update={"nulls": None if column.nulls == implied else column.nulls}))


def _settings(state: State, table: TableState, wanted: TablePolicy, draft: Draft) -> Operation | None:
    segment, order = segments(state, table, wanted), tuple(map(ordered, wanted.order_by))
    if segment != wanted.segment_by:
        more = ", ".join(column for column in segment if column not in wanted.segment_by)
        draft.note(
            "remark", table.name, f"Segmented by {more} too: this version wants all foreign keys among the segments."
        )
    if table.compression_enabled and (table.segment_by, table.order_by) == (segment, order):
        return None
    described = f"segment by {', '.join(segment) or 'nothing'}, order by {', '.join(order)}"
    compressed = table.chunks.compressed
    if table.compression_enabled and compressed and state.version < SETTINGS_FREE_FROM:
        draft.note(
            "cannot",
            table.name,
            f"{described}: this version refuses other settings while {compressed} chunks are compressed. Decompress"
            " them first, or update TimescaleDB to 2.14 or later.",
        )
        return None
    only_later = f"; the {compressed} compressed chunks keep theirs" if compressed else ""
    before = f"segment by {', '.join(table.segment_by) or 'nothing'}, order by {', '.join(table.order_by) or 'nothing'}"
    return Operation(
        key=f"02.{wanted.name}.compression_settings",
        phase=2,
        kind="compression_settings",
        target=table.name,
        title=f"{'Change' if table.compression_enabled else 'Switch on'} compression of {wanted.name}",
        actual=before if table.compression_enabled else "no compression",
        desired=f"{described}{only_later}",
        statements=(_set(table.name, segment, order),),
        verification=Verification(_settings_there(table.name, segment, order), "yes"),
        lock=Lock("ACCESS EXCLUSIVE", table.name, "a moment"),
        inverse=Inverse((_set(table.name, table.segment_by, table.order_by),))
        if table.compression_enabled
        else Inverse(
            (decompress(table.name), f"ALTER TABLE {table.name} SET (timescaledb.compress = false)"),
            transactional=False,
        ),
        before={
            "enabled": table.compression_enabled,
            "segment_by": list(table.segment_by),
            "order_by": list(table.order_by),
        },
        requires=needs_hypertable(state, wanted.name),
        privileges=owner_of(state, table.name),
    )


def decompress(table: str, only: tuple[str, ...] | None = None) -> str:
    """Decompress chunk by chunk, newest first, with a commit after each; ``only`` those of these names."""
    listed = "" if only is None else f" AND c.chunk_schema || '.' || c.chunk_name = ANY ({array(only)})"
    return per_chunk(of_chunks(table, f"c.is_compressed{listed}"), "decompress_chunk(chunk, true)")


def _set(table: str, segment: tuple[str, ...], order: tuple[str, ...]) -> str:
    return (
        f"ALTER TABLE {table} SET (timescaledb.compress,"
        f" timescaledb.compress_segmentby = {literal(', '.join(segment))},"
        f" timescaledb.compress_orderby = {literal(', '.join(order))})"
    )


def _settings_there(table: str, segment: tuple[str, ...], order: tuple[str, ...]) -> str:
    wanted_segment = array(segment) if segment else "ARRAY[]::text[]"
    return (
        "SELECT CASE WHEN coalesce(array_agg(s.attname::text ORDER BY s.segmentby_column_index)"
        f" FILTER (WHERE s.segmentby_column_index IS NOT NULL), '{{}}') = {wanted_segment}"
        " AND array_agg(s.attname || CASE WHEN s.orderby_asc THEN '' ELSE ' DESC' END ORDER BY s.orderby_column_index)"
        f" FILTER (WHERE s.orderby_column_index IS NOT NULL) = {array(one.split(' NULLS ')[0] for one in order)}"
        " THEN 'yes' ELSE 'no' END"
        f" FROM timescaledb_information.compression_settings s WHERE {is_relation(table, 's')}"
    )


def _backlog(state: State, table: TableState, wanted: TablePolicy, requires: tuple[str, ...]) -> Operation | None:
    """What is old enough by now; None where nothing can be."""
    assert wanted.compress_after is not None  # noqa: S101 - asked by the caller
    becomes = table.kind == "plain" and bool(table.rows)
    if not becomes and not table.chunks.to_compress:
        return None
    after = interval_sql(wanted.compress_after)
    eligible = f"c.range_end < now() - {interval(after)} AND NOT c.is_compressed"
    count = f"{len(table.chunks.to_compress)} chunks" if not becomes else "the chunks"
    before = {"uncompressed": list(table.chunks.to_compress), "was_plain": becomes}
    share = 1.0 if becomes else len(table.chunks.to_compress) / max(table.chunks.total, 1)
    size = None if table.size_bytes is None or not becomes else int(table.size_bytes * share)
    return Operation(
        key=f"02.{wanted.name}.compress",
        phase=2,
        kind="compress_chunks",
        target=table.name,
        title=f"Compress {count} of {wanted.name} that are older than {after}",
        actual="uncompressed",
        desired="compressed, one commit per chunk, newest first",
        statements=(per_chunk(of_chunks(table.name, eligible), "compress_chunk(chunk, true)"),),
        verification=Verification(
            "SELECT count(*) FROM timescaledb_information.chunks c"
            f" WHERE {is_relation(table.name, 'c')} AND c.range_end < now() - {interval(after)} - INTERVAL '12 hours'"
            " AND NOT c.is_compressed",
            "0",
        ),
        lock=Lock("ACCESS EXCLUSIVE", "each chunk in turn", "the end of its compression; writers to old chunks wait"),
        inverse=Inverse((decompress(table.name, None if becomes else table.chunks.to_compress),), transactional=False),
        transactional=False,
        before=before,
        estimate=Estimate(
            extra_bytes=None,
            seconds=None if size is None else size / BYTES_A_SECOND,
            basis=f"{units.bytes_text(BYTES_A_SECOND)}/s; one chunk's copy at a time",
        ),
        steps=Steps("compress", {"hypertable": table.name, "older_than": after}),
        requires=requires,
        privileges=owner_of(state, table.name),
    )
