# ruff: noqa: S608 - generating SQL is its purpose; every value goes through sql_text
"""Operations on jobs, for all phases: a policy is added, altered, made anew or removed."""

from collections.abc import Iterable

from ms5ops.policy.intervals import interval_sql
from ms5ops.rollout.drafts import Draft, owner_of
from ms5ops.rollout.operation import Estimate, Inverse, Lock, Operation, Phase, Verification
from ms5ops.rollout.policy_jobs import WantedJob, add, change, differences, remove, restore
from ms5ops.rollout.records import JobState, State, plain
from ms5ops.rollout.sql_text import literal, split

_LOCK = Lock("ROW EXCLUSIVE", "TimescaleDB's table of jobs", "a moment")
_POLICY = {
    "compression": "compression policy",
    "retention": "retention policy",
    "refresh": "refresh policy",
    "user": "job",
}


def job_operation(
    state: State,
    wanted: WantedJob,
    *,
    key: str,
    phase: Phase,
    title: str,
    requires: Iterable[str],
    draft: Draft,
    destroys: str | None = None,
    holds: bool = False,
) -> Operation | None:
    """The operation that brings a job to what is wanted; None where it is so. Further jobs like it become notes.

    ``holds``: where more would be dropped than before, the next run waits for the policy's first run.
    """
    found = _jobs(state, wanted)
    for other in found[1:]:
        draft.note(
            "drift", wanted.target, f"A second {_POLICY[wanted.kind]} (job {other.job_id}: {dict(other.config)})."
        )
    job = found[0] if found else None
    changed = add(wanted) if job is None else change(state, wanted, job, wanted.held_until if holds else None)
    if changed is None:
        return None
    actual = "no such job" if job is None else ", ".join(one.actual for one in changed.differences)
    desired = _describe(wanted) if job is None else ", ".join(one.desired for one in changed.differences)
    return Operation(
        key=key,
        phase=phase,
        kind="add_job" if job is None else "alter_job",
        target=wanted.target,
        title=title,
        actual=actual,
        desired=desired,
        statements=changed.statements,
        verification=Verification(changed.verification, "1"),
        lock=_LOCK,
        inverse=Inverse(
            changed.back,
            loses="rows that it has dropped by then" if destroys else None,
        ),
        before=None if job is None else plain(job),
        destroys=destroys,
        estimate=Estimate(0, 0.1, "a row of the catalogue"),
        requires=tuple(requires),
        privileges=owner_of(state, wanted.target) if wanted.kind != "user" else (f"CREATE on schema {state.schema}",),
    )


def removal(
    state: State, target: str, kind: str, *, phase: Phase, key: str, requires: Iterable[str] = ()
) -> list[Operation]:
    """The operation that removes a policy which the policy set says shall not be there; none where it is not."""
    found = state.jobs_of(target, kind)
    if not found:
        return []
    schema, bare = split(target)
    return [
        Operation(
            key=key,
            phase=phase,
            kind="remove_job",
            target=target,
            title=f"Remove the {_POLICY[kind]} of {bare}",
            actual=", ".join(f"{name} {value}" for name, value in found[0].config.items()),
            desired='none ("never")',
            statements=(remove(kind, target),),
            verification=Verification(
                "SELECT count(*) FROM timescaledb_information.jobs j"
                f" WHERE j.proc_name = {literal(found[0].procedure.partition('.')[2])}"
                f" AND j.hypertable_schema = {literal(schema)} AND j.hypertable_name = {literal(bare)}",
                "0",
            ),
            lock=_LOCK,
            inverse=Inverse(restore(found[0])),
            before=plain(found[0]),
            requires=tuple(requires),
            privileges=owner_of(state, target),
        )
    ]


def _jobs(state: State, wanted: WantedJob) -> list[JobState]:
    if wanted.kind == "user":
        return [job for job in state.jobs if job.kind == "user" and job.procedure == wanted.target]
    found = list(state.jobs_of(wanted.target, wanted.kind))
    return sorted(found, key=lambda job: (len(differences(wanted, job)), job.job_id))


def _describe(wanted: WantedJob) -> str:
    parts = [
        f"{name} {interval_sql(value) if hasattr(value, 'total_seconds') else value}"
        for name, value in wanted.config.items()
    ]
    parts.append(f"every {interval_sql(wanted.every)}")
    if wanted.start is not None:
        parts.append(
            f"from {wanted.start.isoformat('minutes')} UTC, the first run {wanted.first_run_after_days} days ahead"
        )
    return ", ".join(parts)
