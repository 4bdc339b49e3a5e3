"""A folder that several hosts share (NFS, SMB): bundles of Parquet files that are added and never changed.

Nothing in it is locked and nothing is written twice: a bundle appears by a rename, which is what such file systems do
in one step. Each host mirrors the bundles that it has not seen yet into a DuckDB file of its own, and queries that.
"""

import json
from pathlib import Path

from ms5ops import __version__
from ms5ops.errors import HistoryError
from ms5ops.history import bundles

MARKER = "ms5ops-history.json"
_FORMAT = "ms5ops shared history"


class SharedUnreachable(HistoryError):
    """The shared folder is not there: not mounted, not prepared, or not to be read."""


class SharedFolder:
    """The shared history in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def prepare(self) -> bool:
        """Make the folder a shared history; False where it already is one. HistoryError where it holds other things.

        This is a step of its own, because an empty folder may be a share that is not mounted: what was written there
        would vanish from sight when it is.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if (self.folder / MARKER).exists():
                self._require()
                return False
            if any(self.folder.iterdir()):
                raise HistoryError(f"{self.folder} is not empty.", "Name an empty folder, or a new one.")
            marker = self.folder / f".{MARKER}"
            marker.write_text(json.dumps({"format": _FORMAT, "tool_version": __version__}) + "\n", encoding="utf-8")
            marker.rename(self.folder / MARKER)
        except OSError as error:
            raise SharedUnreachable(
                f"{self.folder} cannot be used: {error.strerror}.", "Name a folder that this user may write to."
            ) from error
        return True

    def entries(self) -> dict[str, Path]:
        """The bundles by name, oldest first; SharedUnreachable where the folder is away."""
        self._require()
        try:
            months = bundles.found_in(self.folder)
            return {bundle.name: bundle for month in months for bundle in bundles.found_in(month)}
        except OSError as error:
            raise self._away(error.strerror) from error

    def publish(self, bundle: Path, name: str) -> None:
        """Copy a bundle into the folder under a name; where it is there already, nothing happens."""
        self._require()
        month = f"{bundles.check(bundle).written_at:%Y-%m}"
        try:
            bundles.publish(bundle, self.folder / month / name)
        except OSError as error:
            raise self._away(error.strerror) from error

    def _require(self) -> None:
        try:
            told = json.loads((self.folder / MARKER).read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise self._away(f"it has no {MARKER}") from error
        except (OSError, ValueError) as error:
            raise self._away(f"its {MARKER} cannot be read") from error
        if not isinstance(told, dict) or told.get("format") != _FORMAT:
            raise self._away(f"its {MARKER} is not one of ms5ops")

    def _away(self, why: str | None) -> SharedUnreachable:
        return SharedUnreachable(
            f"The shared history {self.folder} cannot be used: {why or 'the system gives no reason'}.",
            "Mount it, or prepare a new one with `python -m ms5ops history share FOLDER`.",
        )
