"""Environments: which TimescaleDB servers there are, and where each setting came from.

Three sources, the first that names an environment wins: ``--environment`` or ``MS5OPS_ENVIRONMENT``;
the variables ``DB_HOST``, ``DB_PORT``, ``DB_NAME``, ``DB_SCHEMA``, ``DB_USER``, ``DB_PASSWORD`` (as environment
``DB_HOST``); ``ms5ops.toml``. With none of them the embedded sandbox is used.

A key that is not known is refused with its nearest match, so that a misspelt ``protected`` never
passes for an unprotected server.
"""

import difflib
import os
import re
from collections.abc import Mapping
from datetime import datetime, time
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from ms5ops import paths, strict
from ms5ops.alert_settings import Alerts
from ms5ops.errors import ConfigError

SANDBOX = "sandbox"
VARIABLES = "DB_HOST"
QUESTIONS_VARIABLE = "MS5OPS_BENCHMARKS"
DATABASE_VARIABLES = (
    "DB_HOST", "DB_PORT", "DB_NAME", "DB_SCHEMA", "DB_USER", "DB_PASSWORD", QUESTIONS_VARIABLE,
)  # fmt: skip

Purpose = Literal["read", "deploy"]
RoleName = Literal["viewer", "dba", "operator", "admin"]
"""From the least to the most; what each may do stands in ms5ops/access/roles.py."""


class MaintenanceWindow(BaseModel):
    """A daily span of local time, possibly over midnight, in which changes may run; from a time to itself: never.

    ``always``: at any time, whatever else it says.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: time
    end: time
    zone: str = "UTC"
    always: bool = False

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        """Accepts ``22:00-06:00``, ``22:00-06:00 Europe/Berlin`` and ``always`` as well as a table."""
        if not isinstance(value, str):
            return value
        if value.strip() == "always":
            return {"start": time(0), "end": time(0), "always": True}
        match = re.fullmatch(r"(\d\d:\d\d)\s*-\s*(\d\d:\d\d)(?:\s+(\S+))?", value.strip())
        if match is None:
            raise ValueError(f"{value!r} is not a window (examples are 22:00-06:00 Europe/Berlin, and always)")
        return {"start": match[1], "end": match[2], "zone": match[3] or "UTC"}

    @model_validator(mode="after")
    def _zone_exists(self) -> "MaintenanceWindow":
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{self.zone!r} is not a time zone (an example is Europe/Berlin)") from error
        return self

    def contains(self, instant: datetime) -> bool:
        """Whether ``instant`` (aware) lies in the window; start counts, end does not."""
        if self.always:
            return True
        local = instant.astimezone(ZoneInfo(self.zone)).time()
        if self.start <= self.end:
            return self.start <= local < self.end
        return local >= self.start or local < self.end

    def __str__(self) -> str:
        return "always" if self.always else f"{self.start:%H:%M}-{self.end:%H:%M} {self.zone}"


class Credential(BaseModel):
    """A role and where its password is kept; the password itself is read only when a connection is made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    user: str
    password_env: str | None = None
    password_file: Path | None = None

    @model_validator(mode="after")
    def _one_source(self) -> "Credential":
        if self.password_env and self.password_file:
            raise ValueError("give password_env or password_file, not both")
        return self

    def password(self) -> SecretStr | None:
        """The password, or None where the server asks for none (or ~/.pgpass holds it).

        Raises ConfigError when the variable or file that should hold it does not.
        """
        if self.password_env:
            if self.password_env not in os.environ:
                raise ConfigError(
                    f"The password of {self.user} should be in the variable {self.password_env}, which is not set.",
                    f"Export {self.password_env}, or name another variable in ms5ops.toml.",
                )
            return SecretStr(os.environ[self.password_env])
        if self.password_file:
            try:
                return SecretStr(self.password_file.expanduser().read_text().rstrip("\r\n"))
            except OSError as error:
                raise ConfigError(
                    f"The password file {self.password_file} of {self.user} cannot be read ({error.strerror}).",
                    "Check the path and its permissions, or name another file in ms5ops.toml.",
                ) from error
        return None


SslMode = Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]


