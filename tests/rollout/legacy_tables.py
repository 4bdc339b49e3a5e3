"""Legacy tables with all that may hang on them, their conversion in small steps, and what must be alike afterwards."""

import re
from typing import Any

from ms5ops import paths
from ms5ops.database import Database, Target
from ms5ops.rollout import conversion
from ms5ops.rollout.conversion import Limits

TABLES = {
    "metric_hist": ("ts", "1 hour"),
    "oee_calculations": ("calculation_time", "1 day"),
    "energy_consumption": ("consumption_time", "1 day"),
    "production_kpis": ("created_at", "1 day"),
    "production_context_history": ("changed_at", "1 day"),
}
QUICK = Limits(batch_rows=300, round_rows=100, rest_rows=20, backoff_s=0.05, order_index_bytes=10_000)
Plan = dict[str, Any]


def one(database: Database, statement: str) -> dict[str, Any]:
    """The single row of a statement that is run as it is written."""
    with database.session() as session:
        (row,) = session.read(statement)
    return row


def quiet(_share: float, _text: str) -> None:
    """No one looks at the progress."""


def plan_for(schema: str, table: str, **more: object) -> Plan:
    time_column, interval = TABLES[table]
    key = ["id", time_column]
    return {
        "schema": schema,
        "table": table,
        "time_column": time_column,
        "chunk_interval": interval,
        "primary_key": key,
        **more,
    }


def plan_back(schema: str, table: str, *, time_nullable: bool = False) -> Plan:
    time_column = TABLES[table][0]
    nullable = {"time_nullable": time_nullable}
    return {"schema": schema, "table": table, "time_column": time_column, "primary_key": ["id"], **nullable}


