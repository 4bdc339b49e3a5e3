"""The wire protocol by hand: what drivers seldom send, and what only broken or hostile clients do."""

import socket
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ms5ops.sandbox import process
from tests.conftest import Sandboxes
from tests.sandbox.conftest import Connect, ask

Frame = tuple[str, bytes]


def frame(kind: str, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return kind.encode() + struct.pack("!i", len(body) + 4) + body


def text(value: str) -> bytes:
    return value.encode() + b"\0"


def query(sql: str) -> bytes:
    return frame("Q", text(sql))


def parse(name: str, sql: str) -> bytes:
    return frame("P", text(name), text(sql), b"\0\0")


def bind(name: str, *values: str, portal: str = "") -> bytes:
    given = b"".join(struct.pack("!i", len(value)) + value.encode() for value in values)
    return frame("B", text(portal), text(name), b"\0\0", struct.pack("!h", len(values)), given, b"\0\0")


def run(limit: int = 0, portal: str = "") -> bytes:
    return frame("E", text(portal), struct.pack("!i", limit))


SYNC, FLUSH, GOODBYE = frame("S"), frame("H"), frame("X")


class Wire:
    """A client that speaks in frames."""

    def __init__(self, engine: process.Running, **parameters: str) -> None:
        self.engine = engine
        self.socket = socket.create_connection(("127.0.0.1", engine.port), timeout=20)
        self.pending = b""
        self.parameters = {"user": "ms5ops", "database": "factory_telemetry", **parameters}

    def send(self, *data: bytes) -> None:
        self.socket.sendall(b"".join(data))

    def startup(self, version: int = 196608) -> None:
        body = b"".join(text(name) + text(value) for name, value in self.parameters.items()) + b"\0"
        self.send(struct.pack("!ii", len(body) + 8, version), body)

    def login(self, password: str | None = None) -> list[Frame]:
        self.startup()
        assert self.next() == ("R", struct.pack("!i", 3))
        self.send(frame("p", text(password or self.engine.secret.get_secret_value())))
        return self.until_ready()

    def next(self) -> Frame | None:
        """The next frame, or None at the end of the connection."""
        head = self._take(5)
        if head is None:
            return None
        body = self._take(struct.unpack("!i", head[1:])[0] - 4)
        assert body is not None
        return chr(head[0]), body

    def until(self, last: str) -> list[Frame]:
        frames: list[Frame] = []
        while (got := self.next()) is not None:
            frames.append(got)
            if got[0] == last:
                break
        return frames

    def until_ready(self) -> list[Frame]:
        return self.until("Z")

    def ask(self, *data: bytes) -> list[Frame]:
        self.send(*data)
        return self.until_ready()

    def _take(self, count: int) -> bytes | None:
        while len(self.pending) < count:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self.pending += data
        taken, self.pending = self.pending[:count], self.pending[count:]
        return taken


def kinds(frames: list[Frame]) -> str:
    return "".join(kind for kind, _body in frames)


def errors(frames: list[Frame]) -> list[str]:
    """The SQLSTATEs of the errors among frames."""
    found = []
    for kind, body in frames:
        if kind == "E":
            found += [field[1:].decode() for field in body.split(b"\0") if field[:1] == b"C"]
    return found


def values(frames: list[Frame]) -> list[bytes]:
    """The first column of each row."""
    return [body[6 : 6 + struct.unpack("!i", body[2:6])[0]] for kind, body in frames if kind == "D"]


OpenWire = Callable[..., Wire]


@pytest.fixture
def open_wire(engine: process.Running) -> Iterator[OpenWire]:
    opened: list[Wire] = []

    def _open(*, login: bool = True, **parameters: str) -> Wire:
        wire = Wire(engine, **parameters)
        opened.append(wire)
        if login:
            assert kinds(wire.login())[-1] == "Z"
        return wire

    yield _open
    for wire in opened:
        wire.socket.close()


def test_the_greeting(open_wire: OpenWire) -> None:
    wire = open_wire(login=False, application_name="greeter")
    wire.send(struct.pack("!ii", 8, 80877103))
    assert wire.socket.recv(1) == b"N"
    wire.send(struct.pack("!ii", 8, 80877104))
    assert wire.socket.recv(1) == b"N"
    frames = wire.login()
    reported = dict(body.rstrip(b"\0").split(b"\0", 1) for kind, body in frames if kind == "S" if b"\0" in body[:-1])
    assert reported[b"TimeZone"] == b"UTC"
    assert reported[b"client_encoding"] == b"UTF8"
    assert reported[b"application_name"] == b"greeter"
    assert reported[b"server_version"].startswith(b"17")
    assert frames[-1] == ("Z", b"I")


def test_a_wrong_password(open_wire: OpenWire) -> None:
    wire = open_wire(login=False)
    assert errors(wire.login("wrong")) == ["28P01"]
    assert wire.next() is None


def test_a_newer_minor_protocol_version(open_wire: OpenWire) -> None:
    wire = open_wire(login=False)
    wire.startup(196610)
    assert wire.next() == ("v", struct.pack("!ii", 0, 0))
    assert wire.next() == ("R", struct.pack("!i", 3))


@pytest.mark.parametrize(
    ("data", "state"),
    [
        (struct.pack("!ii", 8, 131072), "0A000"),
        (struct.pack("!i", 3), "08P01"),
        (struct.pack("!i", 100_000_000), "08P01"),
        (b"GET / HTTP/1.1\r\n\r\n", "08P01"),
        (struct.pack("!ii", 12, 196608) + b"user", "08P01"),
    ],
)
def test_bad_startup_packets(open_wire: OpenWire, connect: Connect, data: bytes, state: str) -> None:
    wire = open_wire(login=False)
    wire.send(data)
    assert errors(wire.until("E")) == [state]
    assert wire.next() is None
    assert ask(connect(), "SELECT 1") == [(1,)]


def test_replication_is_refused(open_wire: OpenWire) -> None:
    wire = open_wire(login=False, replication="database")
    wire.startup()
    assert errors(wire.until("E")) == ["0A000"]


@pytest.mark.parametrize(
    ("data", "state"),
    [
        (b"Q" + struct.pack("!i", 2), "08P01"),
        (b"Q" + struct.pack("!i", -5), "08P01"),
        (b"Q" + struct.pack("!i", 2**31 - 1), "54000"),
        (frame("z", b"1234"), "08P01"),
        (b"\xff\x00\x01\x02\x03garbage" * 50, "08P01"),
        (frame("Q", b"no end"), "08P01"),
        (frame("B", b"") + SYNC, "08P01"),
        (frame("C", b"") + SYNC, "08P01"),
    ],
)
def test_bad_messages_end_only_their_client(open_wire: OpenWire, connect: Connect, data: bytes, state: str) -> None:
    wire = open_wire()
    wire.send(data)
    frames = wire.until("E")
    assert errors(frames) == [state]
    assert wire.until("Z") == []
    assert ask(connect(), "SELECT 1") == [(1,)]


def test_half_messages_and_sudden_ends(open_wire: OpenWire, connect: Connect) -> None:
    for data in (b"Q", query("SELECT 1")[:7], query("BEGIN") + query("SELECT 1")[:6], parse("a", "SELECT 1"), b""):
        wire = open_wire()
        wire.send(data)
        wire.socket.close()
    reset = open_wire()
    reset.send(query("SELECT repeat('x', 1000) FROM generate_series(1, 100000)"))
    reset.socket.recv(10)
    reset.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    reset.socket.close()
    assert ask(connect(), "SELECT 1") == [(1,)]


def test_extended_protocol_with_pipelined_statements(open_wire: OpenWire) -> None:
    wire = open_wire()
    frames = wire.ask(parse("", "SELECT $1::int + 1"), bind("", "41"), frame("D", b"P\0"), run(), SYNC)
    assert kinds(frames) == "12TDCZ"
    assert values(frames) == [b"42"]
    frames = wire.ask(parse("", "SELECT nosuch"), bind(""), run(), parse("", "SELECT 1"), SYNC)
    assert kinds(frames) == "EZ"
    wire.send(parse("held", "SELECT generate_series(1, 5)"), bind("held"), run(2), FLUSH)
    assert kinds(wire.until("s")) == "12DDs"
    frames = wire.ask(run(), SYNC)
    assert values(frames) == [b"3", b"4", b"5"]
    assert frames[-1] == ("Z", b"I")


def test_prepared_statements_belong_to_their_client(open_wire: OpenWire) -> None:
    first, second = open_wire(), open_wire()
    for number, wire in enumerate((first, second)):
        assert kinds(wire.ask(parse("same", f"SELECT {number}"), SYNC)) == "1Z"
        assert kinds(wire.ask(parse("", f"SELECT {number + 10}"), SYNC)) == "1Z"
    for number, wire in enumerate((first, second)):
        assert values(wire.ask(bind("same"), run(), SYNC)) == [str(number).encode()]
    # The unnamed statement too, though another client has used it and simple queries drop it.
    frames = second.ask(bind(""), run(), SYNC)
    assert values(frames) == [b"11"]
    assert kinds(frames) == "2DCZ"
    assert values(first.ask(bind("same"), run(), SYNC)) == [b"0"]
    assert errors(first.ask(parse("same", "SELECT 9"), SYNC)) == ["42P05"]
    assert kinds(first.ask(query("DEALLOCATE same"))) == "CZ"
    assert errors(first.ask(bind("same"), run(), SYNC)) == ["26000"]
    assert kinds(first.ask(query("DEALLOCATE ALL"))) == "CZ"
    assert values(second.ask(bind("same"), run(), SYNC)) == [b"1"]
    assert kinds(second.ask(frame("C", b"Ssame\0"), SYNC)) == "3Z"
    assert errors(second.ask(bind("same"), SYNC)) == ["26000"]


def test_prepared_statements_survive_a_restart_of_the_engine(open_wire: OpenWire) -> None:
    keeper, killer = open_wire(), open_wire(options="-c statement_timeout=1000")
    keeper.ask(parse("kept", "SELECT 7"), SYNC)
    assert errors(killer.ask(query("SELECT pg_sleep(60)"))) == ["57014"]
    frames = keeper.ask(bind("kept"), run(), SYNC)
    assert (kinds(frames), values(frames)) == ("2DCZ", [b"7"])
    assert errors(killer.ask(parse("", "SELECT pg_sleep(60)"), bind(""), run(), SYNC)) == ["57014"]
    killer.send(parse("", "SELECT pg_sleep(60)"), bind(""), run(), FLUSH)
    assert errors(killer.until("E")) == ["57014"]
    assert kinds(killer.ask(parse("", "SELECT 1"), SYNC)) == "Z"  # all up to Sync is skipped
    frames = killer.ask(query("SELECT 8"))
    assert (values(frames), errors(frames)) == ([b"8"], [])


def test_copy_in_by_the_extended_protocol(open_wire: OpenWire) -> None:
    wire = open_wire()
    frames = wire.ask(parse("", "copy /* a */ t from STDIN"), bind(""), frame("D", b"P\0"), run(), SYNC)
    assert errors(frames) == ["0A000"]
    wire.send(frame("d", b"1\n"), frame("c"))
    wire.ask(query("BEGIN"))
    frames = wire.ask(query("COPY t FROM stdin"))
    assert (errors(frames), frames[-1]) == (["0A000"], ("Z", b"E"))
    assert wire.ask(query("ROLLBACK"))[-1] == ("Z", b"I")
    frames = wire.ask(parse("", "COPY (SELECT 1) TO STDOUT"), bind(""), run(), SYNC)
    assert kinds(frames) == "12HdcCZ"


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE INDEX i ON t (a) WITH (timescaledb.transaction_per_chunk)",
        "create index if not exists i on t (a) with (fillfactor = 70, TimescaleDB.Transaction_Per_Chunk = true)",
        "SELECT 1; CREATE INDEX i ON t /* b */ (a) WITH (timescaledb.transaction_per_chunk)",
    ],
)
def test_an_index_in_one_transaction_per_chunk_is_refused(open_wire: OpenWire, sql: str) -> None:
    wire = open_wire()
    assert errors(wire.ask(query(sql))) == ["0A000"]
    assert errors(wire.ask(parse("", sql), bind(""), run(), SYNC)) == ["0A000"]
    assert errors(wire.ask(query("SELECT 'create index with (timescaledb.transaction_per_chunk)'"))) == []


