"""Statements that cannot run inside a transaction: one by one, journalled before and after, made good when met again.

Each statement of such an operation must bear being run again (IF EXISTS, IF NOT EXISTS), since a process can end
between a statement and its journal row. An index whose build was cut off stays behind unusable, and IF NOT EXISTS
then skips it: it is dropped before the next build.
"""

import re
from collections.abc import Sequence

from ms5ops.rollout.journal import OperationRow
from ms5ops.rollout.operation import Verification
from ms5ops.rollout.running import Run, holds, try_holds

_NAME = r'(?:"(?:[^"]|"")+"|\w+)'
_INDEX = re.compile(
    rf"^\s*CREATE\s+(?:UNIQUE\s+)?INDEX\s+(?:IF\s+NOT\s+EXISTS\s+)?(?P<index>{_NAME})\s+ON\s+(?P<schema>{_NAME})\.",
    re.IGNORECASE,
)


def apply(run: Run, row: OperationRow, *, met_again: bool) -> None:
    """Run an operation's statements. ``met_again``: an earlier run may have done it, or a part of it."""
    statements = row.operation.statements_for(embedded=run.embedded)
    first = 0
    if met_again:
        if run.retried(row, run.limits.retry_budget_s, lambda: try_holds(run.session, row.operation.verification)[0]):
            run.finish(row)
            return
        first = int(row.progress.get("statement", 0))
        first = first if first < len(statements) else 0  # all ran, and yet it is not so
    run_each(run, row, statements, first, "statement")
    run.finish(row)


def run_each(run: Run, row: OperationRow, statements: Sequence[str], first: int, counter: str) -> None:
    """Statements from number ``first`` on; ``counter`` of the operation's progress says how many are done."""
    for number, statement in enumerate(statements[first:], start=first):
        run.check()
        _run(run, row, statement)
        done = {counter: number + 1}
        run.note(lambda: run.journal.progress(row, **done))  # noqa: B023  # called at once
        run.tell(row, (number + 1) / len(statements), row.operation.title)


def once(run: Run, row: OperationRow, statement: str, budget_s: float) -> None:
    """One statement outside a transaction, right after the fence; tried again after conflicts for that long."""

    def attempt() -> None:
        _drop_broken_index(run, row, statement)
        run.note(lambda: None)
        run.session.limit(lock_timeout_ms=run.limits.lock_timeout_ms, statement_timeout_ms=0)
        run.session.run(statement)

    run.retried(row, budget_s, attempt)


def _run(run: Run, row: OperationRow, statement: str) -> None:
    builds = _INDEX.match(statement) is not None
    once(run, row, statement, run.limits.index_budget_s if builds else run.limits.retry_budget_s)


def _drop_broken_index(run: Run, row: OperationRow, statement: str) -> None:
    match = _INDEX.match(statement)
    if match is None:
        return
    name = f"{match['schema']}.{match['index']}"
    literal = name.replace("'", "''")
    broken = Verification(
        f"SELECT count(*) FROM pg_index WHERE indexrelid = to_regclass('{literal}') AND NOT indisvalid",  # noqa: S608
        "1",
    )
    if holds(run.session, broken):
        note = f"Dropped {name}, which an earlier build left unusable."
        run.change(row, [f"DROP INDEX {name}"], lambda: run.journal.event(note, "warning", row.operation.key))
