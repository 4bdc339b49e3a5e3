"""Try a plan out: all that is transactional, in one transaction that is rolled back; the rest is listed with why not.

The locks that the operations take are held until the end, so the whole trial has a time limit; job and object numbers
that the trial used up stay used up. Nothing else remains.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from ms5ops.database import Database, Session
from ms5ops.errors import ConnectionLost, ServerError, VerificationFailed
from ms5ops.rollout.limits import Limits
from ms5ops.rollout.operation import Operation
from ms5ops.rollout.running import verify

Result = Literal["works", "fails", "not tried"]
TRIAL_LIMIT_S = 60.0
"""How long a trial may hold its locks (own choice; on a busy server give less)."""


@dataclass(frozen=True)
class Trial:
    """What came of one operation. ``reason`` says why it fails or was not tried; ``seconds`` is how long it took."""

    operation: Operation
    result: Result
    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class DryRun:
    """A whole trial. ``locked_seconds``: how long its locks were held at most."""

    trials: tuple[Trial, ...]
    locked_seconds: float

    @property
    def failed(self) -> tuple[Trial, ...]:
        """Those that failed."""
        return tuple(trial for trial in self.trials if trial.result == "fails")


class _Undo(Exception):
    """Ends the transaction of the trial."""


def dry_run(
    database: Database,
    operations: Iterable[Operation],
    *,
    embedded: bool,
    limits: Limits | None = None,
    trial_limit_s: float = TRIAL_LIMIT_S,
) -> DryRun:
    """Run and verify what can be rolled back, then roll it back; changes nothing.

    Raises StatementConflict where the first lock is not had, StatementCancelled where the time limit is reached, and
    ConnectionLost; what the server refuses is a result.
    """
    limits = limits or Limits()
    trials: dict[str, Trial] = {}
    began = time.monotonic()
    with database.session() as session:
        try:
            with session.transaction(lock_timeout_ms=limits.lock_timeout_ms):
                for operation in operations:
                    left_ms = round((trial_limit_s - (time.monotonic() - began)) * 1000)
                    session.limit(statement_timeout_ms=max(1, left_ms))
                    trials[operation.key] = _trial(session, operation, trials, embedded, limits)
                _undo()
        except _Undo:
            pass  # rolled back, as intended
    return DryRun(tuple(trials.values()), time.monotonic() - began)


def _undo() -> None:
    raise _Undo


def _trial(session: Session, operation: Operation, trials: dict[str, Trial], embedded: bool, limits: Limits) -> Trial:
    reason = _not_tried(operation, trials, embedded, limits)
    if reason is not None:
        return Trial(operation, "not tried", reason)
    began = time.monotonic()
    session.run("SAVEPOINT trial")
    try:
        for statement in operation.statements_for(embedded=embedded):
            session.run(statement)
        verify(session, operation)
    except ConnectionLost:
        raise
    except (ServerError, VerificationFailed) as error:
        session.run("ROLLBACK TO SAVEPOINT trial")
        untried = [key for key in operation.requires if key in trials and trials[key].result == "not tried"]
        if untried:
            reason = f"it needs {', '.join(untried)}, which could not be tried ({error.happened})"
            return Trial(operation, "not tried", reason, time.monotonic() - began)
        return Trial(operation, "fails", error.happened, time.monotonic() - began)
    session.run("RELEASE SAVEPOINT trial")
    return Trial(operation, "works", seconds=time.monotonic() - began)


def _not_tried(  # one return per reason
    operation: Operation, trials: dict[str, Trial], embedded: bool, limits: Limits
) -> str | None:
    if operation.advice:
        return "it is advice for the administrator"
    failed = [key for key in operation.requires if key in trials and trials[key].result == "fails"]
    if failed:
        return f"it needs {', '.join(failed)}, which failed"
    if operation.steps is not None and operation.steps.kind == "convert":
        small = (operation.estimate.extra_bytes or 0) <= limits.small_table_bytes
        # Its statements are the short way, whose lock would hold up writers while a large table is copied.
        return None if small or embedded else "it is converted online, beside its writers"
    if operation.steps is not None:
        return "it runs piece by piece, with a commit after each"
    if not operation.transactional:
        return "it cannot run inside a transaction"
    return None
