"""A small executor for the tests of the planner: it runs what operations say, and nothing else."""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ms5ops.database import Database, Session, Target
from ms5ops.errors import StatementConflict
from ms5ops.observe.server import connect_server
from ms5ops.policy.document import PolicySet, load_policy
from ms5ops.rollout.operation import Operation
from ms5ops.rollout.plan import Plan, make_plan
from ms5ops.rollout.state import State, read_state
from ms5ops.sandbox import fill, process

SMALL = fill.Volume(rows=3_000, days=8)
POLICY = load_policy()


class Planned:
    """A database that plans are made for and executed on."""

    def __init__(self, target: Target, *, embedded: bool) -> None:
        self.target = target
        self.embedded = embedded
        self.writing = Database(target, "write")

    def state(self, policy: PolicySet = POLICY) -> State:
        """What is there, read as by the console: in read-only sessions."""
        reading = Database(self.target)
        try:
            return read_state(connect_server(reading), policy)
        finally:
            reading.close()

    def plan(self, policy: PolicySet = POLICY) -> Plan:
        """The plan of this moment."""
        return make_plan(self.state(policy), policy)

    def execute(self, operations: Sequence[Operation]) -> None:
        """Run and verify them in order."""
        for one in operations:
            self._run(one.statements_for(embedded=self.embedded), transactional=one.transactional, then=one)

    def undo(self, operations: Sequence[Operation]) -> None:
        """Run the inverses in reverse order."""
        for one in reversed(operations):
            assert one.is_reversible, one.key
            self._run(one.inverse.statements_for(embedded=self.embedded), transactional=one.inverse.transactional)

    def sql(self, *statements: str) -> None:
        """Change something by hand, each statement on its own."""
        for statement in statements:
            self.writing.execute(statement)

    def _run(self, statements: Sequence[str], *, transactional: bool, then: Operation | None = None) -> None:
        def attempt(session: Session) -> None:
            if transactional:
                with session.transaction():
                    self._statements(session, statements, then)
            else:
                self._statements(session, statements, then)

        _despite_conflicts(lambda: self._in_session(attempt))

    def _in_session(self, attempt: Callable[[Session], None]) -> None:
        with self.writing.session() as session:
            attempt(session)

    @staticmethod
    def _statements(session: Session, statements: Sequence[str], then: Operation | None) -> None:
        for statement in statements:
            session.run(statement)
        if then is not None:
            rows = session.read(then.verification.sql)
            assert len(rows) == 1, then.key
            assert [str(value) for value in rows[0].values()] == [then.verification.expected], then.key


def _despite_conflicts(run: Callable[[], None]) -> None:
    """On a server jobs run beside the plan; an executor tries again, and so does this one."""
    for _ in range(4):
        try:
            run()
        except StatementConflict:
            time.sleep(2)
        else:
            return
    run()


def altered(**changes: Any) -> PolicySet:
    """The default policy with other values: ``tables={"metric_hist": {"compress_after": ...}}``."""
    update = {}
    for part, change in changes.items():
        whole = getattr(POLICY, part)
        update[part] = (
            {name: entry.model_copy(update=change.get(name, {})) for name, entry in whole.items()}
            if isinstance(change, dict)
            else change
        )
    return POLICY.model_copy(update=update)


def keys(plan: Plan) -> list[str]:
    """The keys of a plan's operations."""
    return [one.key for one in plan.operations]


@contextmanager
def engine(folder: Path, state: str) -> Iterator[Planned]:
    """An embedded engine of one's own, filled, whose jobs do not run by themselves."""
    process.start(folder, scheduler=False)
    planned = Planned(process.target(folder), embedded=True)
    try:
        fill.fill(planned.writing, state, SMALL, lambda _progress: None)  # type: ignore[arg-type]
        yield planned
    finally:
        planned.writing.close()
        process.stop(folder)
        shutil.rmtree(folder, ignore_errors=True)
