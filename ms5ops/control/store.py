"""The store of decisions, ``control.sqlite``, which the console, its runs and the command line share."""

from datetime import UTC, datetime

from ms5ops import paths
from ms5ops.access.store import Row, Store
from ms5ops.errors import Ms5opsError

__all__ = ["ControlError", "Row", "Store", "checked_comment", "control_store", "read", "written"]

LONGEST_COMMENT = 2_000


class ControlError(Ms5opsError):
    """Something asked of the console's own records is not there, or not as it has to be."""


def control_store() -> Store:
    """Policy sets, kept plans, dry runs, approvals, runs and verified states of this state folder."""
    return Store(paths.state_folder() / "control.sqlite", "control")


def checked_comment(comment: str) -> str:
    """A comment as it is kept, without spaces around it; ControlError where it is too long."""
    if len(comment) > LONGEST_COMMENT:
        raise ControlError(f"The comment has {len(comment):,} characters.", f"Keep it under {LONGEST_COMMENT:,}.")
    return comment.strip()


def written(instant: datetime) -> str:
    """An aware instant as the store keeps it: ISO 8601 in UTC, which sorts as text."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds")


def read(text: str | None) -> datetime | None:
    """The instant that ``written`` wrote."""
    return None if text is None else datetime.fromisoformat(text)
