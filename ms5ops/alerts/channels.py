"""Messages to people, through apprise: e-mail, Teams, Slack, webhooks and many more. Nothing else imports it."""

import logging
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from ms5ops.alert_settings import Channel
from ms5ops.alerts.store import AlertError
from ms5ops.errors import ConfigError

logging.getLogger("apprise").propagate = False  # it writes whole addresses, which are secrets
TIMEOUT_S = 20
"""Own choice, for one message: an evaluation must not hang on a service that does not answer."""
_KINDS = {"critical": "failure", "warning": "warning", "cleared": "success", "test": "info"}
_SHORTEST_SECRET = 3


class NotDelivered(AlertError):
    """A message was not taken by the service that it was to go through."""


def service_of(channel: Channel, name: str) -> str:
    """What kind of service a channel's address is of (``mailtos``), and nothing else of it.

    ConfigError where the address is not there, or is none that apprise knows.
    """
    address = channel.read(f"The address of the alert channel {name}")
    _notifier(address, name)
    return address.get_secret_value().partition("://")[0].lower()


def send(channel: Channel, name: str, *, title: str, body: str, kind: str) -> None:
    """Send one message (plain text); ``kind``: "critical", "warning", "cleared" or "test".

    Raises NotDelivered where the service does not take it, ConfigError where the address is not usable. Neither holds
    anything of the address.
    """
    address = channel.read(f"The address of the alert channel {name}")
    notifier = _notifier(address, name)
    said: list[str] = []
    taken = notifier.notify(
        title=title, body=body, notify_type=_KINDS[kind], body_format="text", timeout=TIMEOUT_S,
        log_callback=lambda entry, _service: said.append(entry.message),
    )  # fmt: skip
    if not taken:
        raise NotDelivered(
            f"The channel {name} did not take a message. {without_secrets(said, address)}",
            "Check the service, and the address that is configured for the channel.",
        )


def without_secrets(said: Sequence[str], address: SecretStr) -> str:
    """The first line of what apprise said, with every part of the address taken out except the service's host."""
    line = next((" ".join(one.split()) for one in said if one.strip()), "No reason was given.")
    whole = address.get_secret_value()
    host = urlsplit(whole).hostname or ""
    parts = {whole, unquote(whole), *re.split(r"[/:@?&=#]+", whole), *re.split(r"[/:@?&=#]+", unquote(whole))}
    service = whole.partition("://")[0]
    for part in sorted(parts, key=len, reverse=True):
        if len(part) >= _SHORTEST_SECRET and part not in (host, service):
            line = re.sub(re.escape(part), "***", line, flags=re.IGNORECASE)
    return line[:300]


def _notifier(address: SecretStr, name: str) -> Any:
    import apprise  # noqa: PLC0415 (a fifth of a second to load, for sending only)

    notifier = apprise.Apprise()
    if not notifier.add(address.get_secret_value()):
        raise ConfigError(
            f"The address of the alert channel {name} is none that apprise knows.",
            "Write it as apprise's documentation of that service says, such as mailtos://user:password@host.",
        )
    return notifier
