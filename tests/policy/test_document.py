"""Every refusal is a sentence that names file, key and the nearest match; hashes and disabled tables."""

import subprocess
import sys
from datetime import time, timedelta
from pathlib import Path
from typing import Any

import pytest

from ms5ops import paths
from ms5ops.errors import ConfigError
from ms5ops.policy.document import DEFAULT_FILE, load_policy, policy_hash
from tests.policy.examples import FILE, REMOVED, bodies, changed

DEFAULT = DEFAULT_FILE.read_text()
LONG = "x" * 64


def write(folder: Path, text: str) -> Path:
    file = folder / "mine.toml"
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        # unknown keys
        ({"agregates": {}}, "unknown key agregates (did you mean aggregates?)"),
        ({"tables.metric_hist.compres_after": "1 day"}, "unknown key tables.metric_hist.compres_after (did you"),
        ({"tables.metric_hist.autovacuum.scale": 1}, "unknown key tables.metric_hist.autovacuum.scale"),
        ({"schedules.retention.evry": "1 day"}, "unknown key schedules.retention.evry (did you mean every?)"),
        ({"indexes.idx_oee_below_target.includes": []}, "idx_oee_below_target.includes (did you mean include?)"),
        ({"settings.server.max_lock_per_transaction": 1}, "(did you mean max_locks_per_transaction?)"),
        ({"expected.metric_hist.row_per_day": 1}, "(did you mean rows_per_day?)"),
        ({"tables.metric_hist.name": "x"}, "unknown key metric_hist.name: the name stands in the heading"),
        ({"tables.metric_hist.drop_after": REMOVED}, "tables.metric_hist.drop_after is missing"),
        ({"aggregates.oee_daily.start_offset": REMOVED}, "aggregates.oee_daily.start_offset is missing"),
        # intervals, times, numbers
        ({"tables.metric_hist.drop_after": "3 months"}, "drop_after: '3 months' has no fixed length"),
        ({"tables.metric_hist.drop_after": "1 mon"}, "drop_after: '1 mon' has no fixed length"),
        ({"tables.metric_hist.drop_after": "soon"}, "drop_after: 'soon' is not an interval"),
        ({"tables.metric_hist.drop_after": "soon"}, 'or write "never"'),
        ({"aggregates.oee_daily.start_offset": "x"}, 'or write "unbounded"'),
        ({"tables.metric_hist.chunk_interval": "0 days"}, "chunk_interval: must be longer than zero"),
        ({"tables.metric_hist.chunk_interval": "never"}, "chunk_interval: 'never' is not an interval"),
        ({"tables.metric_hist.chunk_interval": 7}, "chunk_interval: 7 is not an interval"),
        ({"tables.metric_hist.chunk_interval": "-1 day"}, "'-1 day' is not an interval"),
        ({"tables.metric_hist.chunk_interval": "5 fortnights"}, "unknown unit 'fortnights'"),
        ({"tables.metric_hist.chunk_interval": "99999999999 days"}, "longer than a hundred years"),
        ({"tables.metric_hist.retention_start": "late"}, "retention_start: 'late' is not a time of day"),
        ({"tables.metric_hist.retention_start": 7200}, "'7200' is not a time of day"),
        ({"tables.metric_hist.autovacuum.vacuum_scale_factor": 5}, "autovacuum.vacuum_scale_factor"),
        ({"settings.database.random_page_cost": float("nan")}, "settings.database.random_page_cost"),
        ({"schedules.retention.max_retries": -2}, "schedules.retention.max_retries"),
        ({"expected.metric_hist.segments": 0}, "expected.metric_hist.segments"),
        # tables and columns
        ({"tables.metric_hst": {}}, "tables.metric_hst"),
        ({"tables.metric_hist.time_column": "tss"}, "time_column: metric_hist has no column tss (did you mean ts?)"),
        ({"tables.metric_hist.time_column": "value_int"}, "value_int is bigint, and a hypertable needs a timestamptz"),
        ({"tables.metric_hist.segment_by": ["metric_id"]}, "no column metric_id (did you mean metric_def_id?)"),
        ({"tables.metric_hist.segment_by": ["ts"]}, "segment_by: the time column cannot segment"),
        ({"tables.metric_hist.segment_by": ["id", "id"]}, "segment_by: id stands there twice"),
        ({"tables.metric_hist.order_by": ["metric_def_id"]}, "order_by: metric_def_id is in segment_by already"),
        ({"tables.metric_hist.order_by": ["at DESC"]}, "order_by: metric_hist has no column at"),
        ({"tables.metric_hist.order_by": ["ts SIDEWAYS"]}, "'ts SIDEWAYS' is not a column with an order"),
        ({"tables.metric_hist.order_by": []}, "tables.metric_hist.order_by"),
        ({"aggregates.oee_daily.source": "oee_hourli"}, "no table or aggregate oee_hourli (did you mean oee_hourly?)"),
        ({"indexes.idx_oee_below_target.table": "oee_calculation"}, "(did you mean oee_calculations?)"),
        ({"indexes.idx_oee_below_target.columns": ["downtime_minutes"]}, "has no column downtime_minutes"),
        ({"indexes.idx_oee_below_target.include": ["oe"]}, "has no column oe (did you mean oee?)"),
        ({"expected.metric_hst": {"rows_per_day": 1}}, "there is no table metric_hst (did you mean metric_hist?)"),
        # indexes
        ({"indexes.idx_oee_below_target.where": "oee < now()"}, "where: now is not IMMUTABLE"),
        ({"indexes.idx_oee_below_target.where": "oee < NOW()"}, "not IMMUTABLE"),
        ({"indexes.idx_oee_below_target.where": "oee < 1; DROP TABLE x"}, "does not belong into a condition"),
        ({"indexes.idx_oee_below_target.where": "oee < 1 -- all"}, "does not belong into a condition"),
        ({"indexes.idx_oee_below_target.where": "oee < (SELECT 1)"}, "has no column select"),
        ({"indexes.idx_oee_below_target.where": "oee(1)"}, "a condition calls no functions"),
        ({"indexes.idx_oee_below_target.where": "oee < 1)) OR (("}, "parentheses do not match"),
        ({"indexes.idx_oee_below_target.where": '"oee" < 1'}, "does not belong into a condition"),
        ({"indexes.idx_oee_below_target.where": "oee\u00a0< 1"}, "does not belong into a condition"),
        ({"indexes.idx_oee_below_target.where": " "}, "where: is empty"),
        ({"indexes.idx_metric_hist_realtime.where": "ts > '2026-01-01'"}, "give where or window, not both"),
        ({"indexes.idx_metric_hist_realtime.trim_job": REMOVED}, "window and trim_job belong together"),
        ({"indexes.idx_metric_hist_realtime.trim_job": "trim"}, "trim_job: there is no job trim"),
        ({"indexes.idx_metric_hist_ts_brin.columns": ["ts DESC"]}, "a brin index has neither include nor an order"),
        ({"indexes.idx_metric_hist_ts_brin.method": "hash"}, "idx_metric_hist_ts_brin.method"),
        ({"indexes.idx_oee_below_target.include": ["equipment_code"]}, "equipment_code stands there twice"),
        # names
        ({"schema": "factory; DROP SCHEMA x"}, "schema: 'factory; DROP SCHEMA x' is not a name"),
        ({"schema": "Factory"}, "schema: 'Factory' is not a name"),
        ({f"indexes.{LONG}": {}}, "longer than PostgreSQL's 63 characters"),
        ({'indexes.x"; DROP TABLE y; --': {}}, "is not a name: lower-case letters, digits and _ only"),
        ({"indexes.select": {}}, "select is a reserved word of SQL"),
        ({"indexes.1st": {}}, "'1st' is not a name"),
        ({"tables.metric_hist.segment_by": ["metric_def_id) --"]}, "is not a name"),
        # bodies
        ({"aggregates.oee_daily.body": "aggregates/oee_dayly.sql"}, "(did you mean aggregates/oee_daily.sql?)"),
        ({"aggregates.oee_daily.body": "../../etc/passwd"}, "is not a file below"),
        ({"aggregates.oee_daily.body": "/etc/passwd"}, "is not a file below"),
        ({"aggregates.oee_daily.body": {"sql": "SELECT 1"}}, "body: must be the name of a file"),
        ({"aggregates.oee_daily.body": "aggregates/oee_weekly.sql"}, "its header that it is oee_weekly, not oee_daily"),
        ({"aggregates.oee_daily.source": "energy_hourly"}, "source: it is energy_hourly, but aggregates/oee_daily"),
        ({"aggregates.oee_daily.bucket": "2 days"}, "its bucket is 2 days, but aggregates/oee_daily.sql groups"),
        ({"schema": "other"}, "reads factory_telemetry.metric_hist, not other.metric_hist alone"),
        ({"views.v_index_usage.body": "jobs/trim_realtime_index.sql"}, "says in its header that it is trim_realtime"),
        ({"tables": "all"}, "tables: Input should be"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        changed(changes)
    assert says in caught.value.happened
    assert caught.value.happened.startswith(f"{FILE}: ")
    assert caught.value.next_step


def test_an_unknown_table_names_the_nearest() -> None:
    entry = changed().tables["metric_hist"].model_dump(mode="json", exclude={"name", "columns"})
    with pytest.raises(ConfigError, match=r"MS5\.0 has no table metric_hst \(did you mean metric_hist\?\)"):
        changed({"tables.metric_hst": entry})


def test_names_are_taken_once() -> None:
    view = {"body": "views/v_index_usage.sql"}
    with pytest.raises(ConfigError, match=r"says in its header that it is v_index_usage, not oee_hourly"):
        changed({"views.oee_hourly": view})
    index = {"table": "metric_hist", "columns": ["ts"], "purpose": "none"}
    for name, by in {
        "oee_hourly": "aggregates.oee_hourly",
        "metric_def": "a table of MS5.0",
        "ix_metric_hist_def_ts": "an index of MS5.0",
    }.items():
        with pytest.raises(ConfigError, match=rf"indexes\.{name}: the name is taken by {by}"):
            changed({f"indexes.{name}": index})


def test_an_index_named_twice_in_the_file_is_refused(tmp_path: Path) -> None:
    again = '\n[indexes.idx_oee_below_target]\ntable = "oee_calculations"\ncolumns = ["oee"]\npurpose = "twice"\n'
    file = write(tmp_path, DEFAULT + again)
    with pytest.raises(ConfigError, match=r"not valid TOML.*idx_oee_below_target.*twice"):
        load_policy(file)


def test_a_circle_of_sources_is_named(tmp_path: Path) -> None:
    folder = bodies(tmp_path, {
        "aggregates/oee_hourly.sql": ("source: oee_calculations", "source: oee_daily"),
    })  # fmt: skip
    text = (folder / "aggregates/oee_hourly.sql").read_text()
    body = text.replace("FROM factory_telemetry.oee_calculations", "FROM factory_telemetry.oee_daily")
    (folder / "aggregates/oee_hourly.sql").write_text(body)
    with pytest.raises(ConfigError, match=r"read each other in a circle \(oee_\w+ <- oee_\w+ <- oee_\w+\)"):
        changed({"aggregates.oee_hourly.source": "oee_daily"}, folder)


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("aggregates/oee_daily.sql", "<!DOCTYPE html><html></html>", 'lacks its header line "-- name: ..."'),
        ("aggregates/oee_daily.sql", "-- name: oee_daily\nSELECT 1", 'lacks its header line "-- about: ..."'),
        ("aggregates/oee_daily.sql", "-- name: oee_daily\n-- about: x\n\n<html>", "its body must be a SELECT"),
        ("aggregates/oee_daily.sql", "-- name: oee_daily\n-- about: x\n\nDROP TABLE x", "its body must be a SELECT"),
        ("aggregates/oee_daily.sql", "-- name: oee_daily\n-- about: x\n\nSELECT 1; DROP TABLE x", "holds 2 statements"),
        ("aggregates/oee_daily.sql", "-- name: oee_daily\n-- about: x\n\n", "holds 0 statements"),
        (
            "aggregates/oee_daily.sql", "-- name: oee_daily\n-- about: x\n\nWITH a AS (DELETE FROM b) SELECT 1",
            "holds DELETE: its body must only read",
        ),
        ("aggregates/oee_daily.sql", "-- name: oee_daily\n" + "-" * 300_000, "a body has a few thousand"),
        (
            "jobs/trim_realtime_index.sql", "-- name: trim_realtime_index\n-- about: x\n\nSELECT 1",
            "must hold one CREATE OR REPLACE PROCEDURE",
        ),
    ],
)  # fmt: skip
def test_hostile_bodies_are_refused(tmp_path: Path, file: str, text: str, says: str) -> None:
    folder = bodies(tmp_path, {})
    (folder / file).write_text(text)
    with pytest.raises(ConfigError) as caught:
        changed(sql_folder=folder)
    assert says in caught.value.happened