def legacy(database: Database, schema: str, rows: int = 700) -> None:
    """The five tables as most installations have them, in ``schema``, with data and with all that may hang on them."""
    database.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')
    for name in ("ms5_tables", "ms5_legacy", "ms5_foreign_keys"):
        script = (paths.SQL / f"schema/{name}.sql").read_text().replace("factory_telemetry", schema)
        database.execute(script)
    database.execute(
        f"""
        INSERT INTO {schema}.users SELECT md5('u' || i)::uuid, 'user ' || i FROM generate_series(1, 3) i;
        INSERT INTO {schema}.production_lines
            SELECT md5('l' || i)::uuid, 'L' || i, 'Line ' || i, NULL, ARRAY['e' || i] FROM generate_series(1, 2) i;
        INSERT INTO {schema}.metric_def
            SELECT md5('m' || i)::uuid, 'e' || i, 'k', 'REAL' FROM generate_series(0, 9) i;
        INSERT INTO {schema}.metric_hist (metric_def_id, ts, value_bool, value_int, value_real, value_text, value_json)
            SELECT md5('m' || i % 10)::uuid, timestamptz '2026-01-01' + i * interval '97 s', i % 3 = 0, i, i / 7.0,
                'text ''' || i, jsonb_build_object('a', i, 'b', jsonb_build_array(1.50, NULL, 'x'))
            FROM generate_series(1, {rows}) i;
        INSERT INTO {schema}.oee_calculations (line_id, equipment_code, calculation_time, oee, good_parts)
            SELECT md5('l' || 1 + i % 2)::uuid, 'e1', timestamptz '2026-01-01' + i * interval '2 h', i / 7.0::real, i
            FROM generate_series(1, 60) i;
        INSERT INTO {schema}.energy_consumption (equipment_code, consumption_time, power_factor)
            SELECT 'e1', timestamptz '2026-01-01' + i * interval '5 h', i / 3.0::real FROM generate_series(1, 30) i;
        INSERT INTO {schema}.production_kpis (line_id, kpi_date, created_at, oee)
            SELECT md5('l1')::uuid, date '2026-01-01' + i, timestamptz '2026-01-01 12:00' + i * interval '1 day', 0.1
            FROM generate_series(1, 12) i;
        INSERT INTO {schema}.production_context_history (equipment_code, context_data, changed_by, changed_at)
            SELECT 'e1', '{{"k": "v"}}', md5('u1')::uuid, timestamptz '2026-01-01' + i * interval '9 h'
            FROM generate_series(1, 15) i;
        COMMENT ON TABLE {schema}.metric_hist IS 'samples, "raw" and ''all''';
        COMMENT ON COLUMN {schema}.metric_hist.value_json IS 'anything';
        COMMENT ON INDEX {schema}.ix_metric_hist_def_ts IS 'for dashboards';
        COMMENT ON CONSTRAINT metric_hist_metric_def_id_fkey ON {schema}.metric_hist IS 'goes with its metric';
        ALTER TABLE {schema}.metric_hist SET (autovacuum_vacuum_scale_factor = 0.05, fillfactor = 90);
        ALTER TABLE {schema}.metric_hist ALTER COLUMN value_text SET STORAGE EXTERNAL;
        ALTER TABLE {schema}.metric_hist ALTER COLUMN metric_def_id SET STATISTICS 500;
        ALTER TABLE {schema}.metric_hist ADD CONSTRAINT sane CHECK (value_int IS NULL OR value_int > -1000);
        CREATE INDEX some_text ON {schema}.metric_hist (lower(value_text), ts) WHERE value_bool;
        CREATE STATISTICS {schema}.together (dependencies) ON value_int, value_real FROM {schema}.metric_hist;
        CREATE TABLE {schema}.seen (id bigint);
        CREATE FUNCTION {schema}.see() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN INSERT INTO {schema}.seen VALUES (NEW.id); RETURN NULL; END $$;
        CREATE TRIGGER sees AFTER INSERT ON {schema}.metric_hist
            FOR EACH ROW WHEN (NEW.value_int = 4711) EXECUTE FUNCTION {schema}.see();
        COMMENT ON TRIGGER sees ON {schema}.metric_hist IS 'seen';
        CREATE VIEW {schema}.recent WITH (security_barrier = true) AS
            SELECT id, ts, value_real FROM {schema}.metric_hist WHERE ts > '2026-01-01';
        COMMENT ON VIEW {schema}.recent IS 'the newer ones';
        CREATE VIEW {schema}.newest AS SELECT max(ts) AS ts FROM {schema}.recent;
        DO $$ BEGIN CREATE ROLE conversion_reader; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
        GRANT SELECT ON {schema}.metric_hist TO conversion_reader WITH GRANT OPTION;
        GRANT UPDATE (value_text) ON {schema}.metric_hist TO conversion_reader;
        GRANT SELECT ON {schema}.recent TO conversion_reader;
        GRANT SELECT ON {schema}.metric_hist TO PUBLIC;
        """
    )


_DESCRIPTION = {
    "columns": "SELECT attname, format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated, attstorage,"
    " nullif(attstattarget, -1) AS target, attoptions::text, attacl::text, pg_get_expr(d.adbin, d.adrelid) AS def,"
    " col_description(attrelid, attnum) AS remark FROM pg_attribute a LEFT JOIN pg_attrdef d"
    " ON d.adrelid = a.attrelid AND d.adnum = a.attnum WHERE attrelid = {t} AND attnum > 0 AND NOT attisdropped"
    " ORDER BY attnum",
    "constraints": "SELECT conname, contype, convalidated, pg_get_constraintdef(oid) AS def,"
    " obj_description(oid, 'pg_constraint') AS remark FROM pg_constraint WHERE conrelid = {t} AND contype <> 'n'"
    " ORDER BY conname",
    "indexes": "SELECT indexrelid::regclass::text AS name, indisvalid, pg_get_indexdef(indexrelid) AS def,"
    " obj_description(indexrelid, 'pg_class') AS remark FROM pg_index WHERE indrelid = {t} ORDER BY 1",
    "table": "SELECT relacl::text, relowner::regrole::text, array_to_string(reloptions, ' ') AS options, relreplident,"
    " obj_description(oid, 'pg_class') AS remark FROM pg_class WHERE oid = {t}",
    "triggers": "SELECT tgname, tgenabled, pg_get_triggerdef(oid) AS def, obj_description(oid, 'pg_trigger') AS remark"
    " FROM pg_trigger WHERE tgrelid = {t} AND NOT tgisinternal AND tgname <> 'ts_insert_blocker' ORDER BY 1",
    "views": "SELECT c.oid::regclass::text AS name, pg_get_viewdef(c.oid) AS def, reloptions::text, relacl::text,"
    " obj_description(c.oid, 'pg_class') AS remark FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
    " WHERE relkind = 'v' AND nspname = '{s}' ORDER BY 1",
    "statistics": "SELECT stxname, pg_get_statisticsobjdef(oid) AS def FROM pg_statistic_ext WHERE stxrelid = {t}",
    "sequence": "SELECT pg_get_serial_sequence({n}, 'id') AS name",
    "dimensions": "SELECT column_name, time_interval::text FROM timescaledb_information.dimensions"
    " WHERE hypertable_schema = '{s}' AND hypertable_name = '{b}'",
    "chunks": "SELECT count(*), count(DISTINCT range_start) AS starts FROM timescaledb_information.chunks"
    " WHERE hypertable_schema = '{s}' AND hypertable_name = '{b}'",
    "rows": "SELECT count(*), sum(hashtextextended(x::text, 0)) FROM {q} x",
}


