"""The default policy loads, and asks for exactly the state that sql/phase4 makes."""

import re
from datetime import time, timedelta
from pathlib import Path

import pytest

from ms5ops import paths
from ms5ops.observe.tables import expected_names, expected_tables
from ms5ops.policy import ms5_schema
from ms5ops.policy.document import AggregatePolicy, IndexPolicy, PolicySet, UserJobPolicy, ViewPolicy, load_policy
from ms5ops.policy.intervals import interval_sql, parse_interval

SCRIPTS = {file.name[:9]: file.read_text() for file in (paths.SQL / "phase4").glob("*.sql")}
SPAN = r"INTERVAL '([^']+)'"


@pytest.fixture(scope="module")
def policy() -> PolicySet:
    return load_policy()


def rows(script: str, pattern: str) -> list[tuple[str, ...]]:
    found = re.findall(pattern, SCRIPTS[script])
    assert found, f"{script} holds nothing like {pattern}"
    return found


HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MATRIX = {
    # Phase 4's hypertable matrix: time column, chunk, segment by, compress after, retain for.
    "metric_hist": ("ts", HOUR, ("metric_def_id",), 7 * DAY, 90 * DAY),
    "oee_calculations": ("calculation_time", DAY, ("line_id", "equipment_code"), 7 * DAY, 365 * DAY),
    "energy_consumption": ("consumption_time", DAY, ("equipment_code",), 14 * DAY, 365 * DAY),
    "production_kpis": ("created_at", DAY, ("line_id",), 7 * DAY, 365 * DAY),
    "production_context_history": ("changed_at", DAY, ("equipment_code",), 30 * DAY, 730 * DAY),
}


def test_tables_are_the_matrix(policy: PolicySet) -> None:
    found = {
        table.name: (table.time_column, table.chunk_interval, table.segment_by, table.compress_after, table.drop_after)
        for table in policy.tables.values()
    }
    assert found == MATRIX
    assert [table.time_order for table in policy.tables.values()] == [f"{one[0]} DESC" for one in MATRIX.values()]


def test_readings_expect_what_the_policy_says(policy: PolicySet) -> None:
    assert expected_names() == tuple(MATRIX)
    aggregates = [name for table in expected_tables() for name in table.aggregates]
    assert sorted(aggregates) == sorted(policy.aggregates)


def test_hypertables_as_script_1_makes_them(policy: PolicySet) -> None:
    made = rows("phase4_01", rf"phase4_to_hypertable\('factory_telemetry\.(\w+)',\s+'(\w+)',\s+{SPAN}\)")
    assert {name: (column, parse_interval(span)) for name, column, span in made} == {
        table.name: (table.time_column, table.chunk_interval) for table in policy.tables.values()
    }


def test_settings_as_script_1_advises_them(policy: PolicySet) -> None:
    database, server = policy.settings.database, policy.settings.server
    text = SCRIPTS["phase4_01"]
    assert f"SET max_parallel_workers_per_gather = {database.max_parallel_workers_per_gather};" in text
    assert f"SET random_page_cost = {database.random_page_cost};" in text
    assert "SET jit = off;" in text
    assert database.jit is False
    assert "effective_cache_size is 75 %" in text
    assert database.effective_cache_size_share == 0.75
    assert f"SET timescaledb.max_background_workers = {server.max_background_workers};" in text
    assert f"SET max_worker_processes = {server.max_worker_processes};" in text
    assert f"SET max_locks_per_transaction = {server.max_locks_per_transaction};" in text
    assert "SET timescaledb.enable_job_execution_logging = on;" in text
    assert server.enable_job_execution_logging is True


def test_compression_as_script_2_makes_it(policy: PolicySet) -> None:
    made = rows("phase4_02", rf"phase4_compress\('factory_telemetry\.(\w+)',\s+'([^']+)',\s+'(\w+)',\s+{SPAN}\)")
    assert {name: (segment, column, parse_interval(span)) for name, segment, column, span in made} == {
        table.name: (", ".join(table.segment_by), table.time_column, table.compress_after)
        for table in policy.tables.values()
    }
    schedule = policy.schedules.compression
    assert f"schedule_interval => INTERVAL '{interval_sql(schedule.every)}'" in SCRIPTS["phase4_02"]
    assert f"max_runtime => INTERVAL '{interval_sql(schedule.max_runtime)}'" in SCRIPTS["phase4_02"]
    assert f"retry_period => INTERVAL '{interval_sql(schedule.retry_period)}'" in SCRIPTS["phase4_02"]
    assert (schedule.initial_start, schedule.max_retries) == (None, -1)


