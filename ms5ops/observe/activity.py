"""Who is connected and at work now, who waits for whom, and which statements cost most."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from ms5ops.errors import FeatureMissing
from ms5ops.observe.server import Server, quoted

LONG_TRANSACTION = timedelta(minutes=15)
"""Own choice: an open transaction holds back vacuum, and compression waits for readers of its chunk."""


STATEMENT_DTYPES = {
    "statement": "str",
    "role": "str",
    "calls": "int64",
    "total_ms": "float64",
    "mean_ms": "float64",
    "max_ms": "float64",
    "rows": "int64",
    "cache_hit_share": "float64",
    "temporary_blocks": "int64",
}
"""Columns of the statements frame, times in milliseconds since pg_stat_statements was last reset."""


@dataclass(frozen=True)
class Session:
    """One session. Other roles' ``state`` and ``query`` are None unless the role has pg_read_all_stats.

    ``blocked_by``: process ids it waits for. ``query`` is at most 500 characters, the last one where it is idle.
    """

    pid: int
    role: str | None
    application: str | None
    client: str | None
    backend_type: str | None
    state: str | None
    waits_for: str | None
    connected_at: datetime | None
    transaction_started_at: datetime | None
    query_started_at: datetime | None
    state_changed_at: datetime | None
    blocked_by: tuple[int, ...]
    query: str | None

    @property
    def is_client(self) -> bool:
        """Whether it is an application's session, not a worker of the server."""
        return self.backend_type == "client backend"


@dataclass(frozen=True)
class Activity:
    """What the sessions come to at one instant."""

    sessions: tuple[Session, ...]
    connections: int
    active: int
    idle_in_transaction: int
    blocked: int


@dataclass(frozen=True)
class Transactions:
    """How transactions ended, counted from ``counted_since`` on (the last reset of the statistics, or the start).

    ``rolled_back`` holds every statement that failed, was cancelled or timed out, and what was rolled back on purpose:
    PostgreSQL counts no failed statements. ``conflicts``: cancelled on a standby; ``sessions_ended``: lost, killed or
    ended by a fatal error, None before PostgreSQL 14.
    """

    counted_since: datetime
    committed: int
    rolled_back: int
    deadlocks: int
    conflicts: int
    sessions_ended: int | None


def read_transactions(server: Server) -> Transactions:
    """The counters of this database."""
    return Transactions(**server.rows("transactions")[0])


def read_activity(server: Server) -> Activity:
    """Sessions of this database other than the reading one."""
    return activity_from(server.rows("sessions"))


def read_statements(server: Server, limit: int = 20) -> pd.DataFrame:
    """The costliest statements (``STATEMENT_DTYPES``); FeatureMissing without pg_stat_statements."""
    if server.statements_version is None:
        raise FeatureMissing(
            "The extension pg_stat_statements is not installed in this database, so that costly statements cannot be "
            "named.",
            "As an administrator: list it in shared_preload_libraries, restart, and run CREATE EXTENSION "
            "pg_stat_statements.",
        )
    where = {"statements": quoted(server.statements_schema or "public", "pg_stat_statements")}
    return server.frame("statements", where, limit=limit).fillna({"cache_hit_share": 1.0}).astype(STATEMENT_DTYPES)


def activity_from(rows: Sequence[Mapping[str, Any]]) -> Activity:
    """The record for rows of the query ``sessions``."""
    sessions = tuple(Session(**{**row, "blocked_by": tuple(row["blocked_by"] or ())}) for row in rows)
    clients = [session for session in sessions if session.is_client]
    return Activity(
        sessions=sessions,
        connections=len(clients),
        active=sum(session.state == "active" for session in clients),
        idle_in_transaction=sum((session.state or "").startswith("idle in transaction") for session in clients),
        blocked=sum(bool(session.blocked_by) for session in sessions),
    )


def long_transactions(activity: Activity, now: datetime, longer_than: timedelta = LONG_TRANSACTION) -> list[Session]:
    """Client sessions whose transaction has been open for longer, oldest first."""
    return _since(activity, "transaction_started_at", now, longer_than)


def lock_waits(activity: Activity) -> list[tuple[Session, tuple[Session, ...]]]:
    """Each waiting session with those it waits for (as far as they are visible)."""
    by_pid = {session.pid: session for session in activity.sessions}
    return [
        (session, tuple(by_pid[pid] for pid in session.blocked_by if pid in by_pid))
        for session in activity.sessions
        if session.blocked_by
    ]


def _since(activity: Activity, field: str, now: datetime, longer_than: timedelta) -> list[Session]:
    dated = [(getattr(session, field), session) for session in activity.sessions if session.is_client]
    late = [(at, session) for at, session in dated if at is not None and now - at > longer_than]
    return [session for _, session in sorted(late, key=lambda pair: pair[0])]
