"""An alert store of its own for each test with a clock that it moves, and a web server that takes messages."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from ms5ops.access import store as access_store_module
from ms5ops.access.roles import Actor
from ms5ops.access.store import Store
from ms5ops.alerts.store import alert_store
from tests.control.conftest import people_at

SECRET = "s3cret-token"
People = dict[str, Actor]
__all__ = ["people_at"]


@dataclass
class Clock:
    """What time it is for whatever is stored."""

    now: datetime = field(default_factory=lambda: datetime(2026, 11, 23, 12, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **span: float) -> None:
        """Let that much time pass."""
        self.now += timedelta(**span)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(access_store_module, "utc_now", clock)
    return clock


@pytest.fixture
def kept(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The alerts of an empty state folder."""
    monkeypatch.setenv("MS5OPS_STATE", str(tmp_path))
    monkeypatch.setenv("MS5OPS_HISTORY", str(tmp_path / "history.duckdb"))
    monkeypatch.setenv("MS5OPS_CONFIG", str(tmp_path / "ms5ops.toml"))
    for name in ("DB_HOST", "MS5OPS_ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)
    return alert_store()


@pytest.fixture
def people(kept: Store, people_at: Callable[[], People]) -> People:
    """An account per role, by the role's name."""
    return people_at()


@dataclass
class Receiver:
    """A service that takes messages, or (``status`` 500) does not."""

    port: int
    status: int = 200
    messages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def address(self) -> str:
        """As apprise wants it, with secrets in it."""
        return f"json://robot:{SECRET}@127.0.0.1:{self.port}/hook/{SECRET}"

    @property
    def titles(self) -> list[str]:
        """Of the messages, as they came."""
        return [str(message["title"]) for message in self.messages]


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A local web server whose address is in ``ONCALL_URL``."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            message = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if found.status == 200:
                found.messages.append(message)
            self.send_response(found.status)
            self.end_headers()

        def log_message(self, *_arguments: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Receiver(server.server_port)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("ONCALL_URL", found.address)
        yield found
        server.shutdown()
        thread.join()
