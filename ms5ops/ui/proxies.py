"""Which proxies are believed about who asks, however the console was started: those of ``[access] trusted_proxies``."""

import os
from typing import Any, cast

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from ms5ops.config import load_settings
from ms5ops.errors import Ms5opsError

BELIEVED = "FORWARDED_ALLOW_IPS"
"""What uvicorn reads. ``python -m ms5ops run`` sets it; whoever sets it otherwise has decided."""
_SELF = "127.0.0.1"
_BELIEVED_UNASKED = [_SELF, "::1"]
_PLAIN = {"https": "http", "wss": "ws"}


class ConfiguredProxies:
    """ASGI middleware that believes the configured proxies and no others.

    Without ``BELIEVED`` uvicorn believes every process of this host, before the console is even loaded: each of them
    could try passwords as anybody. What it took from their headers is taken back here.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._undone = ProxyHeadersMiddleware(_nothing, trusted_hosts=_BELIEVED_UNASKED)
        believing: Any = ProxyHeadersMiddleware(cast("Any", app), trusted_hosts=_configured())
        self._is_decided = BELIEVED in os.environ
        self._app: ASGIApp = app if self._is_decided else believing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._is_decided and scope["type"] in ("http", "websocket"):
            scope = self._as_connected(scope)
        await self._app(scope, receive, send)

    def _as_connected(self, scope: Scope) -> Scope:
        """The scope with the peer that connected. Whoever is where the header says is taken for a process of here."""
        headers = Headers(scope=scope)
        client, said = scope.get("client"), ", ".join(headers.getlist("x-forwarded-for"))
        if client and said and tuple(client) == self._undone.trusted_hosts.get_trusted_client_address(said):
            scope = {**scope, "client": (_SELF, 0)}
        if "x-forwarded-proto" in headers and client and scope["client"][0] in _BELIEVED_UNASKED:
            scope = {**scope, "scheme": _PLAIN.get(scope["scheme"], scope["scheme"])}
        return scope


async def _nothing(*_asked: Any) -> None:
    """No application: only the address that a header gives is asked for."""


def _configured() -> list[str]:
    """None where the configuration cannot be read, which the pages then say."""
    try:
        return list(load_settings().access.trusted_proxies)
    except Ms5opsError:
        return []
