"""Everything read at once, on the sandbox in each state, on awkward data, and on native servers."""

import json
from datetime import timedelta

import pytest

from ms5ops.database import Database, Target
from ms5ops.errors import FeatureMissing, PrivilegeMissing, ServerUnreachable
from ms5ops.observe.activity import read_activity, read_statements
from ms5ops.observe.chunks import DTYPES, read_chunks
from ms5ops.observe.compression import poor_chunks, read_live_sizes
from ms5ops.observe.diagnoses import diagnoses
from ms5ops.observe.health import findings, problems
from ms5ops.observe.overview import Overview, as_plain, read_all
from ms5ops.observe.routine import routine
from ms5ops.observe.server import Server, connect_server, probe_server
from ms5ops.observe.tables import table_named
from tests.conftest import Sandboxes
from tests.native import native_database

SCHEMA = "factory_telemetry"
HOURLY = f"{SCHEMA}.metric_hist_1hour"


def read(database: Database) -> Overview:
    overview = read_all(connect_server(database))
    assert overview.errors() == {}
    assert json.dumps(as_plain(overview))
    assert len(routine(overview)) == 9
    assert len(diagnoses(overview)) == 9
    return overview


def kinds(overview: Overview) -> set[str]:
    return {table.kind for table in overview.tables.get() if table.is_expected}


def test_legacy_shows_plain_tables_with_sizes_and_growth(sandboxes: Sandboxes) -> None:
    overview = read(Database(sandboxes.target("legacy")))
    assert kinds(overview) == {"plain table"}
    assert all(table.size_bytes and table.rows for table in overview.tables.get())
    growth = overview.growth.get()
    assert growth["is_estimate"].all()
    assert growth.groupby("table")["day"].nunique().min() >= 9
    grave = {one.key for one in problems(findings(overview))}
    assert "tables.plain" in grave
    assert not any(key.startswith(("policies", "unread", "jobs")) for key in grave)


def test_hypertables_lack_policies(sandboxes: Sandboxes) -> None:
    overview = read(Database(sandboxes.target("hypertables")))
    assert kinds(overview) == {"hypertable"}
    assert {table.chunk_interval for table in overview.tables.get()} == {timedelta(days=7)}
    found = {one.key for one in findings(overview)}
    assert {"policies.compression", "policies.retention", "policies.aggregates", "tables.chunk_interval"} <= found
    assert not any(one.is_broken for one in overview.indexes.get().indexes)


def test_optimised_has_everything(sandboxes: Sandboxes) -> None:
    overview = read(Database(sandboxes.target("optimised")))
    assert kinds(overview) == {"hypertable"}
    assert sum(one.job_id is not None for one in overview.compression.get()) >= 5
    assert sum(one.job_id is not None for one in overview.retention.get() if one.kind == "hypertable") == 5
    assert len(overview.aggregates.get()) >= 8
    assert {one.level for one in overview.aggregates.get()} >= {1, 2, 3}
    found = {one.key for one in findings(overview)}
    assert "policies.ok" in found
    assert not any(key.startswith(("aggregates.retention", "indexes.broken", "unread")) for key in found)
    metrics = table_named(overview.tables.get(), f"{SCHEMA}.metric_hist")
    assert metrics is not None
    assert 0 < metrics.compressed_chunks < metrics.chunks


def check_awkward(server: Server) -> None:
    overview = read(server.database)
    tables = {table.qualified: table for table in overview.tables.get()}
    assert tables[f"{SCHEMA}.oee_calculations"].kind == "plain table"
    assert tables[f"{SCHEMA}.production_kpis"].kind == "missing"
    assert tables[HOURLY].kind == "continuous aggregate"
    assert (tables[f"{SCHEMA}.empty_one"].chunks, tables[f"{SCHEMA}.empty_one"].size_bytes) == (0, 0)
    assert tables[f"{SCHEMA}.counted"].chunk_interval is None
    assert tables["odd schema.it's: odd"].chunks >= 4
    assert tables[f"{SCHEMA}.energy_consumption"].dimensions == 2
    metrics = tables[f"{SCHEMA}.metric_hist"]
    assert (metrics.chunks, metrics.compressed_chunks) == (10, 6)
    assert metrics.rows == pytest.approx(4_321, abs=10)

    compression = next(one for one in overview.compression.get() if one.table == metrics.qualified)
    assert (compression.segment_by, compression.order_by) == (("metric_def_id",), ("ts DESC",))
    assert compression.rows_per_segment == pytest.approx(144, abs=2)
    assert compression.segments == 3
    poor_chunks(read_chunks(server, metrics), compression, read_live_sizes(server, metrics))

    hourly, daily = overview.aggregates.get()
    assert (hourly.bucket_width, daily.bucket_width) == (timedelta(hours=1), timedelta(days=1))
    assert (hourly.source, daily.source) == (metrics.qualified, HOURLY)
    assert (hourly.start_offset, daily.start_offset) == (timedelta(days=3), None)
    assert hourly.newest_source_at is not None
    assert daily.newest_source_at == hourly.watermark

    jobs = {(job.kind, job.target) for job in overview.jobs.get()}
    assert {("refresh", HOURLY), ("compression", metrics.qualified), ("retention", metrics.qualified)} <= jobs
    own = [job for job in overview.jobs.get() if job.kind == "user"]
    assert [job.config for job in own] == [{}, {"drop_after": 5, "note": "own meaning"}]

    indexes = {index.name: index for index in overview.indexes.get().indexes}
    for name in ("idx_metric_hist_high", "metric_hist_pkey", "ix_metric_hist_def_ts", "idx_metric_hist_ts_brin"):
        assert (indexes[name].chunks, indexes[name].missing_chunks) == (10, 0), name
    assert indexes["idx_oee_low"].table_kind == "plain table"


