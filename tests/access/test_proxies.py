"""Who asks, however the console was started: headers count from the proxies that are configured, and from no others."""

from typing import Any

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from ms5ops.access.store import Store
from ms5ops.ui.proxies import BELIEVED, ConfiguredProxies
from tests.access.conftest import configure
from tests.finished import finished


def seen(peer: str, headers: dict[str, str]) -> tuple[str, str]:
    """The client and the scheme that the console sees, behind uvicorn as it is when nothing is said to it."""
    found: list[Scope] = []

    async def console(scope: Scope, _receive: Receive, _send: Send) -> None:
        found.append(scope)

    served: Any = ProxyHeadersMiddleware(ConfiguredProxies(console), trusted_hosts="127.0.0.1,::1")  # type: ignore[arg-type]
    sent = [(name.encode(), value.encode()) for name, value in headers.items()]
    finished(served({"type": "http", "scheme": "http", "client": (peer, 40_000), "headers": sent}, None, None))
    return found[0]["client"][0], found[0]["scheme"]


@pytest.fixture(autouse=True)
def nothing_said_to_uvicorn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(BELIEVED, raising=False)


@pytest.mark.parametrize("said", ["203.0.113.9", "203.0.113.9:80", "[2001:db8::1]:80", "1.1.1.1, 203.0.113.9", "x"])
def test_a_process_of_this_host_is_not_believed(kept: Store, said: str) -> None:
    assert seen("127.0.0.1", {"x-forwarded-for": said, "x-forwarded-proto": "https"}) == ("127.0.0.1", "http")


def test_nobody_else_is_believed_either(kept: Store) -> None:
    assert seen("198.51.100.7", {"x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https"}) == (
        "198.51.100.7", "http",
    )  # fmt: skip


@pytest.mark.parametrize("proxy", ["127.0.0.1", "10.0.0.5"])
def test_a_configured_proxy_is_believed(kept: Store, proxy: str) -> None:
    configure(kept, f'[access]\ntrusted_proxies = ["{proxy}"]\n')
    assert seen(proxy, {"x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https"}) == ("203.0.113.9", "https")


def test_what_was_decided_for_uvicorn_counts(kept: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BELIEVED, "127.0.0.1")
    assert seen("127.0.0.1", {"x-forwarded-for": "203.0.113.9"}) == ("203.0.113.9", "http")
