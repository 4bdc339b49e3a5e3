"""A tiny replay, made once: two months before Phase 4 and one after it, on an engine of its own."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from ms5ops.benchmark.sampling import Effort
from ms5ops.database import Database
from ms5ops.history import History
from ms5ops.replay import kept, replay
from ms5ops.replay.calendar import Scale
from ms5ops.sandbox import fill, process, replaying

TINY = Scale(before=2, after=1, rows_a_day=300, stride=timedelta(days=15), closing=timedelta(minutes=12))
FEW = Effort(0, 1, 1, 0.001, 1.0, 15_000, 0.1, (100,), (1,))


@dataclass(frozen=True)
class Replayed:
    """A state folder in which months were replayed, and what the pages were told meanwhile."""

    folder: Path
    told: tuple[replaying.Status, ...]

    @property
    def history(self) -> History:
        return History(self.folder / "history.duckdb")

    @property
    def database(self) -> Database:
        return Database(process.target(self.folder / "sandbox"))


def use(folder: Path, setting: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("DB_", "MS5OPS_"))]:
        setting.delenv(name)
    setting.setenv("MS5OPS_STATE", str(folder))
    setting.setenv("MS5OPS_HISTORY", str(folder / "history.duckdb"))
    setting.setenv("MS5OPS_CONFIG", str(folder / "ms5ops.toml"))
    setting.setattr(kept, "EFFORT", FEW)


@pytest.fixture(scope="session")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replayed]:
    """A replay that was interrupted once, begun anew, and went through."""
    folder = tmp_path_factory.mktemp("replay")
    with pytest.MonkeyPatch.context() as setting:
        use(folder, setting)
        interrupted(folder)
        told: list[replaying.Status] = []

        def report(_progress: object) -> None:
            told.extend(filter(None, [replaying.status()]))

        replay.replay(TINY, report=report)
        yield Replayed(folder, tuple(told))
    process.stop(folder / "sandbox")


def interrupted(folder: Path) -> None:
    """Begin a replay, and stop it in its second month."""
    stop = replay.Stop()

    def report(progress: fill.Progress) -> None:
        if "Month 2" in progress.label:
            stop.request()

    with pytest.raises(replay.Interrupted):
        replay.replay(TINY, report=report, stop=stop)


@pytest.fixture
def home(replayed: Replayed, monkeypatch: pytest.MonkeyPatch) -> Replayed:
    """The environment variables of that state folder, for one test."""
    use(replayed.folder, monkeypatch)
    return replayed
