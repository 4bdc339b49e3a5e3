"""A store of its own for each test, with a clock that the test moves, and passwords that cost next to nothing."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from ms5ops.access import accounts, passwords, store
from ms5ops.access.roles import Role
from ms5ops.access.store import Store

PASSWORD = "correct horse battery"


class Clock:
    """What time it is, as the test says."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **parts: float) -> None:
        """Let that much time pass."""
        self.now += timedelta(**parts)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(store, "utc_now", clock)
    return clock


@pytest.fixture
def kept(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The store of an empty state folder, which everything in the test uses."""
    monkeypatch.setenv("MS5OPS_STATE", str(tmp_path))
    monkeypatch.setenv("MS5OPS_CONFIG", str(tmp_path / "ms5ops.toml"))
    monkeypatch.delenv("DB_HOST", raising=False)
    monkeypatch.setattr(passwords, "HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    return store.access_store()


def configure(kept: Store, text: str) -> None:
    """Write ms5ops.toml."""
    (kept.file.parent / "ms5ops.toml").write_text(text)


def with_account(name: str, role: Role, password: str = PASSWORD) -> str:
    """An account that has chosen its password; its name."""
    accounts.add(name, role)
    accounts.set_password(name, password)
    return name
