"""The online conversion on real servers, while about 1,000 rows a second are written, changed and deleted.

The writer keeps a mirror of the table in the same transactions. Its longest pause is printed, not asserted.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import psycopg2
import pytest

from ms5ops import paths
from ms5ops.database import Database, Target
from ms5ops.errors import RolloutError
from ms5ops.queries import parse_version
from ms5ops.rollout import conversion
from ms5ops.rollout.conversion import ConversionRefused, Limits
from tests.native import native_database
from tests.rollout.legacy_tables import (
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
    reverse,
)

pytestmark = pytest.mark.native
ROWS = 60_000
MOVED = "ts = ts + interval '3 h'"
LIMITS = Limits(batch_rows=5_000, backoff_s=0.1, order_index_bytes=1_000_000, piece_seconds=0.2)
_CHILD = """
import json, sys
from pydantic import SecretStr
from ms5ops.database import Database, Target
from ms5ops.rollout import conversion
request = json.load(sys.stdin)
password = SecretStr(request["target"].pop("password"))
target = Target(**request["target"], password=password)
limits = conversion.Limits(batch_rows=5_000, backoff_s=0.1, order_index_bytes=1_000_000, piece_seconds=0.2)
work = getattr(conversion, request["work"])
work(lambda: Database(target, "write"), request["plan"], lambda share, text: None, limits)
"""


@pytest.fixture
def own(native: Target) -> Iterator[Target]:
    """A database of one's own on each native server, with the extension in that server's version."""
    with native_database(native) as target:
        yield target
    home = Database(native, "write")
    unused = "SELECT FROM pg_roles r WHERE rolname = 'conversion_reader' AND NOT EXISTS"
    if home.rows(f"{unused} (SELECT FROM pg_shdepend WHERE refobjid = r.oid)"):
        home.execute("DROP ROLE conversion_reader")
    home.close()


def _plan() -> dict[str, Any]:
    return plan_for("w", "metric_hist", chunk_interval="1 day")


def connected(target: Target) -> Any:
    password = target.password.get_secret_value() if target.password else None
    connection = psycopg2.connect(
        host=target.host, port=target.port, dbname=target.database, user=target.user, password=password
    )
    connection.autocommit = True
    return connection


@dataclass
class Writer:
    """Inserts 20 rows every 20 ms, and now and then late rows, changes and deletes; the same on the mirror.

    It moves rows in time until that is refused: the table may have become a hypertable since its last statement.
    """

    target: Target
    hypertable: bool = False
    longest_s: float = 0.0
    rows: int = 0
    errors: list[BaseException] = field(default_factory=list)

    def __enter__(self) -> "Writer":
        self._ended = threading.Event()
        self._began = time.monotonic()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self.seconds = time.monotonic() - self._began

    def _run(self) -> None:
        try:
            with closing(connected(self.target)) as connection:
                turn = 0
                while not self._ended.wait(max(0.0, self._began + turn * 0.02 - time.monotonic())):
                    turn += 1
                    for statement in self._statements(turn):
                        began = time.monotonic()
                        with connection.cursor() as cursor:
                            self._do(cursor, statement)
                        self.longest_s = max(self.longest_s, time.monotonic() - began)
                    self.rows += 20
        except BaseException as error:  # noqa: BLE001 (shown by the test: nothing may fail here)
            self.errors.append(error)

    def _do(self, cursor: Any, statement: str) -> None:
        try:
            cursor.execute(statement)
        except psycopg2.errors.CheckViolation:
            if self.hypertable or MOVED not in statement:
                raise
            cursor.execute("ROLLBACK")
            self.hypertable = True

    def _statements(self, turn: int) -> list[str]:
        moved = "value_text = 'x'" if self.hypertable else MOVED
        late = f"now() - interval '1 hour' * {turn % 900}" if turn % 10 == 0 else "now()"
        found = [
            "WITH n AS (INSERT INTO w.metric_hist (metric_def_id, ts, value_int)"
            f" SELECT md5('m' || i % 10)::uuid, {late} - i * interval '1 ms', i"
            " FROM generate_series(1, 20) i RETURNING *)"
            " INSERT INTO w.mirror SELECT * FROM n"
        ]
        if turn % 7 == 0:
            for change in (
                f"UPDATE w.{{}} SET value_real = {turn} WHERE id BETWEEN {turn * 11} AND {turn * 11 + 4}",
                f"UPDATE w.{{}} SET {moved} WHERE id BETWEEN {turn * 13} AND {turn * 13 + 2}",
                f"DELETE FROM w.{{}} WHERE id BETWEEN {turn * 17} AND {turn * 17 + 1}",
            ):
                both = "; ".join(change.format(table) for table in ("metric_hist", "mirror"))
                found.append(f"BEGIN; {both}; COMMIT")
        return found


def prepared(target: Target, rows: int = ROWS) -> Database:
    database = Database(target, "write")
    legacy(database, "w", rows=rows)
    mirrored(database, "w")
    database.execute("CREATE INDEX ON w.mirror (id)")
    return database


def run_and_kill(target: Target, work: str, plan: dict[str, Any], after_s: float) -> bool:
    """Do the work in a process of its own and kill it after a while; whether it was still at it."""
    assert target.password is not None
    where = {**vars(target), "password": target.password.get_secret_value()}
    child = subprocess.Popen([sys.executable, "-c", _CHILD], stdin=subprocess.PIPE, cwd=paths.PROJECT)
    assert child.stdin is not None
    with child.stdin as stdin:
        stdin.write(json.dumps({"target": where, "work": work, "plan": plan}).encode())
    try:
        child.wait(after_s)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
        return True
    assert child.returncode == 0
    return False


@pytest.mark.timeout(240)
def test_a_writer_never_fails_and_loses_no_row_while_the_conversion_is_killed_again_and_again(own: Target) -> None:
    database = prepared(own)
    plan = _plan()
    with Writer(own) as writer:
        killed = 0
        for after_s in (1.2, 1.5, 1.8, 2.1, 2.4, 2.7, 3.0):
            if any(r["n"] for r in _swapped(database)) or not run_and_kill(own, "convert", plan, after_s):
                break
            killed += 1
        convert(own, plan, LIMITS)
        time.sleep(0.5)
    _judge(database, writer, f"conversion, killed {killed} times")
    blocked = database.row("SELECT blocked_ms FROM ms5ops.conversion")["blocked_ms"]
    print(f"the swap kept writers waiting for up to {blocked:.0f} ms")
    position = one(database, "SELECT last_value AS n FROM w.metric_hist_id_seq")["n"]
    assert position >= one(database, "SELECT max(id) AS n FROM w.metric_hist")["n"]
    drop_old(own, plan)

    with Writer(own, hypertable=True) as writer:
        killed = sum(run_and_kill(own, "reverse", plan_back("w", "metric_hist"), s) for s in (1.2, 1.8, 2.4))
        if _swapped(database)[0]["n"]:
            reverse(own, plan_back("w", "metric_hist"), LIMITS)
        time.sleep(0.3)
    _judge(database, writer, f"way back, killed {killed} times")
    assert not _swapped(database)[0]["n"]
    drop_old(own, plan)
    assert leftovers(database) == []
    database.close()


def _swapped(database: Database) -> list[dict[str, Any]]:
    return database.rows("SELECT count(*) AS n FROM timescaledb_information.hypertables WHERE hypertable_schema = 'w'")


def _judge(database: Database, writer: Writer, what: str) -> None:
    assert writer.errors == []
    assert difference(database, "w") == 0
    rate = writer.rows / writer.seconds
    print(f"\n{what}: {writer.rows:,} rows, {rate:,.0f} a second; longest pause {writer.longest_s * 1000:.0f} ms")


def test_a_long_transaction_delays_the_swap_but_writers_only_within_the_bound(own: Target) -> None:
    database = prepared(own, rows=2_000)
    told: list[str] = []
    # A transaction that has read the table keeps ACCESS EXCLUSIVE away.
    with closing(connected(own)) as reader, reader.cursor() as cursor, Writer(own) as writer:
        cursor.execute("BEGIN; SELECT count(*) FROM w.metric_hist")
        threading.Timer(4.0, lambda: reader.cancel() or cursor.execute("COMMIT")).start()
        writer.hypertable = True
        plan = _plan()
        conversion.convert(lambda: Database(own, "write"), plan, lambda _share, text: told.append(text), LIMITS)
    _judge(database, writer, "swap behind a long transaction")
    assert any("lock timeout" in text for text in told)
    drop_old(own, plan)
    database.close()


def test_foreign_keys_of_other_tables_and_cascades(own: Target) -> None:
    database = prepared(own, rows=3_000)
    database.execute(
        "ALTER TABLE w.metric_hist ADD CONSTRAINT both_ways UNIQUE (id, ts);"
        "CREATE TABLE w.remark (id bigint, ts timestamptz, remark text,"
        " CONSTRAINT of_sample FOREIGN KEY (id, ts) REFERENCES w.metric_hist (id, ts) ON DELETE CASCADE);"
        "INSERT INTO w.remark SELECT id, ts, 'x' FROM w.metric_hist WHERE id < 50"
    )
    version = parse_version(
        one(database, "SELECT extversion AS v FROM pg_extension WHERE extname = 'timescaledb'")["v"]
    )
    plan = _plan()
    of_sample = (
        "SELECT pg_get_constraintdef(oid) AS definition, convalidated FROM pg_constraint"
        " WHERE conname = 'of_sample' AND confrelid = 'w.metric_hist'::regclass"
    )
    before = one(database, of_sample)
    if version < (2, 16, 0):
        with pytest.raises(ConversionRefused, match=r"since TimescaleDB 2\.16 only"):
            convert(own, plan, LIMITS)
    else:
        convert(own, plan, LIMITS)
        assert one(database, of_sample) == before
        database.execute("DELETE FROM w.metric_hist WHERE id = 7")
        assert one(database, "SELECT count(*) AS n FROM w.remark")["n"] == 48
    database.close()


def test_master_data_that_goes_meanwhile_takes_its_rows_along(own: Target) -> None:
    database = prepared(own, rows=5_000)
    deleted: list[int] = []

    def check() -> None:
        if len(deleted) < 3 and database.rows("SELECT WHERE to_regclass('ms5ops.conversion') IS NOT NULL"):
            found = database.rows("SELECT FROM ms5ops.conversion WHERE step = 'copy' AND rows_copied > 0")
            if found:
                number = len(deleted)
                deleted.append(number)
                database.execute(f"DELETE FROM w.metric_def WHERE id = md5('m{number}')::uuid")
                database.execute(f"DELETE FROM w.mirror WHERE metric_def_id = md5('m{number}')::uuid")

    convert(own, _plan(), Limits(batch_rows=500, check=check))
    assert len(deleted) == 3
    assert difference(database, "w") == 0
    database.close()


def test_another_owner_and_a_half_built_index(own: Target) -> None:
    database = prepared(own, rows=3_000)
    role = f"conversion_owner_{uuid4().hex[:6]}"
    database.execute(f"CREATE ROLE {role}; GRANT CREATE, USAGE ON SCHEMA w TO {role};")
    try:
        database.execute(f"ALTER TABLE w.metric_hist OWNER TO {role}")
        tries: list[object] = []

        def check() -> None:
            if tries or not database.rows("SELECT WHERE to_regclass('ms5ops.conversion') IS NOT NULL"):
                return
            found = database.rows("SELECT work_schema FROM ms5ops.conversion WHERE step = 'index'")
            if found:  # as a crash leaves it: there, and not valid
                tries.append(found)
                work_schema = found[0]["work_schema"]
                database.execute(
                    f"CREATE INDEX ix_metric_hist_def_ts ON {work_schema}.metric_hist (metric_def_id, ts DESC);"
                    "UPDATE pg_index SET indisvalid = false WHERE indexrelid ="
                    f" '{work_schema}.ix_metric_hist_def_ts'::regclass"
                )

        convert(own, _plan(), Limits(check=check))
        assert tries
        invalid = "SELECT count(*) AS n FROM pg_index WHERE NOT indisvalid"
        assert one(database, invalid)["n"] == 0
        assert role in described(database, "w", "metric_hist")["table"]
        assert difference(database, "w") == 0
        with pytest.raises(RolloutError, match="No conversion"):
            conversion.abandon(lambda: Database(own, "write"), _plan(), lambda _s, _t: None, LIMITS)
    finally:
        database.execute(f"DROP SCHEMA w CASCADE; DROP OWNED BY {role}; DROP ROLE {role}")
        database.close()
