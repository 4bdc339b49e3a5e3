"""Rows of the queries under sql/rollout, and the values in them as records hold them."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ms5ops.observe.server import Server
from ms5ops.policy.intervals import interval_sql
from ms5ops.queries import query
from ms5ops.rollout.records import Grant


def read_rows(
    server: Server, name: str, identifiers: Mapping[str, str] | None = None, **parameters: object
) -> list[dict[str, Any]]:
    """The rows of a query in the variant for this server; ``identifiers`` fill its ``{place}`` marks, quoted."""
    sql = query("rollout", name, server.version).sql
    for place, identifier in (identifiers or {}).items():
        sql = sql.replace("{" + place + "}", identifier)
    return server.database.rows(sql, parameters)


def instant(value: datetime | None) -> str | None:
    """ISO 8601 in UTC."""
    return None if value is None else value.astimezone(UTC).isoformat()


def interval_text(value: timedelta | None) -> str | None:
    """As PostgreSQL reads it."""
    return None if value is None else interval_sql(value)


def grants(found: Iterable[Mapping[str, Any]] | None) -> tuple[Grant, ...]:
    """The grants of a JSON column, none where it is null."""
    return tuple(Grant(**row) for row in found or ())
