"""The beginning of a deployment, or of its way back, by a name that is known before it, and whether it came to pass.

What is good for one beginning only, as an approval, is kept elsewhere than the journal, so that no transaction holds
both. It is taken for a named beginning first. Whoever then holds the lease finds in the journal whether there was such
a beginning; where there was none, there never will be: the journal's first entry is fenced (``ms5ops.rollout.lease``).
"""

import re
from dataclasses import dataclass
from uuid import UUID

from ms5ops.database import Database
from ms5ops.queries import ANY_VERSION, query
from ms5ops.rollout.journal import FOLDER, ROLLING_BACK, Direction, exists

_TEXT = re.compile(r"(apply|rollback) (\d+) of (\S+) in (.+)")


@dataclass(frozen=True)
class Beginning:
    """The ``number``-th time (from 1) that a deployment begins to be applied, or taken back; ``place``: its server and
    database."""

    direction: Direction
    number: int
    deployment: UUID
    place: str

    def __str__(self) -> str:
        return f"{self.direction} {self.number} of {self.deployment} in {self.place}"


def apply_of(database: Database, deployment: UUID) -> Beginning:
    """The one beginning that applying a deployment has."""
    return Beginning("apply", 1, deployment, _place(database))


def next_rollback_of(database: Database, deployment: UUID) -> Beginning:
    """The beginning of a way back that comes next; for whoever holds the lease."""
    return Beginning("rollback", _beginnings(database, deployment, "rollback") + 1, deployment, _place(database))


def never_began(database: Database, text: str) -> bool:
    """Whether a beginning, as text, is not in the database's journal; False where it may stand in another one's.

    Final for whoever holds the lease; for anybody else it may begin at this moment.
    """
    found = _TEXT.fullmatch(text)
    if found is None or found[4] != _place(database) or not exists(database):
        return False
    direction: Direction = "apply" if found[1] == "apply" else "rollback"
    return _beginnings(database, UUID(found[3]), direction) < int(found[2])


def _beginnings(database: Database, deployment: UUID, direction: Direction) -> int:
    sql = query(FOLDER, "beginnings", ANY_VERSION).sql
    row = database.rows(sql, {"id": str(deployment), "rolling_back": ROLLING_BACK})[0]
    return int(row["applied"] if direction == "apply" else row["taken_back"])


def _place(database: Database) -> str:
    target = database.target
    return f"{target.host}:{target.port}/{target.database}"
