"""From the name of an environment to a connection: the sandbox and configured servers alike."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from ms5ops import config
from ms5ops.config import Purpose, Settings
from ms5ops.database import Database, Target
from ms5ops.errors import ConfigError
from ms5ops.sandbox import fill, process, replaying

Origin = Literal["measured", "simulated", "replayed"]
_FILLED = "sandbox filled at "


@dataclass(frozen=True)
class Connected:
    """A database by the name of its environment.

    ``origin`` is "simulated" for the sandbox, whose telemetry is generated, and "measured" for a server.
    ``deploy_role`` is who would change it, None where that is the role that is connected, or nobody. ``benchmarks``:
    the folder of its own benchmark questions, None where they are those that come with ms5ops.
    """

    name: str
    database: Database
    origin: Origin
    protected: bool
    maintenance_window: str
    schema: str
    deploy_role: str | None = None
    benchmarks: Path | None = None


def connect(settings: Settings, name: str | None = None, purpose: Purpose = "read") -> Connected:
    """Open (lazily) the environment ``name``, or the default one.

    Raises ConfigError for an unknown name or a missing deploy credential, SandboxError when the sandbox is
    meant and does not run, or is to be changed while months are replayed in it. No connection is made yet: the first
    query makes it.
    """
    chosen = settings.chosen(name)
    access: Literal["read", "write"] = "read" if purpose == "read" else "write"
    if chosen == config.SANDBOX:
        if purpose == "deploy":
            replaying.refuse_meanwhile()
        return Connected(
            name=chosen,
            database=Database(process.target(), access),
            origin="simulated",
            protected=False,
            maintenance_window="always",
            schema="factory_telemetry",
        )
    environment = settings.environment(chosen)
    credential = environment.read if purpose == "read" else environment.deploy
    if credential is None:
        raise ConfigError(
            f"The environment {chosen} has no deploy credential.",
            f"Add one under [environments.{chosen}.deploy] in ms5ops.toml.",
        )
    target = Target(
        host=environment.host,
        port=environment.port,
        database=environment.database,
        user=credential.user,
        password=credential.password(),
        sslmode=environment.sslmode,
    )
    return Connected(
        name=chosen,
        database=Database(target, access),
        origin="measured",
        protected=environment.protected,
        maintenance_window=str(environment.maintenance_window),
        schema=environment.schema_name,
        deploy_role=environment.deploy.user if environment.deploy else None,
        benchmarks=environment.benchmarks,
    )


def source_id(connected: Connected) -> str:
    """What tells one database from another in the history, whatever its environment is called.

    A server is its address and schema; a sandbox is what it was last filled with, so that readings of different fills
    never stand in one chart.
    """
    if connected.name != config.SANDBOX:
        target = connected.database.target
        return f"{target.host}:{target.port}/{target.database}/{connected.schema}"
    filled = fill.filled(connected.database)
    return f"{_FILLED}{filled.filled_at.isoformat()}" if filled else "sandbox not filled"


def source_text(source: str) -> str:
    """A ``source_id`` as people read it: ``sandbox, filled 2026-11-23 16:17:31 UTC``, ``telemetry on db1:5432, schema
    factory_telemetry``; anything else (an imported run's name of its database) as it is."""
    if source.startswith(_FILLED):
        try:
            filled_at = datetime.fromisoformat(source.removeprefix(_FILLED))
        except ValueError:
            return source
        return f"sandbox, filled {filled_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"  # two fills differ by seconds
    address, *names = source.rsplit("/", 2)
    return f"{names[0]} on {address}, schema {names[1]}" if len(names) == 2 and ":" in address else source
