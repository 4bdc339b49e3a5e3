"""``History``: rows into the store and named queries on it, however it is kept."""

import logging
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd

from ms5ops.errors import BundleRefused, HistoryError, HistoryLocked
from ms5ops.history import bundles, places, schema
from ms5ops.history.connection import Narrate, opened
from ms5ops.history.shared import SharedFolder, SharedUnreachable
from ms5ops.queries import ANY_VERSION, Query, query

log = logging.getLogger(__name__)
LOCK_WAIT_S = 15.0
MIRRORED_AT_ONCE = 50
"""Bundles of a shared folder that are read in one statement: a host that joins has years of them (own choice)."""
_MIRRORED: dict[tuple[str, int], set[str]] = {}
"""Which bundles of a shared folder this process knows to be in the mirror, so that most reads need not ask."""


@dataclass(frozen=True)
class Spooled:
    """Rows that are on disk, but not in the history yet: the next writer takes them in. ``because`` says why."""

    bundle: Path
    because: HistoryError


class History:
    """The store at ``place`` (see ``places.place``; None: the configured one); the first write makes it.

    ``narrate`` is told, in one sentence, what is being waited for and what could not be taken in; by default
    that goes to the log.
    """

    def __init__(
        self, place: Path | str | None = None, lock_wait_s: float = LOCK_WAIT_S, narrate: Narrate = log.warning
    ) -> None:
        found = places.place(place)
        self.file = found.file
        self.shared = None if found.shared is None else SharedFolder(found.shared)
        self.lock_wait_s = lock_wait_s
        self.narrate = narrate

    @property
    def address(self) -> str:
        """Where the history is, for people."""
        return str(self.file if self.shared is None else self.shared.folder)

    @property
    def spool(self) -> Path:
        """The folder of what is on disk and not in the history yet."""
        return self.file.with_name(f"{self.file.name}.spool")

    def waiting(self) -> list[Path]:
        """The bundles that are on disk and not in the history yet, and those that were put aside as damaged."""
        aside = sorted(self.spool.glob(f"*{bundles.ASIDE}")) if self.spool.exists() else []
        return [*bundles.found_in(self.spool), *aside]

    def exists(self) -> bool:
        """Whether anything was ever stored; HistoryError where the folder may not be looked into."""
        try:
            waiting = bool(bundles.found_in(self.spool))
            return waiting or (self.file.exists() if self.shared is None else bool(self.shared.entries()))
        except OSError as error:
            raise self._no_place(error) from error

    def read(self, name: str, parameters: Mapping[str, object] | None = None) -> pd.DataFrame:
        """The rows of the named query ``sql/history/<name>.sql``; no rows where nothing was ever stored."""
        return self.read_together({name: parameters or {}})[name]

    def read_together(self, requests: Mapping[str, Mapping[str, object]]) -> dict[str, pd.DataFrame]:
        """Several named queries (``{name: parameters}``) in one opening of the file: of one state, and quicker."""
        found = {name: query("history", name, ANY_VERSION) for name in requests}
        self._take_in_for_reading()
        try:
            is_there = self.file.exists()
        except OSError as error:
            raise self._no_place(error) from error
        if not is_there:
            return {name: pd.DataFrame(columns=list(one.columns)) for name, one in found.items()}
        with self._reading() as connection:
            return {name: _frame(connection, one, requests[name]) for name, one in found.items()}

    def append(self, frames: Mapping[str, pd.DataFrame]) -> Spooled | None:
        """Add rows to tables, all or nothing: ``{table: frame}``, columns named as in the table.

        Rows whose primary key is already stored are left as they are, and with a snapshot or run its parts. The rows
        are on disk (as a bundle in the spool) before the store is touched. Where others hold the store for longer
        than ``lock_wait_s``, or a shared one cannot be reached, they stay there for the next writer: Spooled.
        Raises HistoryError where rows break a rule, or the store is damaged or newer (the rows are kept in the spool).
        """
        if all(frame.empty for frame in frames.values()):
            return None
        try:
            bundle = bundles.write(self.spool, frames)
        except OSError as error:
            raise self._no_place(error) from error
        return self._settle(bundle)

    def take_in(self, bundle: Path) -> dict[str, int]:
        """Add the rows of an exported bundle, all or nothing; returns how many were new, by table.

        Raises BundleRefused for a damaged, newer or foreign bundle, HistoryError where the store cannot be written.
        """
        manifest = bundles.check(bundle)
        if self.shared is not None:
            self._mirror(self.lock_wait_s)
        with self._writing() as connection, _transaction(connection):
            added = bundles.take_in(connection, bundle)
            if self.shared is not None and any(added.values()):
                self.shared.publish(bundle, name=manifest.content)
                _note_mirrored(connection, manifest.content)
        return added

    def export(self, bundle: Path, run_ids: Sequence[str] | None = None) -> bundles.Manifest:
        """Write everything (or some benchmark runs alone) as a new bundle at that path; returns what it holds."""
        if bundle.exists():
            raise HistoryError(f"{bundle} is already there.", "Name a folder that is not there yet.")
        if not self.exists():
            raise HistoryError(f"There is no history at {self.address} yet.", "Store something first.")
        self._take_in_for_reading()
        with self._reading() as connection:
            try:
                bundles.write_from(connection, bundles.exported_tables(run_ids), bundle.resolve())
            except OSError as error:
                raise HistoryError(
                    f"{bundle} cannot be written: {error.strerror}.", "Name a folder that this user may write to."
                ) from error
        return bundles.check(bundle)

    def _settle(self, bundle: Path) -> Spooled | None:
        try:
            self._drain(self.lock_wait_s)
        except (HistoryLocked, SharedUnreachable) as error:
            self.narrate(f"{error.happened} {_kept(bundle)}")
            return Spooled(bundle, error)
        except HistoryError as error:
            raise HistoryError(
                error.happened,
                f"{error.next_step} {_kept(bundle)}",
            ) from error
        return None

    def _drain(self, wait_s: float) -> None:
        """Take what lies in the spool into the store."""
        if self.shared is not None:
            self._publish_spool(self.shared)
            with suppress(HistoryLocked):  # it is safe in the shared folder: whoever reads next mirrors it
                self._mirror(wait_s)
            return
        with self._writing(wait_s) as connection:
            for bundle in bundles.found_in(self.spool):
                self._take_in_spooled(connection, bundle)
            for folder in (self.spool, self.file.parent):
                bundles.sweep(folder)

    def _publish_spool(self, shared: SharedFolder) -> None:
        for bundle in bundles.found_in(self.spool):
            try:
                shared.publish(bundle, name=bundle.name)
            except BundleRefused as error:
                if bundle.exists():
                    self._put_aside(bundle, error)
            except SharedUnreachable:
                if bundle.exists():
                    raise
            else:
                bundles.remove(bundle)
            # Where it is gone, another process of this host has just published and removed it.

    def _put_aside(self, bundle: Path, error: BundleRefused) -> None:
        """One bad bundle must not hold up all later ones; it is kept, and named."""
        aside = bundle.rename(bundle.with_name(f"{bundle.name}{bundles.ASIDE}"))
        self.narrate(f"{error.happened} It was put aside as {aside}.")

    def _take_in_spooled(self, connection: duckdb.DuckDBPyConnection, bundle: Path) -> None:
        try:
            with _transaction(connection):
                bundles.take_in(connection, bundle)
        except bundles.BundleNewer as error:
            self.narrate(f"{error.happened} {error.next_step} It stays where it is.")
            return
        except BundleRefused as error:
            self._put_aside(bundle, error)
            return
        bundles.remove(bundle)

    def _take_in_for_reading(self) -> None:
        if self.shared is not None:
            self._publish_spool(self.shared)
            self._mirror(self.lock_wait_s)
        elif bundles.found_in(self.spool):
            try:
                self._drain(0)
            except HistoryLocked:
                pass  # whoever holds the file takes it in
            except (
                HistoryError
            ) as error:  # a reader may not be allowed to write; what is stored can be read all the same
                self.narrate(f"{error.happened} {error.next_step}")

    def _mirror(self, wait_s: float) -> None:
        """Take those bundles of the shared folder into this host's file that are not in it yet."""
        if self.shared is None:
            return
        entries = self.shared.entries()
        known = _MIRRORED.setdefault(self._identity(), set())
        if entries.keys() <= known:
            return
        with self._writing(wait_s) as connection:
            rows = connection.execute("SELECT name FROM mirrored_bundle").fetchall()
            known = _MIRRORED[self._identity()] = {str(row[0]) for row in rows}
            unseen = [name for name in entries if name not in known]
            for first in range(0, len(unseen), MIRRORED_AT_ONCE):
                batch = unseen[first : first + MIRRORED_AT_ONCE]
                try:
                    _mirror_together(connection, entries, batch)
                except BundleRefused:  # two of them hold the same run, or one is wrong: one by one it is named
                    for name in batch:
                        _mirror_together(connection, entries, [name])
                known.update(batch)

    def _identity(self) -> tuple[str, int]:
        """The file as it is now: one that was made anew knows nothing of what the former one held."""
        return str(self.file), self.file.stat().st_ino if self.file.exists() else 0

    @contextmanager
    def _reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._opened(read_only=True) as connection:
            if schema.is_current(connection, str(self.file)):
                yield connection
                return
        with self._writing():
            pass  # brings it up to date
        with self._opened(read_only=True) as connection:
            yield connection

    @contextmanager
    def _writing(self, wait_s: float | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            if not self.file.exists():
                self._make()
        except OSError as error:
            raise self._no_place(error) from error
        with self._opened(read_only=False, wait_s=wait_s) as connection:
            schema.migrate(connection, str(self.file))
            yield connection

    def _make(self) -> None:
        """A new file appears whole: killed half way, DuckDB leaves one that it cannot open."""
        draft = self.file.with_name(f"{bundles.HIDDEN}{uuid.uuid4().hex}.duckdb")
        try:
            with opened(draft, read_only=False, wait_s=self.lock_wait_s, narrate=self.narrate) as connection:
                schema.migrate(connection, str(draft))
            with suppress(FileExistsError):  # another process was quicker
                os.link(draft, self.file)
        finally:
            draft.unlink(missing_ok=True)

    def _opened(
        self, *, read_only: bool, wait_s: float | None = None
    ) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        wait_s = self.lock_wait_s if wait_s is None else wait_s
        return opened(self.file, read_only=read_only, wait_s=wait_s, narrate=self.narrate)

    def _no_place(self, error: OSError) -> HistoryError:
        return HistoryError(
            f"The history's folder {self.file.parent} cannot be used: {error.strerror}.",
            "Name a file in a folder that this user may write to in MS5OPS_HISTORY.",
        )


@contextmanager
def _transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    connection.execute("BEGIN")
    try:
        yield
    except BaseException:
        with suppress(duckdb.Error):  # a failed statement may have ended it
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _kept(bundle: Path) -> str:
    return f"What was to be stored is kept in {bundle}, and the next writer takes it in."


def _mirror_together(connection: duckdb.DuckDBPyConnection, entries: Mapping[str, Path], names: Sequence[str]) -> None:
    with _transaction(connection):
        bundles.take_in(connection, *(entries[name] for name in names))
        for name in names:
            _note_mirrored(connection, name)


def _note_mirrored(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    connection.execute("INSERT OR IGNORE INTO mirrored_bundle VALUES (?)", [name])


def _frame(connection: duckdb.DuckDBPyConnection, found: Query, parameters: Mapping[str, object]) -> pd.DataFrame:
    frame: pd.DataFrame = connection.sql(found.sql, params=dict(parameters)).to_arrow_table().to_pandas()
    for column, kind in found.columns.items():
        if kind == "timestamptz":
            frame[column] = pd.to_datetime(frame[column], utc=True)
    return frame
