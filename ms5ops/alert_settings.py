"""``[alerts]`` in ms5ops.toml: from when on a rule alarms, when an alert is sent again, and whom it goes to."""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from ms5ops.errors import ConfigError

Share = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]


class SecretSource(BaseModel):
    """Where a secret is kept: a variable or a file. It is read only when it is used, and never shown."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    env: str | None = None
    file: Path | None = None

    @model_validator(mode="after")
    def _one_source(self) -> "SecretSource":
        if (self.env is None) == (self.file is None):
            raise ValueError("give env (the name of a variable) or file, one of them")
        return self

    def read(self, what: str) -> SecretStr:
        """The secret; ConfigError where the variable or file does not hold it. ``what`` names it for people."""
        if self.env is not None:
            text, place = os.environ.get(self.env, ""), f"the variable {self.env}"
        else:
            place = f"the file {self.file}"
            try:
                text = Path(str(self.file)).expanduser().read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(
                    f"{what} should be in {place}, which cannot be read.", "Check its path and permissions."
                ) from error
        if not text.strip():
            raise ConfigError(f"{what} should be in {place}, which holds nothing.", "Set it, or name another place.")
        return SecretStr(text.strip())


class Channel(SecretSource):
    """Somebody who is told: an address of apprise (``mailtos://``, ``msteams://``, ``slack://``, ``jsons://``, ...).

    Such an address holds passwords and tokens, so that ms5ops.toml names only where it is kept.
    """

    least: Literal["warning", "critical"] = "warning"
    """The least severity that is sent there."""


class Rule(BaseModel):
    """What every rule has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = True


class JobsRule(Rule):
    """Background jobs that fail, wait, or never ran."""

    failures: Count = 1
    """So many failed runs in a row alarm; three are critical, as on Health."""
    overdue_minutes: Annotated[float, Field(ge=0)] = 5
    """Phase 4's target: jobs start within 5 minutes of their schedule."""


class LagRule(Rule):
    """Continuous aggregates behind their source."""

    times_promised: Annotated[float, Field(ge=1)] = 1.0
    """Of what the refresh policy allows: end_offset + schedule_interval + one bucket."""


class BacklogRule(Rule):
    """Chunks that the last run of the compression job should have compressed."""

    late_chunks: Count = 1


class RatioRule(Rule):
    """Tables on which compression saves too little."""

    least_saved: Share = 0.70
    """Phase 4's validation criterion: compression over 70 % after 7 days."""
    least_mb: Annotated[float, Field(ge=0)] = 100
    """Own choice: a table whose compressed chunks held less (MB, uncompressed) has little to save, and wakes nobody."""


class RetentionRule(Rule):
    """Chunks that the last run of the retention job should have dropped, and retention under an aggregate."""

    late_chunks: Count = 1


class StorageRule(Rule):
    """The forecast of what the tables will take."""

    limit_gb: Annotated[float, Field(gt=0)] | None = None
    """GB (1,000,000,000 bytes) that the database has room for; None: there is nothing to compare with."""
    days_ahead: Annotated[int, Field(ge=1, le=730)] = 90


class RegressionRule(Rule):
    """Benchmarks that got slower, and still are."""

    slower_by: Share = 0.05
    """As where trends look for changes of level (ms5ops/benchmark/change_points.py, SMALLEST)."""
    days: Count = 31
    """Own choice: a shift that is older than a month is the level that people have got used to."""


class ErrorsRule(Rule):
    """Transactions that were rolled back, among them every statement that failed or timed out."""

    times_usual: Annotated[float, Field(gt=1)] = 3.0
    """Own choice: of the rate that was usual over the week before."""
    least_per_hour: Annotated[float, Field(gt=0)] = 10.0
    """Own choice: three instead of one is no rise that anybody has to be told of."""


class CollectorRule(Rule):
    """Snapshots that stay away."""

    silent_minutes: Count = 60
    """Own choice: four of the console's usual intervals of 15 minutes."""


class PrometheusRoute(BaseModel):
    """``/metrics/ms5ops`` of the console: off unless it is asked for, and only for who brings the bearer token."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = False
    token: SecretSource | None = None

    @model_validator(mode="after")
    def _has_token(self) -> "PrometheusRoute":
        if self.enabled and self.token is None:
            raise ValueError("the route needs a token (token = { env = ... } or { file = ... })")
        return self


class Alerts(BaseModel):
    """All of ``[alerts]``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    in_console: bool = True
    """Whether the running console evaluates the default environment after each of its snapshots."""
    open_after: Count = 1
    """Evaluations in a row that must find a condition before it alarms."""
    clear_after: Count = 2
    """Evaluations in a row that must not find it before the alert is over: one that comes and goes alarms once."""
    remind_after_hours: Annotated[float, Field(ge=0)] = 24
    """After how long an open alert that nobody acknowledged is sent again; 0: never."""
    console_url: str | None = None
    """Where people open this console; messages then carry a link to its alerts."""
    channels: dict[str, Channel] = Field(default_factory=dict)
    prometheus: PrometheusRoute = PrometheusRoute()
    jobs: JobsRule = JobsRule()
    lag: LagRule = LagRule()
    backlog: BacklogRule = BacklogRule()
    ratio: RatioRule = RatioRule()
    retention: RetentionRule = RetentionRule()
    storage: StorageRule = StorageRule()
    regression: RegressionRule = RegressionRule()
    drift: Rule = Rule()
    errors: ErrorsRule = ErrorsRule()
    collector: CollectorRule = CollectorRule()
