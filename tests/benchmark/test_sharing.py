import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from ms5ops.benchmark.store import load_run, run_headers, store_run
from ms5ops.errors import BundleRefused, ConfigError, HistoryError
from ms5ops.history import History, bundles
from ms5ops.history.places import place
from ms5ops.history.shared import MARKER, SharedFolder, SharedUnreachable
from tests.benchmark.processes import started
from tests.benchmark.stored import START, a_run


@pytest.fixture
def share(tmp_path: Path) -> Path:
    folder = tmp_path / "mounted share" / "history"
    assert SharedFolder(folder).prepare()
    return folder


class Hosts:
    """Hosts with a state folder each, which reach one shared folder."""

    def __init__(self, folder: Path, share: Path) -> None:
        self.folder, self.share = folder, share

    def history(self, host: str) -> History:
        """The shared history as that host sees it."""
        with self._on(host):
            return History(self.share.as_uri(), lock_wait_s=60)

    @contextmanager
    def _on(self, host: str) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MS5OPS_STATE", str(self.folder / host))
            yield


@pytest.fixture
def hosts(tmp_path: Path, share: Path) -> Hosts:
    return Hosts(tmp_path, share)


def ids(history: History) -> list[str]:
    return [header.run_id for header in run_headers(history)]


@contextmanager
def away(share: Path) -> Iterator[None]:
    """The share is not mounted: an empty folder stands in its place."""
    kept = share.with_name("elsewhere")
    share.rename(kept)
    share.mkdir()
    yield
    share.rmdir()
    kept.rename(share)


def test_an_address_is_a_file_or_a_shared_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MS5OPS_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("MS5OPS_CONFIG", str(tmp_path / "ms5ops.toml"))
    monkeypatch.delenv("MS5OPS_HISTORY", raising=False)
    assert place().file.name == "history.duckdb"
    (tmp_path / "ms5ops.toml").write_text('history = "kept/h.duckdb"\n')
    assert place().file == tmp_path / "kept" / "h.duckdb"
    (tmp_path / "ms5ops.toml").write_text('history = "file:///mnt/plant%20one/"\n')
    assert place().shared == Path("/mnt/plant one")
    assert place().file == place("file:///mnt/plant%20one").file
    assert place().file != place("file:///mnt/plant-two").file
    assert place().file.parent.parent == tmp_path / "state"
    monkeypatch.setenv("MS5OPS_HISTORY", "other.duckdb")
    assert place() == place(Path("other.duckdb"))


@pytest.mark.parametrize(
    "address", ["postgresql://postgres:secret@db/history", "ducklake:x://y", "file://server/share", "file:///"]
)
def test_an_address_of_another_kind_is_refused_without_its_secrets(address: str) -> None:
    with pytest.raises(ConfigError, match="cannot be kept at") as caught:
        place(address)
    assert "file:///" in caught.value.next_step
    assert "secret" not in str(caught.value)


def test_what_one_host_stores_the_other_reads(hosts: Hosts) -> None:
    one, two = hosts.history("one"), hosts.history("two")
    assert not one.exists()
    assert ids(one) == []
    first, second = a_run(), a_run(START + timedelta(days=1))
    store_run(one, first)
    assert ids(two) == [first.header.run_id]
    store_run(two, second)
    assert ids(one) == [first.header.run_id, second.header.run_id]
    found = load_run(one, second.header.run_id)
    assert (found.header, found.results) == (second.header, second.results)
    pd.testing.assert_frame_equal(found.samples, second.samples, check_exact=True)
    assert one.exists()
    assert one.file != two.file


def test_a_run_stored_by_two_hosts_is_there_once(hosts: Hosts) -> None:
    run = a_run()
    for host in ("one", "two"):
        store_run(hosts.history(host), run)
    for host in ("one", "two", "three"):
        history = hosts.history(host)
        assert ids(history) == [run.header.run_id]
        assert len(load_run(history, run.header.run_id).samples) == len(run.samples)


