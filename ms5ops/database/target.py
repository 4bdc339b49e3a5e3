"""Where a server is, and the values that go along with a statement."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import SecretStr

Parameters = Mapping[str, object]


@dataclass(frozen=True)
class Target:
    """Where a server is and as whom to go there. The password never appears in ``repr`` or in errors."""

    host: str
    port: int
    database: str
    user: str
    password: SecretStr | None = None
    sslmode: str = "prefer"

    @property
    def address(self) -> str:
        """For people and logs: ``user@host:port/database``."""
        return f"{self.user}@{self.host}:{self.port}/{self.database}"
