"""The border to the server: read-only and bounded reading, and an error with a next step for what can go wrong."""

import dataclasses
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from ms5ops.database import READ_LOCK_TIMEOUT_MS, READ_STATEMENT_TIMEOUT_MS, Database, Target
from ms5ops.errors import FeatureMissing, PrivilegeMissing, ReadTimeout, ServerError, ServerUnreachable
from tests.conftest import Sandboxes


@pytest.fixture
def target(sandboxes: Sandboxes) -> Target:
    return sandboxes.target("legacy")


@pytest.fixture
def reader(target: Target) -> Iterator[Database]:
    database = Database(target)
    yield database
    database.close()


def in_one_transaction(database: Database, *statements: str) -> None:
    with database.transaction() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def test_a_reading_session_is_read_only_bounded_and_in_utc(reader: Database) -> None:
    found = reader.row(
        "SELECT current_setting('default_transaction_read_only') AS read_only, current_setting('timezone') AS zone,"
        " current_setting('lock_timeout') AS lock, current_setting('statement_timeout') AS statement,"
        " current_setting('jit') AS jit"
    )
    assert found == {
        "read_only": "on",
        "zone": "UTC",
        "lock": f"{READ_LOCK_TIMEOUT_MS}ms",
        "statement": f"{READ_STATEMENT_TIMEOUT_MS // 1000}s",
        "jit": "off",
    }


def test_a_reading_session_changes_nothing(reader: Database) -> None:
    with pytest.raises(PrivilegeMissing, match="read-only session"):
        reader.execute("CREATE TABLE public.never (a int)")
    assert reader.row("SELECT to_regclass('public.never') AS found") == {"found": None}


@pytest.mark.parametrize(
    ("sql", "kind", "says"),
    [
        ("SELECT * FROM factory_telemetry.gone", FeatureMissing, 'relation "factory_telemetry.gone" does not exist'),
        ("SELECT hypertable_size_of_all()", FeatureMissing, "A function is missing"),
        ("SELECT 1 / 0", ServerError, "division by zero"),
        ("SELEC 1", ServerError, "syntax error"),
    ],
)
def test_what_a_server_refuses_is_one_sentence_and_a_next_step(
    reader: Database, sql: str, kind: type[ServerError], says: str
) -> None:
    with pytest.raises(kind) as caught:
        reader.rows(sql)
    assert says in caught.value.happened
    assert "\n" not in caught.value.happened
    assert caught.value.next_step.endswith(".")


def test_a_long_statement_is_given_up(target: Target) -> None:
    database = Database(target)
    with pytest.raises(ReadTimeout) as caught:
        in_one_transaction(database, "SET LOCAL statement_timeout = 300", "SELECT pg_sleep(30)")
    assert "time allowed" in caught.value.happened
    assert database.row("SELECT 1 AS one") == {"one": 1}  # and the next one is served
    database.close()


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"port": 1}, "No connection to"),
        ({"password": SecretStr("wrong-one")}, "refused the password of ms5ops"),
        ({"password": None}, "none is configured"),
        ({"host": "no-such-host.invalid"}, "is not known"),
        ({"sslmode": "require"}, "does not offer TLS"),
    ],
)
def test_a_connection_that_cannot_be_made(target: Target, changed: dict[str, object], says: str) -> None:
    database = Database(dataclasses.replace(target, **changed))  # type: ignore[arg-type]
    with pytest.raises(ServerUnreachable) as caught:
        database.rows("SELECT 1")
    assert says in str(caught.value)
    assert caught.value.next_step
    assert "wrong-one" not in str(caught.value) + repr(caught.value.__cause__)


def test_passwords_are_not_in_a_target(target: Target) -> None:
    assert target.password is not None
    assert target.password.get_secret_value() not in repr(target) + target.address


def test_a_transaction_is_whole_or_nothing(target: Target) -> None:
    database = Database(target, "write")
    with pytest.raises(ServerError, match="division by zero"):
        in_one_transaction(database, "CREATE TABLE public.half (a int)", "SELECT 1 / 0")
    assert database.row("SELECT to_regclass('public.half') AS found") == {"found": None}
    database.close()


def test_one_row_means_one(reader: Database) -> None:
    with pytest.raises(ServerError, match="gave 2"):
        reader.row("SELECT generate_series(1, 2)")


def test_frames_carry_the_statements_columns(reader: Database) -> None:
    frame = reader.frame("SELECT :a AS a, 'x:y%' AS b", {"a": 7})
    assert frame.to_dict("records") == [{"a": 7, "b": "x:y%"}]
    assert list(reader.frame("SELECT 1 AS a WHERE false").columns) == ["a"]


def test_a_closed_pool_opens_again(target: Target) -> None:
    database = Database(target)
    assert database.row("SELECT 1 AS one") == {"one": 1}
    database.close()
    assert database.row("SELECT 2 AS two") == {"two": 2}
    database.close()


@pytest.mark.native
def test_a_connection_is_made_where_the_catalogue_is_locked(native: Target) -> None:
    holder, reader = Database(native, "write"), Database(native)
    with holder.session() as session, session.transaction():
        session.run("LOCK TABLE _timescaledb_catalog.chunk IN ACCESS EXCLUSIVE MODE")
        assert reader.row("SELECT 1 AS one") == {"one": 1}
    holder.close()
    reader.close()


def test_what_the_server_remarks_is_kept_until_it_is_taken(target: Target) -> None:
    database = Database(target, "write")
    with database.session() as session:
        session.run("DO $$ BEGIN RAISE WARNING 'first'; RAISE NOTICE 'second'; END $$")
        session.read("SELECT 1")
        assert session.notices() == ["WARNING:  first", "NOTICE:  second"]
        assert session.notices() == []
    database.close()
