# ruff: noqa: S608 - generating SQL is its purpose; every value goes through sql_text
"""Jobs of policies and users: what differs from the wanted one, the SQL that changes it, and the way back.

An existing job is altered, which keeps its id and its history; ``if_not_exists`` would keep other arguments with a mere
warning. It is made anew only where alter_job cannot change what differs (the fixed schedule, before 2.15).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any, Literal

from ms5ops.policy.document import JobSchedule
from ms5ops.policy.intervals import interval_sql
from ms5ops.rollout.records import JobState, State, span
from ms5ops.rollout.sql_text import interval, is_relation, jsonb, literal, of_aggregate, split

Kind = Literal["compression", "retention", "refresh", "user"]

_ADD = {
    "compression": "add_compression_policy",
    "retention": "add_retention_policy",
    "refresh": "add_continuous_aggregate_policy",
}
_REMOVE = {
    "compression": "remove_compression_policy",
    "retention": "remove_retention_policy",
    "refresh": "remove_continuous_aggregate_policy",
}
_PROCEDURE = {
    "compression": "policy_compression",
    "retention": "policy_retention",
    "refresh": "policy_refresh_continuous_aggregate",
}
_OWN_ARGUMENTS = {
    "compression": ("compress_after", "compress_created_before"),
    "retention": ("drop_after", "drop_created_before"),
    "refresh": ("start_offset", "end_offset"),
}


@dataclass(frozen=True)
class WantedJob:
    """The job that the policy asks for; None leaves a part as it is.

    ``config``: timedelta and None (NULL) for policies, plain values for users' jobs. ``start``: a time of day in UTC
    that fixes the schedule; None for a schedule that counts from the end of each run.
    """

    kind: Kind
    target: str
    config: Mapping[str, Any]
    every: timedelta
    max_runtime: timedelta | None = None
    max_retries: int | None = None
    retry_period: timedelta | None = None
    start: time | None = None
    first_run_after_days: int = 0
    is_aggregate: bool = False
    decides_start: bool = True

    @property
    def first_run(self) -> str | None:
        """The first run as SQL, counted from the day it is executed; None where the schedule is not fixed."""
        if self.start is None:
            return None
        after = f"{self.first_run_after_days} days {self.start.isoformat()}"
        return f"date_trunc('day', now(), 'UTC') + {interval(after)}"

    @property
    def held_until(self) -> str | None:
        """The earliest run after a change that drops more, as SQL; None where the set gives no time of grace."""
        if self.start is None and self.first_run_after_days:
            return f"now() + {interval(timedelta(days=self.first_run_after_days))}"
        return self.first_run


@dataclass(frozen=True)
class Difference:
    """One part of a job that differs, in words."""

    part: str
    actual: str
    desired: str


@dataclass(frozen=True)
class JobChange:
    """How a job is brought to what is wanted, and back; ``differences`` is empty where it is new."""

    statements: tuple[str, ...]
    back: tuple[str, ...]
    verification: str
    differences: tuple[Difference, ...] = field(default=())


def of_schedule(schedule: JobSchedule) -> dict[str, Any]:
    """The parts of a WantedJob that a schedule of the policy gives."""
    return {
        "every": schedule.every,
        "max_runtime": schedule.max_runtime,
        "max_retries": schedule.max_retries,
        "retry_period": schedule.retry_period,
        "start": schedule.initial_start,
        "first_run_after_days": schedule.first_run_after_days,
    }


def add(wanted: WantedJob) -> JobChange:
    """The change that makes a job that is not there."""
    schedule = [f"{name} => {value}" for name, value in _schedule(wanted)]
    # A user's job waits for one interval: the server would start it while the rest of the plan is under way.
    until = f"now() + {interval(wanted.every)}" if wanted.kind == "user" else wanted.held_until
    wait = [f"next_start => {until}"] if until and wanted.first_run is None else []
    made = f"SELECT alter_job({_added(wanted)}, {', '.join([*schedule, 'scheduled => true', *wait])})"
    return JobChange((made,), (remove(wanted.kind, wanted.target),), verification(wanted))


def change(state: State, wanted: WantedJob, job: JobState, hold: str | None = None) -> JobChange | None:
    """The change of an existing job, None where nothing differs. ``hold``: SQL for its next run, where it must wait."""
    found = differences(wanted, job)
    if not found:
        return None
    where = reference(state, job)
    if any(one.part == "fixed start" for one in found) and not state.reschedules:
        statements = (
            remove(wanted.kind, wanted.target, job if wanted.kind == "user" else None),
            *add(wanted).statements,
        )
        return JobChange(statements, restore(job), verification(wanted), tuple(found))
    there = [f"config => {_config(wanted)}"] if any(one.part in ("config", *wanted.config) for one in found) else []
    parts = {one.part for one in found}
    there += [f"{name} => {value}" for name, value in _schedule(wanted) if name in parts]
    there += ["scheduled => true"] if "scheduled" in parts else []
    if "fixed start" in parts:
        there.append(
            "fixed_schedule => false"
            if wanted.start is None
            else f"fixed_schedule => true, initial_start => {wanted.first_run}"
        )
    there += [f"next_start => {hold}"] if hold else []
    return JobChange(
        (f"SELECT alter_job(j.job_id, {', '.join(there)}) FROM timescaledb_information.jobs j WHERE {where}",),
        (f"SELECT alter_job(j.job_id, {_former(state, job)}) FROM timescaledb_information.jobs j WHERE {where}",),
        verification(wanted, job if _is_one_of_many(state, job) else None),
        tuple(found),
    )


def differences(wanted: WantedJob, job: JobState) -> list[Difference]:
    """What of a job is not as wanted: the whole config, the schedule, whether it runs at all."""
    found = []
    for key in sorted({*wanted.config, *job.config}):
        actual = job.config.get(key)
        if key not in wanted.config:
            if actual is not None:
                found.append(Difference("config", f"{key} {actual}", f"no {key}"))
            continue
        desired = wanted.config[key]
        if not _same(desired, actual):
            found.append(Difference(key, f"{key} {actual}", f"{key} {_text(desired)}"))
    for part, desired, actual in (
        ("schedule_interval", wanted.every, job.schedule_interval),
        ("max_runtime", wanted.max_runtime, job.max_runtime),
        ("retry_period", wanted.retry_period, job.retry_period),
    ):
        if desired is not None and span(actual) != desired:
            found.append(Difference(part, f"{part} {actual}", f"{part} {interval_sql(desired)}"))
    if wanted.max_retries is not None and wanted.max_retries != job.max_retries:
        found.append(Difference("max_retries", f"max_retries {job.max_retries}", f"max_retries {wanted.max_retries}"))
    if wanted.decides_start and not _starts_as_wanted(wanted, job):
        desired_text = "not fixed" if wanted.start is None else f"fixed at {wanted.start.isoformat('minutes')} UTC"
        actual_text = f"fixed from {job.initial_start}" if job.fixed_schedule else "not fixed"
        found.append(Difference("fixed start", f"schedule {actual_text}", f"schedule {desired_text}"))
    if not job.scheduled:
        found.append(Difference("scheduled", "paused", "running"))
    return found


def remove(kind: str, target: str, job: JobState | None = None) -> str:
    """The statement that takes a policy, or a user's job, away."""
    if kind in _REMOVE:
        return f"SELECT {_REMOVE[kind]}({literal(target)}, if_exists => true)"
    schema, bare = split(target)
    one = f" AND j.job_id = {job.job_id}" if job else ""
    return (
        "SELECT delete_job(j.job_id) FROM timescaledb_information.jobs j"
        f" WHERE j.proc_schema = {literal(schema)} AND j.proc_name = {literal(bare)}{one}"
    )


