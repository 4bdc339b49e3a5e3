"""A legacy table becomes a hypertable while it is written to, and back; killed again and again (embedded engine)."""

import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ms5ops import paths
from ms5ops.database import Database, Session, Target
from ms5ops.errors import RolloutError
from ms5ops.rollout import conversion
from ms5ops.rollout.conversion import ConversionRefused, Limits
from ms5ops.rollout.conversion_definition import chunkwise
from ms5ops.rollout.conversion_names import suffixed
from ms5ops.sandbox import process
from ms5ops.sandbox.scripts import statements
from tests.conftest import Sandboxes

TABLES = {
    "metric_hist": ("ts", "1 hour"),
    "oee_calculations": ("calculation_time", "1 day"),
    "energy_consumption": ("consumption_time", "1 day"),
    "production_kpis": ("created_at", "1 day"),
    "production_context_history": ("changed_at", "1 day"),
}
QUICK = Limits(batch_rows=300, round_rows=100, rest_rows=20, backoff_s=0.05, order_index_bytes=10_000)
Plan = dict[str, Any]


@pytest.fixture(scope="module")
def target(sandboxes: Sandboxes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    folder = tmp_path_factory.mktemp("conversion")
    yield sandboxes.start(folder).target
    process.stop(folder)


@pytest.fixture
def database(target: Target) -> Iterator[Database]:
    database = Database(target, "write")
    clean(database)
    yield database
    database.close()


def clean(database: Database) -> None:
    """Take away what a failed test before has left."""
    ours = "nspname !~ '^(pg_|_?timescaledb_|toolkit_|public$|information_schema$)'"
    for row in database.rows(f"SELECT quote_ident(nspname) AS name FROM pg_namespace WHERE {ours}"):
        database.execute(f"DROP SCHEMA {row['name']} CASCADE")


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


# The result -------------------------------------------------------------------------------------------------


def test_the_result_is_that_of_the_short_way_and_the_way_back_gives_the_original(
    database: Database, target: Target
) -> None:
    legacy(database, "online")
    legacy(database, "short")
    original = {table: described(database, "online", table) for table in TABLES}
    for statement in statements(paths.SQL / "phase4/phase4_01_hypertables.sql"):
        if "create_hypertable" in statement:
            database.execute(statement.replace("factory_telemetry", "short"))
    for table in TABLES:
        told = convert(target, plan_for("online", table))
        assert told[-1][0] == 1.0
        assert [share for share, _ in told] == sorted(share for share, _ in told)
        assert described(database, "online", table) == described(database, "short", table)
    record = database.row("SELECT * FROM ms5ops.conversion WHERE schema_name = 'online' AND table_name = 'metric_hist'")
    assert (record["rows_copied"], record["rows_compared"], record["status"]) == (700, 700, "done")
    assert leftovers(database) == []

    database.execute("INSERT INTO online.metric_hist (metric_def_id, ts, value_int) SELECT id, now(), 4711"
                     " FROM online.metric_def LIMIT 1")  # fmt: skip
    assert database.row("SELECT count(*) AS rows FROM online.seen")["rows"] == 1
    assert database.row("SELECT count(*) AS rows FROM online.recent")["rows"] == 701
    assert database.row("SELECT count(*) AS rows FROM online.metric_hist_before_phase4")["rows"] == 700
    database.execute("DELETE FROM online.metric_hist WHERE value_int = 4711")
    database.execute("SELECT setval('online.metric_hist_id_seq', 700)")

    database.execute(
        "INSERT INTO online.metric_hist (id, ts, metric_def_id)"
        " SELECT id, ts + interval '1 day', metric_def_id FROM online.metric_hist WHERE id = 5"
    )
    with pytest.raises(ConversionRefused, match=r"1 values of \(id\) occur in more than one row"):
        reverse(target, plan_back("online", "metric_hist"))
    database.execute("DELETE FROM online.metric_hist WHERE id = 5 AND value_int IS NULL")

    for table in TABLES:
        nullable = table in ("production_kpis", "production_context_history")
        reverse(target, plan_back("online", table, time_nullable=nullable))
        assert described(database, "online", table) == original[table]
        drop_old(target, {"table": f"online.{table}"})
    assert leftovers(database) == []
    # And forth again, over the copy that the first conversion has kept: only when that is gone.
    with pytest.raises(ConversionRefused, match="metric_hist_before_phase4 is still kept"):
        convert(target, plan_for("online", "metric_hist"))
    database.execute("DROP TABLE online.metric_hist_before_phase4")
    convert(target, plan_for("online", "metric_hist"))
    assert described(database, "online", "metric_hist") == described(database, "short", "metric_hist")
    assert convert(target, plan_for("online", "metric_hist")) == [(1.0, "It was converted before")]
    drop_old(target, {"schema": "online", "table": "metric_hist"})
    with pytest.raises(RolloutError, match="No predecessor"):
        drop_old(target, {"schema": "online", "table": "metric_hist"})


# Killed, resumed, abandoned ---------------------------------------------------------------------------------


def killed_at(target: Target, number: int, work: Callable[[], None]) -> bool:
    """Whether a process that does ``work`` was killed (SIGKILL) before its statement of that number."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL
            return True
        assert os.WEXITSTATUS(status) == 0, "the conversion failed: see the output"
        return False
    try:
        left = number

        def counting(original: Callable[..., Any]) -> Callable[..., Any]:
            def counted(self: Session, *arguments: Any) -> Any:
                nonlocal left
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return original(self, *arguments)

            return counted

        for name in ("run", "read", "rows"):
            setattr(Session, name, counting(getattr(Session, name)))
        work()
        os._exit(0)
    except BaseException as error:  # noqa: BLE001 (a forked child must never return into pytest)
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(1)


def write(database: Database, schema: str, turn: int) -> None:
    """Late rows, changes that move a row in time, deletes; the same on a mirror, to compare with."""
    moving = "false"  # a hypertable cannot move a row into another chunk
    if not database.rows(f"SELECT FROM timescaledb_information.hypertables WHERE hypertable_schema = '{schema}'"):
        moving = f"id % 89 = {turn % 89}"
    for table in ("metric_hist", "mirror"):
        database.execute(
            f"""
            INSERT INTO {schema}.{table} (id, metric_def_id, ts, value_int)
                SELECT {100_000 + turn * 10} + i, md5('m1')::uuid,
                    timestamptz '2026-01-01' + i * interval '7 h' + {turn} * interval '1 min', {turn}
                FROM generate_series(0, 3) i;
            UPDATE {schema}.{table} SET value_text = 'changed in turn {turn}' WHERE id % 97 = {turn % 97};
            UPDATE {schema}.{table} SET ts = ts + interval '5 h' WHERE {moving};
            DELETE FROM {schema}.{table} WHERE id % 83 = {turn % 83};
            """
        )


def mirrored(database: Database, schema: str) -> None:
    database.execute(f"CREATE TABLE {schema}.mirror AS SELECT * FROM {schema}.metric_hist")


def difference(database: Database, schema: str) -> int:
    """How many rows are not the same in the table and its mirror; each with its number of occurrences."""
    counted = "SELECT x::text AS row, count(*) FROM {t} x GROUP BY 1"
    mine, theirs = (counted.format(t=f"{schema}.{table}") for table in ("metric_hist", "mirror"))
    sql = f"SELECT count(*) AS rows FROM (({mine} EXCEPT {theirs}) UNION ALL ({theirs} EXCEPT {mine})) d"
    return int(database.row(sql)["rows"])


def kill_until_done(target: Target, database: Database, schema: str, work: Callable[[], None], every: int) -> int:
    """Kill the work at statement 1, 1 + every ... of each new try, writing in between; how often it was killed."""
    kills = 0
    while killed_at(target, 1 + every * kills, work):
        kills += 1
        write(database, schema, kills)
        assert kills < 500
    return kills


def test_killed_at_every_step_and_resumed_in_both_directions(database: Database, target: Target) -> None:
    legacy(database, "killed", rows=400)
    legacy(database, "unharmed", rows=400)
    mirrored(database, "killed")
    convert(target, plan_for("unharmed", "metric_hist"))
    limits = Limits(batch_rows=150, round_rows=40, rest_rows=5, backoff_s=0.05, order_index_bytes=10_000)
    kills = kill_until_done(
        target, database, "killed", lambda: _ignore(convert(target, plan_for("killed", "metric_hist"), limits)), 4
    )
    assert kills > 20
    assert difference(database, "killed") == 0
    assert leftovers(database) == []
    changing = ("rows", "chunks", "position")
    expected, found = (described(database, schema, "metric_hist") for schema in ("unharmed", "killed"))
    assert {k: v for k, v in found.items() if k not in changing} == {
        k: v for k, v in expected.items() if k not in changing
    }
    record = database.row("SELECT * FROM ms5ops.conversion WHERE schema_name = 'killed'")
    assert record["rows_caught_up"] > 10

    database.execute("DROP TABLE killed.metric_hist_before_phase4")
    database.execute("DELETE FROM killed.metric_hist WHERE id >= 100000")  # or ids would occur twice
    database.execute("DELETE FROM killed.mirror WHERE id >= 100000")
    kills = kill_until_done(
        target, database, "killed", lambda: reverse(target, plan_back("killed", "metric_hist"), limits), 6
    )
    assert kills > 10
    assert difference(database, "killed") == 0
    assert database.rows("SELECT FROM timescaledb_information.hypertables WHERE hypertable_schema = 'killed'") == []


def _ignore(_value: object) -> None:
    """For a function that must give nothing."""


class Interrupted(Exception):
    """Someone wants a pause."""


def interrupted_at(number: int) -> Limits:
    """Limits that raise at the check of that number."""
    left = number

    def check() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Interrupted

    return Limits(batch_rows=100, round_rows=40, rest_rows=5, order_index_bytes=10_000, check=check)


@pytest.mark.parametrize("number", [3, 5, 7, 10, 14])
def test_interrupted_then_abandoned_leaves_the_original_and_loses_no_write(
    database: Database, target: Target, number: int
) -> None:
    legacy(database, "given_up", rows=500)
    mirrored(database, "given_up")
    before = described(database, "given_up", "metric_hist")
    with pytest.raises(Interrupted):
        convert(target, plan_for("given_up", "metric_hist"), interrupted_at(number))
    assert described(database, "given_up", "metric_hist")["rows"] == before["rows"]
    # An abandonment is killed as well, and then finished.
    plan = {"schema": "given_up", "table": "metric_hist"}
    if database.rows("SELECT FROM ms5ops.conversion WHERE schema_name = 'given_up' AND status = 'running'"):
        killed_at(target, 25, lambda: abandon(target, plan))
        with pytest.raises(RolloutError, match="being abandoned"):
            convert(target, plan_for("given_up", "metric_hist"))
        abandon(target, {"table": "given_up.metric_hist"})
    with pytest.raises(RolloutError, match="No conversion"):
        abandon(target, plan)
    assert described(database, "given_up", "metric_hist") == before
    assert leftovers(database) == []
    write(database, "given_up", 1)
    assert difference(database, "given_up") == 0
    convert(target, plan_for("given_up", "metric_hist"))
    assert difference(database, "given_up") == 0


def test_a_pause_is_resumed_and_nobody_else_may_work_on_it(database: Database, target: Target) -> None:
    legacy(database, "paused")
    seen: list[object] = []

    def check() -> None:
        if seen or not database.rows("SELECT WHERE to_regclass('ms5ops.conversion') IS NOT NULL"):
            return
        rows = database.rows("SELECT step FROM ms5ops.conversion WHERE schema_name = 'paused' AND status = 'running'")
        if rows and rows[0]["step"] == "copy":
            seen.append(rows)
            with pytest.raises(RolloutError, match="being worked on by process"):
                convert(target, plan_for("paused", "metric_hist"))
            with pytest.raises(ConversionRefused, match="metric_hist is being converted"):
                convert(target, plan_for("paused", "oee_calculations"))
            raise Interrupted

    with pytest.raises(Interrupted):
        convert(target, plan_for("paused", "metric_hist"), Limits(batch_rows=100, check=check))
    assert seen
    with pytest.raises(RolloutError, match="other parameters"):
        convert(target, plan_for("paused", "metric_hist", chunk_interval="2 hours"))
    database.execute("ALTER TABLE paused.metric_hist ADD COLUMN later integer")
    with pytest.raises(RolloutError, match=r"has changed since its conversion began \(columns\)"):
        convert(target, plan_for("paused", "metric_hist"))
    database.execute("ALTER TABLE paused.metric_hist DROP COLUMN later")
    # Emptied in the meantime, and filled with other rows.
    database.execute("TRUNCATE paused.metric_hist")
    database.execute("INSERT INTO paused.metric_hist (metric_def_id, ts) SELECT id, now() FROM paused.metric_def")
    convert(target, plan_for("paused", "metric_hist"))
    assert database.row("SELECT count(*) AS rows FROM paused.metric_hist")["rows"] == 10
    assert leftovers(database) == []


# Rows and names ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [0, 1])
def test_an_empty_table_and_one_row(database: Database, target: Target, rows: int) -> None:
    legacy(database, "tiny", rows=rows)
    before = described(database, "tiny", "metric_hist")
    convert(target, plan_for("tiny", "metric_hist"))
    found = described(database, "tiny", "metric_hist")
    assert found["rows"] == before["rows"]
    assert found["position"] == before["position"]
    assert found["dimensions"] != before["dimensions"]
    reverse(target, plan_back("tiny", "metric_hist"))
    assert described(database, "tiny", "metric_hist") == before
    drop_old(target, plan_back("tiny", "metric_hist"))


HOSTILE = 'Mess "hist"; DROP :x %s {y} \\ ünï'


def test_hostile_names_types_identity_and_generated_columns(database: Database, target: Target) -> None:
    schema, table, time_column, key = 'Sch "1" :s', HOSTILE, 'The "time" %(t)s :t', "The Id"
    q = {name: '"' + value.replace('"', '""') + '"' for name, value in
         {"s": schema, "t": table, "c": time_column, "k": key}.items()}  # fmt: skip
    database.execute(f"DROP SCHEMA IF EXISTS {q['s']} CASCADE")
    database.execute(
        f"""
        CREATE SCHEMA {q["s"]};
        CREATE TABLE {q["s"]}.{q["t"]} ({q["k"]} integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            {q["c"]} timestamp, "a b" text[] DEFAULT '{{}}', b bytea, n numeric(20, 5), f double precision,
            twice numeric GENERATED ALWAYS AS (n * 2) STORED, i interval, j json, d date);
        CREATE INDEX "An ""index"" (x) USING y" ON {q["s"]}.{q["t"]}
            ({q["c"]} DESC, lower('it''s ('::text)) INCLUDE (f);
        CREATE VIEW {q["s"]}."A view" AS SELECT {q["c"]}, twice AS "x""y" FROM {q["s"]}.{q["t"]};
        INSERT INTO {q["s"]}.{q["t"]} ({q["c"]}, "a b", b, n, f, i, j, d)
            SELECT timestamp '1999-12-31' + i * interval '1 h', ARRAY['x"', NULL], '\\x00ff', i / 7.0, i / 7.0,
                '1 mon -2 days', '{{"b": 1, "a":  2}}', date '2000-01-01' + i FROM generate_series(1, 50) i;
        INSERT INTO {q["s"]}.{q["t"]} ({q["c"]}, f) VALUES ('2000-01-01', 'NaN'), ('2000-01-01', '-0');
        """
    )
    plan = {"schema": schema, "table": table, "time_column": time_column, "chunk_interval": "1 day",
            "primary_key": [key, time_column]}  # fmt: skip
    total = f"SELECT count(*) AS n, sum(hashtextextended(x::text, 0)) AS sum FROM {q['s']}.{q['t']} x"
    before = one(database, total)
    conversion.convert(lambda: Database(target, "write"), plan, quiet, QUICK)
    assert one(database, total) == before
    database.execute(f"INSERT INTO {q['s']}.{q['t']} ({q['c']}) VALUES (now())")
    assert one(database, f"SELECT max({q['k']}) AS newest FROM {q['s']}.{q['t']}")["newest"] == 53
    assert one(database, f'SELECT count(*) AS n FROM {q["s"]}."A view"')["n"] == 53
    back = {**plan, "primary_key": [key], "time_nullable": True}
    conversion.reverse(lambda: Database(target, "write"), back, quiet, QUICK)
    assert one(database, total)["n"] == 53
    database.execute(f"INSERT INTO {q['s']}.{q['t']} ({q['c']}) VALUES (NULL)")
    assert one(database, f"SELECT max({q['k']}) AS newest FROM {q['s']}.{q['t']}")["newest"] == 54
    conversion.drop_old(lambda: Database(target, "write"), plan, quiet, QUICK)
    assert leftovers(database) == []


def test_rows_without_a_time(database: Database, target: Target) -> None:
    legacy(database, "timeless")
    database.execute("UPDATE timeless.production_kpis SET created_at = NULL WHERE id IN (2, 5, 7)")
    with pytest.raises(ConversionRefused, match="3 rows have no created_at"):
        convert(target, plan_for("timeless", "production_kpis"))
    with pytest.raises(ConversionRefused, match="null_times must be"):
        convert(target, plan_for("timeless", "production_kpis", null_times="fill"))
    assert leftovers(database) == []
    more = {"null_times": "fill", "null_time_value": "2025-12-31 10:00+00"}
    convert(target, plan_for("timeless", "production_kpis", **more))
    found = database.rows(
        "SELECT id FROM timeless.production_kpis WHERE created_at = '2025-12-31 10:00+00' ORDER BY id"
    )
    assert [row["id"] for row in found] == [2, 5, 7]
    assert database.row("SELECT count(*) AS n FROM timeless.production_kpis")["n"] == 12

    database.execute("UPDATE timeless.production_context_history SET changed_at = NULL WHERE id < 4")
    convert(target, plan_for("timeless", "production_context_history", null_times="delete"))
    assert database.row("SELECT count(*) AS n FROM timeless.production_context_history")["n"] == 12
    kept = database.row("SELECT count(*) AS n FROM timeless.production_context_history_before_phase4")
    assert kept["n"] == 15


# Refusals ---------------------------------------------------------------------------------------------------

REFUSALS = {
    "points to \\(id\\)": "CREATE TABLE refused.other (hist bigint REFERENCES refused.metric_hist (id))",
    "materialized view": "CREATE MATERIALIZED VIEW refused.m AS SELECT id FROM refused.metric_hist",
    'without the column "ts"': "CREATE UNIQUE INDEX one ON refused.metric_hist (value_text)",
    "row security": "ALTER TABLE refused.metric_hist ENABLE ROW LEVEL SECURITY",
    "publication p": "CREATE PUBLICATION p FOR TABLE refused.metric_hist",
    "rule r on": "CREATE RULE r AS ON DELETE TO refused.metric_hist DO ALSO NOTHING",
    "function refused.f": "CREATE FUNCTION refused.f(refused.metric_hist) RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "GROUP BY": "CREATE VIEW refused.g AS SELECT id, ts FROM refused.metric_hist GROUP BY id",
    "partitioned or inherited": "CREATE TABLE refused.child () INHERITS (refused.metric_hist)",
    "never validated": "ALTER TABLE refused.metric_hist ADD CONSTRAINT c CHECK (value_int > 0) NOT VALID",
    "no primary key": "ALTER TABLE refused.metric_hist DROP CONSTRAINT metric_hist_pkey",
    "infinite ts": "INSERT INTO refused.metric_hist (metric_def_id, ts) VALUES (md5('m1')::uuid, 'infinity')",
    "has no column|There is no table": "ALTER TABLE refused.metric_hist RENAME COLUMN ts TO t",
}


def test_what_cannot_be_carried_over_is_refused_before_anything_is_changed(database: Database, target: Target) -> None:
    for reason, statement in REFUSALS.items():
        legacy(database, "refused", rows=3)
        database.execute(statement)
        before = described(database, "refused", "metric_hist")
        with pytest.raises(ConversionRefused, match=reason):
            convert(target, plan_for("refused", "metric_hist"))
        assert described(database, "refused", "metric_hist") == before
        assert leftovers(database) == []
        database.execute("DROP PUBLICATION IF EXISTS p")
    legacy(database, "refused", rows=3)
    with pytest.raises(ConversionRefused, match=r"There is no table refused\.none"):
        convert(target, {**plan_for("refused", "metric_hist"), "table": "none"})
    with pytest.raises(ConversionRefused, match="bytes free"):
        convert(target, plan_for("refused", "metric_hist"), Limits(free_bytes=lambda: 1_000))
    with pytest.raises(ConversionRefused, match="parameters"):
        convert(target, {**plan_for("refused", "metric_hist"), "surprise": 1})
    database.execute("CREATE TABLE refused.h (t timestamptz NOT NULL); SELECT create_hypertable('refused.h', 't')")
    with pytest.raises(ConversionRefused, match="hypertable already"):
        convert(target, {**plan_for("refused", "metric_hist"), "table": "h", "time_column": "t", "primary_key": ["t"]})


def test_the_way_back_is_refused_while_jobs_or_aggregates_stand_on_the_hypertable(
    database: Database, target: Target
) -> None:
    legacy(database, "busy")
    convert(target, plan_for("busy", "metric_hist"))
    database.execute("SELECT add_retention_policy('busy.metric_hist', interval '1000 days')")
    with pytest.raises(ConversionRefused, match="policy_retention"):
        reverse(target, plan_back("busy", "metric_hist"))
    database.execute("SELECT remove_retention_policy('busy.metric_hist')")
    database.execute(
        "ALTER TABLE busy.metric_hist SET (timescaledb.compress, timescaledb.compress_segmentby = 'metric_def_id')"
    )
    database.execute("SELECT compress_chunk(c) FROM show_chunks('busy.metric_hist') c")
    before = described(database, "busy", "metric_hist")["rows"]
    reverse(target, plan_back("busy", "metric_hist"))
    assert described(database, "busy", "metric_hist")["rows"] == before
    drop_old(target, plan_back("busy", "metric_hist"))


def test_statements_for_chunkwise_indexes_and_long_names() -> None:
    table = '"s"."t"'
    plain = f'CREATE INDEX "a ( b" ON {table} USING btree (lower(\'(\'\'"\'::text), x) INCLUDE ("y)")'
    assert chunkwise(plain, table) == f"{plain} WITH (timescaledb.transaction_per_chunk)"
    partial = f"{plain} WITH (fillfactor='70') WHERE (z > 0)"
    assert "WITH (timescaledb.transaction_per_chunk, fillfactor='70') WHERE (z > 0)" in chunkwise(partial, table)
    assert suffixed("metric_hist", "_before_phase4") == "metric_hist_before_phase4"
    long = suffixed("ü" * 31, "_before_phase4")
    assert len(long.encode()) <= 63
    assert long != suffixed("ü" * 30 + "u", "_before_phase4")
