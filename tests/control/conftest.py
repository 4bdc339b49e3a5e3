"""A state folder, accounts and a clock of our own for every test; one engine for those that change a database."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ms5ops.access import store as access_store_module
from ms5ops.access.roles import ROLES, Actor
from ms5ops.access.store import access_store
from ms5ops.config import load_settings
from ms5ops.control.service import Service
from ms5ops.control.store import Store
from ms5ops.database import Database, Target
from ms5ops.sandbox import fill, process
from tests.conftest import Sandboxes

TINY = fill.Volume(rows=3_000, days=9)


@dataclass
class Clock:
    """An instant that tests move."""

    instant: datetime

    def __call__(self) -> datetime:
        return self.instant

    def pass_by(self, **span: float) -> None:
        self.instant += timedelta(**span)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """What time it is for whatever is stored."""
    clock = Clock(datetime.now(UTC))
    monkeypatch.setattr(access_store_module, "utc_now", clock)
    return clock


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state folder of one test."""
    use(tmp_path, monkeypatch.setenv, monkeypatch.delenv)
    return tmp_path


def use(folder: Path, setenv: Callable[..., None], delenv: Callable[..., None]) -> None:
    for name in [name for name in os.environ if name.startswith(("DB_", "MS5OPS_"))]:
        delenv(name)
    setenv("MS5OPS_STATE", str(folder))
    setenv("MS5OPS_HISTORY", str(folder / "history.duckdb"))
    setenv("MS5OPS_CONFIG", str(folder / "ms5ops.toml"))


@pytest.fixture
def people_at() -> Callable[[], dict[str, Actor]]:
    """Makes an account per role, and two more operators, in the state folder of the moment; by name."""

    def make() -> dict[str, Actor]:
        store = access_store()
        actors = [*(Actor(role, role) for role in ROLES), Actor("second", "operator"), Actor("author", "operator")]
        now = store.now().isoformat()
        with store.changing() as change:  # without hashing passwords, which takes time and is not asked for here
            for one in actors:
                given = {"name": one.name, "password_hash": "none", "one_time_ends": None, "now": now}
                change("add_account", **given, role=one.role)
                change("set_password", **given, must_change=False)
        return {one.name: one for one in actors}

    return make


@pytest.fixture
def people(home: Path, people_at: Callable[[], dict[str, Actor]]) -> dict[str, Actor]:
    return people_at()


def write_plant(folder: Path, target: Target, window: str = "00:00-23:59:59", **more: str) -> None:
    """Configure a protected environment ``plant`` at that server."""
    assert target.password is not None
    (folder / "password").write_text(target.password.get_secret_value())
    lines = "\n".join(f"{key} = {value}" for key, value in more.items())
    (folder / "ms5ops.toml").write_text(
        f"""
        [environments.plant]
        host = "{target.host}"
        port = {target.port}
        database = "{target.database}"
        sslmode = "disable"
        protected = true
        maintenance_window = {{ start = "{window.partition("-")[0]}", end = "{window.partition("-")[2]}" }}
        read = {{ user = "{target.user}", password_file = "{folder}/password" }}
        deploy = {{ user = "postgres", password_file = "{folder}/password" }}
        {lines}
        """
    )


def service_at(folder: Path) -> Service:
    return Service(load_settings(), Store(folder / "control.sqlite", "control"))


@pytest.fixture(scope="session")
def control_engine(sandboxes: Sandboxes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The state folder of an engine that these tests change."""
    folder = tmp_path_factory.mktemp("control")
    sandboxes.start(folder / "sandbox")
    yield folder
    process.stop(folder / "sandbox")


@pytest.fixture
def engine(control_engine: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That folder, as this process's own, with hypertables and no journal in the database, and no decisions."""
    use(control_engine, monkeypatch.setenv, monkeypatch.delenv)
    for name in ("control.sqlite", "access.sqlite", "ms5ops.toml"):
        for file in control_engine.glob(f"{name}*"):
            file.unlink()
    for file in control_engine.glob("audit.*"):
        file.unlink()
    database = Database(process.target(control_engine / "sandbox"), "write")
    database.execute("DROP SCHEMA IF EXISTS ms5ops CASCADE")
    fill.fill(database, "hypertables", TINY, lambda _progress: None)
    database.close()
    return control_engine
