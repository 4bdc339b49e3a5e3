"""The script of a plan: what psql makes of it is what the operations make one by one."""

import re
from pathlib import Path

import pytest

from ms5ops.database import Database, Target
from ms5ops.observe.server import connect_server
from ms5ops.rollout.plan import make_plan
from ms5ops.rollout.script import to_sql
from ms5ops.rollout.state import differences, read_state, state_hash
from tests.conftest import Sandboxes
from tests.rollout.installed import installed, psql
from tests.rollout.planning import POLICY, keys


@pytest.mark.native
@pytest.mark.parametrize("kind", ["legacy", "hypertables"])
def test_the_script_does_what_the_operations_do(native: Target, kind: str, tmp_path: Path) -> None:
    with installed(native, kind) as by_script, installed(native, kind) as by_operations:
        before = by_operations.state()
        plan = make_plan(before, POLICY)
        assert state_hash(by_script.state()) == plan.state_hash
        file = tmp_path / "plan.sql"
        file.write_text(to_sql(plan))
        for _ in range(3):  # a background job can be in the way, as of any script: plan again and go on
            done = psql(by_script.target, file)
            if done.returncode == 0:
                break
            assert "deadlock" in done.stderr or "lock timeout" in done.stderr, done.stderr[-2000:]
            file.write_text(to_sql(by_script.plan()))
        assert done.returncode == 0, done.stderr[-2000:]
        by_operations.execute(plan.operations)
        scripted, executed = by_script.state(), by_operations.state()
        assert differences(scripted, executed) == []
        assert state_hash(scripted) == state_hash(executed)
        assert keys(make_plan(executed, POLICY)) == []
        by_operations.undo(plan.operations)
        assert differences(before, by_operations.state()) == []


@pytest.mark.native
def test_an_invalid_index_is_built_anew(native: Target) -> None:
    """The embedded engine cannot drop an index whose validity was changed by hand, so only here."""
    with installed(native, "hypertables") as planned:
        planned.execute([one for one in planned.plan().operations if one.phase in (1, 4)])
        planned.sql(
            "UPDATE pg_index SET indisvalid = false"
            " WHERE indexrelid = 'factory_telemetry.idx_energy_high_demand'::regclass"
        )
        plan = make_plan(planned.state(), POLICY, [4])
        assert keys(plan) == ["04.idx_energy_high_demand.index"]
        assert plan.operations[0].kind == "rebuild_index"
        assert "invalid" in plan.operations[0].actual
        planned.execute(plan.operations)
        assert keys(make_plan(planned.state(), POLICY, [4])) == []


@pytest.fixture(scope="module")
def script(sandboxes: Sandboxes) -> str:
    database = Database(sandboxes.target("legacy"))
    try:
        return to_sql(make_plan(read_state(connect_server(database), POLICY), POLICY))
    finally:
        database.close()


def test_the_script_has_five_headings_in_order_and_stops_at_the_first_error(script: str) -> None:
    headings = re.findall(r"^-- Phase (\d): (.+?) -+$", script, re.MULTILINE)
    assert headings == [
        ("1", "Hypertables"),
        ("2", "Compression"),
        ("3", "Retention"),
        ("4", "Indexes"),
        ("5", "Continuous aggregates"),
        ("3", "Retention, concluded"),
    ]
    assert script.index("\\set ON_ERROR_STOP on") < script.index("BEGIN;")
    assert len(re.findall(r"^BEGIN;$", script, re.MULTILINE)) == len(re.findall(r"^COMMIT;$", script, re.MULTILINE))
    assert "THIS DESTROYS DATA" in script


def test_what_cannot_run_in_a_transaction_stands_outside(script: str) -> None:
    inside = re.findall(r"^BEGIN;$(.*?)^COMMIT;$", script, re.MULTILINE | re.DOTALL)
    assert inside
    for block in inside:
        assert "transaction_per_chunk" not in block
        assert "CALL refresh_continuous_aggregate" not in block
    assert "transaction_per_chunk" in script
    assert "CALL refresh_continuous_aggregate" in script


def test_an_empty_plan_is_a_script_that_says_so(sandboxes: Sandboxes) -> None:
    database = Database(sandboxes.target("legacy"))
    plan = make_plan(read_state(connect_server(database), POLICY), POLICY, [])
    database.close()
    text = to_sql(plan)
    assert text.count("Not part of this plan") == 5
    assert "BEGIN" not in text
