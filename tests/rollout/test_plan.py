"""Plans from the states that installations are found in: they reach the policy, and their inverses lead back."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from ms5ops.database import Database
from ms5ops.observe.server import connect_server
from ms5ops.policy.document import PolicySet
from ms5ops.rollout.operation import Operation
from ms5ops.rollout.plan import Plan, PlanError, PlanStale, check_fresh, make_plan, risk
from ms5ops.rollout.records import State
from ms5ops.rollout.state import differences, read_state, state_hash
from tests.conftest import Sandboxes
from tests.rollout.planning import POLICY, Planned, altered, engine, keys

TABLES = [table.name for table in POLICY.active_tables]


@pytest.fixture(scope="module", params=["legacy", "hypertables"])
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planned]:
    with engine(tmp_path_factory.mktemp("plan") / request.param, request.param) as planned:
        yield planned


@pytest.fixture(scope="module")
def legacy(sandboxes: Sandboxes) -> State:
    return _state(sandboxes, "legacy")


@pytest.fixture(scope="module")
def hypertables(sandboxes: Sandboxes) -> State:
    return _state(sandboxes, "hypertables")


@pytest.fixture(scope="module")
def optimised(sandboxes: Sandboxes) -> State:
    return _state(sandboxes, "optimised")


def _state(sandboxes: Sandboxes, name: str) -> State:
    database = Database(sandboxes.target(name))
    try:
        return read_state(connect_server(database), POLICY)
    finally:
        database.close()


def test_a_plan_reaches_the_policy_and_its_inverses_lead_back(found: Planned) -> None:
    before = found.state()
    rows = {name: found.writing.row(f"SELECT count(*) AS n FROM {POLICY.qualified(name)}")["n"] for name in TABLES}
    plan = make_plan(before, POLICY)
    assert len({one.key for one in plan.operations}) == len(plan.operations) > 60
    found.execute(plan.operations)
    after = found.state()
    done = make_plan(after, POLICY)
    assert keys(done) == []
    assert [note for note in done.notes if note.kind != "remark"] == []
    assert state_hash(after) != state_hash(before)
    found.undo(plan.operations)
    back = found.state()
    assert differences(before, back) == []
    assert state_hash(back) == state_hash(before)
    assert keys(make_plan(back, POLICY)) == keys(plan)
    for name, count in rows.items():
        assert found.writing.row(f"SELECT count(*) AS n FROM {POLICY.qualified(name)}")["n"] == count


def test_where_the_scripts_of_phase_4_have_run_nothing_is_to_do(optimised: State) -> None:
    plan = make_plan(optimised, POLICY)
    assert keys(plan) == []
    assert plan.notes == ()
    assert {one.target for one in plan.advice} >= {"max_locks_per_transaction"}


def test_each_operation_carries_all_that_an_executor_needs(legacy: State, hypertables: State) -> None:
    for one in (*make_plan(legacy, POLICY).operations, *make_plan(hypertables, POLICY).operations):
        assert one.statements
        assert one.key.startswith(f"0{one.phase}.")
        assert one.title
        assert one.actual != one.desired
        assert one.verification.sql.startswith("SELECT ")
        assert one.lock.mode
        assert one.inverse.statements or one.kind == "refresh", f"{one.key} has no way back"
        assert (one.destroys is not None) is ("retention_policy" in one.key)
        assert risk(one).startswith("high") is (one.destroys is not None)
        assert one.steps is None or one.kind in ("convert", "compress_chunks", "refresh")
        if one.kind in ("convert", "create_index", "add_job"):
            assert (one.estimate.seconds or 0) > 0, one.key
            assert one.estimate.basis
        if one.kind == "convert":
            assert one.estimate.extra_bytes == one.before["size_bytes"] > 0


def test_requirements_are_met_in_order_and_nothing_is_dropped_before_it_is_aggregated(legacy: State) -> None:
    plan = make_plan(legacy, POLICY)
    done: set[str] = set()
    for one in plan.operations:
        assert done >= {*one.requires}, one.key
        done.add(one.key)
    order = keys(plan)
    for table, filled in (("metric_hist", "metric_hist_1day"), ("oee_calculations", "oee_weekly")):
        assert order.index(f"03.{table}.retention_policy") > order.index(f"05.{filled}.refresh")
        assert f"05.{filled}.refresh" in _operation(plan, f"03.{table}.retention_policy").requires
    assert order.index("05.metric_hist_1min.refresh") < order.index("05.metric_hist_1hour.refresh")
    assert [one.phase for one in plan.operations if one.phase != 3] == sorted(
        one.phase for one in plan.operations if one.phase != 3
    )


def test_a_saved_plan_is_the_same_plan(legacy: State, tmp_path: Path) -> None:
    plan = make_plan(legacy, POLICY)
    file = tmp_path / "plan.json"
    plan.save(file)
    assert Plan.load(file) == plan
    values = json.loads(file.read_text())
    assert isinstance(values["operations"], list)
    assert [Operation.from_json(one) for one in values["operations"]] == list(plan.operations)
    assert not list(tmp_path.glob(".*")), "nothing is left beside it"


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda values: values.update(format=99), "newer version"),
        (lambda values: values.pop("operations"), "damaged"),
        (lambda values: values["operations"][0].update(surprise=1), "damaged"),
        (lambda values: values["state"]["tables"][0].update(owner="somebody"), "not the one it was made from"),
        (lambda values: values.clear(), "not a plan"),
    ],
)
def test_a_damaged_or_newer_file_is_refused(legacy: State, tmp_path: Path, damage: object, says: str) -> None:
    file = tmp_path / "plan.json"
    values = make_plan(legacy, POLICY).to_json()
    damage(values)  # type: ignore[operator]
    file.write_text(json.dumps(values))
    with pytest.raises(PlanError, match=says):
        Plan.load(file)
    file.write_text("{half")
    with pytest.raises(PlanError, match="not JSON"):
        Plan.load(file)
    with pytest.raises(PlanError, match="There is no plan"):
        Plan.load(tmp_path / "nowhere.json")


def test_a_stale_plan_is_refused_and_says_what_changed(hypertables: State) -> None:
    plan = make_plan(hypertables, POLICY)
    check_fresh(plan, replace(hypertables, read_at="2030-01-01T00:00:00+00:00"))
    tables = list(hypertables.tables)
    tables[0] = replace(tables[0], chunk_interval="3 hours", rows=1_000_000)
    with pytest.raises(PlanStale, match="metric_hist chunk_interval: 7 days -> 3 hours"):
        check_fresh(plan, replace(hypertables, tables=tuple(tables)))
    with pytest.raises(PlanStale, match="this is another"):
        check_fresh(plan, replace(hypertables, database_name="another"))


def test_one_phase_alone_says_what_it_needs_of_others(legacy: State, hypertables: State) -> None:
    alone = make_plan(legacy, POLICY, [2])
    assert keys(alone) == []
    assert any("it needs phase 1 first" in note.text for note in alone.notes)
    retention = make_plan(hypertables, POLICY, [3])
    assert {one.phase for one in retention.operations} == {3}
    assert len(retention.operations) == 6, "five policies and the view"
    assert any("fill the aggregates (phase 5) before the first run" in note.text for note in retention.notes)
    assert all(one.requires == () for one in retention.operations)
    at_once = _with_schedule(first_run_after_days=0)
    left_out = make_plan(hypertables, at_once, [3])
    assert "03.metric_hist.retention_policy" not in keys(left_out), "its first run could drop what is not aggregated"
    assert "03.production_kpis.retention_policy" in keys(left_out), "nothing is aggregated from it"


def test_the_apache_edition_gets_what_it_can_and_is_told_the_rest(legacy: State) -> None:
    plan = make_plan(replace(legacy, edition="apache"), POLICY)
    assert {one.phase for one in plan.operations} == {1, 3, 4}
    assert "04.idx_metric_hist_ts_brin.index" in keys(plan)
    assert "04.idx_metric_hist_realtime.index" not in keys(plan), "no job would move its cut-off"
    refused = {note.target for note in plan.notes if note.kind == "cannot"}
    assert {"phase 2", "phase 3", "phase 5", "trim_realtime_index", "idx_metric_hist_realtime"} <= refused


def test_older_versions_segment_by_foreign_keys_too(legacy: State) -> None:
    plan = make_plan(replace(legacy, version=(2, 11, 2), reschedules=False), POLICY)
    settings = _operation(plan, "02.production_context_history.compression_settings")
    assert "compress_segmentby = 'equipment_code, changed_by'" in settings.statements[0]
    assert any("changed_by too" in note.text for note in plan.notes)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"kind": "missing"}, "there is no such table"),
        ({"rows_without_time": 12}, "12 rows have no created_at"),
        ({"is_partitioned": True}, "partitioned or inherits"),
        ({"columns": ()}, "no column created_at"),
    ],
)
def test_a_table_that_cannot_be_converted_is_left_alone_whole(
    legacy: State, change: dict[str, object], says: str
) -> None:
    tables = tuple(
        replace(table, **change) if table.name.endswith("production_kpis") else table  # type: ignore[arg-type]
        for table in legacy.tables
    )
    plan = make_plan(replace(legacy, tables=tables), POLICY)
    assert any(note.kind == "cannot" and says in note.text for note in plan.notes)
    touched = {one.key for one in plan.operations if "production_kpis" in one.target or "idx_kpis" in one.key}
    assert touched <= {"01.production_kpis.autovacuum"}
    assert "01.metric_hist.convert" in keys(plan)


def test_references_and_unique_keys_without_the_time_are_obstacles(legacy: State) -> None:
    from ms5ops.rollout.drafts import obstacle
    from ms5ops.rollout.records import Constraint, Reference

    def with_table(**change: object) -> State:
        table = replace(legacy.table("metric_hist"), **change)  # type: ignore[arg-type]
        return replace(legacy, tables=tuple(table if one.name == table.name else one for one in legacy.tables))

    referenced = with_table(referenced_by=(Reference("x.y", "y_fkey", "FOREIGN KEY (m) REFERENCES metric_hist(id)"),))
    assert "x.y refers to it" in str(obstacle(referenced, POLICY, "metric_hist"))
    unique = Constraint("only_once", "u", "UNIQUE (metric_def_id)", ("metric_def_id",))
    constrained = with_table(constraints=(*legacy.table("metric_hist").constraints, unique))
    assert "only_once does not contain ts" in str(obstacle(constrained, POLICY, "metric_hist"))
    other = with_table(kind="hypertable", time_column="id", dimensions=1)
    assert "by id, not by ts" in str(obstacle(other, POLICY, "metric_hist"))


def test_retention_names_what_is_due_already(hypertables: State) -> None:
    table = hypertables.table("metric_hist")
    due = replace(table, chunks=replace(table.chunks, to_drop=2, oldest="2020-01-01T00:00:00+00:00"))
    state = replace(hypertables, tables=tuple(due if one.name == due.name else one for one in hypertables.tables))
    operation = _operation(make_plan(state, POLICY), "03.metric_hist.retention_policy")
    assert operation.destroys is not None
    assert f"2 of {due.chunks.total} chunks are by now, with rows from 2020-01-01" in operation.destroys


def test_a_policy_that_says_never_removes_the_job(optimised: State) -> None:
    never = altered(tables={"production_kpis": {"drop_after": None}})
    plan = make_plan(optimised, never)
    assert {*keys(plan)} == {"03.production_kpis.retention_policy"}
    assert _operation(plan, "03.production_kpis.retention_policy").kind == "remove_job"


def test_a_policy_with_other_values_alters_what_is_there(optimised: State) -> None:
    other = altered(
        tables={"metric_hist": {"compress_after": timedelta(days=3), "chunk_interval": timedelta(hours=6)}},
        aggregates={"oee_daily": {"start_offset": timedelta(days=20)}},
        indexes={"idx_oee_below_target": {"where": "oee < 0.75"}},
    )
    plan = make_plan(optimised, other)
    twinless = {"04.idx_oee_below_target.index"}  # its twin is of the policy that the state was read with
    came_of_age = optimised.table("metric_hist").chunks.to_compress  # where an hour has passed since the fill
    assert {*keys(plan)} - twinless == {
        "01.metric_hist.chunk_interval",
        *(["02.metric_hist.compress"] if came_of_age else []),
        "02.metric_hist.compression_policy",
        "05.oee_daily.refresh_policy",
    }
    policy = _operation(plan, "02.metric_hist.compression_policy")
    assert policy.kind == "alter_job"
    assert (policy.actual, policy.desired) == ("compress_after 7 days", "compress_after 3 days")
    assert "7 days" in policy.inverse.statements[0]


def _operation(plan: Plan, key: str) -> Operation:
    return next(one for one in plan.operations if one.key == key)


def _with_schedule(**change: object) -> PolicySet:
    schedules = POLICY.schedules.model_copy(update={"retention": POLICY.schedules.retention.model_copy(update=change)})
    return altered(schedules=schedules)