class Environment(BaseModel):
    """One server: address, the reading role, and (apart from it) the role that may change it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str
    port: Annotated[int, Field(ge=1, le=65535)] = 5432
    database: str = "factory_telemetry"
    # "schema" itself is a method of pydantic's models.
    schema_name: str = Field(default="factory_telemetry", alias="schema")
    sslmode: SslMode = "prefer"
    read: Credential
    deploy: Credential | None = None
    maintenance_window: MaintenanceWindow = MaintenanceWindow(start=time(22), end=time(6))
    protected: bool = False
    benchmarks: Path | None = None
    """A folder of benchmark questions of its own; None: those that come with ms5ops, which ask MS5.0's tables."""


class Console(BaseModel):
    """Settings of the console itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    snapshot_every_minutes: Annotated[int, Field(ge=0, le=1440)] = 15
    """How often the running console stores a snapshot; 0 leaves it to ``collect`` from cron."""


class Costs(BaseModel):
    """What storage costs, for the scorecard: ``price_per_gb_month`` of 1,000,000,000 bytes, in ``currency``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    price_per_gb_month: Annotated[float, Field(gt=0)]
    currency: Annotated[str, Field(min_length=1, max_length=8)]


class OidcAccess(BaseModel):
    """How people who sign in through OpenID Connect get their role: by the groups that their ID token names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    claim: str = "groups"
    """The claim that lists the groups (or the roles)."""
    roles: dict[str, RoleName] = Field(default_factory=dict)
    """Group to role; of several the highest counts."""
    default: RoleName | None = None
    """The role of somebody in none of these groups; None: they are not let in."""
    email_is_verified: bool = False
    """Whether addresses of tokens without the claim email_verified are their people's own; the claim itself counts."""


class ShellAccess(BaseModel):
    """Who may act on the command line: users of the operating system, each with a role."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    users: dict[str, RoleName]


class Access(BaseModel):
    """Who may use the console, and for how long one sign-in lasts (docs/adr/0008)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sign_in_to_read: bool | None = None
    """Whether the reading pages ask for a sign-in; None: where any environment is protected."""
    local_accounts: bool | None = None
    """Whether names and passwords are accepted; None: where no identity provider is configured."""
    session_idle_minutes: Annotated[int, Field(ge=1, le=1440)] = 60
    session_hours: Annotated[int, Field(ge=1, le=168)] = 12
    approval_hours: Annotated[int, Field(ge=1, le=168)] = 24
    """How long an approval of a plan, or of a rollback, stands."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses of the proxies whose X-Forwarded-For and X-Forwarded-Proto are believed."""
    oidc: OidcAccess = OidcAccess()
    shell: ShellAccess | None = None
    """None: whoever runs the command line is admin."""


class ConfigFile(BaseModel):
    """The whole of ms5ops.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    default_environment: str | None = None
    history: str | None = None
    """Where the history is kept: a DuckDB file, or ``file:///folder`` for one that several hosts share."""
    console: Console = Console()
    costs: Costs | None = None
    access: Access = Access()
    alerts: Alerts = Alerts()
    environments: dict[str, Environment] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _default_exists(self) -> "ConfigFile":
        if self.default_environment not in (None, SANDBOX, *self.environments):
            raise ValueError(
                f"default_environment is {self.default_environment!r}, which is not among the environments"
            )
        for name in self.environments:
            if name in (SANDBOX, VARIABLES) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,40}", name):
                raise ValueError(f"an environment cannot be called {name!r}")
        return self


class Settings(BaseModel):
    """What is configured, and from where.

    ``environments`` excludes the sandbox, which is always available and has no address until it runs.
    """

    model_config = ConfigDict(frozen=True)

    environments: dict[str, Environment]
    default: str
    default_origin: str
    origins: dict[str, str]
    console: Console = Console()
    costs: Costs | None = None
    """None: no price is known."""
    access: Access = Access()
    alerts: Alerts = Alerts()

    @property
    def sign_in_to_read(self) -> bool:
        """Whether the reading pages ask for a sign-in: as set, or else where any environment is protected."""
        if self.access.sign_in_to_read is not None:
            return self.access.sign_in_to_read
        return any(environment.protected for environment in self.environments.values())

    def environment(self, name: str) -> Environment:
        """The settings of a server by name; ConfigError names the nearest one where there is none."""
        if name not in self.environments:
            raise _unknown_environment(name, [SANDBOX, *self.environments])
        return self.environments[name]

    def chosen(self, name: str | None = None) -> str:
        """The name to use: the given one if it exists, or the default."""
        if name is None:
            return self.default
        if name != SANDBOX:
            self.environment(name)
        return name