def test_a_share_that_is_away_keeps_the_run_and_gets_it_later(hosts: Hosts, share: Path) -> None:
    told: list[str] = []
    one = hosts.history("one")
    one.narrate = told.append
    run = a_run()
    with away(share):
        spooled = store_run(one, run)
        assert spooled is not None
        assert isinstance(spooled.because, SharedUnreachable)
        assert list(share.iterdir()) == []
        with pytest.raises(SharedUnreachable, match="cannot be used") as caught:
            run_headers(one)
        assert "Mount it" in caught.value.next_step
    assert "the next writer takes it in" in told[0]
    assert ids(one) == [run.header.run_id]
    assert ids(hosts.history("two")) == [run.header.run_id]
    assert one.waiting() == []


def test_a_folder_is_prepared_once_and_only_where_nothing_else_is(share: Path, tmp_path: Path) -> None:
    assert not SharedFolder(share).prepare()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").touch()
    with pytest.raises(HistoryError, match="not empty"):
        SharedFolder(tmp_path / "full").prepare()
    (share / MARKER).write_text('{"format": "something else"}')
    with pytest.raises(SharedUnreachable, match="not one of ms5ops"):
        SharedFolder(share).prepare()


def test_a_mirror_that_was_deleted_is_made_anew(hosts: Hosts) -> None:
    one = hosts.history("one")
    run = a_run()
    store_run(one, run)
    assert ids(one) == [run.header.run_id]
    one.file.unlink()
    assert ids(one) == [run.header.run_id]


def test_an_entry_of_a_newer_program_or_a_damaged_one_is_named(hosts: Hosts, share: Path) -> None:
    one, two = hosts.history("one"), hosts.history("two")
    store_run(one, a_run())
    entry = next(iter(SharedFolder(share).entries().values()))
    manifest = entry / bundles.MANIFEST
    text = manifest.read_text()
    manifest.write_text(
        text.replace(f'"schema_version": {bundles.check(entry).schema_version}', '"schema_version": 99')
    )
    with pytest.raises(BundleRefused, match="schema version 99") as caught:
        ids(two)
    assert "Upgrade" in caught.value.next_step
    manifest.write_text(text)
    (entry / "benchmark_run.parquet").write_bytes(b"")
    with pytest.raises(BundleRefused, match=r"benchmark_run\.parquet is not as it was written"):
        ids(two)
    run = a_run(START + timedelta(days=1))
    assert store_run(one, run) is None  # whose own run is safe all the same
    assert run.header.run_id in ids(one)


def test_an_import_reaches_every_host_and_adds_nothing_twice(hosts: Hosts, tmp_path: Path) -> None:
    lone = History(tmp_path / "lone.duckdb")
    run = a_run()
    store_run(lone, run)
    lone.export(tmp_path / "export")
    one = hosts.history("one")
    assert one.take_in(tmp_path / "export")["benchmark_run"] == 1
    assert not any(hosts.history("two").take_in(tmp_path / "export").values())
    assert ids(hosts.history("three")) == [run.header.run_id]
    assert len(SharedFolder(hosts.share).entries()) == 1
    hosts.history("two").export(tmp_path / "again")
    assert bundles.check(tmp_path / "again").tables["benchmark_run"].rows == 1


def _store(share: Path, state: Path, first: int) -> None:
    os.environ["MS5OPS_STATE"] = str(state)
    history = History(share.as_uri(), lock_wait_s=60)
    for number in range(first, first + 2):
        store_run(history, a_run(START + timedelta(minutes=number), label=str(number)))


def test_processes_of_several_hosts_write_at_once_without_loss(hosts: Hosts, tmp_path: Path, share: Path) -> None:
    writers = [started(_store, share, tmp_path / f"host {number % 2}", 10 * number) for number in range(4)]
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * 4
    expected = [str(10 * number + step) for number in range(4) for step in range(2)]
    for host in ("host 0", "host 1", "host 2"):
        assert [header.label for header in run_headers(hosts.history(host))] == expected
    assert list(share.rglob(f"{bundles.HIDDEN}*")) == []


def test_a_half_written_entry_is_not_seen(hosts: Hosts, share: Path) -> None:
    one = hosts.history("one")
    store_run(one, run := a_run())
    entry = next(iter(SharedFolder(share).entries().values()))
    shutil.copytree(entry, entry.with_name(f"{bundles.HIDDEN}half"))
    (entry.with_name(f"{bundles.HIDDEN}half") / bundles.MANIFEST).unlink()
    assert ids(hosts.history("two")) == [run.header.run_id]