def test_cancel_requests_need_the_secret(open_wire: OpenWire) -> None:
    wire = open_wire(login=False)
    keys = [body for kind, body in wire.login() if kind == "K"]
    pid, secret = struct.unpack("!ii", keys[0])
    wire.send(query("SELECT pg_sleep(1.2)"))
    time.sleep(0.3)
    wrong = open_wire(login=False)
    wrong.send(struct.pack("!iiii", 16, 80877102, pid, secret ^ 1))
    assert wrong.next() is None
    assert errors(wire.until_ready()) == []
    wire.send(query("SELECT pg_sleep(60)"))
    time.sleep(0.3)
    right = open_wire(login=False)
    right.send(struct.pack("!iiii", 16, 80877102, pid, secret))
    assert right.next() is None
    assert errors(wire.until_ready()) == ["57014"]


def test_several_queries_sent_at_once(open_wire: OpenWire) -> None:
    wire = open_wire()
    wire.send(*(query(f"SELECT {number}") for number in range(50)), GOODBYE)
    frames: list[Frame] = []
    while (got := wire.next()) is not None:
        frames.append(got)
    assert values(frames) == [str(number).encode() for number in range(50)]


def test_a_statement_of_many_megabytes(open_wire: OpenWire) -> None:
    wire = open_wire()
    # The words make the front look into the text, which must not take long or much stack.
    frames = wire.ask(query(f"SELECT length('{'x' * 20_000_000} copy') /* set */"))
    assert values(frames) == [b"20000005"]