def check_sizes(server: Server) -> None:
    """Against the exact functions, within what a compressed chunk vacuumed since may deviate."""
    for table in read_all(server).tables.get():
        if table.is_chunked and table.chunks:
            exact = server.database.row(
                "SELECT d.total_bytes - pg_total_relation_size(c.oid) AS bytes FROM pg_class c"
                " JOIN pg_namespace n ON n.oid = c.relnamespace"
                " CROSS JOIN LATERAL hypertable_detailed_size(c.oid) d"
                " WHERE n.nspname = :schema AND c.relname = :table",
                {"schema": table.storage_schema, "table": table.storage_name},
            )["bytes"]
            assert table.size_bytes == pytest.approx(exact, rel=0.05), table.qualified


@pytest.mark.xdist_group("awkward")
def test_awkward_data_on_the_embedded_engine(awkward_engine: Server) -> None:
    check_awkward(awkward_engine)
    check_sizes(awkward_engine)


@pytest.mark.native
def test_awkward_data_on_native_servers(awkward_native: Server) -> None:
    check_awkward(awkward_native)
    check_sizes(awkward_native)
    assert len(read_statements(awkward_native, 5)) <= 5
    assert read_activity(awkward_native).connections >= 0


@pytest.mark.native
def test_a_role_without_rights_sees_nearly_everything(awkward_native: Server) -> None:
    target = awkward_native.database.target
    role = f"{target.database}_reader"
    owner = Database(target, "write")
    owner.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'")
    try:
        database = Database(Target(target.host, target.port, target.database, role, type(target.password)("x")))  # type: ignore[misc]
        overview = read_all(connect_server(database))
        database.close()
        # Before 2.14 settings are told only by a view over objects that the role must be allowed to use.
        assert {type(error) for error in overview.errors().values()} <= {PrivilegeMissing}
        assert set(overview.errors()) <= {"compression"}
        assert overview.aggregates.get()[0].newest_source_at is None
    finally:
        owner.execute(f"DROP ROLE {role}")
        owner.close()


@pytest.mark.native
def test_a_database_without_the_extension_is_said_plainly(native: Target) -> None:
    with native_database(native, extension=False) as target:
        database = Database(target)
        assert probe_server(database).extension_installed is False
        with pytest.raises(FeatureMissing, match="does not have the timescaledb extension"):
            connect_server(database)
        database.close()


@pytest.mark.xdist_group("awkward")
def test_chunks_of_one_table_with_a_limit(awkward_engine: Server) -> None:
    tables = read_all(awkward_engine).tables.get()
    metrics = table_named(tables, f"{SCHEMA}.metric_hist")
    newest = read_chunks(awkward_engine, metrics, limit=3)
    assert len(newest) == 3
    assert newest["range_start"].is_monotonic_decreasing
    assert list(newest.columns) == list(DTYPES)
    assert set(newest["hypertable_name"]) == {"metric_hist"}


@pytest.mark.xdist_group("awkward")
def test_wrong_parameters_are_the_programs_fault(awkward_engine: Server) -> None:
    with pytest.raises(TypeError, match=r"chunks\.sql takes"):
        awkward_engine.frame("chunks", limit=3)


@pytest.mark.xdist_group("awkward")
def test_statements_need_their_extension(awkward_engine: Server) -> None:
    with pytest.raises(FeatureMissing, match="pg_stat_statements"):
        read_statements(awkward_engine)


def test_a_server_that_does_not_answer() -> None:
    with pytest.raises(ServerUnreachable):
        connect_server(Database(Target("127.0.0.1", 1, "x", "x")))
