"""The planner's own plans, on the real engine: applied, killed after every operation, taken back."""

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ms5ops.database import Database, Target
from ms5ops.observe.server import connect_server
from ms5ops.policy.document import load_policy
from ms5ops.rollout import journal
from ms5ops.rollout.executor import apply, resume
from ms5ops.rollout.plan import Plan, make_plan
from ms5ops.rollout.records import State
from ms5ops.rollout.restored import comparison
from ms5ops.rollout.rollback import rollback
from ms5ops.rollout.running import Progress
from ms5ops.rollout.state import read_state, state_hash
from ms5ops.sandbox import fill, process
from tests.conftest import Sandboxes
from tests.rollout.apply.handmade import QUICK, VERSIONS, conditions, when_stale

pytestmark = [pytest.mark.xdist_group("applying-phase4"), pytest.mark.timeout(600)]
TINY = fill.Volume(rows=3_000, days=8)
HASTY = replace(QUICK, stale_after_s=0.15, retry_budget_s=20)


@pytest.fixture(scope="module")
def folder(sandboxes: Sandboxes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("phase4") / "sandbox"
    sandboxes.start(folder)
    yield folder
    process.stop(folder)


def filled(folder: Path, state: fill.State) -> Database:
    database = Database(process.target(folder), "write")
    database.execute("DROP SCHEMA IF EXISTS ms5ops CASCADE")
    fill.fill(database, state, TINY, lambda _progress: None)
    return database


def now(database: Database) -> State:
    return read_state(connect_server(Database(database.target)), load_policy())


def planned(database: Database) -> Plan:
    return make_plan(now(database), load_policy())


def test_conversions_stay_unless_asked_for_and_the_rest_is_compared(folder: Path) -> None:
    database = filled(folder, "legacy")
    plan = make_plan(now(database), load_policy(), [1, 2, 4])  # the rest costs most, and is taken back in the next test
    apply(database, plan, conditions(limits=HASTY), server_versions=VERSIONS, before_state=plan.to_json()["state"])
    compare = comparison(lambda: now(database))
    outcome = rollback(database, journal.deployment(database), conditions(limits=HASTY), compare=compare)
    assert outcome.status == "rolled back", outcome.reason
    assert {key.rpartition(".")[2] for key in outcome.left} == {"convert"}
    assert {table.kind for table in now(database).tables} == {"hypertable"}


def test_a_phase_that_is_taken_back_alone_is_compared_with_before_and_the_rest_must_stay(folder: Path) -> None:
    database = filled(folder, "hypertables")
    plan = planned(database)
    before = now(database)
    apply(database, plan, conditions(limits=HASTY), server_versions=VERSIONS, before_state=plan.to_json()["state"])
    applied, found = now(database), journal.deployment(database)
    compare = comparison(lambda: now(database))

    def meddle(progress: Progress) -> None:
        if progress.key == "04.idx_oee_equipment_time_desc.index" and progress.fraction == 1.0:
            database.execute("COMMENT ON TABLE factory_telemetry.metric_def IS 'of no concern'")
            database.execute("ALTER TABLE factory_telemetry.metric_hist RESET (autovacuum_vacuum_scale_factor)")

    outcome = rollback(database, found, conditions(limits=HASTY, report=meddle), phases=[4], compare=compare)
    assert outcome.status == "failed"
    assert "tables factory_telemetry.metric_hist options" in (outcome.reason or ""), outcome.reason
    left = {one.name for one in now(database).indexes}
    assert left == {one.name for one in before.indexes} | {
        one.name for one in applied.indexes if one.table in {aggregate.name for aggregate in applied.aggregates}
    }
    again = rollback(
        database, found, conditions(limits=HASTY), phases=[5, 3], accept_loss=True, force=True, compare=compare
    )
    assert again.status == "done", again.reason
    after = now(database)
    assert (after.aggregates, after.views) == (before.aggregates, before.views)
    assert {one.kind for one in after.jobs if one.target} == {"compression"}
    assert "nothing else has changed" in journal.events(database, found.id)[-2].message


def go_on_and_die(target: Target, plan: Plan | None, direction: str) -> None:
    """In a process of its own: apply, resume or roll back, and die after one operation."""

    def report(progress: Progress) -> None:
        if progress.fraction == 1.0 and progress.message in ("done", "undone"):
            os.kill(os.getpid(), signal.SIGKILL)

    database = Database(target, "write")
    world = conditions(limits=HASTY, report=report)
    if plan is not None:
        begun = plan.to_json()["state"]
        apply(database, plan, world, server_versions=VERSIONS, before_state=begun)
    elif direction == "apply":
        when_stale(lambda: resume(database, world, journal.deployment(database)))
    else:
        when_stale(lambda: rollback(database, journal.deployment(database), world, conversions=True, accept_loss=True))


def test_killed_after_every_single_operation_and_every_single_undoing(folder: Path, dies: Callable[..., None]) -> None:
    database = filled(folder, "legacy")
    before, plan = now(database), planned(database)
    dies(go_on_and_die, database.target, plan, "apply")
    for _ in plan.operations[1:]:
        dies(go_on_and_die, database.target, None, "apply")
    found = journal.deployment(database)
    assert found.done == len(plan.operations)
    assert when_stale(lambda: resume(database, conditions(limits=HASTY), found)).status == "done"
    assert planned(database).operations == ()
    for _ in plan.operations:
        dies(go_on_and_die, database.target, None, "rollback")
    with database.session() as session:
        rows = journal.operations(session, found.id)
        assert {row.status for row in rows if not row.operation.advice} == {"undone"}
    assert state_hash(now(database)) == state_hash(before)
