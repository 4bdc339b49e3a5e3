"""Reading the state: what is in it, what its hash covers, and how two of them are told apart."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ms5ops.database import Database
from ms5ops.errors import FeatureMissing, PrivilegeMissing
from ms5ops.observe.server import Server, connect_server
from ms5ops.policy.intervals import interval_sql
from ms5ops.queries import query
from ms5ops.rollout.records import Chunks, JobState, State, span
from ms5ops.rollout.state import differences, read_state, state_from_json, state_hash, state_to_json
from ms5ops.rollout.twins import read_twins, require_temporary
from tests.conftest import STATES, Sandboxes
from tests.rollout.planning import POLICY


@pytest.fixture(scope="module")
def server(sandboxes: Sandboxes) -> Iterator[Server]:
    database = Database(sandboxes.target("legacy"))
    yield connect_server(database)
    database.close()


@pytest.fixture(scope="module")
def states(sandboxes: Sandboxes) -> dict[str, State]:
    found = {}
    for name in STATES:
        database = Database(sandboxes.target(name))
        found[name] = read_state(connect_server(database), POLICY)
        database.close()
    return found


def test_a_state_survives_json(states: dict[str, State]) -> None:
    for state in states.values():
        assert state_from_json(json.loads(json.dumps(state_to_json(state)))) == state
        assert len(state_hash(state)) == 64
    assert len({state_hash(state) for state in states.values()}) == 3


def test_a_plain_table_is_captured_whole(states: dict[str, State]) -> None:
    table = states["legacy"].table("metric_hist")
    assert (table.kind, table.owner) == ("plain", "postgres")
    assert table.primary_key is not None
    assert table.primary_key.columns == ("id",)
    assert [one.name for one in table.sequences] == ["factory_telemetry.metric_hist_id_seq"]
    assert [one.definition for one in table.constraints if one.kind == "f"] == [
        "FOREIGN KEY (metric_def_id) REFERENCES factory_telemetry.metric_def(id) ON DELETE CASCADE"
    ]
    ts = table.column("ts")
    assert ts is not None
    assert (ts.type, ts.not_null) == ("timestamp with time zone", True)
    assert [one.name for one in states["legacy"].indexes if one.table == table.name] == [
        "ix_metric_hist_def_ts",
        "metric_hist_pkey",
    ]
    kpis = states["legacy"].table("production_kpis")
    assert kpis.rows_without_time == 0, "counted, as its time may be NULL"
    assert table.rows_without_time is None


def test_a_hypertable_and_what_phase_4_gave_it_are_captured(states: dict[str, State]) -> None:
    found = states["hypertables"].table("metric_hist")
    assert (found.kind, found.time_column, found.chunk_interval) == ("hypertable", "ts", "7 days")
    state = states["optimised"]
    table = state.table("metric_hist")
    assert (table.chunk_interval, table.segment_by, table.order_by) == ("1 hour", ("metric_def_id",), ("ts DESC",))
    assert table.chunks.compressed > 0
    assert {one.name.partition(".")[2] for one in state.aggregates} == {*POLICY.aggregates}
    assert state.aggregate("metric_hist_1hour").source == "factory_telemetry.metric_hist_1min"  # type: ignore[union-attr]
    (job,) = state.jobs_of("factory_telemetry.metric_hist", "retention")
    assert job.config == {"drop_after": "90 days"}, "without the id of the hypertable"
    assert job.fixed_schedule
    (refresh,) = state.jobs_of("factory_telemetry.oee_daily", "refresh")
    assert refresh.target == "factory_telemetry.oee_daily"
    assert {one.name.partition(".")[2] for one in state.views} == {*POLICY.views}
    assert [one.name for one in state.procedures] == ["factory_telemetry.trim_realtime_index"]


def test_the_server_writes_the_policy_as_it_wrote_what_is_there(states: dict[str, State]) -> None:
    twins = states["optimised"].twins
    assert twins.problems == {}
    assert {*twins.aggregates} == {*POLICY.aggregates}
    assert twins.indexes["idx_oee_below_target"].endswith("WHERE (oee < (0.80)::double precision)")
    missing = states["legacy"].twins
    assert {*missing.aggregates} < {*POLICY.aggregates}, "what reads an aggregate that is not there has no twin yet"
    assert 'metric_hist_1min" does not exist' in missing.problems["metric_hist_1hour"]


def test_reading_leaves_nothing_behind(server: Server) -> None:
    count = "SELECT count(*) AS n FROM pg_class WHERE relname LIKE 'ms5ops%'"
    before = server.database.row(count)["n"]
    read_twins(server, POLICY)
    assert server.database.row(count)["n"] == before


def test_a_standby_and_a_role_without_temporary_objects_are_refused(server: Server) -> None:
    with pytest.raises(FeatureMissing, match="standby"):
        read_twins(replace(server, in_recovery=True), POLICY)
    with pytest.raises(PrivilegeMissing, match="GRANT TEMPORARY"):
        require_temporary(False, "reader")


def test_the_hash_leaves_out_what_changes_by_itself(states: dict[str, State]) -> None:
    state = states["optimised"]
    tables = tuple(replace(one, rows=1, size_bytes=2, index_bytes=3, chunks=Chunks(total=99)) for one in state.tables)
    jobs = tuple(replace(one, job_id=one.job_id + 50, next_start="2031-01-01T00:00:00+00:00") for one in state.jobs)
    passing = replace(state, tables=tables, jobs=jobs, read_at="2031-01-01T00:00:00+00:00", role="x", database_name="y")
    assert state_hash(passing) == state_hash(state)
    assert differences(state, passing) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda state: {"database_settings": {**state.database_settings, "jit": "on"}},
            "database_settings jit: off -> on",
        ),
        (lambda state: {"views": ()}, "views factory_telemetry.v_index_usage"),
        (lambda state: {"jobs": state.jobs[1:]}, "job on factory_telemetry"),
        (lambda state: {"indexes": state.indexes[1:]}, "indexes"),
        (lambda state: {"version": (2, 11, 0)}, "version"),
    ],
)
def test_a_difference_is_named(states: dict[str, State], change, says: str) -> None:  # type: ignore[no-untyped-def]
    state = states["optimised"]
    other = replace(state, **change(state))
    assert state_hash(other) != state_hash(state)
    assert says in " ".join(differences(state, other))


def test_many_differences_are_counted(states: dict[str, State]) -> None:
    found = differences(states["legacy"], states["optimised"], most=4)
    assert len(found) == 5
    assert found[-1].startswith("and ")


@given(st.timedeltas(min_value=timedelta(), max_value=timedelta(days=36_000)))
def test_spans_are_read_as_the_policy_writes_them(value: timedelta) -> None:
    whole = timedelta(seconds=int(value.total_seconds()))
    assert span(interval_sql(whole)) == whole


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7 days", timedelta(days=7)),
        ("01:30:00", timedelta(hours=1.5)),
        ("1 day 02:00:00", timedelta(hours=26)),
        ("00:00:00", timedelta()),
        ("-00:01:00", timedelta(minutes=-1)),
        ("3 mons", None),
        ("1 year 2 days", None),
        ("None", None),
        ("nonsense", None),
        ("", None),
        (None, None),
    ],
)
def test_intervals_of_the_server(text: str | None, value: timedelta | None) -> None:
    assert span(text) == value


def test_jobs_read_alike_from_the_public_views(sandboxes: Sandboxes) -> None:
    database = Database(sandboxes.target("optimised"))
    known = database.rows(query("rollout", "policy_jobs", (2, 29, 0)).sql)
    newer = database.rows(query("rollout", "policy_jobs", (3, 0, 0)).sql)
    database.close()
    assert len(known) == len(newer) > 15
    for one, other in zip(known, newer, strict=True):
        assert {**one, "timezone": None} == other


def test_a_job_record_survives_json(states: dict[str, State]) -> None:
    job = states["optimised"].jobs[0]
    assert isinstance(job, JobState)
    assert isinstance(state_from_json(state_to_json(states["optimised"])).jobs[0], JobState)