def described(database: Database, schema: str, table: str) -> dict[str, str]:
    """All that is to be kept, as text without the schema's name."""
    quoted = f'"{schema}"."{table}"'
    literal = f"'{quoted}'"
    found = {}
    for name, sql in _DESCRIPTION.items():
        parts = {"t": f"{literal}::regclass", "s": schema, "b": table, "n": literal, "q": quoted}
        found[name] = re.sub(rf"\b{schema}\b", "S", repr(database.rows(sql.format(**parts))))
    names = re.search(r"'name': '([^']*)'", found["sequence"])
    if names:
        sequence = names[1].replace("S.", f"{schema}.", 1)
        found["position"] = repr(database.rows(f"SELECT last_value, is_called FROM {sequence}"))
    return found


def leftovers(database: Database) -> list[dict[str, Any]]:
    return database.rows(
        "SELECT nspname AS name FROM pg_namespace WHERE nspname LIKE 'ms5ops\\_work%' OR nspname LIKE 'ms5ops\\_trial%'"
        " OR nspname LIKE 'ms5ops\\_kept%' UNION ALL SELECT tgname FROM pg_trigger WHERE tgname LIKE 'ms5ops%'"
        " UNION ALL SELECT relname FROM pg_class WHERE relname LIKE 'ms5ops\\_order%'"
    )


def convert(target: Target, plan: Plan, limits: Limits = QUICK) -> list[tuple[float, str]]:
    told: list[tuple[float, str]] = []
    conversion.convert(lambda: Database(target, "write"), plan, lambda *told_now: told.append(told_now), limits)
    return told


def reverse(target: Target, plan: Plan, limits: Limits = QUICK) -> None:
    conversion.reverse(lambda: Database(target, "write"), plan, quiet, limits)


def abandon(target: Target, plan: Plan) -> None:
    conversion.abandon(lambda: Database(target, "write"), plan, quiet, QUICK)


def drop_old(target: Target, plan: Plan) -> None:
    conversion.drop_old(lambda: Database(target, "write"), plan, quiet, QUICK)


def mirrored(database: Database, schema: str) -> None:
    database.execute(f"CREATE TABLE {schema}.mirror AS SELECT * FROM {schema}.metric_hist")


def difference(database: Database, schema: str) -> int:
    """How many rows are not the same in the table and its mirror; each with its number of occurrences."""
    counted = "SELECT x::text AS row, count(*) FROM {t} x GROUP BY 1"
    mine, theirs = (counted.format(t=f"{schema}.{table}") for table in ("metric_hist", "mirror"))
    sql = f"SELECT count(*) AS rows FROM (({mine} EXCEPT {theirs}) UNION ALL ({theirs} EXCEPT {mine})) d"
    return int(database.row(sql)["rows"])
