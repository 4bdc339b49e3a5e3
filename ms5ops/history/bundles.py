"""Bundles: folders of Parquet files with a manifest, in which rows of the history lie, travel and are shared.

A bundle is written under a hidden name and renamed when it is whole and on disk, so that one which can be seen is
complete. It is never changed. The manifest tells the schema's version, and size and SHA-256 of every file.
"""

import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import duckdb
import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from ms5ops import __version__
from ms5ops.errors import BundleRefused, HistoryError
from ms5ops.history import schema
from ms5ops.history.connection import in_memory, sentence

MANIFEST = "manifest.json"
HIDDEN = ".writing-"
"""How the name of a bundle begins that is not whole yet, or is being removed."""
REST_AGE_S = 86_400
"""Own choice: nothing takes a day to write."""
ASIDE = ".refused"
"""How the name of a bundle ends that was put aside because it is damaged."""


class BundleNewer(BundleRefused):
    """The bundle was written by a newer program: there is nothing wrong with it, but it needs an upgrade here."""


class TableFile(BaseModel):
    """What the manifest tells of one table's Parquet file."""

    model_config = ConfigDict(frozen=True)

    rows: int
    sha256: str


class Manifest(BaseModel):
    """What a bundle holds, and which program wrote it. ``tables``: by name of the table; the file is its name."""

    model_config = ConfigDict(frozen=True)

    format: Literal["ms5ops history"] = "ms5ops history"
    schema_version: int
    tool_version: str
    written_at: datetime
    tables: dict[str, TableFile]

    @property
    def content(self) -> str:
        """A name for what the bundle holds: equal for equal files."""
        told = "".join(f"{table}:{file.sha256};" for table, file in sorted(self.tables.items()))
        return hashlib.sha256(told.encode()).hexdigest()


def write(folder: Path, frames: Mapping[str, pd.DataFrame]) -> Path:
    """Write rows (``{table: frame}``) as a new bundle under ``folder``; returns the bundle, which is then on disk.

    The rows are checked against the tables' rules before anything is written: HistoryError names what is wrong.
    OSError where the folder cannot be used.
    """
    with in_memory() as connection:
        schema.migrate(connection, "in memory")
        try:
            for table, frame in frames.items():
                if not frame.empty:
                    connection.register("incoming", frame)
                    connection.execute(f'INSERT INTO "{table}" BY NAME SELECT * FROM incoming')  # noqa: S608 — table names are ours
                    connection.unregister("incoming")
        except duckdb.Error as error:
            raise HistoryError(f"The rows cannot be stored: {sentence(error)}.", "Report this.") from error
        tables = {table: f'"{table}"' for table, frame in frames.items() if not frame.empty}
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{uuid.uuid4().hex}"
        return write_from(connection, tables, folder / name)


def write_from(connection: duckdb.DuckDBPyConnection, relations: Mapping[str, str], bundle: Path) -> Path:
    """Write relations of an open history (``{table: relation}``) as the bundle at that path, empty ones too."""
    bundle.parent.mkdir(parents=True, exist_ok=True)
    draft = bundle.parent / f"{HIDDEN}{uuid.uuid4().hex}"
    draft.mkdir()
    try:
        tables = {}
        for table, relation in relations.items():
            file = draft / f"{table}.parquet"
            written = connection.execute(
                f"COPY (SELECT * FROM {relation}) TO ? (FORMAT parquet, COMPRESSION zstd)",  # noqa: S608 — relations are ours
                [str(file)],
            ).fetchall()
            _to_disk(file)
            tables[table] = TableFile(rows=int(written[0][0]), sha256=_sha256(file))
        manifest = Manifest(
            schema_version=schema.newest_version(),
            tool_version=__version__,
            written_at=datetime.now(UTC),
            tables=tables,
        )
        (draft / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
        _to_disk(draft / MANIFEST)
        _to_disk(draft)
        draft.rename(bundle)
        _to_disk(bundle.parent)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return bundle


def check(bundle: Path) -> Manifest:
    """The manifest of a bundle whose every file is as it was written; BundleRefused says what is wrong."""
    manifest = _manifest(bundle)
    for table, told in manifest.tables.items():
        file = bundle / f"{table}.parquet"
        try:
            found = _sha256(file)
        except FileNotFoundError as error:
            raise _refused(bundle, f"its file {file.name} is missing") from error
        except OSError as error:
            raise _refused(bundle, f"its file {file.name} cannot be read ({error.strerror})") from error
        if found != told.sha256:
            raise _refused(bundle, f"its file {file.name} is not as it was written")
    return manifest


def take_in(connection: duckdb.DuckDBPyConnection, *found: Path) -> dict[str, int]:
    """Add the rows of bundles in the caller's transaction; returns how many were new, by table.

    Several go in one statement per table, which is many times quicker; no two of them may hold the same snapshot or
    run. Raises BundleRefused where one is damaged, newer or foreign, or two hold the same: roll back then.
    """
    files: dict[str, list[Path]] = {}
    for bundle in found:
        for table in check(bundle).tables:
            files.setdefault(table, []).append(bundle / f"{table}.parquet")
    sources = {table: _parquet(paths) for table, paths in files.items()}
    try:
        added = schema.add_rows(connection, sources)
        spoilt = [table for table, source in sources.items() if _holds_no_numbers(connection, table, source)]
    except duckdb.Error as error:
        raise _refused(found[0], f"its rows do not fit the history ({sentence(error)})") from error
    if spoilt:
        raise _refused(found[0], f"its table {spoilt[0]!r} holds figures that are no finite numbers")
    return added


def found_in(folder: Path) -> list[Path]:
    """The whole bundles of a folder, oldest first by name; none where there is no such folder."""
    try:
        entries = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and _is_whole(entry.name))
    except FileNotFoundError:
        return []
    return [folder / name for name in entries]