def test_an_empty_query_and_a_failed_block(open_wire: OpenWire) -> None:
    wire = open_wire()
    assert kinds(wire.ask(query(""))) == "IZ"
    wire.ask(query("BEGIN"))
    assert wire.ask(query("SELECT 1/0"))[-1] == ("Z", b"E")
    assert errors(wire.ask(query("SELECT 1"))) == ["25P02"]
    assert wire.ask(query("COMMIT"))[-1] == ("Z", b"I")


def test_who_idles_in_a_transaction_is_ended_when_others_wait(
    sandboxes: Sandboxes, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("impatient")
    monkeypatch.setattr(process, "_EXTRA_FLAGS", ["--idle-in-transaction-ms=400"])
    engine = sandboxes.start(folder)
    try:
        idler, other = Wire(engine), Wire(engine)
        idler.login()
        other.login()
        assert idler.ask(query("BEGIN; CREATE TABLE never (i int)"))[-1] == ("Z", b"T")
        time.sleep(0.8)
        assert idler.ask(query("SELECT 1"))[-1] == ("Z", b"T")  # nobody waits
        frames: list[Any] = other.ask(query("SELECT to_regclass('never') IS NULL"))
        assert values(frames) == [b"t"]
        assert errors(idler.until("E")) == ["25P03"]
        assert idler.next() is None
        other.socket.close()
        idler.socket.close()
    finally:
        process.stop(folder)
