# ruff: noqa: S608 - generating SQL is its purpose; every value goes through sql_text
"""Refresh, compression and retention policies of aggregates, after they have been filled."""

from ms5ops.policy.document import AggregatePolicy, PolicySet
from ms5ops.policy.intervals import interval_sql
from ms5ops.rollout.drafts import Draft, owner_of
from ms5ops.rollout.operation import Inverse, Lock, Operation, Verification
from ms5ops.rollout.phases.jobs import job_operation
from ms5ops.rollout.phases.retention import destroyed, drops_more, fillings
from ms5ops.rollout.policy_jobs import WantedJob, of_schedule
from ms5ops.rollout.records import Chunks, State
from ms5ops.rollout.sql_text import is_aggregate, of_aggregate, per_chunk


def policies(state: State, policy: PolicySet, wanted: AggregatePolicy, draft: Draft) -> list[Operation | None]:
    """The operations on one aggregate's jobs; what the policy does not ask for is left as it is."""
    name = policy.qualified(wanted.name)
    filled = (f"05.{wanted.name}.create", f"05.{wanted.name}.refresh")
    reach = "the beginning" if wanted.start_offset is None else f"{interval_sql(wanted.start_offset)} ago"
    found = [
        job_operation(
            state,
            WantedJob(
                "refresh",
                name,
                {"start_offset": wanted.start_offset, "end_offset": wanted.end_offset},
                wanted.schedule_interval,
                is_aggregate=True,
                decides_start=False,
            ),
            key=f"05.{wanted.name}.refresh_policy",
            phase=5,
            title=f"Refresh {wanted.name} from {reach} every {interval_sql(wanted.schedule_interval)}",
            requires=filled,
            draft=draft,
        )
    ]
    if wanted.compress_after is not None:
        settings = _compression(state, wanted, name)
        found.append(settings)
        found.append(
            job_operation(
                state,
                WantedJob(
                    "compression",
                    name,
                    {"compress_after": wanted.compress_after},
                    **of_schedule(policy.schedules.compression),
                    is_aggregate=True,
                ),
                key=f"05.{wanted.name}.compression_policy",
                phase=5,
                title=f"Compress {wanted.name} after {interval_sql(wanted.compress_after)}",
                requires=(*filled, *((settings.key,) if settings else ())),
                draft=draft,
            )
        )
    if wanted.drop_after is not None:
        actual = state.aggregate(wanted.name)
        chunks = actual.chunks if actual else Chunks()
        more = drops_more(state, name, wanted.drop_after)
        found.append(
            job_operation(
                state,
                WantedJob(
                    "retention",
                    name,
                    {"drop_after": wanted.drop_after},
                    **of_schedule(policy.schedules.retention),
                    is_aggregate=True,
                ),
                key=f"05.{wanted.name}.retention_policy",
                phase=5,
                title=f"Drop rows of {wanted.name} after {interval_sql(wanted.drop_after)}",
                requires=(*filled, *(fillings(policy, wanted.name) if more else ())),
                draft=draft,
                destroys=destroyed(state, name, wanted.drop_after, chunks) if more else None,
                holds=more,
            )
        )
    return found


def _compression(state: State, wanted: AggregatePolicy, name: str) -> Operation | None:
    """Switched on with the server's own choice of segments (the columns that it groups by)."""
    actual = state.aggregate(wanted.name)
    if actual is not None and actual.compression_enabled:
        return None
    chunks = (
        "SELECT format('%I.%I', c.chunk_schema, c.chunk_name)::regclass FROM timescaledb_information.chunks c"
        f" WHERE {of_aggregate(name, 'c')} AND c.is_compressed ORDER BY c.range_start DESC"
    )
    return Operation(
        key=f"05.{wanted.name}.compression_settings",
        phase=5,
        kind="compression_settings",
        target=name,
        title=f"Switch on compression of {wanted.name}",
        actual="no compression",
        desired="segmented by what it groups by, ordered by its bucket",
        statements=(f"ALTER MATERIALIZED VIEW {name} SET (timescaledb.compress = true)",),
        verification=Verification(
            "SELECT a.compression_enabled::text FROM timescaledb_information.continuous_aggregates a"
            f" WHERE {is_aggregate(name, 'a')}",
            "true",
        ),
        lock=Lock("ACCESS EXCLUSIVE", name, "a moment"),
        inverse=Inverse(
            (
                per_chunk(chunks, "decompress_chunk(chunk, true)"),
                f"ALTER MATERIALIZED VIEW {name} SET (timescaledb.compress = false)",
            ),
            transactional=False,
        ),
        before={"enabled": False},
        requires=(f"05.{wanted.name}.create", f"05.{wanted.name}.refresh"),
        privileges=owner_of(state, name),
    )