def config_file() -> Path:
    """``MS5OPS_CONFIG``, or ms5ops.toml in the project's folder."""
    return Path(os.environ.get("MS5OPS_CONFIG") or paths.PROJECT / "ms5ops.toml")


def history_address() -> str | None:
    """``history`` in ms5ops.toml, a relative path taken from the file's folder; None where nothing is set."""
    address = _read_file(config_file()).history
    return address if address is None or "://" in address else str(config_file().parent / address)


def load_settings(variables: Mapping[str, str] | None = None, file: Path | None = None) -> Settings:
    """Read the configuration file (if there is one) and the variables; ConfigError says what is wrong where."""
    variables = os.environ if variables is None else variables
    file = file or config_file()
    parsed = _read_file(file)
    environments = {name: _questions_found(one, file) for name, one in parsed.environments.items()}
    origins = {name: str(file) for name in environments}
    named = {key: variables[key] for key in DATABASE_VARIABLES if variables.get(key)}
    if "DB_HOST" in named:
        environments[VARIABLES] = _questions_found(_from_variables(named), file)
        origins[VARIABLES] = ", ".join(named)
    default, origin = _default(parsed, environments, variables, file)
    if default != SANDBOX and default not in environments:
        raise _unknown_environment(default, [SANDBOX, *environments])
    return Settings(
        environments=environments,
        default=default,
        default_origin=origin,
        origins=origins,
        console=parsed.console,
        costs=parsed.costs,
        access=parsed.access,
        alerts=parsed.alerts,
    )


def _default(
    parsed: ConfigFile, environments: Mapping[str, Environment], variables: Mapping[str, str], file: Path
) -> tuple[str, str]:
    if variables.get("MS5OPS_ENVIRONMENT"):
        return variables["MS5OPS_ENVIRONMENT"], "MS5OPS_ENVIRONMENT"
    if VARIABLES in environments:
        return VARIABLES, "DB_HOST"
    if parsed.default_environment:
        return parsed.default_environment, f"default_environment in {file.name}"
    if environments:
        return next(iter(environments)), f"the first environment in {file.name}"
    return SANDBOX, "nothing else is configured"


def _from_variables(named: Mapping[str, str]) -> Environment:
    password = "DB_PASSWORD" if "DB_PASSWORD" in named else None
    credential = Credential(user=named.get("DB_USER", "postgres"), password_env=password)
    try:
        return Environment(
            host=named["DB_HOST"],
            port=named.get("DB_PORT", "5432"),  # type: ignore[arg-type]  # pydantic converts and checks
            database=named.get("DB_NAME", "factory_telemetry"),
            schema=named.get("DB_SCHEMA", "factory_telemetry"),
            read=credential,
            deploy=credential,
            benchmarks=named.get(QUESTIONS_VARIABLE),  # type: ignore[arg-type]  # pydantic makes it a path
        )
    except ValidationError as error:
        raise ConfigError(
            f"DB_PORT is {named.get('DB_PORT')!r}, which is not a port number.", "Export a number from 1 to 65535."
        ) from error


def _questions_found(environment: Environment, file: Path) -> Environment:
    """With its folder of questions as a whole path: it is relative to ms5ops.toml, wherever a process was started."""
    if environment.benchmarks is None:
        return environment
    folder = (file.parent / environment.benchmarks.expanduser()).absolute()
    return environment.model_copy(update={"benchmarks": folder})


def _read_file(file: Path) -> ConfigFile:
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ConfigFile()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read ({error}).", "Check its permissions and encoding (UTF-8).") from error
    return strict.validated(ConfigFile, strict.parse_toml(text, file), file)


def _unknown_environment(name: str, known: list[str]) -> ConfigError:
    nearest = difflib.get_close_matches(name, known, n=1)
    return ConfigError(
        f"There is no environment {name!r}.",
        f"Did you mean {nearest[0]!r}?" if nearest else f"Choose one of: {', '.join(known)}.",
    )
