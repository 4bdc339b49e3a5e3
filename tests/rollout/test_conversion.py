"""A legacy table becomes a hypertable while it is written to, and back; killed again and again (embedded engine)."""

import os
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
from tests.rollout.legacy_tables import (
    QUICK,
    TABLES,
    abandon,
    convert,
    described,
    difference,
    drop_old,
    leftovers,
    legacy,
    mirrored,
    one,
    plan_back,
    plan_for,
    quiet,
    reverse,
)


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