def restore(job: JobState) -> tuple[str, ...]:
    """What makes a captured job anew, whole (with another id), in place of what is there."""
    if job.kind not in _ADD and job.kind != "user":
        raise ValueError(f"a job of {job.procedure} cannot be made anew")
    target = job.target if job.kind != "user" else job.procedure
    assert target is not None  # noqa: S101 - policies always have one
    start = f", initial_start => {literal(job.initial_start)}::timestamptz" if job.initial_start else ""
    start += f", timezone => {literal(job.timezone)}" if job.timezone else ""
    if job.kind == "user":
        fixed = "" if job.fixed_schedule else ", fixed_schedule => false"
        made = (
            f"add_job({literal(target)}, {interval(job.schedule_interval)},"
            f" config => {jsonb(job.config)}{fixed}{start})"
        )
    else:
        own = [f"{key} => {_argument(job.config[key])}" for key in _OWN_ARGUMENTS[job.kind] if key in job.config] + (
            [f"schedule_interval => {interval(job.schedule_interval)}"] if job.kind == "refresh" else []
        )
        made = f"{_ADD[job.kind]}({literal(target)}, {', '.join(own)}{start})"
    statements = [remove(job.kind, target), f"SELECT alter_job({made}, {_former_schedule(job)})"]
    if job.kind != "user" and set(job.config) - set(_OWN_ARGUMENTS[job.kind]):
        statements.append(
            f"SELECT alter_job(j.job_id, config => {_config_of(job)}) FROM timescaledb_information.jobs j"
            f" WHERE {_where(job.kind, target, is_aggregate=job.kind == 'refresh')}"
        )
    return tuple(statements)


