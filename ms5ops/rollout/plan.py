"""A plan: from the actual state and the policy to operations in the order in which they can be executed, as data."""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_args

from ms5ops import __version__
from ms5ops.errors import Ms5opsError
from ms5ops.policy.document import PolicySet, policy_hash
from ms5ops.queries import version_text
from ms5ops.rollout.drafts import Draft, Note
from ms5ops.rollout.operation import Operation, Phase
from ms5ops.rollout.phases.aggregates import aggregates
from ms5ops.rollout.phases.compression import compression
from ms5ops.rollout.phases.hypertables import hypertables
from ms5ops.rollout.phases.indexes import indexes
from ms5ops.rollout.phases.retention import retention
from ms5ops.rollout.phases.settings import settings
from ms5ops.rollout.phases.views import views
from ms5ops.rollout.records import State
from ms5ops.rollout.state import differences, state_from_json, state_hash, state_to_json

FORMAT = 1
"""Of saved plans; a newer one is refused."""
MOST_BYTES = 64 * 1024 * 1024
"""Own choice: a plan over thousands of chunks has a few megabytes."""
ALL_PHASES: tuple[Phase, ...] = get_args(Phase)


class PlanError(Ms5opsError):
    """A saved plan cannot be used."""


class PlanStale(PlanError):
    """The database has changed since the plan was made."""