def publish(bundle: Path, target: Path) -> None:
    """Copy a bundle to another path (of another file system); where one is there already, nothing happens."""
    if target.exists():
        return
    target.parent.mkdir(exist_ok=True)
    draft = target.parent / f"{HIDDEN}{uuid.uuid4().hex}"
    try:
        shutil.copytree(bundle, draft)
        for file in draft.iterdir():
            _to_disk(file)
        _to_disk(draft)
        try:
            draft.rename(target)
        except OSError:
            if not target.exists():  # else another process has just published the same bundle
                raise
        _to_disk(target.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def remove(bundle: Path) -> None:
    """Take a bundle away that is stored elsewhere; a crash leaves at most a hidden rest."""
    hidden = bundle.parent / f"{HIDDEN}{uuid.uuid4().hex}"
    try:
        bundle.rename(hidden)
    except FileNotFoundError:
        return
    shutil.rmtree(hidden, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Take away what processes that were killed have left half written, a day after."""
    for rest in folder.glob(f"{HIDDEN}*"):
        with suppress(FileNotFoundError):  # another process sweeps, too
            if time.time() - rest.stat().st_mtime < REST_AGE_S:
                continue
            if rest.is_dir():
                shutil.rmtree(rest, ignore_errors=True)
            else:
                rest.unlink()


def _manifest(bundle: Path) -> Manifest:
    try:
        text = (bundle / MANIFEST).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BundleRefused(
            f"{bundle} is not an export of ms5ops: it has no {MANIFEST}.",
            "Name the folder that `history export` or `benchmark export` made.",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise _refused(bundle, f"its {MANIFEST} cannot be read") from error
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        raise _refused(bundle, f"its {MANIFEST} is not one of ms5ops") from error
    # The version first: a newer program may have tables that this one has never heard of.
    if manifest.schema_version > schema.newest_version():
        raise BundleNewer(
            f"{bundle} was written by ms5ops {manifest.tool_version} with schema version {manifest.schema_version},"
            f" and this one knows versions up to {schema.newest_version()}.",
            "Upgrade ms5ops on this machine.",
        )
    if strangers := set(manifest.tables) - set(schema.TABLES):
        raise _refused(bundle, f"it holds a table {min(strangers)!r}, which no history has")
    return manifest


def _refused(bundle: Path, why: str) -> BundleRefused:
    return BundleRefused(f"{bundle} is damaged or foreign: {why}.", "Nothing of it was taken in: export it anew.")


def _parquet(files: Sequence[Path]) -> str:
    quoted = ", ".join("'" + str(file).replace("'", "''") + "'" for file in files)
    return f"read_parquet([{quoted}], union_by_name = true)"


def _holds_no_numbers(connection: duckdb.DuckDBPyConnection, table: str, source: str) -> bool:
    """Whether a figure is NaN or infinite, which no program of ours writes and no statistics survive."""
    told = connection.execute(
        "SELECT column_name FROM duckdb_columns() WHERE table_name = ? AND data_type = 'DOUBLE'", [table]
    ).fetchall()
    there = {str(row[0]) for row in connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()}  # noqa: S608 — files of ours
    figures = [f'NOT isfinite("{row[0]}"::DOUBLE)' for row in told if row[0] in there]
    if not figures:
        return False
    found = connection.execute(f"SELECT 1 FROM {source} WHERE {' OR '.join(figures)} LIMIT 1")  # noqa: S608 — names are ours
    return bool(found.fetchall())


def _is_whole(name: str) -> bool:
    return not name.startswith(".") and not name.endswith(ASIDE)


def _sha256(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def exported_tables(run_ids: Sequence[str] | None) -> dict[str, str]:
    """What an export holds as ``{table: relation}``: everything, or some benchmark runs (by their whole ids) alone."""
    if run_ids is None:
        return {table: f'"{table}"' for table in schema.TABLES}
    ids = ", ".join(f"'{uuid.UUID(run_id)}'" for run_id in run_ids)
    return {
        table: f'"{table}" WHERE run_id IN ({ids})'
        for table in ("benchmark_result", "benchmark_sample", "benchmark_run")
    }