def reference(state: State, job: JobState) -> str:
    """The condition that finds a job by what it does; by its id only where another one does the same."""
    target = job.target if job.kind != "user" else job.procedure
    assert target is not None  # noqa: S101 - policies always have one
    is_aggregate = any(one.name == target for one in state.aggregates)
    found = _where(job.kind, target, is_aggregate=is_aggregate)
    return f"{found} AND j.job_id = {job.job_id}" if _is_one_of_many(state, job) else found


def verification(wanted: WantedJob, job: JobState | None = None) -> str:
    """A query that counts the jobs that are as wanted: 1 once it is done."""
    where = [_where(wanted.kind, wanted.target, is_aggregate=wanted.is_aggregate), "j.scheduled"]
    where += [f"j.job_id = {job.job_id}"] if job else []
    where += [f"j.{name} = {value}" for name, value in _schedule(wanted)]
    if wanted.kind == "user":
        where.append(f"j.config = {_config(wanted)}")
    else:
        where += [
            f"(j.config ->> {literal(key)})::interval IS NOT DISTINCT FROM {_argument(value)}"
            for key, value in sorted(wanted.config.items())
        ]
    return f"SELECT count(*) FROM timescaledb_information.jobs j WHERE {' AND '.join(where)}"


def _added(wanted: WantedJob) -> str:
    if wanted.kind == "user":
        return (
            f"add_job({literal(wanted.target)}, {interval(wanted.every)}, config => {_config(wanted)},"
            " fixed_schedule => false)"
        )
    own = [f"{key} => {_argument(value)}" for key, value in wanted.config.items()]
    own += [f"schedule_interval => {interval(wanted.every)}"] if wanted.kind == "refresh" else []
    own += [f"initial_start => {wanted.first_run}"] if wanted.first_run else []
    return f"{_ADD[wanted.kind]}({literal(wanted.target)}, {', '.join(own)})"


def _schedule(wanted: WantedJob) -> list[tuple[str, str]]:
    found = [("schedule_interval", interval(wanted.every))]
    if wanted.max_runtime is not None:
        found.append(("max_runtime", interval(wanted.max_runtime)))
    if wanted.max_retries is not None:
        found.append(("max_retries", str(wanted.max_retries)))
    if wanted.retry_period is not None:
        found.append(("retry_period", interval(wanted.retry_period)))
    return found


def _former(state: State, job: JobState) -> str:
    parts = [_former_schedule(job), f"config => {jsonb(job.config) if job.kind == 'user' else _config_of(job)}"]
    if state.reschedules:
        parts.append(f"fixed_schedule => {str(job.fixed_schedule).lower()}")
        parts += [f"initial_start => {literal(job.initial_start)}::timestamptz"] if job.initial_start else []
    return ", ".join(parts)


def _former_schedule(job: JobState) -> str:
    return (
        f"schedule_interval => {interval(job.schedule_interval)}, max_runtime => {interval(job.max_runtime)},"
        f" max_retries => {job.max_retries}, retry_period => {interval(job.retry_period)},"
        f" scheduled => {str(job.scheduled).lower()}"
    )


def _config(wanted: WantedJob) -> str:
    if wanted.kind == "user":
        return jsonb(wanted.config)
    return _with_id({key: _text(value) for key, value in wanted.config.items()}, wanted.kind)


def _config_of(job: JobState) -> str:
    return _with_id(job.config, job.kind)


def _with_id(config: Mapping[str, Any], kind: str) -> str:
    key = "mat_hypertable_id" if kind == "refresh" else "hypertable_id"
    return f"{jsonb(config)} || jsonb_build_object('{key}', j.config -> '{key}')"


def _where(kind: str, target: str, *, is_aggregate: bool) -> str:
    if kind == "user":
        schema, bare = split(target)
        return f"j.proc_schema = {literal(schema)} AND j.proc_name = {literal(bare)}"
    relation = of_aggregate(target, "j") if is_aggregate else is_relation(target, "j")
    return f"j.proc_name = {literal(_PROCEDURE[kind])} AND {relation}"


def _is_one_of_many(state: State, job: JobState) -> bool:
    alike = [one for one in state.jobs if one.kind == job.kind and one.target == job.target]
    return len([one for one in alike if one.procedure == job.procedure]) > 1


def _argument(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    return interval(value)


def _text(value: Any) -> Any:
    return interval_sql(value) if isinstance(value, timedelta) else value


def _same(desired: Any, actual: Any) -> bool:
    if isinstance(desired, timedelta):
        return isinstance(actual, str) and span(actual) == desired
    return bool(desired == actual)


def _starts_as_wanted(wanted: WantedJob, job: JobState) -> bool:
    if wanted.start is None or not job.fixed_schedule or job.initial_start is None:
        return wanted.start is None and not job.fixed_schedule
    return datetime.fromisoformat(job.initial_start).time() == wanted.start
