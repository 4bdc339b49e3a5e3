"""What somebody changed by hand, or what an apply left half done: planned exactly, mended, and taken back exactly."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from ms5ops.rollout.plan import make_plan
from ms5ops.rollout.state import differences, state_hash
from tests.rollout.planning import POLICY, Planned, engine, keys

F = "factory_telemetry"
pytestmark = pytest.mark.xdist_group("drift")


@dataclass(frozen=True)
class Drift:
    """A change by hand, the operations that mend it, and the notes that it leaves (parts of their texts)."""

    name: str
    sql: tuple[str, ...]
    keys: tuple[str, ...]
    notes: tuple[str, ...] = ()
    clean: tuple[str, ...] = ()
    can_go_back: bool = True


def job(kind: str, target: str, changes: str) -> str:
    """An alter_job by hand."""
    return (
        f"SELECT alter_job(j.job_id, {changes}) FROM timescaledb_information.jobs j"
        f" WHERE j.proc_name = '{kind}' AND j.hypertable_name = '{target}'"
    )


def aggregate(name: str, body: str) -> str:
    return (
        f"CREATE MATERIALIZED VIEW {F}.{name} WITH (timescaledb.continuous, timescaledb.materialized_only = false)"
        f" AS {body} WITH NO DATA"
    )


ENERGY_DAILY = POLICY.aggregates["energy_daily"].body.sql
OTHER_HOURLY = (
    "SELECT equipment_code, time_bucket(INTERVAL '1 hour', consumption_time) AS bucket, count(*) AS reading_count,"
    f" sum(energy_consumption_kwh) AS energy_kwh FROM {F}.energy_consumption GROUP BY 1, 2"
)
OTHER_DAILY = (
    "SELECT equipment_code, time_bucket(INTERVAL '1 day', bucket) AS bucket, sum(energy_kwh) AS energy_kwh"
    f" FROM {F}.energy_hourly GROUP BY 1, 2"
)
REFRESHED = "CALL refresh_continuous_aggregate('{name}', NULL, NULL)"

DRIFTS = [
    Drift(
        "a compression policy with another age and schedule",
        (
            job("policy_compression", "metric_hist", "schedule_interval => INTERVAL '6 hours', max_retries => 3"),
            job("policy_compression", "oee_calculations", 'config => j.config || \'{"compress_after": "20 days"}\''),
        ),
        ("02.metric_hist.compression_policy", "02.oee_calculations.compression_policy"),
    ),
    Drift(
        "a key in a policy's config that nobody planned",
        (job("policy_compression", "metric_hist", "config => j.config || '{\"maxchunks_to_compress\": 7}'"),),
        ("02.metric_hist.compression_policy",),
    ),
    Drift(
        "a policy made anew with another age, which if_not_exists would hide",
        (
            f"SELECT remove_retention_policy('{F}.metric_hist')",
            f"SELECT add_retention_policy('{F}.metric_hist', INTERVAL '30 days')",
        ),
        ("03.metric_hist.retention_policy",),
    ),
    Drift(
        "paused jobs",
        (
            job("policy_retention", "energy_consumption", "scheduled => false"),
            job("policy_refresh_continuous_aggregate", "oee_daily", "scheduled => false"),
            "SELECT alter_job(job_id, scheduled => false) FROM timescaledb_information.jobs"
            " WHERE proc_name = 'trim_realtime_index'",
        ),
        ("03.energy_consumption.retention_policy", "04.trim_realtime_index.job", "05.oee_daily.refresh_policy"),
    ),
    Drift("a missing index", (f"DROP INDEX {F}.idx_oee_below_target",), ("04.idx_oee_below_target.index",)),
    Drift(
        "an index of the right name with other columns",
        (
            f"DROP INDEX {F}.idx_kpis_line_date_shift",
            f"CREATE INDEX idx_kpis_line_date_shift ON {F}.production_kpis (line_id, kpi_date)",
        ),
        ("04.idx_kpis_line_date_shift.index",),
    ),
    Drift(
        "an index that is missing on one chunk",
        (
            "DO $$ DECLARE one regclass; BEGIN SELECT c.oid INTO one FROM pg_class c"
            " WHERE c.relname LIKE '%idx\\_context\\_equipment\\_changed\\_desc' AND c.relnamespace <>"
            f" '{F}'::regnamespace LIMIT 1; EXECUTE format('DROP INDEX %s', one); END $$",
        ),
        ("04.idx_context_equipment_changed_desc.index",),
        can_go_back=False,
    ),
    Drift(
        "what a replacement that was cut off left beside its index",
        (
            f"CREATE INDEX idx_oee_below_target__new ON {F}.oee_calculations (calculation_time DESC) WHERE oee < 0.7",
            f"CREATE INDEX idx_kpis_below_target__old ON {F}.production_kpis (created_at)",
            f"COMMENT ON INDEX {F}.idx_kpis_below_target__old IS 'mine'",
            f"CREATE INDEX idx_metric_hist_realtime__new ON {F}.oee_calculations (quality)",
        ),
        ("04.idx_oee_below_target__new.leftover", "04.idx_kpis_below_target__old.leftover"),
        clean=(f"DROP INDEX {F}.idx_metric_hist_realtime__new",),  # on another table: not the plan's
    ),
    Drift(
        "another comment on an index",
        (f"COMMENT ON INDEX {F}.idx_metric_hist_realtime IS 'mine'",),
        ("04.idx_metric_hist_realtime.index",),
    ),
    Drift(
        "other intervals",
        (
            f"SELECT set_chunk_time_interval('{F}.production_kpis', INTERVAL '2 days')",
            "SELECT set_chunk_time_interval(format('%I.%I', materialization_hypertable_schema,"
            " materialization_hypertable_name)::regclass, INTERVAL '11 days')"
            " FROM timescaledb_information.continuous_aggregates WHERE view_name = 'oee_hourly'",
        ),
        ("01.production_kpis.chunk_interval", "05.oee_hourly.chunk_interval"),
    ),
    Drift(
        "other segments, with compressed chunks",
        (
            f"ALTER TABLE {F}.metric_hist SET (timescaledb.compress, timescaledb.compress_segmentby = '',"
            " timescaledb.compress_orderby = 'metric_def_id, ts DESC')",
        ),
        ("02.metric_hist.compression_settings",),
    ),
    Drift(
        "settings taken back",
        (
            f"ALTER TABLE {F}.metric_hist RESET (autovacuum_vacuum_scale_factor)",
            f"ALTER TABLE {F}.production_kpis SET (autovacuum_analyze_scale_factor = 0.4)",
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET random_page_cost = 3', current_database()); END $$",
        ),
        ("01.metric_hist.autovacuum", "01.production_kpis.autovacuum", "01.database.random_page_cost"),
    ),
    Drift(
        "a dropped view and one with another definition",
        (
            f"DROP VIEW {F}.v_index_usage",
            f"DROP VIEW {F}.v_retention_status",
            f"CREATE VIEW {F}.v_retention_status AS SELECT 1 AS nothing",
            f"COMMENT ON VIEW {F}.v_retention_status IS 'it''s mine'",
            f"GRANT SELECT ON {F}.v_retention_status TO PUBLIC",
        ),
        ("03.v_retention_status.view", "04.v_index_usage.view"),
        clean=(f"REVOKE SELECT ON {F}.v_retention_status FROM PUBLIC",),
    ),
    Drift(
        "another body of a job's procedure",
        (
            f"CREATE OR REPLACE PROCEDURE {F}.trim_realtime_index(job_id integer, config jsonb)"
            " LANGUAGE plpgsql AS $procedure$ BEGIN RAISE NOTICE 'nothing'; END $procedure$",
        ),
        ("04.trim_realtime_index.procedure",),
    ),
    Drift(
        "an aggregate that shows materialised rows only, and a shorter refresh",
        (
            f"ALTER MATERIALIZED VIEW {F}.oee_daily SET (timescaledb.materialized_only = true)",
            job(
                "policy_refresh_continuous_aggregate",
                "oee_hourly",
                'config => j.config || \'{"start_offset": "2 days"}\'',
            ),
        ),
        ("05.oee_daily.materialized_only", "05.oee_hourly.refresh_policy"),
    ),
    Drift(
        "the top aggregate with another definition",
        (
            f"DROP MATERIALIZED VIEW {F}.energy_daily",
            aggregate("energy_daily", OTHER_DAILY),
            REFRESHED.format(name=f"{F}.energy_daily"),
            f"SELECT add_continuous_aggregate_policy('{F}.energy_daily',"
            " INTERVAL '9 days', INTERVAL '1 day', INTERVAL '2 h')",
            f"COMMENT ON VIEW {F}.energy_daily IS 'by hand'",
        ),
        ("05.energy_daily.drop", "05.energy_daily.create", "05.energy_daily.refresh", "05.energy_daily.refresh_policy"),
    ),
    Drift(
        "a lower aggregate with another definition: what reads it goes with it",
        (
            f"DROP MATERIALIZED VIEW {F}.energy_daily",
            f"DROP MATERIALIZED VIEW {F}.energy_hourly",
            aggregate("energy_hourly", OTHER_HOURLY),
            REFRESHED.format(name=f"{F}.energy_hourly"),
            aggregate("energy_daily", OTHER_DAILY),
            REFRESHED.format(name=f"{F}.energy_daily"),
        ),
        (
            "05.energy_daily.drop",
            "05.energy_hourly.drop",
            "05.energy_hourly.create",
            "05.energy_hourly.refresh",
            "05.energy_daily.create",
            "05.energy_daily.refresh",
            "05.energy_hourly.refresh_policy",
            "05.energy_daily.refresh_policy",
        ),
    ),
    Drift(
        "an apply that stopped between making an aggregate and filling it",
        (f"DROP MATERIALIZED VIEW {F}.energy_daily", aggregate("energy_daily", ENERGY_DAILY)),
        ("05.energy_daily.chunk_interval", "05.energy_daily.refresh", "05.energy_daily.refresh_policy"),
    ),
    Drift(
        "an apply that stopped in the middle",
        (
            f"DROP MATERIALIZED VIEW {F}.oee_weekly",
            f"SELECT remove_retention_policy('{F}.oee_calculations')",
            f"SELECT remove_compression_policy('{F}.production_context_history')",
            f"DROP INDEX {F}.idx_context_reason_changed_desc",
            "SELECT delete_job(job_id) FROM timescaledb_information.jobs WHERE proc_name = 'trim_realtime_index'",
            f"DROP PROCEDURE {F}.trim_realtime_index(integer, jsonb)",
        ),
        (
            "02.production_context_history.compression_policy",
            "04.idx_context_reason_changed_desc.index",
            "04.trim_realtime_index.procedure",
            "04.trim_realtime_index.job",
            "05.oee_weekly.create",
            "05.oee_weekly.refresh",
            "05.oee_weekly.refresh_policy",
            "03.oee_calculations.retention_policy",
        ),
    ),
    Drift(
        "one table that is plain among hypertables",
        (
            f"ALTER TABLE {F}.production_kpis RENAME TO kept",
            f"CREATE TABLE {F}.production_kpis (LIKE {F}.kept INCLUDING DEFAULTS)",
            f"ALTER TABLE {F}.production_kpis ALTER created_at DROP NOT NULL, ADD PRIMARY KEY (id)",
            f"ALTER SEQUENCE {F}.production_kpis_id_seq OWNED BY {F}.production_kpis.id",
            f"INSERT INTO {F}.production_kpis SELECT * FROM {F}.kept",
            f"DROP TABLE {F}.kept",
            f"ANALYZE {F}.production_kpis",
        ),
        (
            "01.production_kpis.convert",
            "01.production_kpis.autovacuum",
            "02.production_kpis.compression_settings",
            "02.production_kpis.compress",
            "02.production_kpis.compression_policy",
            "03.production_kpis.retention_policy",
            "04.idx_kpis_line_created_desc.index",
            "04.idx_kpis_line_date_shift.index",
            "04.idx_kpis_below_target.index",
        ),
    ),
    Drift(
        "policies that the policy set does not know",
        (
            f"SELECT add_reorder_policy('{F}.metric_hist', 'ix_metric_hist_def_ts')",
            f"ALTER MATERIALIZED VIEW {F}.oee_hourly SET (timescaledb.compress = true)",
            f"SELECT add_compression_policy('{F}.oee_hourly', INTERVAL '90 days')",
            aggregate("of_my_own", OTHER_HOURLY),
            f"CREATE INDEX of_my_own_too ON {F}.metric_hist (value_int)",
        ),
        (),
        ("policy_reorder", "compression policy that the policy set does not ask for", "An aggregate over"),
        clean=(
            f"SELECT remove_reorder_policy('{F}.metric_hist')",
            f"SELECT remove_compression_policy('{F}.oee_hourly')",
            f"DROP MATERIALIZED VIEW {F}.of_my_own",
            f"DROP INDEX {F}.of_my_own_too",
        ),
    ),
]


@pytest.fixture(scope="module")
def emptied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planned]:
    """An engine with an empty plan."""
    with engine(tmp_path_factory.mktemp("drift") / "sandbox", "hypertables") as planned:
        planned.execute(planned.plan().operations)
        assert planned.plan().is_empty
        yield planned


@pytest.fixture
def deployed(emptied: Planned) -> Iterator[Planned]:
    """The same, with an empty plan again for the next test, however this one ends."""
    yield emptied
    emptied.execute(emptied.plan().operations)


@pytest.mark.parametrize("drift", DRIFTS, ids=lambda drift: drift.name)
def test_drift_is_planned_mended_and_taken_back(deployed: Planned, drift: Drift) -> None:
    deployed.sql(*drift.sql)
    before = deployed.state()
    plan = make_plan(before, POLICY)
    assert sorted(keys(plan)) == sorted(drift.keys)
    for text in drift.notes:
        assert any(text in note.text and note.kind == "drift" for note in plan.notes), text
    deployed.execute(plan.operations)
    assert keys(deployed.plan()) == []
    if drift.can_go_back and plan.operations:
        deployed.undo(plan.operations)
        back = deployed.state()
        assert differences(before, back) == []
        assert state_hash(back) == state_hash(before)
        deployed.execute(make_plan(back, POLICY).operations)
    deployed.sql(*drift.clean)
    assert keys(deployed.plan()) == []


def test_a_changed_aggregate_names_the_history_that_its_source_has_lost(deployed: Planned) -> None:
    state = deployed.state()
    hourly = state.aggregate("energy_hourly")
    assert hourly is not None
    old = replace(hourly, definition="SELECT 1", chunks=replace(hourly.chunks, oldest="2020-01-01T00:00:00+00:00"))
    others = [one for one in state.aggregates if one.name != old.name]
    plan = make_plan(replace(state, aggregates=(*others, old)), POLICY)
    drop = next(one for one in plan.operations if one.key == "05.energy_hourly.drop")
    assert drop.destroys is not None
    assert "since 2020-01-01" in drop.destroys
    assert drop.inverse.loses == drop.destroys
    daily = next(one for one in plan.operations if one.key == "05.energy_daily.drop")
    assert "reads energy_hourly" in daily.actual


def test_an_aggregate_that_others_depend_on_is_left_alone(deployed: Planned) -> None:
    state = deployed.state()
    changed = tuple(
        replace(one, definition="SELECT 1", used_by=("public.somebodys_view",)) if "energy_daily" in one.name else one
        for one in state.aggregates
    )
    plan = make_plan(replace(state, aggregates=changed), POLICY)
    assert plan.is_empty
    assert any("public.somebodys_view depends on it" in note.text for note in plan.notes)


def test_what_retention_took_is_not_refreshed_over(deployed: Planned) -> None:
    """The raw rows of the first days are gone; a plan must not have their aggregates recomputed from nothing."""
    count = f"SELECT count(*) AS n FROM {F}.energy_hourly"
    before = deployed.writing.row(count)["n"]
    deployed.sql(f"SELECT drop_chunks('{F}.energy_consumption', older_than => INTERVAL '5 days')")
    plan = deployed.plan()
    assert keys(plan) == []
    late = "VALUES ('late', now() - INTERVAL '100 hours')"
    deployed.sql(f"INSERT INTO {F}.energy_consumption (equipment_code, consumption_time) {late}")
    assert keys(deployed.plan()) == [], "its policy reaches seven days back"
    assert deployed.writing.row(count)["n"] == before