@dataclass(frozen=True)
class Plan:
    """``operations`` in executable order; ``advice`` is for the administrator and never executed.

    ``state`` is what it was made from: the before-state of all operations together. ``server`` says what the server
    was, ``tool_version`` what made the plan. ``made_at`` is the server's clock (ISO 8601, UTC).
    """

    operations: tuple[Operation, ...]
    advice: tuple[Operation, ...]
    notes: tuple[Note, ...]
    phases: tuple[Phase, ...]
    state: State
    state_hash: str
    policy_hash: str
    made_at: str
    database: str
    server: str
    tool_version: str

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to do (advice aside)."""
        return not self.operations

    def of_phase(self, phase: Phase) -> tuple[Operation, ...]:
        """The operations of one phase, in order."""
        return tuple(one for one in self.operations if one.phase == phase)

    def to_json(self) -> dict[str, Any]:
        """As JSON values, operations under ``operations``; ``from_json`` gives back an equal plan."""
        return {
            "format": FORMAT,
            "tool_version": self.tool_version,
            "made_at": self.made_at,
            "database": self.database,
            "server": self.server,
            "phases": list(self.phases),
            "state_hash": self.state_hash,
            "policy_hash": self.policy_hash,
            "operations": [one.to_json() for one in self.operations],
            "advice": [one.to_json() for one in self.advice],
            "notes": [asdict(one) for one in self.notes],
            "state": state_to_json(self.state),
        }

    @classmethod
    def from_json(cls, values: Any) -> "Plan":
        """The plan that ``to_json`` wrote. PlanError where it is damaged or of a newer version."""
        if not isinstance(values, dict) or not isinstance(values.get("format"), int):
            raise PlanError("That is not a plan of this console.", "Give a file that `plan --out` wrote.")
        if values["format"] > FORMAT:
            raise PlanError(
                f"The plan was written by a newer version of this console ({values.get('tool_version')}).",
                "Make the plan again with this version, or update.",
            )
        try:
            plan = cls(
                operations=tuple(Operation.from_json(one) for one in values["operations"]),
                advice=tuple(Operation.from_json(one) for one in values["advice"]),
                notes=tuple(Note(**one) for one in values["notes"]),
                phases=tuple(values["phases"]),
                state=state_from_json(values["state"]),
                **{
                    name: str(values[name])
                    for name in ("state_hash", "policy_hash", "made_at", "database", "server", "tool_version")
                },
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise PlanError(
                f"The plan is damaged ({type(error).__name__}: {error}).", "Make the plan again."
            ) from error
        if state_hash(plan.state) != plan.state_hash:
            raise PlanError("The plan is damaged: its state is not the one it was made from.", "Make the plan again.")
        return plan

    def save(self, file: Path) -> None:
        """Write it, whole or not at all. PlanError where the file cannot be written."""
        beside = file.with_name(f".{file.name}.new")
        try:
            beside.write_text(json.dumps(self.to_json(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
            beside.replace(file)
        except OSError as error:
            raise PlanError(f"The plan cannot be written to {file}: {error.strerror}.", "Give another path.") from error

    @classmethod
    def load(cls, file: Path) -> "Plan":
        """The plan of a file. PlanError names what is wrong: not there, not JSON, damaged, newer."""
        try:
            if file.stat().st_size > MOST_BYTES:
                raise PlanError(f"{file} is far larger than a plan.", "Give a file that `plan --out` wrote.")
            values = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise PlanError(f"There is no plan {file}.", "Check the path.") from error
        except OSError as error:
            raise PlanError(f"{file} cannot be read: {error.strerror}.", "Check the path.") from error
        except (ValueError, RecursionError) as error:
            raise PlanError(f"{file} is not JSON ({error}).", "Make the plan again.") from error
        return cls.from_json(values)


def make_plan(state: State, policy: PolicySet, phases: Collection[Phase] | None = None) -> Plan:
    """The plan from ``state`` to ``policy``; empty where nothing is to do. ``phases``: only these (all by default).

    What needs an operation of a phase that is left out is left out too, and a note says so.
    """
    chosen = tuple(one for one in ALL_PHASES if phases is None or one in phases)
    drafts = [
        hypertables(state, policy),
        settings(state, policy),
        compression(state, policy),
        views(state, policy, 3),
        retention(state, policy),
        indexes(state, policy),
        views(state, policy, 4),
        aggregates(state, policy),
        _unknown_jobs(state, policy),
    ]
    planned = [one for draft in drafts for one in draft.operations if not one.advice]
    advice = [one for draft in drafts for one in draft.operations if one.advice and one.phase in chosen]
    operations, notes = _of_phases(planned, chosen)
    notes = [*(note for draft in drafts for note in draft.notes), *notes]
    return Plan(
        operations=tuple(_in_order(operations)),
        advice=tuple(advice),
        notes=tuple(dict.fromkeys(notes)),
        phases=chosen,
        state=state,
        state_hash=state_hash(state),
        policy_hash=policy_hash(policy),
        made_at=state.read_at,
        database=state.database_name,
        server=f"TimescaleDB {version_text(state.version)} ({state.edition}) on PostgreSQL"
        f" {'.'.join(map(str, state.postgres_version))}",
        tool_version=__version__,
    )


def check_fresh(plan: Plan, state: State) -> None:
    """PlanStale where the database is not the one, or not as it was, when the plan was made; it names what differs."""
    if plan.database != state.database_name:
        raise PlanStale(
            f"The plan was made for the database {plan.database}, and this is {state.database_name}.",
            "Make a plan for this one.",
        )
    if plan.state_hash != state_hash(state):
        raise PlanStale(
            f"The database has changed since the plan was made: {'; '.join(differences(plan.state, state, 3))}.",
            "Make the plan again.",
        )


def _of_phases(operations: Sequence[Operation], chosen: Collection[Phase]) -> tuple[list[Operation], list[Note]]:
    """Those of the phases, with requirements that are planned: what needs more than that is left out, with a note.

    A retention policy needs the fillings above its table. Where phase 5 is left out, a first run of its own that is at
    least a day ahead is enough; without one it is left out.
    """
    all_keys = {one.key: one for one in operations}
    kept: dict[str, Operation] = {}
    notes = []
    for one in operations:
        if one.phase not in chosen:
            continue
        known = [key for key in one.requires if key in all_keys]
        left_out = [all_keys[key] for key in known if all_keys[key].phase not in chosen]
        fillings = [need for need in left_out if need.kind == "refresh" and one.destroys]
        hard = [need for need in left_out if need not in fillings]
        gone = [
            key
            for key in known
            if all_keys[key].phase in chosen and key not in kept and _comes_before(all_keys[key], one)
        ]
        if hard or gone or (fillings and not _waits(one)):
            needs = sorted({need.phase for need in (*hard, *fillings)})
            text = f"phase {' and '.join(map(str, needs))} first" if needs else "what is left out above first"
            notes.append(Note("cannot", one.target, f"{one.title}: not planned, it needs {text}."))
            continue
        if fillings:
            notes.append(
                Note(
                    "remark", one.target, f"{one.title}: fill the aggregates (phase 5) before the first run drops rows."
                )
            )
        kept[one.key] = replace(one, requires=tuple(key for key in known if all_keys[key].phase in chosen))
    return list(kept.values()), notes


def _comes_before(need: Operation, one: Operation) -> bool:
    """Requirements stand before what needs them, but for the fillings that a retention policy waits for."""
    return not (need.kind == "refresh" and need.phase > one.phase)


def _waits(operation: Operation) -> bool:
    """Whether its statements give the job a first run ahead (``WantedJob.first_run``)."""
    return any(
        "INTERVAL '0 days" not in text and "date_trunc('day', now(), 'UTC')" in text for text in operation.statements
    )


def _in_order(operations: Sequence[Operation]) -> list[Operation]:
    """By phase; what waits for something of a later phase (retention for the fillings) stands at the end."""
    done: set[str] = set()
    keys = {one.key for one in operations}
    now: list[Operation] = []
    later: list[Operation] = []
    for one in operations:
        ready = all(key in done or key not in keys for key in one.requires)
        (now if ready else later).append(one)
        done |= {one.key} if ready else set()
    missing = {key for one in later for key in one.requires if key in keys} - done - {one.key for one in later}
    assert not missing, f"required, but not planned before: {missing}"  # noqa: S101 - a mistake of ours
    return [*now, *later]


def _unknown_jobs(state: State, policy: PolicySet) -> Draft:
    """Jobs on the policy's relations that it does not know: left alone, and told of."""
    draft = Draft()
    tables = {policy.qualified(one.name) for one in policy.active_tables}
    for job in state.jobs:
        bare = (job.target or "").partition(".")[2]
        if job.target in tables and job.kind in ("reorder", "other", "user"):
            draft.note("drift", job.target, f"A job that the policy does not know: {job.procedure} {dict(job.config)}.")
        elif bare in policy.aggregates and job.target == policy.qualified(bare):
            wanted = policy.aggregates[bare]
            unasked = (job.kind == "compression" and wanted.compress_after is None) or (
                job.kind == "retention" and wanted.drop_after is None
            )
            if unasked or job.kind in ("reorder", "other", "user"):
                draft.note(
                    "drift",
                    job.target,
                    f"A {job.kind} policy that the policy set does not ask for: {dict(job.config)}.",
                )
    return draft


def risk(operation: Operation) -> str:
    """How dangerous an operation is, in a word and why: what it destroys, whether it can be undone, whom it blocks."""
    if operation.destroys:
        return "high: destroys data"
    if not operation.is_reversible:
        return "high: no way back"
    if operation.inverse.loses:
        return "medium: a rollback loses something"
    if operation.lock.mode == "ACCESS EXCLUSIVE":
        return "medium: holds up readers and writers"
    if operation.lock.mode in ("SHARE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE"):
        return "medium: holds up writers"
    return "low"
