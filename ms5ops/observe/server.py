"""The server that is observed: its versions and edition, the role's sight, and running named queries on it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import pandas as pd

from ms5ops.database import Database
from ms5ops.errors import FeatureMissing, Ms5opsError
from ms5ops.policy.document import PolicySet, default_policy
from ms5ops.queries import Query, Version, parse_version, query, version_text

FOLDER = "observe"
OLDEST_SUPPORTED: Version = (2, 11, 0)
NO_EXTENSION: Version = (0, 0, 0)
Edition = Literal["community", "apache"]


@dataclass(frozen=True)
class Server:
    """What one database server is, as found when the connection was first used.

    ``version`` is TimescaleDB's (``NO_EXTENSION`` where it is not installed), ``schema`` the one that holds the tables
    of ``policy``, the policy set by which they are judged; ``policy_doubt``: why that is not the set in force.
    ``edition`` is "apache" where compression, policies and aggregates are absent. ``statements_version`` is
    pg_stat_statements' (in ``statements_schema``) or None.
    """

    database: Database = field(repr=False, compare=False)
    schema: str
    policy: PolicySet = field(repr=False, compare=False)
    version: Version
    postgres_version: tuple[int, int]
    edition: Edition
    statements_version: str | None
    statements_schema: str | None
    in_recovery: bool
    started_at: datetime
    read_at: datetime
    role: str
    database_name: str
    is_superuser: bool
    may_read_all_statistics: bool
    may_read_all_settings: bool
    owns_database: bool
    policy_doubt: Ms5opsError | None = field(default=None, repr=False, compare=False)

    @property
    def extension_installed(self) -> bool:
        """Whether the database has the timescaledb extension."""
        return self.version != NO_EXTENSION

    @property
    def version_text(self) -> str:
        """``TimescaleDB 2.28.3 (community) on PostgreSQL 15.18``."""
        postgres = ".".join(map(str, self.postgres_version))
        if not self.extension_installed:
            return f"PostgreSQL {postgres} without TimescaleDB"
        return f"TimescaleDB {version_text(self.version)} ({self.edition}) on PostgreSQL {postgres}"

    def rows(
        self, name: str, identifiers: Mapping[str, str] | None = None, **parameters: object
    ) -> list[dict[str, Any]]:
        """The rows of a named query in the variant for this server, as mappings.

        ``identifiers`` fill the query's ``{place}`` marks with SQL names that ``quoted`` has made.
        """
        found = query(FOLDER, name, self.version)
        return self.database.rows(_text(found, identifiers), _checked(found, parameters))

    def frame(self, name: str, identifiers: Mapping[str, str] | None = None, **parameters: object) -> pd.DataFrame:
        """As ``rows``, as a frame."""
        found = query(FOLDER, name, self.version)
        return self.database.frame(_text(found, identifiers), _checked(found, parameters))

    def require_community(self, what: str) -> None:
        """FeatureMissing where the Apache edition cannot have ``what`` ("Compression", "Continuous aggregates")."""
        if self.edition == "apache":
            raise FeatureMissing(
                f"{what} needs the Community edition; this server runs the Apache edition of TimescaleDB.",
                "Ask the administrator for the Community build (timescaledb.license = timescale), which is free to "
                "use.",
            )


def probe_server(database: Database, schema: str = "factory_telemetry", policy: PolicySet | None = None) -> Server:
    """What is there, whether or not the extension is; ``policy`` None: the set that comes with ms5ops.

    Raises ServerUnreachable or another ServerError.
    """
    row = database.row(query(FOLDER, "server", NO_EXTENSION).sql)
    extension = row["extension_version"]
    return Server(
        database=database,
        schema=schema,
        policy=policy or default_policy(),
        version=parse_version(extension) if extension else NO_EXTENSION,
        postgres_version=divmod(row["postgres_version_number"], 10_000),
        edition="apache" if row["license"] == "apache" else "community",
        statements_version=row["statements_version"],
        **{
            name: row[name]
            for name in (
                "statements_schema", "in_recovery", "started_at", "read_at", "role", "database_name", "is_superuser",
                "may_read_all_statistics", "may_read_all_settings", "owns_database",
            )
        },
    )  # fmt: skip


def connect_server(database: Database, schema: str = "factory_telemetry", policy: PolicySet | None = None) -> Server:
    """As ``probe_server``; FeatureMissing where TimescaleDB is not installed or older than 2.11."""
    server = probe_server(database, schema, policy)
    if not server.extension_installed:
        raise FeatureMissing(
            f"The database {server.database_name} does not have the timescaledb extension.",
            "Run CREATE EXTENSION timescaledb in it as an administrator, or check the environment's database name.",
        )
    if server.version < OLDEST_SUPPORTED:
        raise FeatureMissing(
            f"TimescaleDB {version_text(server.version)} is older than 2.11, the oldest that this console reads.",
            "Update the extension (ALTER EXTENSION timescaledb UPDATE).",
        )
    return server


def quoted(*parts: str) -> str:
    """Names as a quoted SQL identifier, ready for a statement text: ``"schema"."table"``."""
    return ".".join('"' + part.replace('"', '""').replace(":", "\\:") + '"' for part in parts)


def _text(found: Query, identifiers: Mapping[str, str] | None) -> str:
    sql = found.sql
    for place, name in (identifiers or {}).items():
        sql = sql.replace("{" + place + "}", name)
    return sql


def _checked(found: Query, parameters: Mapping[str, object]) -> Mapping[str, object]:
    if set(parameters) != set(found.params):
        raise TypeError(f"{found.file.name} takes {found.params}, not {tuple(parameters)}")
    return parameters
