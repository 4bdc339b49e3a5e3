"""The engine's calendar: a session moves it, jobs and clients follow, and it returns when that session is over."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.sandbox.conftest import Connect, ask

THEN = datetime(2001, 2, 3, 4, 5, tzinfo=UTC)  # in the past: no job of another test comes due by it


def _now(connection: Any) -> datetime:
    now: datetime = ask(connection, "SELECT clock_timestamp()")[0][0]
    return now


def test_a_session_moves_the_calendar_for_all(connect: Connect) -> None:
    mover, other = connect(), connect()
    ask(mover, f"SET ms5ops.clock = '{THEN.isoformat()}'")
    assert timedelta(0) <= _now(other) - THEN < timedelta(seconds=20)
    first = _now(other)
    time.sleep(0.05)
    assert timedelta(milliseconds=40) < _now(other) - first < timedelta(seconds=20)  # it goes on from there
    ask(mover, "RESET ms5ops.clock")
    assert abs(_now(other) - datetime.now(UTC)) < timedelta(seconds=20)


def test_the_calendar_is_the_machines_again_when_the_session_ends(connect: Connect) -> None:
    mover, other = connect(), connect()
    ask(mover, f"SET ms5ops.clock = '{THEN.isoformat()}'")
    connect().close()  # another session's end changes nothing
    assert _now(other).year == THEN.year
    mover.close()
    deadline = time.monotonic() + 10
    while _now(other).year == THEN.year:
        assert time.monotonic() < deadline
    assert abs(_now(other) - datetime.now(UTC)) < timedelta(seconds=20)


@pytest.mark.parametrize("text", ["SELECT 1; SET ms5ops.clock = '2001-01-01'", "SET ms5ops.clock = 'soon'"])
def test_only_an_instant_in_a_statement_of_its_own_moves_it(connect: Connect, text: str) -> None:
    connection = connect()
    ask(connection, text)
    assert abs(_now(connection) - datetime.now(UTC)) < timedelta(seconds=20)