def test_retention_as_script_3_makes_it(policy: PolicySet) -> None:
    pattern = rf"phase4_retain\('factory_telemetry\.(\w+)',\s+{SPAN},\s+.*INTERVAL '(\d) days (\d\d):(\d\d)'\)"
    made = {
        name: (parse_interval(span), int(days), time(int(hour), int(minute)))
        for name, span, days, hour, minute in rows("phase4_03", pattern)
    }
    schedules = {table.name: policy.retention_schedule(table) for table in policy.tables.values()}
    assert made == {
        table.name: (table.drop_after, schedules[table.name].first_run_after_days, schedules[table.name].initial_start)
        for table in policy.tables.values()
    }
    schedule = policy.schedules.retention
    assert f"schedule_interval => INTERVAL '{interval_sql(schedule.every)}'" in SCRIPTS["phase4_03"]
    assert f"max_runtime => INTERVAL '{interval_sql(schedule.max_runtime)}'" in SCRIPTS["phase4_03"]
    assert f"retry_period => INTERVAL '{interval_sql(schedule.retry_period)}'" in SCRIPTS["phase4_03"]


def written(index: IndexPolicy) -> str:
    """The index as script 4 writes it, blanks aside."""
    method = "" if index.method == "btree" else f"USING {index.method} "
    text = f"{index.name} ON factory_telemetry.{index.table} {method}({', '.join(map(str, index.columns))})"
    text += f" INCLUDE ({', '.join(index.include)})" if index.include else ""
    text += " WITH (timescaledb.transaction_per_chunk)"
    return text + (f" WHERE {index.where}" if index.where else "")


def test_indexes_as_script_4_makes_them(policy: PolicySet) -> None:
    text = re.sub(r"\s+", " ", SCRIPTS["phase4_04"].replace("'\n              '", ""))
    made = re.findall(r"CREATE INDEX IF NOT EXISTS (\w+ ON [^;]+?)(?:;|', date_trunc)", text)
    wanted = {written(index) for index in policy.indexes.values()}
    moving = policy.indexes["idx_metric_hist_realtime"]
    wanted.remove(written(moving))
    wanted.add(f"{written(moving)} WHERE ts >= %L::timestamptz")
    assert set(made) == wanted
    assert len(wanted) == 15
    assert (
        f"date_trunc('hour', now()) - INTERVAL '{moving.window // timedelta(hours=1) if moving.window else 0} hours'"
        in text
    )
    assert f"idx_metric_hist_realtime IS '{moving.comment}'" in text


def test_autovacuum_and_the_job_as_script_4_sets_them(policy: PolicySet) -> None:
    pattern = (
        r"ALTER TABLE factory_telemetry\.(\w+)\s+"
        r"SET \(autovacuum_vacuum_scale_factor = ([\d.]+), autovacuum_analyze_scale_factor = ([\d.]+)\)"
    )
    assert {name: (float(vacuum), float(analyze)) for name, vacuum, analyze in rows("phase4_04", pattern)} == {
        table.name: (table.autovacuum.vacuum_scale_factor, table.autovacuum.analyze_scale_factor)
        for table in policy.tables.values()
        if table.autovacuum
    }
    ((name, span, config),) = rows("phase4_04", rf"add_job\('factory_telemetry\.(\w+)', {SPAN},\s+config => '([^']+)'")
    (job,) = policy.jobs.values()
    assert (job.name, job.every) == (name, parse_interval(span))
    assert config == '{"keep_for": "24 hours", "at_most": 200}'
    assert dict(job.config) == {"keep_for": "24 hours", "at_most": 200}


def test_aggregates_as_script_5_makes_them(policy: PolicySet) -> None:
    offsets = rows("phase4_05", rf"phase4_refresh_policy\('(\w+)',\s+{SPAN},\s+{SPAN},\s+{SPAN}\)")
    assert {name: tuple(map(parse_interval, spans)) for name, *spans in offsets} == {
        entry.name: (entry.start_offset, entry.end_offset, entry.schedule_interval)
        for entry in policy.aggregates.values()
    }
    chunks = rows("phase4_05", rf"(?<!\w)\('(\w+)',\s+{SPAN}\)[,)]")
    assert {name: parse_interval(span) for name, span in chunks} == {
        entry.name: entry.chunk_interval for entry in policy.aggregates.values()
    }
    filled = rows("phase4_05", rf"phase4_refresh_from\('(\w+)', {SPAN}\), now\(\) - {SPAN}\)")
    assert [(name, parse_interval(start), parse_interval(end)) for name, start, end in filled] == [
        (entry.name, entry.start_offset, entry.end_offset) for entry in policy.active_aggregates
    ]
    assert len(policy.aggregates) == 9