def test_a_job_that_creates_another_procedure_is_refused(tmp_path: Path) -> None:
    wrong = {"jobs/trim_realtime_index.sql": ("factory_telemetry.trim_realtime_index(", "public.x(")}
    with pytest.raises(ConfigError, match=r"creates public\.x, not factory_telemetry\.trim_realtime_index"):
        changed(sql_folder=bodies(tmp_path, wrong))
    more = {
        "jobs/trim_realtime_index.sql": ("$procedure$;", "$procedure$; DROP TABLE x; SELECT $procedure$$procedure$;")
    }
    with pytest.raises(ConfigError, match="must hold one CREATE OR REPLACE PROCEDURE"):
        changed(sql_folder=bodies(tmp_path / "more", more))


def test_a_body_behind_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder = bodies(tmp_path, {})
    (folder / "aggregates/oee_daily.sql").unlink()
    (folder / "aggregates/oee_daily.sql").symlink_to("/etc/passwd")
    with pytest.raises(ConfigError, match="leads out of"):
        changed(sql_folder=folder)


def test_a_body_that_is_not_text_is_refused(tmp_path: Path) -> None:
    folder = bodies(tmp_path, {})
    (folder / "aggregates/oee_daily.sql").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        changed(sql_folder=folder)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"#" * 10_000_000, "has 10,000,000 bytes, far more than a policy"),
        (b"<!DOCTYPE html>\n<html><body>404</body></html>", "is a web page (HTML) or XML"),
        (b"\xff\xfe\x00schema", "is not text in UTF-8"),
        (b"schema = ", "is not valid TOML"),
        (b"x = " + b"[" * 5_000, "is not valid TOML"),
        (b"x = " + b"9" * 5_000, "is not valid TOML"),
        (b"", "is missing"),
        (b"sql_folder = 3", "sql_folder is not the name of a folder"),
        (b'sql_folder = "nowhere"', "there is no folder"),
        (b"DROP TABLE users;", "is not valid TOML"),
    ],
)
def test_hostile_files_are_refused(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "policy.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_policy(file)
    assert says in caught.value.happened
    assert str(file) in caught.value.happened
    assert len(caught.value.happened) < 1_000


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="There is no policy file"):
        load_policy(tmp_path / "absent.toml")
    with pytest.raises(ConfigError, match="is not a file"):
        load_policy(tmp_path)
    with pytest.raises(ConfigError, match="is not a file"):
        load_policy(Path("/dev/zero"))


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    assert policy_hash(load_policy(write(tmp_path, "\ufeff" + DEFAULT))) == policy_hash(load_policy())