def test_bodies_are_the_text_of_the_scripts(policy: PolicySet) -> None:
    for entry in policy.aggregates.values():
        options = f"timescaledb.materialized_only = {str(entry.materialized_only).lower()}"
        assert (
            f"CREATE MATERIALIZED VIEW IF NOT EXISTS factory_telemetry.{entry.name}\n"
            f"WITH (timescaledb.continuous, {options}) AS\n{entry.body.sql}\nWITH NO DATA;"
        ) in SCRIPTS["phase4_05"]
    views = SCRIPTS["phase4_03"] + SCRIPTS["phase4_04"]
    for view in policy.views.values():
        select = view.body.sql[re.search(r"^(?!--)", view.body.sql, re.MULTILINE).start() :]  # type: ignore[union-attr]
        assert f"CREATE VIEW factory_telemetry.{view.name} AS\n{select};" in views
        assert f"COMMENT ON VIEW factory_telemetry.{view.name} IS\n    '{view.comment}';" in views
    for job in policy.jobs.values():
        assert f"{job.body.sql};" in SCRIPTS["phase4_04"]


def test_every_body_is_named_by_the_default_and_no_other(policy: PolicySet) -> None:
    entries: list[AggregatePolicy | ViewPolicy | UserJobPolicy] = [
        *policy.aggregates.values(), *policy.views.values(), *policy.jobs.values(),
    ]  # fmt: skip
    files = {
        str(file.relative_to(paths.SQL))
        for kind in ("aggregates", "views", "jobs")
        for file in (paths.SQL / kind).iterdir()
    }
    assert {entry.body.file for entry in entries} == files
    assert all(Path(entry.body.file).stem == entry.name for entry in entries)


def test_the_schema_as_data_is_the_schema_as_sql() -> None:
    text = (paths.SQL / "schema" / "ms5_tables.sql").read_text()
    for table, columns in ms5_schema.COLUMNS.items():
        body = re.search(rf"CREATE TABLE factory_telemetry\.{table} \(\n(.*?)\n\);", text, re.DOTALL)
        assert body is not None
        found = re.findall(r"^    (\w+)\s+(double precision|\w+)", body[1], re.MULTILINE)
        assert dict(found) == dict(columns), table
        assert [name for name, _ in found] == list(columns), table
    rest = (paths.SQL / "schema" / "ms5_foreign_keys.sql").read_text()
    keys = re.findall(r"ALTER TABLE factory_telemetry\.(\w+)\s+ADD CONSTRAINT \w+\s+FOREIGN KEY \((\w+)\)", rest)
    assert keys == [(table, column) for table, found in ms5_schema.FOREIGN_KEYS.items() for column in found]
    indexes = re.findall(r"CREATE INDEX (\w+) ON factory_telemetry\.(\w+) \(([^)]+)\)", rest)
    assert {(name, table, tuple(columns.split(", "))) for name, table, columns in indexes} == {
        (name, table, columns) for table, found in ms5_schema.INDEXES.items() for name, columns in found.items()
    }
    others = set(re.findall(r"CREATE TABLE factory_telemetry\.(\w+)", text)) - set(ms5_schema.COLUMNS)
    assert others == set(ms5_schema.OTHER_RELATIONS)


def test_aggregates_come_after_what_they_read(policy: PolicySet) -> None:
    order = [entry.name for entry in policy.active_aggregates]
    for entry in policy.active_aggregates:
        assert entry.source in policy.tables or order.index(entry.source) < order.index(entry.name)
    assert [policy.level(name) for name in ("metric_hist", "metric_hist_1min", "metric_hist_1day")] == [0, 1, 3]
    assert policy.root("oee_weekly") == "oee_calculations"
    assert policy.qualified("oee_weekly") == "factory_telemetry.oee_weekly"
    assert policy.drop_after("oee_weekly") is None
    assert policy.drop_after("oee_calculations") == timedelta(days=365)


def test_compress_orderby_is_written_as_the_server_takes_it(policy: PolicySet) -> None:
    assert policy.tables["metric_hist"].time_order == "ts DESC"