def test_a_copy_elsewhere_is_the_same_policy(tmp_path: Path) -> None:
    copy = load_policy(write(tmp_path, DEFAULT))
    assert policy_hash(copy) == policy_hash(load_policy())
    bodies(tmp_path, {})
    own = load_policy(write(tmp_path, 'sql_folder = "sql"\n' + DEFAULT))
    assert policy_hash(own) == policy_hash(load_policy())


def test_the_hash_is_the_same_in_every_process() -> None:
    program = "from ms5ops.policy.document import *; print(policy_hash(load_policy()))"
    found = {
        subprocess.run(
            [sys.executable, "-c", program], cwd=paths.PROJECT, env={"PYTHONHASHSEED": seed}, capture_output=True,
            text=True, check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }  # fmt: skip
    assert found == {policy_hash(load_policy())}
    assert len(found.pop()) == 64


def test_the_hash_is_over_what_reaches_the_database(tmp_path: Path) -> None:
    plain = policy_hash(changed())
    same: list[dict[str, Any]] = [
        {"tables.metric_hist.drop_after": "2160 hours"},
        {"indexes.idx_oee_below_target.purpose": "another"},
        {"expected.metric_hist.rows_per_day": 5},
    ]
    other: list[dict[str, Any]] = [
        {"tables.metric_hist.drop_after": "91 days"},
        {"tables.metric_hist.enabled": False},
        {"aggregates.oee_daily.materialized_only": True},
        {"settings.database.jit": REMOVED},
        {"views.v_index_usage.comment": "another"},
        {"jobs.trim_realtime_index.config.at_most": 100},
    ]
    assert {policy_hash(changed(changes)) for changes in same} == {plain}
    assert len({policy_hash(changed(changes)) for changes in other} | {plain}) == len(other) + 1
    body = bodies(tmp_path, {"aggregates/oee_daily.sql": ("max(oee_max) ", "min(oee_max) ")})
    assert policy_hash(changed(sql_folder=body)) != plain
    about = bodies(tmp_path / "about", {"aggregates/oee_daily.sql": ("-- about: ", "-- about: Really ")})
    assert policy_hash(changed(sql_folder=about)) == plain


def test_a_policy_survives_being_written_and_read() -> None:
    policy = changed({"tables.metric_hist.drop_after": "never", "aggregates.oee_daily.start_offset": "unbounded"})
    text = policy.model_dump(mode="json", by_alias=True)
    assert text["tables"]["metric_hist"]["drop_after"] == "never"
    assert text["aggregates"]["oee_daily"]["start_offset"] == "unbounded"
    assert text["indexes"]["idx_metric_hist_realtime"]["window"] == "1 day"
    assert policy.tables["metric_hist"].drop_after is None
    assert policy.aggregates["oee_daily"].start_offset is None


def test_nothing_can_be_changed() -> None:
    policy = changed()
    with pytest.raises(ValueError, match="frozen"):
        policy.tables["metric_hist"].drop_after = None


def test_a_disabled_table_takes_along_what_stands_on_it() -> None:
    policy = changed({"tables.metric_hist.enabled": False})
    assert "metric_hist" not in {table.name for table in policy.active_tables}
    assert {policy.root(entry.name) for entry in policy.active_aggregates} == {"oee_calculations", "energy_consumption"}
    assert "metric_hist" not in {index.table for index in policy.active_indexes}
    assert policy.active_jobs == ()
    assert len(changed().active_jobs) == 1


def test_retention_starts_where_the_table_says() -> None:
    policy = changed(
        {"tables.metric_hist.retention_start": REMOVED, "tables.oee_calculations.retention_start": "03:15"}
    )
    assert policy.retention_schedule(policy.tables["metric_hist"]).initial_start == time(2)
    own = policy.retention_schedule(policy.tables["oee_calculations"])
    assert (own.initial_start, own.every) == (time(3, 15), timedelta(days=1))


def test_a_copy_with_other_tables_speaks_of_its_own() -> None:
    policy = load_policy()
    assert "oee_calculations" in [table.name for table in policy.active_tables]
    assert policy.active_aggregates
    assert policy.active_indexes
    assert policy.active_jobs
    idle = {name: table.model_copy(update={"enabled": False}) for name, table in policy.tables.items()}
    copy = policy.model_copy(update={"tables": idle})
    assert (copy.active_tables, copy.active_aggregates, copy.active_indexes, copy.active_jobs) == ((), (), (), ())


@pytest.mark.parametrize(
    ("select", "says"),
    [
        # Each of these is one harmless SELECT to sqlparse, and two statements to PostgreSQL.
        ("SELECT 1 /* rows /* of */ ' */ ; DELETE FROM x; --'", "does not belong into a SELECT of a policy set"),
        ("SELECT '\\' AS x ; DO $x$ BEGIN END $x$; --'", "does not belong into a SELECT of a policy set"),
        ("SELECT E'\\'; DELETE FROM x; --'", "does not belong into a SELECT of a policy set"),
        ("SELECT $$'$$; DELETE FROM x; --'", "does not belong into a SELECT of a policy set"),
        ("SELECT 1; DELETE FROM x", "does not belong into a SELECT of a policy set"),
        ("-- a remark\nSELECT 1", "does not belong into a SELECT of a policy set"),
        ("WITH x AS (DELETE FROM y RETURNING 1) SELECT 1", "it holds DELETE"),
        ("WITH x AS MATERIALIZED ( delete FROM y RETURNING 1) SELECT 1", "it holds DELETE"),
        ("SELECT 1 INTO y", "it holds INTO"),
    ],
)
def test_a_written_out_body_is_one_select_to_every_reader(select: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        changed({"views.v_index_usage.body": select})
    assert says in caught.value.happened


def test_a_written_out_body_is_known_by_its_text() -> None:
    bodies = [
        changed({"views.v_index_usage.body": f"SELECT {text} AS a, update, a - -1 FROM s.t"})
        .views["v_index_usage"]
        .body
        for text in ("'A'", "'a'", "'a  b'", "'a b'", "'a b'")
    ]
    assert len({body.file for body in bodies}) == 4
    assert bodies[3].file == bodies[4].file
    assert bodies[0].reads == ("s.t",)


def test_what_a_function_reads_from_is_no_relation() -> None:
    sql = "SELECT EXTRACT(dow FROM t.at), substring(t.a FROM 2), trim(both FROM x.y) FROM s.t"
    body = changed({"views.v_index_usage.body": sql}).views["v_index_usage"].body
    assert body.reads == ("s.t",)
